"""The nest of one mapping: tiles, trip counts, loops per tensor, and sums over all tiles.

Everything factorises over dimensions. A dimension relevant to a tensor contributes the sum of its tile
extents, which is its size; an irrelevant ("free") one contributes its number of non-empty tiles. Input
rows of a tile with p output rows and r kernel rows are f(p, r) = p r - max(0, p - d') max(0, r - s')
with s' = s/gcd(s, d), d' = d/gcd(s, d), so sums over tiles split into products of one-dimensional sums.

All functions work on mapping `b` of a batch (arrays described in `loopnest`) and on the scratch arrays of
`scratch`, which they modify in place.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from cost_models import layout as L
from cost_models._jit import kernel
from cost_models.tiles import excess, number, pieces, sliding_excess

# Dimensions N G K C P Q R S that do not index W, I, O, as bit masks ...
FREE_W = (1 << L.N) | (1 << L.P) | (1 << L.Q)
FREE_I = 1 << L.K
FREE_O = (1 << L.C) | (1 << L.R) | (1 << L.S)
# ... and per dimension the tensor it is free to; 3 = none.
FREE_TO = (L.W, 3, L.I, L.O, L.W, L.W, L.O, L.O)

# Rows of the scratch array `mask`.
SPLIT, MULTICAST, REDUCTION, FORWARDING = 0, 1, 2, 3
# Rows of the scratch arrays `loops` and `free`.
INNERMOST, OUTSIDE, FREE_LOOPS = 0, 1, 2
TRIPS_OUTSIDE, TRIPS, AXES, AXES_UNCAPPED = 0, 1, 2, 3
# Which instances of a tile `free_tiles` counts.
BY_CHILD, BY_PARENT, LOCKSTEP = 0, 1, 2


@kernel
def scratch(M):
    """Work arrays of one thread for machines of `M` memories; `price` modifies them in place."""
    return (
        np.zeros((M + 1, L.NDIM)),  # T: instance tiles
        np.zeros((M, L.NDIM)),  # U: union tiles
        np.zeros((M, L.NDIM)),  # trip: nominal trip counts
        np.zeros((M, L.NDIM)),  # factor: product of the axes that carry a dimension
        np.zeros((M, L.MAX_AXES)),  # axis_tile: tile after an axis, 0 = axis unused
        np.zeros(M + 1),  # instances in use of each memory; last: MACs
        np.zeros((4, L.NDIM), np.int64),  # mask: bit m = fan-out m splits the dimension / with capability
        np.zeros((3, L.NTENSOR, M), np.int64),  # loops: j, dimensions outside j, free dimensions at all
        np.zeros((4, L.NTENSOR, M)),  # free: trips outside j, all trips, axes, axes without capability
        np.zeros((2, 32)),  # pile: a tile multiset
        np.zeros((3 + M, M, 2, L.NTENSOR)),  # load: bits per port, see `ports`
    )


@kernel
def geometry(b, problem, fan, tile, axis_dim, axis_factor, row, summary, work):
    """Tiles, trip counts and factors of one mapping. Returns (status, bit mask of inexact dimensions)."""
    T, U, trip, factor, axis_tile, instances, mask, _, _, _, _ = work
    M = tile.shape[1]
    inexact = 0
    mask[:, :] = 0
    mask[1:, :] = -1
    instances[0] = 1.0
    for d in range(L.NDIM):
        T[0, d] = problem[d]
    for m in range(M):
        for d in range(L.NDIM):
            t = T[m, d]
            u = np.float64(tile[b, m, d])
            if u == t:
                trip[m, d] = 1.0
            else:
                if u < 1.0 or u > t:
                    summary[row, L.NEED] = u
                    summary[row, L.HAVE] = t
                    return L.BAD_TILE + 256 * m + 65536 * d, 0
                q = np.floor(t / u)
                if q * u != t:
                    q += 1.0
                    inexact |= 1 << d
                trip[m, d] = q
            U[m, d] = u
            T[m + 1, d] = u
            factor[m, d] = 1.0
        used = 1.0
        for a in range(L.MAX_AXES):
            f = np.float64(axis_factor[b, m, a])
            axis_tile[m, a] = 0.0
            if f < 2.0:
                continue
            d = np.int64(axis_dim[b, m, a])
            if f > fan[m, a, L.AXIS_SIZE] or f > U[m, d]:
                summary[row, L.NEED] = f
                over_size = f > fan[m, a, L.AXIS_SIZE]
                summary[row, L.HAVE] = np.float64(fan[m, a, L.AXIS_SIZE]) if over_size else U[m, d]
                return (L.BAD_FACTOR if over_size else L.FACTOR_OVER_TILE) + 256 * m + 65536 * a, 0
            lanes = f
            for other in range(a):
                if axis_tile[m, other] > 0.0 and fan[m, other, L.LANES] == fan[m, a, L.LANES]:
                    lanes *= axis_factor[b, m, other]
            room = np.float64(fan[m, fan[m, a, L.LANES], L.AXIS_SIZE])
            if lanes > room:
                summary[row, L.NEED] = lanes
                summary[row, L.HAVE] = room
                return L.LANES_OVER + 256 * m + 65536 * a, 0
            t = T[m + 1, d]
            q = np.ceil(t / f)
            if q * f != t:
                inexact |= 1 << d
            T[m + 1, d] = q
            axis_tile[m, a] = q
            factor[m, d] *= f
            used *= f
            bit = 1 << m
            mask[SPLIT, d] |= bit
            if fan[m, a, L.MULTICAST] == 0:
                mask[MULTICAST, d] &= ~bit
            if fan[m, a, L.REDUCTION] == 0:
                mask[REDUCTION, d] &= ~bit
            if fan[m, a, L.FORWARDING] == 0:
                mask[FORWARDING, d] &= ~bit
        instances[m + 1] = instances[m] * used
    for d in range(L.NDIM):
        if T[M, d] != 1.0:
            summary[row, L.NEED] = 1.0
            summary[row, L.HAVE] = T[M, d]
            return L.NOT_ONE + 256 * (M - 1) + 65536 * d, 0
    return L.OK, inexact


@kernel
def loops_of(b, order, inexact, work):
    """Per tensor and memory: the innermost relevant loop, what lies outside it, and free products."""
    _, _, trip, factor, _, _, mask, loops, free, _, _ = work
    M = order.shape[1]
    for m in range(M):
        for t in range(L.NTENSOR):
            loops[0, t, m] = -1
            loops[1, t, m] = 0
            loops[2, t, m] = 0
            free[0, t, m] = 1.0
            free[1, t, m] = 1.0
            free[2, t, m] = 1.0
            free[3, t, m] = 1.0
        seen = 0
        for i in range(L.NDIM):
            d = np.int64(order[b, m, i])
            n = trip[m, d]
            if n > 1.0:
                own = FREE_TO[d]
                for t in range(L.NTENSOR):
                    if t == own:
                        loops[2, t, m] |= 1 << d
                        if not (inexact >> d) & 1:
                            free[1, t, m] *= n
                    else:
                        loops[0, t, m] = d
                        loops[1, t, m] = seen
                        free[0, t, m] = free[1, t, m]
                seen |= 1 << d
        for d in range(L.NDIM):
            f = factor[m, d]
            own = FREE_TO[d]
            if f > 1.0 and own < 3 and not (inexact >> d) & 1:
                free[2, own, m] *= f
                capability = mask[REDUCTION, d] if own == L.O else mask[MULTICAST, d]
                if not (capability >> m) & 1:
                    free[3, own, m] *= f


@kernel
def _excess(b, d, gap, c, skipped, j_memory, slides, inexact, axis_dim, work):
    """Sum over all tiles of dimension `d` at memory `c` of max(0, tile - gap).

    Fan-outs in `skipped` are seen as one instance. With `slides` the loop over `d` in memory `j_memory`
    brings only what is new, and no fan-out below it splits `d`.
    """
    T, U, trip, factor, axis_tile, _, mask, _, _, pile, _ = work
    if slides:
        c = j_memory
    if (inexact >> d) & 1:
        n = pieces(d, b, c, c, -1, skipped, T, U, trip, axis_tile, axis_dim, pile[0], pile[1])
        if slides:
            return sliding_excess(n, gap, U[j_memory, d], pile[0], pile[1])
        return excess(n, gap, pile[0], pile[1])
    size = T[c, d]
    if skipped & mask[SPLIT, d]:
        for m in range(c):
            if (skipped >> m) & 1:
                size *= factor[m, d]
    if slides:
        step = U[j_memory, d]
        base = max(0.0, step - gap)
        one = base + (trip[j_memory, d] - 1.0) * (max(0.0, 2.0 * step - gap) - base)
    else:
        one = max(0.0, size - gap)
    return T[0, d] / size * one


@kernel
def input_rows(b, dp, dr, p_gap, r_gap, p, c, j_memory, j, shared, inexact, axis_dim, work):
    """Sum over all tiles of the input rows (or columns) brought to child `c` from parent `p`.

    `shared` asks for the parent's reads (halo shared and forwarded where the array can), else the
    child's writes. `j` < 0 means that no loop slides.
    """
    T = work[0]
    mask = work[6]
    rows = T[0, dp] * T[0, dr]
    if T[0, dp] <= p_gap or T[0, dr] <= r_gap:
        return rows
    slides_p = j == dp
    slides_r = j == dr
    below = (1 << c) - (1 << p)
    split = mask[SPLIT, dp] | mask[SPLIT, dr]
    forwards = mask[FORWARDING, dp] & mask[FORWARDING, dr]
    skip_p = 0
    skip_r = 0
    if slides_p or slides_r:
        above = (1 << p) - (1 << j_memory) if p > j_memory else 0
        lost = split & (above | (below & ~forwards if shared else below))
        if lost:
            slides_p = False
            slides_r = False
    if shared:
        nearest = 1 << (c - 1)
        skip_p = mask[MULTICAST, dp] & nearest
        skip_r = mask[MULTICAST, dr] & nearest
        if slides_p or slides_r:
            skip_p |= below & split
            skip_r |= below & split
    over_p = _excess(b, dp, p_gap, c, skip_p, j_memory, slides_p, inexact, axis_dim, work)
    over_r = _excess(b, dr, r_gap, c, skip_r, j_memory, slides_r, inexact, axis_dim, work)
    return rows - over_p * over_r


@kernel
def free_tiles(b, dims, view, capability, p, c, counted, outside, axis_dim, work):
    """Product over the dimensions in bit mask `dims` of the number of non-empty tiles at memory `c`.

    Loops of memories above `counted`, and those in `outside` of that memory itself, contribute every
    iteration. `view`: every instance counts (the child), instances along axes with the capability (a row
    of `mask`) between `p` and `c` count once (the parent), or the first instance counts alone (lockstep).
    """
    T, U, trip, _, axis_tile, _, mask, _, _, pile, _ = work
    tiles = 1.0
    for d in range(L.NDIM):
        if (dims >> d) & 1:
            every = -1
            if view == BY_PARENT:
                every = ~(((1 << c) - (1 << p)) & mask[capability, d])
            elif view == LOCKSTEP:
                every = 0
            levels = counted + ((outside >> d) & 1)
            n = pieces(d, b, c, levels, every, 0, T, U, trip, axis_tile, axis_dim, pile[0], pile[1])
            tiles *= number(n, pile[1])
    return tiles


@kernel
def gap(stride, dilation):
    """(d', s'): how far p and r must move for two input rows to coincide."""
    g = gcd(stride, dilation)
    return np.float64(dilation // g), np.float64(stride // g)


@kernel
def touched(p, r, p_gap, r_gap):
    """Distinct input rows of a tile of p output rows and r kernel rows: f(p, r)."""
    if p > p_gap and r > r_gap:
        return p * r - (p - p_gap) * (r - r_gap)
    return p * r


@kernel
def tile_words(t, m, problem, T):
    """Words of tensor `t` in the instance tile of memory `m`."""
    if t == L.W:
        return T[m, L.G] * T[m, L.K] * T[m, L.C] * T[m, L.R] * T[m, L.S]
    if t == L.O:
        return T[m, L.N] * T[m, L.G] * T[m, L.K] * T[m, L.P] * T[m, L.Q]
    p_gap, r_gap = gap(problem[L.STRIDE_H], problem[L.DILATION_H])
    q_gap, s_gap = gap(problem[L.STRIDE_W], problem[L.DILATION_W])
    rows = touched(T[m, L.P], T[m, L.R], p_gap, r_gap)
    return T[m, L.N] * T[m, L.G] * T[m, L.C] * rows * touched(T[m, L.Q], T[m, L.S], q_gap, s_gap)
