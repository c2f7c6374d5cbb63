"""Admissible bounds on partly fixed mappings: what one memory's tile costs, whatever stands above it.

Where splits divide (no remainder), every count is a product. A partial mapping lives in the same work
arrays as a whole one, see `work`; only the sums that it does not know yet are relaxed.

Where splits leave remainders (bit RELAXED of INEXACT), trip counts are taken as fractions, T / U for
ceil(T / U): a number of tiles is no less than the whole over the tile, and the words that tiles of at most
one size share are no more than their number times what one shares. The number of tiles of one dimension is
whole again, so that each is rounded up. So every product is still a lower bound.

The fills of memory `c` depend on its tile, on the fan-outs, and on the loops of memories 0 .. c - 1. The
innermost of these loops is free to at most one tensor (N, P, Q to W, K to I, C, R, S to O), so at most one
tensor is stationary: the bound on a tile alone is the least of these three cases. It never falls when a
tile gets smaller, which is what lets the search bound whole boxes of tiles by their largest corner.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.capacity import tile_words
from cost_models.loopnest.inputs import rows
from cost_models.loopnest.nest import FREE_O, free_of, merging
from cost_models.loopnest.ports import busiest, clear_loads, ramps
from cost_models.loopnest.price import charge
from cost_models.loopnest.tiles import over

# ws, [8]: iterations of the loops that refill nothing, per dimension. Bounds make no multisets of tiles.
INSIDE = X.PILE

# Bit of INEXACT: instances may have nothing to do even in a full tile.
IDLE = X.RELAXED << 1

# Relative rounding error of a bound, with room to spare.
ROUNDING = 1.0 - 1e-12


@step
def hand_down(t, p, c, child, parent, distinct, ws, iw):
    """Charge words that child `c` exchanges with parent `p`; returns the energy of the hops.

    Of outputs, `distinct` words are no partial sums that the parent has received before.
    """
    psum = 0.0
    final = 0.0
    child_final = 0.0
    if t == L.O:
        psum = max(0.0, parent - distinct)
        reduced = iw[X.SPLIT] & (X.EVERY_MEMORY * FREE_O)
        if not reduced & X.fans(0, p):
            final = min(distinct, parent)
        if not reduced & X.fans(0, c):
            child_final = ws[X.SIZE + L.O]
    if p == 0 and iw[X.PROBLEM + L.RESIDENT + t]:
        return 0.0
    return charge(t, p, c, 0.0, parent, child, psum, final, child_final, ws, iw)


@step
def transfer(t, p, c, child_rows, parent_rows, ws, iw):
    """Charge what child `c` exchanges with parent `p`; returns the energy of the hops.

    INSIDE says which loops refill nothing.
    `child_rows` and `parent_rows`: words of the inputs' rows and columns.
    """
    free = free_of(t)
    one_for_all = merging(t, iw)
    child = parent = distinct = ws[X.SIZE + t]
    for d in range(L.NDIM):
        if not (free >> d) & 1:
            continue
        fills = ws[X.TILES + L.NDIM * c + d] / ws[INSIDE + d]
        merged = 1.0
        if iw[X.SPLIT] & (X.EVERY_MEMORY << d):
            for m in range(c):
                at = L.NDIM * m + d
                if m < p:
                    distinct *= ws[X.FACTOR + at]
                elif (one_for_all >> at) & 1 == 1:
                    merged *= ws[X.FACTOR + at]
        if iw[X.INEXACT] & X.RELAXED:
            child *= np.ceil(ROUNDING * fills)
            parent *= np.ceil(ROUNDING * fills / merged)
        else:
            child *= fills
            parent *= fills / merged
    if t == L.I:
        child *= child_rows
        parent *= parent_rows
    return hand_down(t, p, c, child, parent, distinct, ws, iw)


@inlined
def refill_all(ws):
    """No loop leaves anything in place."""
    for d in range(L.NDIM):
        ws[INSIDE + d] = 1.0


@step
def to_macs(ws, iw):
    """Charge what the MACs exchange, which the fan-outs alone decide; returns the energy of the hops."""
    M = iw[X.MEMORIES] & 7
    hops = 0.0
    refill_all(ws)
    for t in range(L.NTENSOR):
        if t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0:
            continue
        p = M - 1
        while iw[X.HOLDS + L.NTENSOR * p + t] == 0:
            p -= 1
        one = 1.0
        other = 1.0
        if t == L.I:
            for pair in range(2):
                one *= rows(pair, p, M, M, -1, False, ws, iw)
                other *= rows(pair, p, M, M, -1, True, ws, iw)
        hops += transfer(t, p, M, one, other, ws, iw)
    return hops


@step
def put_tile(c, tiles, i, partial, ws, iw):
    """Give an instance of memory `c` the tile in row `i` of `tiles` int64[n, 8]; False if it cannot fit.

    Outputs count as partial sums where they are known to be, else the narrower of their precisions;
    resident tensors nothing.
    """
    for d in range(L.NDIM):
        size = np.float64(tiles[i, d])
        ws[X.TILE + L.NDIM * c + d] = size
        ws[X.TILES + L.NDIM * c + d] = ws[X.TILE + d] / size
    total = 0.0
    memory = X.MEMORY + L.MEM_COLS * c
    for t in range(L.NTENSOR):
        if iw[X.HOLDS + L.NTENSOR * c + t] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
            continue
        words = tile_words(t, X.TILE + L.NDIM * c, ws)
        ws[X.WORDS + L.NTENSOR * c + t] = words
        if iw[X.PROBLEM + L.RESIDENT + t]:
            continue
        width = X.width(c, t, ws)
        if t == L.O:
            psum = X.width(c, L.PSUM, ws)
            if partial or iw[X.SPLIT] & (X.EVERY_MEMORY * FREE_O) & X.fans(0, c):
                width = psum
            else:
                width = min(width, psum)
        size = words * width * ws[memory + L.BUFFERS]
        if size > ws[memory + L.CAPACITY + t]:
            return False
        total += size
    return total <= ws[memory + L.CAPACITY_ALL]


@step
def into(c, ws, iw):
    """Charge all fills of memory `c`, the nest above it being known; returns the energy of the hops."""
    hops = 0.0
    for t in range(L.NTENSOR):
        p = iw[X.PARENT + L.NTENSOR * c + t]
        if p < 0:
            continue
        free = free_of(t)
        refill_all(ws)
        level = c - 1
        while level > 0 and iw[X.INNERMOST + L.NTENSOR * level + t] < 0:
            for d in range(L.NDIM):
                if (free >> d) & 1:
                    ws[INSIDE + d] *= ws[X.TRIP + L.NDIM * level + d]
            level -= 1
        j = iw[X.INNERMOST + L.NTENSOR * level + t]
        outside = iw[X.OUTSIDE + L.NTENSOR * level + t]
        for d in range(L.NDIM):
            if (free >> d) & 1 and not (outside >> d) & 1:
                ws[INSIDE + d] *= ws[X.TRIP + L.NDIM * level + d]
        one = 1.0
        other = 1.0
        if t == L.I:
            for pair in range(2):
                one *= rows(pair, p, c, level, j, False, ws, iw)
                other *= rows(pair, p, c, level, j, True, ws, iw)
        hops += transfer(t, p, c, one, other, ws, iw)
    return hops


@step
def _rows_least(pair, c, slides, ws):
    """Input rows or columns brought to memory `c` at the very least; with `slides` along this pair."""
    dp = L.P + pair
    dr = L.R + pair
    total = ws[X.TILE + dp] * ws[X.TILE + dr]
    p_gap = ws[X.GAP + 2 * pair]
    r_gap = ws[X.GAP + 2 * pair + 1]
    p = ws[X.TILE + L.NDIM * c + dp] * ws[X.FACTOR + L.NDIM * (c - 1) + dp]
    r = ws[X.TILE + L.NDIM * c + dr] * ws[X.FACTOR + L.NDIM * (c - 1) + dr]
    over_p = over(p, p_gap) * ws[X.TILE + dp] / p
    over_r = over(r, r_gap) * ws[X.TILE + dr] / r
    if not slides:
        return total - over_p * over_r
    # A loop that slides brings at least what an undivided dimension would.
    whole_p = over(ws[X.TILE + dp], p_gap)
    whole_r = over(ws[X.TILE + dr], r_gap)
    return total - max(whole_p * over_r, over_p * whole_r)


@step
def least_rows(c, ws):
    """Input rows times columns brought to memory `c` at the very least; one of the pairs may slide."""
    return min(
        _rows_least(0, c, True, ws) * _rows_least(1, c, False, ws),
        _rows_least(0, c, False, ws) * _rows_least(1, c, True, ws),
    )


@step
def instances(d, c, ws, iw):
    """Instances of memory `c` along dimension `d` that have something to do, at the very least."""
    total = 1.0
    for m in range(c):
        factor = ws[X.FACTOR + L.NDIM * m + d]
        if not iw[X.INEXACT] & X.RELAXED:
            total *= factor
        elif factor > 1.0:
            many = 0.0
            for a in range(L.MAX_AXES * m, L.MAX_AXES * m + iw[X.AXES + m]):
                many += iw[X.AXIS_DIM + a] == d
            even = factor ** (1.0 / many)
            if iw[X.INEXACT] & IDLE:
                # A union tile U >= (v - 1) f + 1 makes at least U / v parts of v; it is no less than an axis.
                total = max(total, min(0.5 * (factor + 1.0), even))
            else:
                # The first instance of an axis feeds all of the next, the others at least one: f + g - 1.
                total += many * (even - 1.0)
    return total


@step
def tile_alone(c, ws, iw):
    """(pJ, cycles of the busiest port) that the tile of memory `c` costs at least.

    Holds for any tiles and loop orders of the memories above; the fan-outs are known.
    """
    still = least_rows(c, ws)
    least_pj = np.inf
    least_time = np.inf
    for stationary in range(L.NTENSOR):
        clear_loads(ws, iw)
        hops = 0.0
        for t in range(L.NTENSOR):
            p = iw[X.PARENT + L.NTENSOR * c + t]
            if p < 0:
                continue
            refill_all(ws)
            if t == stationary:
                free = free_of(t)
                for d in range(L.NDIM):
                    if (free >> d) & 1:
                        ws[INSIDE + d] = ws[X.TILES + L.NDIM * c + d] / instances(d, c, ws, iw)
            hops += transfer(t, p, c, still, still, ws, iw)
        time, pj = busiest(iw[X.KIND + c], ws, iw)
        least_pj = min(least_pj, pj + hops)
        least_time = min(least_time, time)
    return least_pj, least_time


@step
def prefix_ramps(c, ws, iw):
    """Cycles of the ramps of memories 1 .. `c`."""
    M = iw[X.MEMORIES]
    iw[X.MEMORIES] = c + 1
    up, down = ramps(ws, iw)
    iw[X.MEMORIES] = M
    return up + down
