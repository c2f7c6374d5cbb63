"""Proposals: mappings in the form that the searches change, of which only capacity can make one illegal.

A proposal says per memory how large a tile each instance of the memory below should have, which dimension
each axis should carry, in how many parts at most, and which loop order to use. `realise` makes the mapping.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X

# Pool.proposal: a row a proposal, COLUMNS a memory
TILE = 0  # [8] instance tile of the memory below
DIM = TILE + L.NDIM  # [MAX_AXES] dimension of an axis, -1 = unused
PARTS = DIM + L.MAX_AXES  # [MAX_AXES] most parts that an axis cuts it into, 0 = as many as it has lanes; or
ALL = -1  # just as many as that, though the last turn may then leave some idle
PLACE = PARTS + L.MAX_AXES  # row of `Allowed.orders`
COLUMNS = PLACE + 1

# Workspace.scratch: what is left of each dimension, and of the lanes of each axis; then see `filled`
SCRATCH = L.NDIM + L.MAX_AXES + L.NDIM

# Pool.sizes: how many, then tile sizes worth trying, falling, the smallest of their trip counts
SIZES = 65
_THIN = 1.12  # ratio of the trip counts of neighbours that do not divide

FREE_ORDERS = 7  # rows of `Allowed.orders` to try where any order goes


@step
def list_sizes(pool, iw):
    """Fill `sizes` for the problem at hand."""
    sizes = pool.sizes
    for d in range(L.NDIM):
        size = iw[X.PROBLEM + d]
        n = 0
        trips = 1
        wanted = 1.0
        while True:
            tile = -(-size // trips)
            if n < SIZES - 2 and (size % tile == 0 or trips >= wanted or tile == 1):
                n += 1
                sizes[d, n] = tile
                wanted = trips * _THIN
            if tile == 1:
                break
            trips = trips + 1 if trips * trips <= size else -(-size // (tile - 1))
        if sizes[d, n] != 1:
            n += 1
            sizes[d, n] = 1
        sizes[d, 0] = n


@inlined
def orders_of(m, allowed):
    """How many loop orders of memory `m` there are to try."""
    return allowed.norders[m] if allowed.norders[m] > 0 else FREE_ORDERS


@inlined
def room_of(row, m, a, proposal, scratch, iw):
    """Lanes that an axis may use: its own, those left of its host in `scratch`, those that are proposed."""
    fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    room = min(iw[fan + L.AXIS_SIZE], scratch[L.NDIM + iw[fan + L.LANES]])
    wanted = proposal[row, COLUMNS * m + PARTS + a]
    return min(room, wanted) if wanted > 0 else room


@step
def split(row, m, proposal, scratch, iw):
    """Multiply the tiles in `scratch` by the axes below memory `m`."""
    for a in range(iw[X.AXES + m]):
        scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
    for a in range(iw[X.AXES + m]):
        d = proposal[row, COLUMNS * m + DIM + a]
        room = room_of(row, m, a, proposal, scratch, iw)
        if d >= 0 and room > 1:
            whole = min(iw[X.PROBLEM + d], scratch[d] * room)
            host = L.NDIM + iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.LANES]
            scratch[host] //= -(-whole // scratch[d])
            scratch[d] = whole


@step
def widen(row, proposal, scratch, iw):
    """Raise the tiles of a proposal until all axes further in are full."""
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        scratch[d] = 1
    for m in range(M - 1, -1, -1):
        at = COLUMNS * m
        if m < M - 1:
            for d in range(L.NDIM):
                scratch[d] = max(scratch[d], proposal[row, at + TILE + d])
                proposal[row, at + TILE + d] = scratch[d]
        split(row, m, proposal, scratch, iw)


@step
def realise(row, b, orders, proposal, batch, scratch, iw):
    """Write the mapping that comes closest to a proposal to row `b` of a batch.

    Tiles never grow on their way in; an axis cuts its dimension into as few and as even parts as it can, or
    into as many as fit (ALL), and stays partly empty where the tile above is too small (`widen`). The last
    row of `tile` is scratch; axes that the machine does not have are left as they are.
    """
    tile, order, axis_dim, axis_factor = batch
    M = iw[X.MEMORIES] & 7
    rest = tile.shape[0] - 1
    for d in range(L.NDIM):
        tile[rest, 0, d] = iw[X.PROBLEM + d]
    for m in range(M):
        at = COLUMNS * m
        for d in range(L.NDIM):
            scratch[d] = tile[rest, m, d]
            tile[b, m, d] = proposal[row, at + TILE + d] if m < M - 1 else 1
            order[b, m, d] = orders[m, proposal[row, at + PLACE], d]
        for a in range(iw[X.AXES + m]):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        for a in range(iw[X.AXES + m]):
            fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
            d = proposal[row, at + DIM + a]
            axis_dim[b, m, a] = 0
            axis_factor[b, m, a] = 0
            if d < 0:
                continue
            host = L.NDIM + iw[fan + L.LANES]
            room = min(room_of(row, m, a, proposal, scratch, iw), scratch[d])
            if room < 2:
                continue
            each = -(-scratch[d] // room)
            factor = -(-scratch[d] // each)
            if proposal[row, at + PARTS + a] == ALL:
                inner = proposal[row, at + TILE + d] if m < M - 1 else 1
                factor = max(factor, min(room, scratch[d] // inner))
            axis_dim[b, m, a] = d
            axis_factor[b, m, a] = factor
            scratch[host] //= factor
            scratch[d] = each
            tile[b, m, d] *= factor
        for d in range(L.NDIM):
            union = min(tile[b, m, d], tile[rest, m, d])
            tile[b, m, d] = union
            scratch[d] = union
        if m == M - 1:
            break
        for a in range(iw[X.AXES + m]):
            if axis_factor[b, m, a] > 1:
                d = axis_dim[b, m, a]
                scratch[d] = -(-scratch[d] // axis_factor[b, m, a])
        for d in range(L.NDIM):
            tile[rest, m + 1, d] = scratch[d]


@inlined
def copy(source, target, pool):
    """Copy a proposal and what it costs."""
    proposal, cost = pool.proposal, pool.cost
    for i in range(proposal.shape[1]):
        proposal[target, i] = proposal[source, i]
    cost[target, 0] = cost[source, 0]
    cost[target, 1] = cost[source, 1]


@inlined
def set_tile(row, m, d, size, proposal):
    """Give a proposal a tile; a larger one below needs at least as large ones above."""
    proposal[row, COLUMNS * m + TILE + d] = size
    for x in range(m):
        at = COLUMNS * x + TILE + d
        proposal[row, at] = max(proposal[row, at], size)


@inlined
def place_of(row, m, d, proposal, sizes):
    """Place in `sizes` of the tile of dimension `d` that memory `m` hands down."""
    k = 1
    while k < sizes[d, 0] and sizes[d, k] > proposal[row, COLUMNS * m + TILE + d]:
        k += 1
    return k


@inlined
def divisor(d, k, way, sizes):
    """The next place from `k` on whose size divides the dimension, or 0."""
    k += way
    while 1 <= k <= sizes[d, 0]:
        if sizes[d, 1] % sizes[d, k] == 0:
            return k
        k += way
    return 0


@inlined
def shared(m, a, iw):
    """Whether an axis has its lanes together with another."""
    fan = X.FAN + L.FAN_COLS * L.MAX_AXES * m + L.LANES
    many = 0
    for other in range(iw[X.AXES + m]):
        many += iw[fan + L.FAN_COLS * other] == iw[fan + L.FAN_COLS * a]
    return many > 1


@inlined
def may(m, a, d, axes, iw):
    """Whether an axis may carry a dimension that the layer has."""
    return (axes[m, a] >> d) & 1 == 1 and iw[X.PROBLEM + d] > 1
