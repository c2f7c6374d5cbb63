"""Tile-size multisets of eight mappings at a time: what `tiles`, `inputs._excess` and `nest.folds` count.

A split leaves one entry for each entry's remainder, empty in the lanes that have none, and one for the
pieces. A dimension is walked once for everything that all its loops and instances make, and once more
wherever a fan-out below a tensor's innermost loop changes what counts.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.lanes import nest as V
from cost_models.lanes.vectors import floor, lanes_of, load, most, select, spread, store
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import free_of

_SIZES = V.PILE
_COUNTS = V.PILE + X.PILE_SIZE
_LOCKS = V.PILE + 2 * X.PILE_SIZE
_ALL = (1 << L.NDIM) - 1


@inlined
def _times(size, piece, inverse):
    """floor(size / piece) of whole numbers below 2^31, without the division: `inverse` is 1 / piece."""
    q = floor(size * inverse)
    rest = size - q * piece
    q = select(rest >= piece, q + spread(1.0), q)
    return select(rest < spread(0.0), q - spread(1.0), q)


@inlined
def over(size, gap):
    """max(0, size - gap)."""
    return most(size - gap, spread(0.0))


@step
def _cut(piece, every, n, vs):
    """Cut all tiles into pieces, in the lanes `every` all, else the first of them; returns the entries."""
    zero = spread(0.0)
    inverse = spread(1.0) / piece
    whole = zero
    left = 0
    for i in range(n):
        size = load(vs, _SIZES + i)
        count = load(vs, _COUNTS + i)
        q = _times(size, piece, inverse)
        some = q > zero
        whole += select(every, count * q, select(some, count, zero))
        rest = select(every | ~some, size - q * piece, zero)
        here = (rest > zero) & (count > zero)
        if lanes_of(here):
            store(vs, _SIZES + left, rest)
            store(vs, _COUNTS + left, select(here, count, zero))
            left += 1
    store(vs, _SIZES + left, piece)
    store(vs, _COUNTS + left, whole)
    return left + 1


@step
def _cut_both(piece, spatial, n, vs):
    """Cut all tiles into pieces and keep all; in lockstep only the first, where the cut is `spatial`."""
    zero = spread(0.0)
    inverse = spread(1.0) / piece
    whole = locked = zero
    left = 0
    for i in range(n):
        size = load(vs, _SIZES + i)
        count = load(vs, _COUNTS + i)
        lock = load(vs, _LOCKS + i)
        q = _times(size, piece, inverse)
        rest = size - q * piece
        whole += count * q
        if spatial:
            some = q > zero
            locked += select(some, lock, zero)
            lock = select(some, zero, lock)
        else:
            locked += lock * q
        here = (rest > zero) & (count > zero)
        if lanes_of(here):
            store(vs, _SIZES + left, rest)
            store(vs, _COUNTS + left, select(here, count, zero))
            store(vs, _LOCKS + left, select(here, lock, zero))
            left += 1
    store(vs, _SIZES + left, piece)
    store(vs, _COUNTS + left, whole)
    store(vs, _LOCKS + left, locked)
    return left + 1


@inlined
def _sum(at, n, vs):
    total = load(vs, at)
    for i in range(1, n):
        total += load(vs, at + i)
    return total


@step
def pieces(d, c, counted, first, vs, bs, iw):
    """Number of tiles of dimension `d` at memory `c`, as `number(pieces(...))` of `tiles`.

    Temporal loops of memories below index `counted` contribute every iteration, the others their first;
    fan-outs every instance, but those in the set `first` just their first.
    """
    now = load(vs, V.TILE + d)
    store(vs, _SIZES, now)
    store(vs, _COUNTS, spread(1.0))
    n = 1
    for m in range(c):
        at = L.NDIM * m + d
        piece = load(vs, V.UNION + at)
        if lanes_of(piece < now):
            n = _cut(piece, counted > spread(m), n, vs)
        now = piece
        for a in range(L.MAX_AXES * m, L.MAX_AXES * m + iw[X.AXES + m]):
            mine = load(bs, V.AXIS_DIM + a) == spread(d)
            if lanes_of(mine):
                piece = select(mine, load(vs, V.AXIS + a), now)
                n = _cut(piece, (first & spread(1 << at)) == spread(0), n, vs)
                now = piece
    return _sum(_COUNTS, n, vs)


@inlined
def _over_all(gap, n, vs):
    """Sum of `over` over the multiset."""
    total = spread(0.0)
    for i in range(n):
        total += load(vs, _COUNTS + i) * over(load(vs, _SIZES + i), gap)
    return total


@step
def _slid(gap, stride, n, vs):
    """Sum of `tiles.sliding_over` over the multiset."""
    zero = spread(0.0)
    one = spread(1.0)
    inverse = one / stride
    first = over(stride, gap)
    more = over(stride + stride, gap) - first
    total = zero
    for i in range(n):
        size = load(vs, _SIZES + i)
        q = _times(size, stride, inverse)
        rest = size - q * stride
        each = first + (q - one) * more
        each += select(rest > zero, over(stride + rest, gap) - first, zero)
        total += load(vs, _COUNTS + i) * select(q == zero, over(rest, gap), each)
    return total


@step
def _survey(d, overlap, vs, bs, ws, iw):
    """Count the tiles of a dimension that leaves a remainder in some lane, at every memory."""
    M = iw[X.MEMORIES] & 7
    gap = spread(V.gap_of(d, ws)) if overlap else spread(0.0)
    now = load(vs, V.TILE + d)
    store(vs, _SIZES, now)
    store(vs, _COUNTS, spread(1.0))
    store(vs, _LOCKS, spread(1.0))
    n = 1
    for m in range(M):
        at = L.NDIM * m + d
        piece = load(vs, V.UNION + at)
        if overlap and m < M - 1:
            mine = load(bs, V.INNERMOST + m) == spread(d)
            if lanes_of(mine):
                to = V.SLID + 2 * m + ((d - L.P) & 1)
                store(vs, to, select(mine, _slid(gap, piece, n, vs), load(vs, to)))
        if lanes_of(piece < now):
            n = _cut_both(piece, False, n, vs)
        now = piece
        store(vs, V.SWEPT + at, _sum(_COUNTS, n, vs))
        store(vs, V.LOCK_SWEPT + at, _sum(_LOCKS, n, vs))
        if overlap:
            store(vs, V.OVER_SWEPT + at, _over_all(gap, n, vs))
        for a in range(L.MAX_AXES * m, L.MAX_AXES * m + iw[X.AXES + m]):
            mine = load(bs, V.AXIS_DIM + a) == spread(d)
            if lanes_of(mine):
                piece = select(mine, load(vs, V.AXIS + a), now)
                n = _cut_both(piece, True, n, vs)
                now = piece
        at += L.NDIM
        store(vs, V.TILES + at, _sum(_COUNTS, n, vs))
        store(vs, V.LOCK + at, _sum(_LOCKS, n, vs))
        if overlap:
            store(vs, V.OVER + at, _over_all(gap, n, vs))


@step
def _exact(d, vs, bs, ws, iw):
    """Overlaps of the tiles of a window dimension that divides."""
    M = iw[X.MEMORIES] & 7
    gap = spread(V.gap_of(d, ws))
    for m in range(M):
        at = L.NDIM * m + d
        stride = load(vs, V.UNION + at)
        first = over(stride, gap)
        if m < M - 1:
            to = V.SLID + 2 * m + ((d - L.P) & 1)
            each = first + (load(vs, V.TRIP + at) - spread(1.0)) * (over(stride + stride, gap) - first)
            mine = load(bs, V.INNERMOST + m) == spread(d)
            store(vs, to, select(mine, load(vs, V.TILES + at) * each, load(vs, to)))
        store(vs, V.OVER_SWEPT + at, load(vs, V.SWEPT + at) * first)
        at += L.NDIM
        store(vs, V.OVER + at, load(vs, V.TILES + at) * over(load(vs, V.TILE + at), gap))


@step
def halo(vs, bs, ws, iw):
    """Count remainders and overlaps of windows; returns the dimensions with a remainder in some lane."""
    inexact = load(bs, V.INEXACT)
    rest = 0
    for d in range(L.NDIM):
        if iw[X.PROBLEM + d] == 1:
            continue
        overlap = d >= L.P and V.has_halo((d - L.P) & 1, ws)
        if lanes_of((inexact & spread(1 << d)) != spread(0)):
            rest |= 1 << d
            _survey(d, overlap, vs, bs, ws, iw)
        elif overlap:
            _exact(d, vs, bs, ws, iw)
    return rest


@step
def fills(t, c, vs, bs, iw):
    """Fills of memory `c` with tensor `t`, in lockstep: the steps of its loops that bring a new tile."""
    one = spread(1.0)
    nothing = spread(0)
    free = free_of(t)
    total = one
    repeats = one
    for m in range(c):
        has = (load(bs, V.LOOPS + m) & spread(_ALL & ~free)) != nothing
        outside = load(bs, V.OUTSIDE + L.NTENSOR * m + t)
        here = one
        for d in range(L.NDIM):
            if (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
                out = (outside & spread(1 << d)) != nothing
                at = L.NDIM * m + d
                here *= select(out, load(vs, V.LOCK_SWEPT + at), load(vs, V.LOCK + at))
        repeats = select(has, here, repeats)
    for d in range(L.NDIM):
        if not (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
            total *= load(vs, V.LOCK + L.NDIM * c + d)
    return total * repeats


@step
def folds(vs, bs, ws, iw):
    """Cycles between serial folds, as `nest.folds`."""
    total = spread(0.0)
    for c in range(1, iw[X.FOLDED] + 1):
        at = X.MEMORY + L.MEM_COLS * c
        if ws[at + L.FOLD_CYCLES] > 0.0:
            t = np.int64(ws[at + L.FOLD_TENSOR])
            total += spread(ws[at + L.FOLD_CYCLES]) * fills(t, c, vs, bs, iw)
    return total
