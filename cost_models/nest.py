"""The nest of one mapping: tiles, trip counts, loops per tensor, and sums over all tiles.

Everything factorises over dimensions. A dimension relevant to a tensor contributes the sum of its tile
extents, which is its size; an irrelevant ("free") one contributes its number of non-empty tiles. Input
rows of a tile with p output rows and r kernel rows are f(p, r) = p r - max(0, p - d') max(0, r - s')
with s' = s/gcd(s, d), d' = d/gcd(s, d), so sums over tiles split into products of one-dimensional sums.

Everything is kept in the arrays `ws` and `iw`, described in `work`.
"""

from __future__ import annotations

import numpy as np

from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import step
from cost_models.tiles import excess, number, over, pieces, sliding_over

# Dimensions N G K C P Q R S that do not index W, I, O, as bit masks ...
FREE_W = (1 << L.N) | (1 << L.P) | (1 << L.Q)
FREE_I = 1 << L.K
FREE_O = (1 << L.C) | (1 << L.R) | (1 << L.S)
# ... and per dimension the tensor it is free to; 3 = none.
FREE_TO = (L.W, 3, L.I, L.O, L.W, L.W, L.O, L.O)

# Which instances of a tile `free_tiles` counts.
BY_CHILD, BY_PARENT, LOCKSTEP = 0, 1, 2


@step
def _fault(code, m, index, need, have, ws):
    ws[X.RESULT + L.NEED] = need
    ws[X.RESULT + L.HAVE] = have
    return code + 256 * m + 65536 * index


@step
def _axes(b, m, axis_dim, axis_factor, ws, iw):
    """Split the tile below memory `m` over its axes; returns a status."""
    used = 1.0
    bit = 1 << m
    for a in range(L.MAX_AXES):
        here = L.MAX_AXES * m + a
        iw[X.AXIS_DIM + here] = -1
        f = np.float64(axis_factor[b, m, a])
        if f < 2.0:
            continue
        d = np.int64(axis_dim[b, m, a])
        axis = X.FAN + L.FAN_COLS * here
        size = np.float64(iw[axis + L.AXIS_SIZE])
        if f > size:
            return _fault(L.BAD_FACTOR, m, a, f, size, ws)
        if f > ws[X.UNION + L.NDIM * m + d]:
            return _fault(L.FACTOR_OVER_TILE, m, a, f, ws[X.UNION + L.NDIM * m + d], ws)
        lanes = f
        for other in range(a):
            shares = iw[axis + L.FAN_COLS * (other - a) + L.LANES] == iw[axis + L.LANES]
            if shares and iw[X.AXIS_DIM + here - a + other] >= 0:
                lanes *= axis_factor[b, m, other]
        room = np.float64(iw[axis + L.FAN_COLS * (iw[axis + L.LANES] - a) + L.AXIS_SIZE])
        if lanes > room:
            return _fault(L.LANES_OVER, m, a, lanes, room, ws)
        below = X.TILE + L.NDIM * (m + 1) + d
        t = ws[below]
        q = np.ceil(t / f)
        if q * f != t:
            iw[X.INEXACT] |= 1 << d
        ws[below] = q
        ws[X.AXIS + here] = q
        iw[X.AXIS_DIM + here] = d
        ws[X.FACTOR + L.NDIM * m + d] *= f
        used *= f
        iw[X.USED] |= bit
        iw[X.SPLIT + d] |= bit
        if iw[axis + L.MULTICAST] == 0:
            iw[X.MULTICAST + d] &= ~bit
        if iw[axis + L.REDUCTION] == 0:
            iw[X.REDUCTION + d] &= ~bit
        if iw[axis + L.FORWARDING] == 0:
            iw[X.FORWARDING + d] &= ~bit
    ws[X.INSTANCES + m + 1] = ws[X.INSTANCES + m] * used
    return L.OK


@step
def geometry(b, tile, axis_dim, axis_factor, ws, iw):
    """Tiles, trip counts, factors and capabilities of mapping `b` of a batch; returns a status."""
    M = iw[X.MEMORIES]
    ndims = iw[X.DIMS]
    iw[X.INEXACT] = 0
    iw[X.USED] = 0
    for d in range(L.NDIM):
        iw[X.SPLIT + d] = 0
        iw[X.MULTICAST + d] = -1
        iw[X.REDUCTION + d] = -1
        iw[X.FORWARDING + d] = -1
        if ws[X.TILE + d] == 1.0:
            for m in range(M):
                if tile[b, m, d] != 1:
                    return _fault(L.BAD_TILE, m, d, np.float64(tile[b, m, d]), 1.0, ws)
    ws[X.INSTANCES] = 1.0
    for m in range(M):
        loops = 0
        for i in range(ndims):
            d = iw[X.DIMS + 1 + i]
            at = L.NDIM * m + d
            t = ws[X.TILE + at]
            u = np.float64(tile[b, m, d])
            q = 1.0
            if u != t:
                if u < 1.0 or u > t:
                    return _fault(L.BAD_TILE, m, d, u, t, ws)
                q = np.ceil(t / u)
                if q * u != t:
                    iw[X.INEXACT] |= 1 << d
                loops |= 1 << d
            ws[X.TRIP + at] = q
            ws[X.UNION + at] = u
            ws[X.TILE + at + L.NDIM] = u
            ws[X.FACTOR + at] = 1.0
        iw[X.LOOPS + m] = loops
        status = _axes(b, m, axis_dim, axis_factor, ws, iw)
        if status != L.OK:
            return status
    for i in range(ndims):
        d = iw[X.DIMS + 1 + i]
        left = ws[X.TILE + L.NDIM * M + d]
        if left != 1.0:
            return _fault(L.NOT_ONE, M - 1, d, 1.0, left, ws)
    return L.OK


@step
def arrange(b, order, ws, iw):
    """Per tensor and memory: the innermost relevant loop, what stands outside it, and free products."""
    inexact = iw[X.INEXACT]
    for m in range(iw[X.MEMORIES]):
        at = L.NTENSOR * m
        loops = iw[X.LOOPS + m]
        j_w = j_i = j_o = -1
        out_w = out_i = out_o = 0
        run_w = run_i = run_o = 1.0
        past_w = past_i = past_o = 1.0
        seen = 0
        if loops:
            for i in range(L.NDIM):
                d = np.int64(order[b, m, i])
                bit = 1 << d
                if not loops & bit:
                    continue
                n = 1.0 if inexact & bit else ws[X.TRIP + L.NDIM * m + d]
                if bit & FREE_W:
                    run_w *= n
                else:
                    j_w, out_w, past_w = d, seen, run_w
                if bit & FREE_I:
                    run_i *= n
                else:
                    j_i, out_i, past_i = d, seen, run_i
                if bit & FREE_O:
                    run_o *= n
                else:
                    j_o, out_o, past_o = d, seen, run_o
                seen |= bit
        iw[X.INNERMOST + at], iw[X.INNERMOST + at + 1], iw[X.INNERMOST + at + 2] = j_w, j_i, j_o
        iw[X.OUTSIDE + at], iw[X.OUTSIDE + at + 1], iw[X.OUTSIDE + at + 2] = out_w, out_i, out_o
        ws[X.FREE_TRIPS + at], ws[X.FREE_TRIPS + at + 1], ws[X.FREE_TRIPS + at + 2] = run_w, run_i, run_o
        ws[X.FREE_OUTSIDE + at] = past_w
        ws[X.FREE_OUTSIDE + at + 1] = past_i
        ws[X.FREE_OUTSIDE + at + 2] = past_o
        for t in range(L.NTENSOR):
            ws[X.FREE_AXES + at + t] = 1.0
            ws[X.FREE_UNSHARED + at + t] = 1.0
        if not (iw[X.USED] >> m) & 1:
            continue
        for a in range(L.MAX_AXES):
            d = iw[X.AXIS_DIM + L.MAX_AXES * m + a]
            if d >= 0:
                t = FREE_TO[d]
                # Two axes on one dimension: the first meets its whole factor, the second finds it done.
                if t == 3 or (inexact >> d) & 1:
                    continue
                done = False
                for other in range(a):
                    if iw[X.AXIS_DIM + L.MAX_AXES * m + other] == d:
                        done = True
                if done:
                    continue
                f = ws[X.FACTOR + L.NDIM * m + d]
                ws[X.FREE_AXES + at + t] *= f
                capability = X.REDUCTION if t == L.O else X.MULTICAST
                if not (iw[capability + d] >> m) & 1:
                    ws[X.FREE_UNSHARED + at + t] *= f


@step
def _excess(d, gap, c, skipped, j_memory, slides, ws, iw):
    """Sum over all tiles of dimension `d` at memory `c` of max(0, tile - gap).

    Fan-outs in `skipped` are seen as one instance. With `slides` the loop over `d` in memory `j_memory`
    brings only what is new, and no fan-out below it splits `d`.
    """
    step = 0.0
    if slides:
        c = j_memory
        step = ws[X.UNION + L.NDIM * j_memory + d]
    if (iw[X.INEXACT] >> d) & 1:
        return excess(pieces(d, c, c, -1, skipped, ws, iw), gap, step, ws)
    size = ws[X.TILE + L.NDIM * c + d]
    if skipped & iw[X.SPLIT + d]:
        for m in range(c):
            if (skipped >> m) & 1:
                size *= ws[X.FACTOR + L.NDIM * m + d]
    one = sliding_over(size, gap, step) if slides else over(size, gap)
    return ws[X.TILE + d] / size * one


@step
def _span(pair, p, c, j_memory, j, shared, ws, iw):
    """Sum over all tiles of the input rows (`pair` 0) or columns (1) brought to child `c` from parent `p`.

    `shared` asks for the parent's reads (halo shared and forwarded where the array can), else the child's
    writes. `j` is the innermost relevant loop, or < 0 if nothing slides.
    """
    dp = L.P + pair
    dr = L.R + pair
    p_gap = ws[X.GAP + 2 * pair]
    r_gap = ws[X.GAP + 2 * pair + 1]
    rows = ws[X.TILE + dp] * ws[X.TILE + dr]
    if ws[X.TILE + dp] <= p_gap or ws[X.TILE + dr] <= r_gap:
        return rows
    slides = j in (dp, dr)
    below = (1 << c) - (1 << p)
    split = iw[X.SPLIT + dp] | iw[X.SPLIT + dr]
    if slides:
        above = (1 << p) - (1 << j_memory) if p > j_memory else 0
        stops = below
        if shared:
            stops &= ~(iw[X.FORWARDING + dp] & iw[X.FORWARDING + dr])
        slides = split & (above | stops) == 0
    skip_p = 0
    skip_r = 0
    if shared:
        nearest = 1 << (c - 1)
        skip_p = iw[X.MULTICAST + dp] & nearest
        skip_r = iw[X.MULTICAST + dr] & nearest
        if slides:
            skip_p |= below & split
            skip_r |= below & split
    over_p = _excess(dp, p_gap, c, skip_p, j_memory, slides and j == dp, ws, iw)
    over_r = _excess(dr, r_gap, c, skip_r, j_memory, slides and j == dr, ws, iw)
    return rows - over_p * over_r


@step
def input_words(p, c, j_memory, j, shared, ws, iw):
    """Input words per image, group and channel, summed over all tiles: see `_span`."""
    rows = _span(0, p, c, j_memory, j, shared, ws, iw)
    return rows * _span(1, p, c, j_memory, j, shared, ws, iw)


@step
def free_tiles(dims, view, capability, p, c, counted, outside, ws, iw):
    """Product over the dimensions in bit mask `dims` of the number of non-empty tiles at memory `c`.

    Loops of memories above `counted`, and those in `outside` of that memory itself, contribute every
    iteration. `view`: every instance counts (the child), instances along axes with the capability (offset
    into `iw`) between `p` and `c` count once (the parent), or the first instance counts alone (lockstep).
    """
    tiles = 1.0
    for d in range(L.NDIM):
        if (dims >> d) & 1:
            every = -1
            if view == BY_PARENT:
                every = ~(((1 << c) - (1 << p)) & iw[capability + d])
            elif view == LOCKSTEP:
                every = 0
            levels = counted + ((outside >> d) & 1)
            tiles *= number(pieces(d, c, levels, every, 0, ws, iw), ws)
    return tiles


@step
def steps(dims, counted, outside, c, ws, iw):
    """Lockstep iterations of the loops over `dims` above memory `c`; loops counted as in `free_tiles`."""
    total = 1.0
    soft = dims & iw[X.INEXACT]
    hard = dims & ~soft
    for m in range(min(c, counted + 1)):
        loops = iw[X.LOOPS + m] & hard
        if m == counted:
            loops &= outside
        if loops:
            for i in range(iw[X.DIMS]):
                d = iw[X.DIMS + 1 + i]
                if (loops >> d) & 1:
                    total *= ws[X.TRIP + L.NDIM * m + d]
    if soft:
        total *= free_tiles(soft, LOCKSTEP, 0, 0, c, counted, outside, ws, iw)
    return total
