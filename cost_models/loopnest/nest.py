"""The nest of one mapping: tiles, trip counts, loops per tensor.

Loops over the eight dimensions have fixed bounds and no branches, so that they become vector instructions.
Everything is kept in the arrays `ws` and `iw`, described in `work`.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.tiles import number, pieces, survey

# Dimensions N G K C P Q R S that do not index W, I, O, as bit masks.
FREE_W = (1 << L.N) | (1 << L.P) | (1 << L.Q)
FREE_I = 1 << L.K
FREE_O = (1 << L.C) | (1 << L.R) | (1 << L.S)

_ALL = (1 << L.NDIM) - 1


@inlined
def free_of(t):
    """Dimensions that do not index tensor `t`, as bits."""
    return FREE_W if t == L.W else FREE_I if t == L.I else FREE_O


@inlined
def merging(t, iw):
    """Fan-outs, see `work.SPLIT`, one transfer of `t` over which serves all parts of a free dimension."""
    apart = iw[X.NO_REDUCTION if t == L.O else X.NO_MULTICAST]
    return iw[X.SPLIT] & ~apart & (X.EVERY_MEMORY * free_of(t))


@step
def _fault(code, m, index, need, have, ws):
    ws[X.RESULT + L.NEED] = need
    ws[X.RESULT + L.HAVE] = have
    return code + 256 * m + 65536 * index


@step
def _axes(b, m, axis_dim, axis_factor, ws, iw):
    """Split the tile below memory `m` over its axes; returns a status."""
    used = 1.0
    hops = 0.0
    for a in range(iw[X.AXES + m]):
        here = L.MAX_AXES * m + a
        iw[X.AXIS_DIM + here] = -1
        f = np.float64(axis_factor[b, m, a])
        if f < 2.0:
            continue
        d = np.int64(axis_dim[b, m, a]) & 7
        at = L.NDIM * m + d
        axis = X.FAN + L.FAN_COLS * here
        size = np.float64(iw[axis + L.AXIS_SIZE])
        if f > size:
            return _fault(L.BAD_FACTOR, m, a, f, size, ws)
        if f > ws[X.UNION + at]:
            return _fault(L.FACTOR_OVER_TILE, m, a, f, ws[X.UNION + at], ws)
        lanes = f
        for other in range(a):
            shares = iw[axis + L.FAN_COLS * (other - a) + L.LANES] == iw[axis + L.LANES]
            if shares and iw[X.AXIS_DIM + here - a + other] >= 0:
                lanes *= axis_factor[b, m, other]
        room = np.float64(iw[axis + L.FAN_COLS * (iw[axis + L.LANES] - a) + L.AXIS_SIZE])
        if lanes > room:
            return _fault(L.LANES_OVER, m, a, lanes, room, ws)
        t = ws[X.TILE + L.NDIM + at]
        q = np.ceil(t / f)
        if q * f != t:
            iw[X.INEXACT] |= 1 << d
        ws[X.TILE + L.NDIM + at] = q
        ws[X.TILES + L.NDIM + at] *= f
        ws[X.FACTOR + at] *= f
        ws[X.AXIS + here] = q
        iw[X.AXIS_DIM + here] = d
        used *= f
        hop = X.MEMORY + L.MEM_COLS * m + a
        hops += ws[hop + L.HOP_PJ] + ws[hop + L.HOP_MORE] * (f - 1.0)
        bit = 1 << at
        iw[X.SPLIT] |= bit
        if iw[axis + L.MULTICAST] == 0:
            iw[X.NO_MULTICAST] |= bit
        if iw[axis + L.REDUCTION] == 0:
            iw[X.NO_REDUCTION] |= bit
        if iw[axis + L.FORWARDING] == 0:
            iw[X.NO_FORWARDING] |= bit
    ws[X.INSTANCES + m + 1] = ws[X.INSTANCES + m] * used
    ws[X.HOPS + m] = hops
    return L.OK


@step
def geometry(b, tile, axis_dim, axis_factor, ws, iw):
    """Tiles, trip counts, factors and capabilities of mapping `b` of a batch; returns a status."""
    M = iw[X.MEMORIES] & 7
    iw[X.SPLIT] = iw[X.NO_MULTICAST] = iw[X.NO_REDUCTION] = iw[X.NO_FORWARDING] = iw[X.INEXACT] = 0
    ws[X.INSTANCES] = 1.0
    for m in range(M):
        row = L.NDIM * m
        loops = 0
        inexact = 0
        bad = 0
        for d in range(L.NDIM):
            at = row + d
            t = ws[X.TILE + at]
            u = np.float64(tile[b, m, d])
            q = np.ceil(t / u)
            ws[X.TRIP + at] = q
            ws[X.UNION + at] = u
            ws[X.TILE + L.NDIM + at] = u
            ws[X.FACTOR + at] = 1.0
            n = ws[X.TILES + at] * q
            ws[X.SWEPT + at] = n
            ws[X.TILES + L.NDIM + at] = n
            loops |= np.int64(q > 1.0) << d
            inexact |= np.int64(q * u != t) << d
            bad |= np.int64(u < 1.0) | np.int64(u > t)
        if bad:
            for d in range(L.NDIM):
                u = ws[X.UNION + row + d]
                if u < 1.0 or u > ws[X.TILE + row + d]:
                    return _fault(L.BAD_TILE, m, d, u, ws[X.TILE + row + d], ws)
        iw[X.LOOPS + m] = loops
        iw[X.INEXACT] |= inexact
        status = _axes(b, m, axis_dim, axis_factor, ws, iw)
        if status != L.OK:
            return status
    for d in range(L.NDIM):
        left = ws[X.TILE + L.NDIM * M + d]
        if left != 1.0:
            return _fault(L.NOT_ONE, M - 1, d, 1.0, left, ws)
    if iw[X.INEXACT]:
        for d in range(L.NDIM):
            if (iw[X.INEXACT] >> d) & 1:
                survey(d, ws, iw)
    return L.OK


@step
def arrange(b, order, ws, iw):
    """Per tensor and memory: the innermost relevant loop and what stands outside it."""
    for m in range(iw[X.MEMORIES] & 7):
        loops = iw[X.LOOPS + m]
        j_w = j_i = j_o = -1
        out_w = out_i = out_o = 0
        seen = 0
        for i in range(L.NDIM):
            d = np.int64(order[b, m, i]) & 7
            bit = loops & (1 << d)
            w = bit & ~FREE_W
            j_w = d if w else j_w
            out_w = seen if w else out_w
            w = bit & ~FREE_I
            j_i = d if w else j_i
            out_i = seen if w else out_i
            w = bit & ~FREE_O
            j_o = d if w else j_o
            out_o = seen if w else out_o
            seen |= bit
        at = L.NTENSOR * m
        iw[X.INNERMOST + at], iw[X.INNERMOST + at + 1], iw[X.INNERMOST + at + 2] = j_w, j_i, j_o
        iw[X.OUTSIDE + at], iw[X.OUTSIDE + at + 1], iw[X.OUTSIDE + at + 2] = out_w, out_i, out_o


@inlined
def _picked(d, level, outside, ws):
    """Tiles of dimension `d` that the loops at or outside `level` and the fan-outs above it make."""
    at = L.NDIM * level + d
    return ws[X.SWEPT + at] if (outside >> d) & 1 else ws[X.TILES + at]


@step
def _count(d, level, outside, c, first, ws, iw):
    """Number of non-empty tiles of dimension `d` at memory `c`.

    Loops of memories above `level`, and those in `outside` of that memory itself, contribute every
    iteration, the others their first. Fan-outs in the set `first` contribute their first instance alone.
    """
    tiles = _picked(d, level, outside, ws)
    split = iw[X.SPLIT] & (X.EVERY_MEMORY << d)
    apart = split & X.fans(level, c) & ~first  # of those below, instances that still count
    merged = split & X.fans(0, level) & first  # of those above, instances that do not
    if not apart | merged:
        return tiles
    if (iw[X.INEXACT] >> d) & 1:
        return number(pieces(d, c, level + ((outside >> d) & 1), first, 0, False, ws, iw), ws)
    for m in range(c):
        at = L.NDIM * m + d
        if (apart >> at) & 1:
            tiles *= ws[X.FACTOR + at]
        if (merged >> at) & 1:
            tiles /= ws[X.FACTOR + at]
    return tiles


@inlined
def free_tiles(t, level, outside, c, first, ws, iw):
    """Product over the dimensions free to tensor `t` of the number of tiles at memory `c`: see `_count`."""
    free = free_of(t)
    split = iw[X.SPLIT] & (X.EVERY_MEMORY * free)
    if split & X.fans(level, c) & ~first or split & X.fans(0, level) & first:
        tiles = 1.0
        for d in range(L.NDIM):
            if (free >> d) & 1:
                tiles *= _count(d, level, outside, c, first, ws, iw)
        return tiles
    if t == L.W:
        tiles = _picked(L.N, level, outside, ws) * _picked(L.P, level, outside, ws)
        return tiles * _picked(L.Q, level, outside, ws)
    if t == L.I:
        return _picked(L.K, level, outside, ws)
    tiles = _picked(L.C, level, outside, ws) * _picked(L.R, level, outside, ws)
    return tiles * _picked(L.S, level, outside, ws)


@step
def steps(dims, level, outside, c, ws, iw):
    """Lockstep iterations of the loops over `dims` above memory `c`; loops counted as in `_count`."""
    total = 1.0
    for d in range(L.NDIM):
        if not (dims >> d) & 1:
            continue
        if iw[X.SPLIT] & (X.EVERY_MEMORY << d):
            total *= _count(d, level, outside, c, -1, ws, iw)
        else:
            total *= _picked(d, level, outside, ws)
    return total


@step
def folds(ws, iw):
    """Cycles between serial folds: those of each memory times the tiles that it gets of its fold tensor."""
    total = 0.0
    for c in range(1, iw[X.FOLDED] + 1):
        at = X.MEMORY + L.MEM_COLS * c
        t = np.int64(ws[at + L.FOLD_TENSOR])
        level = 0
        outside = 0
        for m in range(c):
            if iw[X.INNERMOST + L.NTENSOR * m + t] >= 0:
                level = m
                outside = iw[X.OUTSIDE + L.NTENSOR * m + t]
        free = free_of(t)
        fills = steps(_ALL & ~free, c, 0, c, ws, iw) * steps(free, level, outside, c, ws, iw)
        total += ws[at + L.FOLD_CYCLES] * fills
    return total
