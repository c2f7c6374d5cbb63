"""Hill climbing by swaps: one tile grows and another of the same memory shrinks as far as it takes to fit.

What is best mostly lies where a memory is full, and single steps from there lead to what does not fit or is
worse.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers import brood as B
from cost_models.mappers.greedy import INCUMBENT, done, first_better
from cost_models.mappers.proposals import COLUMNS, TILE, copy, divisor, place_of, set_tile
from cost_models.mappers.room import fits, keeps_outputs


@inlined
def overfull(row, m, complete, proposal, ws, iw):
    """Whether what memory `m` hands down is too much for the memory below, whatever the loops above."""
    for d in range(L.NDIM):
        ws[X.TILE + L.NDIM * (m + 1) + d] = np.float64(proposal[row, COLUMNS * m + TILE + d])
    return not fits(m + 1, complete, ws, iw)


@step
def give_way(row, m, d, complete, proposal, sizes, ws, iw):
    """Shrink one tile of memory `m` and of those outside as far as it takes; returns whether they fit."""
    for x in range(m, -1, -1):
        at = COLUMNS * x + TILE + d
        if x < m:
            proposal[row, at] = max(proposal[row, at], proposal[row, COLUMNS * m + TILE + d])
        if not overfull(row, x, complete, proposal, ws, iw):
            continue
        # The first place in `sizes` that fits, between `low` (does not) and `high` (does, if any).
        low, high = place_of(row, x, d, proposal, sizes), sizes[d, 0]
        if x < m:
            high = place_of(row, m, d, proposal, sizes)
        proposal[row, at] = sizes[d, high]
        if overfull(row, x, complete, proposal, ws, iw):
            return False
        while high - low > 1:
            k = (low + high) // 2
            proposal[row, at] = sizes[d, k]
            if overfull(row, x, complete, proposal, ws, iw):
                low = k
            else:
                high = k
        proposal[row, at] = sizes[d, high]
    return True


@step
def swap(m, allowed, pool, space):
    """Enlarge one tile of memory `m`, to the next size, divisor, double or all, and shrink another."""
    proposal, sizes = pool.proposal, pool.sizes
    complete = keeps_outputs(INCUMBENT, m, allowed, proposal)
    n = 0
    for gain in range(L.NDIM):
        k = place_of(INCUMBENT, m, gain, proposal, sizes)
        last = 0
        for how in range(4):
            up = k - 1
            if how == 1:
                up = divisor(gain, k, -1, sizes)
            elif how == 2:
                while up > 1 and sizes[gain, up] < 2 * sizes[gain, k]:
                    up -= 1
            elif how == 3:
                up = 1
            if up < 1 or up == last or k == 1:
                continue
            last = up
            for loss in range(L.NDIM):
                if gain == loss or proposal[INCUMBENT, COLUMNS * m + TILE + loss] == 1:
                    continue
                copy(INCUMBENT, n, pool)
                set_tile(n, m, gain, sizes[gain, up], proposal)
                if not overfull(n, m, complete, proposal, space.ws, space.iw):
                    down = divisor(loss, place_of(n, m, loss, proposal, sizes), 1, sizes)
                    if down == 0 or how > 1:
                        continue
                    proposal[n, COLUMNS * m + TILE + loss] = sizes[loss, down]
                if not give_way(n, m, loss, complete, proposal, sizes, space.ws, space.iw):
                    continue
                n += 1
                if n < B.BROOD:
                    continue
                if first_better(n, allowed, pool, space) >= 0:
                    return True
                if done(pool):
                    return False
                n = 0
    return first_better(n, allowed, pool, space) >= 0
