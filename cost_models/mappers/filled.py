"""Random mappings worth pricing: the array full, the memories filled from the MACs outwards.

Uniform draws of tiles and axes hardly ever fit or leave most of the chip idle. Here each axis takes the
dimension that uses it better, of two drawn, and each memory's tile is enlarged, dimension by dimension in a
random order, as far as it fits and leaves enough of the dimension for the axes above.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.capacity import tile_words
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
    split,
)

MOST = SCRATCH - L.NDIM  # [8] of `scratch`: the largest tiles that leave enough for the axes above

_FULL, _SOME = 0.6, 0.25  # chance of the largest tile that fits, and of some that fits
_EVEN = 0.5  # chance that the tiles of a memory first grow in turns
_TURNS = 24
_FEWER = 0.5  # chance that an axis leaves lanes to those that it shares them with


@inlined
def first_holder(m, t, iw):
    """Whether no memory between the outermost one and `m` holds the tensor."""
    held = 0
    for x in range(1, m):
        held |= iw[X.HOLDS + L.NTENSOR * x + t]
    return held == 0


@step
def fits(m, ws, iw):
    """Whether the tile at TILE of memory `m` fits, but for what depends on the loops above it."""
    memory = X.MEMORY + L.MEM_COLS * m
    at = X.TILE + L.NDIM * m
    total = 0.0
    for t in range(L.NTENSOR):
        if iw[X.HOLDS + L.NTENSOR * m + t] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
            continue
        width = X.width(m, t, ws)
        if t == L.O and (
            ws[at + L.C] < ws[X.TILE + L.C]
            or ws[at + L.R] < ws[X.TILE + L.R]
            or ws[at + L.S] < ws[X.TILE + L.S]
        ):
            width = X.width(m, L.PSUM, ws)
        size = tile_words(t, at, ws) * width * ws[memory + L.BUFFERS]
        if iw[X.PROBLEM + L.RESIDENT + t] and first_holder(m, t, iw):
            size = tile_words(t, X.TILE, ws) * X.width(m, t, ws)
        total += size
        if size > ws[memory + L.CAPACITY + t]:
            return False
    return total <= ws[memory + L.CAPACITY_ALL]


@step
def draw_axis(row, m, a, axes, proposal, scratch, state, iw):
    """Give an axis the dimension that uses it better, of two drawn; takes its part off `scratch`."""
    fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    host = L.NDIM + iw[fan + L.LANES]
    room = min(iw[fan + L.AXIS_SIZE], scratch[host])
    pick = -1
    most = 0.0
    for _ in range(2):
        d = below(L.NDIM, state)
        for _ in range(L.NDIM):
            if may(m, a, d, axes, iw) and scratch[d] > 1:
                break
            d = (d + 1) & 7
        if room > 1 and may(m, a, d, axes, iw) and scratch[d] > 1:
            used = scratch[d] / (-(-scratch[d] // room) * room)
            if used > most:
                pick, most = d, used
    proposal[row, COLUMNS * m + DIM + a] = pick
    proposal[row, COLUMNS * m + PARTS + a] = 0
    if pick >= 0:
        if shared(m, a, iw) and uniform(state) < _FEWER:
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


@step
def grow(m, sizes, scratch, state, ws, iw):
    """Double the tiles of memory `m` in turns, drawn at random, while they fit."""
    at = X.TILE + L.NDIM * m
    refused = 0  # bit d: the tile cannot grow as long as no other does
    for _ in range(_TURNS):
        d = below(L.NDIM, state)
        if (refused >> d) & 1 or scratch[d] == iw[X.PROBLEM + d]:
            continue
        size = sizes[d, place_in(2 * scratch[d], d, sizes)]
        ws[at + d] = size
        if size <= scratch[MOST + d] and fits(m, ws, iw):
            scratch[d] = size
            refused = 0
        else:
            ws[at + d] = scratch[d]
            refused |= 1 << d


@step
def fill(row, first, proposal, sizes, scratch, state, ws, iw):
    """Draw the tiles of the memories 1 .. `first`, which the proposal has below the memory above each."""
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        scratch[d] = 1 if first == M - 1 else proposal[row, COLUMNS * first + TILE + d]
    for m in range(first, 0, -1):
        split(row, m, proposal, scratch, iw)
        at = X.TILE + L.NDIM * m
        for d in range(L.NDIM):
            ws[at + d] = scratch[d]
        leave_enough(row, m, proposal, scratch, iw)
        if uniform(state) < _EVEN:
            grow(m, sizes, scratch, state, ws, iw)
        d = below(L.NDIM, state)
        stride = 1 + 2 * below(4, state)
        for _ in range(L.NDIM):
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
                good = sizes[d, k] <= scratch[d] or (sizes[d, k] <= most and fits(m, ws, iw))
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


@step
def draw(row, allowed, pool, space):
    """Draw a whole proposal."""
    proposal, state, scratch, iw = pool.proposal, pool.state, space.scratch, space.iw
    M = iw[X.MEMORIES] & 7
    draw_axes(row, allowed.axes, proposal, scratch, state, iw)
    for m in range(M):
        proposal[row, COLUMNS * m + PLACE] = below(orders_of(m, allowed), state)
        for d in range(L.NDIM):
            proposal[row, COLUMNS * m + TILE + d] = 1
    fill(row, M - 1, proposal, pool.sizes, scratch, state, space.ws, iw)
