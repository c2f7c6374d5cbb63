"""Random mappings worth pricing: the array full, the memories filled from the MACs outwards.

Uniform draws of tiles and axes hardly ever fit or leave most of the chip idle. Here each axis takes the
dimension that uses it better, of two drawn, and each memory's tile is enlarged, dimension by dimension in a
random order, as far as it fits and leaves enough of the dimension for the axes above.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers.chance import below, uniform
from cost_models.mappers.proposals import (
    COLUMNS,
    DIM,
    PARTS,
    PLACE,
    SCRATCH,
    TILE,
    may,
    orders_of,
    shared,
)
from cost_models.mappers.room import fits, keeps_outputs, narrow, narrows, place_in, spread

MOST = SCRATCH - L.NDIM  # [8] of `scratch`: the largest tiles that leave enough for the axes above

_FULL, _SOME = 0.6, 0.25  # chance of the largest tile that fits, and of some that fits
_EVEN = 0.5  # chance that the tiles of a memory first grow in turns
_TURNS = 24
_PASSING, _PASSED = (
    0.1,
    0.5,
)  # chance, a memory, that some hold what the next one needs alone; of each
_COMPLETE = 0.5  # chance that outputs are taken to leave complete, where that saves room
_ANY = 0.5  # chance that an axis takes whatever dimension is drawn
_FEWER = 0.5  # chance that an axis leaves lanes to those that it shares them with,
_NONE = 0.4  # and all of them then


@step
def draw_axis(row, m, a, axes, proposal, scratch, state, iw):
    """Give an axis the dimension that uses it better, of two drawn; takes its part off `scratch`."""
    fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    host = L.NDIM + iw[fan + L.LANES]
    room = min(iw[fan + L.AXIS_SIZE], scratch[host])
    pick = -1
    most = 0.0
    for _ in range(1 if uniform(state) < _ANY else 2):
        d, stride = below(L.NDIM, state), 1 + 2 * below(4, state)
        for _ in range(L.NDIM):
            if may(m, a, d, axes, iw) and scratch[d] > 1:
                break
            d = (d + stride) & 7
        if room > 1 and may(m, a, d, axes, iw) and scratch[d] > 1:
            used = scratch[d] / (-(-scratch[d] // room) * room)
            if used > most:
                pick, most = d, used
    proposal[row, COLUMNS * m + DIM + a] = pick
    proposal[row, COLUMNS * m + PARTS + a] = 0
    if pick >= 0:
        if shared(m, a, iw) and uniform(state) < _FEWER:
            if uniform(state) < _NONE:
                proposal[row, COLUMNS * m + DIM + a] = -1
                return
            room = 1 + below(room - 1, state)
            proposal[row, COLUMNS * m + PARTS + a] = room
        each = -(-scratch[pick] // room)
        scratch[host] //= -(-scratch[pick] // each)
        scratch[pick] = each


@step
def draw_axes(row, axes, proposal, scratch, state, iw):
    """Draw the dimensions of all axes, from the outermost memory inwards."""
    for d in range(L.NDIM):
        scratch[d] = iw[X.PROBLEM + d]
    for m in range(iw[X.MEMORIES] & 7):
        for a in range(L.MAX_AXES):
            proposal[row, COLUMNS * m + DIM + a] = -1
            proposal[row, COLUMNS * m + PARTS + a] = 0
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        for a in range(iw[X.AXES + m]):
            draw_axis(row, m, a, axes, proposal, scratch, state, iw)


@inlined
def leave_enough(row, m, proposal, scratch, iw):
    """Note the largest tiles of memory `m` that leave enough of each dimension for the axes above."""
    for d in range(L.NDIM):
        scratch[MOST + d] = iw[X.PROBLEM + d]
    for x in range(m):
        for a in range(iw[X.AXES + x]):
            d = proposal[row, COLUMNS * x + DIM + a]
            if d >= 0:
                wanted = proposal[row, COLUMNS * x + PARTS + a]
                size = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * x + a) + L.AXIS_SIZE]
                lanes = min(size, wanted) if wanted > 0 else size
                scratch[MOST + d] = -(-scratch[MOST + d] // lanes)


@step
def grow(m, complete, sizes, scratch, state, ws, iw):
    """Double the tiles of memory `m` in turns, drawn at random, while they fit."""
    at = X.TILE + L.NDIM * m
    refused = 0  # bit d: the tile cannot grow as long as no other does
    for _ in range(_TURNS):
        d = below(L.NDIM, state)
        if (refused >> d) & 1 or scratch[d] == iw[X.PROBLEM + d]:
            continue
        size = sizes[d, place_in(2 * scratch[d], d, sizes)]
        ws[at + d] = size
        if size <= scratch[MOST + d] and fits(m, complete, ws, iw):
            scratch[d] = size
            refused = 0
        else:
            ws[at + d] = scratch[d]
            refused |= 1 << d


@step
def fill(row, first, complete, proposal, sizes, scratch, state, ws, iw):
    """Draw the tiles of the memories 1 .. `first`, which the proposal has below the memory above each.

    Axes take all their lanes, or as many as what they bring has room for. `complete`: see `room.fits`.
    """
    passing = uniform(state) < _PASSING * ((iw[X.MEMORIES] & 7) - 2)
    for m in range(first, 0, -1):
        at = X.TILE + L.NDIM * m
        for a in range(iw[X.AXES + m]):
            if proposal[row, COLUMNS * m + PARTS + a] > 0 and not shared(m, a, iw):
                proposal[row, COLUMNS * m + PARTS + a] = 0
        spread(row, m, proposal, scratch, ws, iw)
        while not fits(m, complete, ws, iw) and narrow(row, m, proposal, state, iw):
            spread(row, m, proposal, scratch, ws, iw)
        leave_enough(row, m, proposal, scratch, iw)
        passed = passing and uniform(state) < _PASSED
        if not passed and uniform(state) < _EVEN:
            grow(m, complete, sizes, scratch, state, ws, iw)
        d = below(L.NDIM, state)
        stride = 1 + 2 * below(4, state)
        for _ in range(0 if passed else L.NDIM):
            d = (d + stride) & 7
            luck = uniform(state)
            if iw[X.PROBLEM + d] == scratch[d] or luck > _FULL + _SOME:
                continue
            most = scratch[MOST + d]
            # The first place in `sizes` that fits, between `low` (does not) and `high` (does).
            low, high = 0, sizes[d, 0]
            while high - low > 1:
                k = (low + high) >> 1
                ws[at + d] = sizes[d, k]
                good = sizes[d, k] <= scratch[d] or (sizes[d, k] <= most and fits(m, complete, ws, iw))
                if good:
                    high = k
                else:
                    low = k
            if luck > _FULL:
                high += below(sizes[d, 0] - high + 1, state)
            scratch[d] = max(scratch[d], sizes[d, high])
            ws[at + d] = scratch[d]
        for d in range(L.NDIM):
            proposal[row, COLUMNS * (m - 1) + TILE + d] = scratch[d]


@inlined
def completes(state, ws, iw):
    """Whether outputs are to leave complete, drawn."""
    return narrows(ws, iw) and uniform(state) < _COMPLETE


@step
def draw_order(row, m, complete, allowed, proposal, state):
    """Draw the loop order of memory `m`: where outputs leave `complete` one that keeps them, if any does."""
    many, at = orders_of(m, allowed), COLUMNS * m + PLACE
    proposal[row, at] = below(many, state)
    for _ in range(many if complete else 0):
        if keeps_outputs(row, m, allowed, proposal):
            break
        proposal[row, at] = (proposal[row, at] + 1) % many


@step
def draw(row, allowed, pool, space):
    """Draw a whole proposal."""
    proposal, state, scratch, iw = pool.proposal, pool.state, space.scratch, space.iw
    M = iw[X.MEMORIES] & 7
    draw_axes(row, allowed.axes, proposal, scratch, state, iw)
    complete = completes(state, space.ws, iw)
    for m in range(M):
        draw_order(row, m, complete, allowed, proposal, state)
        for d in range(L.NDIM):
            proposal[row, COLUMNS * m + TILE + d] = 1
    fill(row, M - 1, complete, proposal, pool.sizes, scratch, state, space.ws, iw)
