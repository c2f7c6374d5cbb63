"""Loop orders that suit the tiles: of each memory the one that leaves most in place, at a rough count."""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.capacity import tile_words
from cost_models.loopnest.nest import free_of
from cost_models.mappers.chance import uniform
from cost_models.mappers.proposals import COLUMNS, PLACE, orders_of, realise


@step
def _note_tiles(b, space):
    """Put the tiles and trip counts of the mapping in row `b` of the batch into `ws`."""
    tile, axis_dim, axis_factor = space.batch.tile, space.batch.axis_dim, space.batch.axis_factor
    ws, iw = space.ws, space.iw
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        size = iw[X.PROBLEM + d]
        for m in range(M):
            ws[X.TILE + L.NDIM * m + d] = np.float64(size)
            union = min(size, np.int64(tile[b, m, d]))
            ws[X.TRIP + L.NDIM * m + d] = np.float64(-(-size // union))
            size = union
            for a in range(iw[X.AXES + m]):
                if axis_factor[b, m, a] > 1 and axis_dim[b, m, a] == d:
                    size = -(-size // np.int64(axis_factor[b, m, a]))


@step
def _bits(m, k, orders, ws, iw):
    """Bits that memory `m` hands down while its loops run once, in its order `k`."""
    M = iw[X.MEMORIES] & 7
    total = 0.0
    for t in range(L.NTENSOR):
        c = m + 1
        while c < M and iw[X.HOLDS + L.NTENSOR * c + t] == 0:
            c += 1
        if c == M or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
            continue
        free = free_of(t)
        fills = 1.0
        met = False
        again = False
        for i in range(L.NDIM):
            d = np.int64(orders[m, k, L.NDIM - 1 - i])
            trips = ws[X.TRIP + L.NDIM * m + d]
            if trips == 1.0:
                continue
            relevant = not (free >> d) & 1
            met |= relevant
            if met:
                fills *= trips
                again |= not relevant
        words = tile_words(t, X.TILE + L.NDIM * c, ws)
        width = X.width(m, t, ws)
        if t == L.O and again:
            width = 2.0 * X.width(m, L.PSUM, ws)
        total += fills * words * width
    return total


@step
def suit(row, b, allowed, pool, space):
    """Give each memory of a proposal the order that hands down fewest bits, of equals one at random.

    Row `b` of the batch is scratch.
    """
    proposal, iw = pool.proposal, space.iw
    realise(row, b, allowed.orders, proposal, space.batch, space.scratch, iw)
    _note_tiles(b, space)
    for m in range((iw[X.MEMORIES] & 7) - 1):
        least = np.inf
        alike = 0
        for k in range(orders_of(m, allowed)):
            bits = _bits(m, k, allowed.orders, space.ws, iw)
            if bits < least:
                least, alike = bits, 0
            if bits == least:
                alike += 1
                if uniform(pool.state) * alike < 1.0:
                    proposal[row, COLUMNS * m + PLACE] = k
