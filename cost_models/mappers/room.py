"""Room: whether the tiles of a proposal fit the memories, and what makes them fit."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.capacity import tile_words
from cost_models.mappers.chance import below
from cost_models.mappers.proposals import COLUMNS, DIM, PARTS, PLACE, TILE, split


@inlined
def first_holder(m, t, iw):
    """Whether no memory between the outermost one and `m` holds the tensor."""
    held = 0
    for x in range(1, m):
        held |= iw[X.HOLDS + L.NTENSOR * x + t]
    return held == 0


@inlined
def narrows(ws, iw):
    """Whether outputs that leave complete take less room than partial sums, in some memory."""
    sums = iw[X.PROBLEM + L.C] * iw[X.PROBLEM + L.R] * iw[X.PROBLEM + L.S]
    some = False
    for m in range(1, iw[X.MEMORIES] & 7):
        held = iw[X.HOLDS + L.NTENSOR * m + L.O] > 0
        some |= held and X.width(m, L.PSUM, ws) > X.width(m, L.O, ws)
    return some and sums > 1


@inlined
def keeps_outputs(row, m, allowed, proposal):
    """Whether the loops that are free to the outputs stand innermost in the order of memory `m`."""
    last = allowed.orders[m, proposal[row, COLUMNS * m + PLACE], L.NDIM - 1]
    return last == L.C or last == L.R or last == L.S


@step
def fits(m, complete, ws, iw):
    """Whether the tile at TILE of memory `m` fits, but for what depends on the loops above it.

    Outputs of which the tile has not the whole sum leave as partial sums, unless they are `complete`, which
    loops over C, R and S make them where they stand inside all others.
    """
    memory = X.MEMORY + L.MEM_COLS * m
    at = X.TILE + L.NDIM * m
    total = 0.0
    for t in range(L.NTENSOR):
        if iw[X.HOLDS + L.NTENSOR * m + t] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
            continue
        width = X.width(m, t, ws)
        if (
            t == L.O
            and not complete
            and (
                ws[at + L.C] < ws[X.TILE + L.C]
                or ws[at + L.R] < ws[X.TILE + L.R]
                or ws[at + L.S] < ws[X.TILE + L.S]
            )
        ):
            width = X.width(m, L.PSUM, ws)
        size = tile_words(t, at, ws) * width * ws[memory + L.BUFFERS]
        if iw[X.PROBLEM + L.RESIDENT + t] and first_holder(m, t, iw):
            size = tile_words(t, X.TILE, ws) * X.width(m, t, ws)
        total += size
        if size > ws[memory + L.CAPACITY + t]:
            return False
    return total <= ws[memory + L.CAPACITY_ALL]


@inlined
def place_in(size, d, sizes):
    """Place in `sizes` of the smallest size of a dimension that is no less than this one, or 1."""
    low, high = 1, sizes[d, 0] + 1
    while high - low > 1:
        k = (low + high) >> 1
        if sizes[d, k] < size:
            high = k
        else:
            low = k
    return low


@inlined
def spread(row, m, proposal, scratch, ws, iw):
    """The tile of memory `m`, in `scratch` and at TILE: what all axes below it need of it."""
    for d in range(L.NDIM):
        scratch[d] = 1 if m == (iw[X.MEMORIES] & 7) - 1 else proposal[row, COLUMNS * m + TILE + d]
    split(row, m, proposal, scratch, iw)
    for d in range(L.NDIM):
        ws[X.TILE + L.NDIM * m + d] = scratch[d]


@inlined
def most_parts(row, m, a, proposal, iw):
    """Into how many parts an axis that carries a dimension may cut it."""
    d = proposal[row, COLUMNS * m + DIM + a]
    lanes = min(iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE], iw[X.PROBLEM + d])
    wanted = proposal[row, COLUMNS * m + PARTS + a]
    return min(lanes, wanted) if wanted > 0 else lanes


@step
def narrow(row, m, proposal, state, iw):
    """Let one of the axes below memory `m`, drawn, cut its dimension into fewer parts; whether any could."""
    many = iw[X.AXES + m]
    a = below(many, state) if many > 0 else 0
    for _ in range(many):
        a = (a + 1) % many
        at = COLUMNS * m + DIM + a
        if proposal[row, at] < 0:
            continue
        most = most_parts(row, m, a, proposal, iw)
        parts = 1 + below(most - 1, state) if most > 2 else 1
        proposal[row, at - DIM + PARTS] = parts if parts > 1 else 0
        if parts == 1:
            proposal[row, at] = -1
        return True
    return False


@step
def make_fit(row, allowed, pool, space):
    """Shrink tiles of a proposal, drawn, and then axes, from the MACs outwards, until all fit."""
    proposal, sizes, state, scratch = pool.proposal, pool.sizes, pool.state, space.scratch
    ws, iw = space.ws, space.iw
    for m in range((iw[X.MEMORIES] & 7) - 1, 0, -1):
        complete = keeps_outputs(row, m - 1, allowed, proposal)
        at, above = X.TILE + L.NDIM * m, COLUMNS * (m - 1) + TILE
        spread(row, m, proposal, scratch, ws, iw)
        for d in range(L.NDIM):
            ws[at + d] = max(scratch[d], proposal[row, above + d])
        while not fits(m, complete, ws, iw):
            d = below(L.NDIM, state)
            for _ in range(L.NDIM):
                if ws[at + d] > scratch[d]:
                    break
                d = (d + 1) & 7
            if ws[at + d] > scratch[d]:
                low, high = place_in(np.int64(ws[at + d]), d, sizes), place_in(scratch[d], d, sizes)
                size = sizes[d, low + 1 + below(high - low, state)] if high > low else 0
                ws[at + d] = max(scratch[d], size)
            elif narrow(row, m, proposal, state, iw):
                spread(row, m, proposal, scratch, ws, iw)
            else:
                break
        for d in range(L.NDIM):
            proposal[row, above + d] = np.int64(ws[at + d])
