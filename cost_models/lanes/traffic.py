"""Words of eight mappings at a time: what `loopnest._tensor` and `inputs` count.

Walking down the memories, each lane keeps the number of tiles at its own innermost relevant loop; a fan-out
below multiplies it. What the scalar kernel looks up by that loop's memory is here carried along.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.lanes import nest as V
from cost_models.lanes.tiles import pieces
from cost_models.lanes.vectors import lanes_of, load, select, spread, store
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_O, free_of

_PORT = L.NTENSOR
_MEMORY = 2 * _PORT
_KIND = L.MAX_MEMORIES * _MEMORY
_ALL = (1 << L.NDIM) - 1


@inlined
def _add(at, bits, vs):
    store(vs, at, load(vs, at) + bits)


@inlined
def _charge(t, p, c, parent, child, psum, final, child_final, vs, ws, iw):
    """Put the words of one transfer on the ports, as `loopnest.charge`; returns the energy of the hops."""
    if t == L.O:
        wide = spread(X.width(p, L.PSUM, ws))
        narrow = spread(X.width(p, L.O, ws))
        read = psum * wide
        write = (parent - final) * wide + final * narrow
        wide = spread(ws[X.MACHINE + L.BITS_PSUM])
        narrow = spread(ws[X.MACHINE + L.BITS_O])
        moved = (child - child_final + psum) * wide + child_final * narrow
    else:
        read = parent * spread(X.width(p, t, ws))
        write = spread(0.0)
        moved = child * spread(ws[X.MACHINE + L.BITS_W + t])
    base = V.LOAD + _KIND * iw[X.KIND + c]
    _add(base + _MEMORY * p + t, read, vs)
    if t == L.O:
        _add(base + _MEMORY * p + _PORT + t, write, vs)
    if c < (iw[X.MEMORIES] & 7):
        if t == L.O:
            wide = spread(X.width(c, L.PSUM, ws))
            narrow = spread(X.width(c, L.O, ws))
            _add(base + _MEMORY * c + t, (child - child_final) * wide + child_final * narrow, vs)
            _add(base + _MEMORY * c + _PORT + t, psum * wide, vs)
        else:
            _add(base + _MEMORY * c + _PORT + t, child * spread(X.width(c, t, ws)), vs)
    hops = spread(0.0)
    for m in range(p, c):
        if iw[X.AXES + m]:
            hops += load(vs, V.HOPS + m)
    return hops * moved


@inlined
def _rows(pair, c, slides, j, total, slid, skip_p, skip_r, vs):
    """Sum over all tiles of input rows (columns): see `inputs.rows`. Instances in `skip` are seen as one."""
    dp = L.P + pair
    dr = L.R + pair
    at = L.NDIM * (c - 1)
    p = select(skip_p, load(vs, V.OVER_SWEPT + at + dp), load(vs, V.OVER + L.NDIM + at + dp))
    r = select(skip_r, load(vs, V.OVER_SWEPT + at + dr), load(vs, V.OVER + L.NDIM + at + dr))
    p = select(slides & (j == spread(dp)), slid, p)
    r = select(slides & (j == spread(dr)), slid, r)
    return total - p * r


@step
def _halo(pair, p, c, j, slid, beyond, before, vs, bs, ws, iw):
    """(child writes, parent reads) of input rows or columns.

    `beyond` and `before` are the fan-outs from the memory of loop `j` or `p` on that end sliding: down
    to the child, and down to the fan-out right above it.
    """
    nothing = spread(0)
    total = spread(ws[X.TILE + L.P + pair] * ws[X.TILE + L.R + pair])
    both = (X.EVERY_MEMORY << (L.P + pair)) | (X.EVERY_MEMORY << (L.R + pair))
    never = spread(False)
    mine = (j == spread(L.P + pair)) | (j == spread(L.R + pair))
    slides = mine & ((beyond & spread(both)) == nothing)
    child = _rows(pair, c, slides, j, total, slid, never, never, vs)
    if iw[X.AXES + c - 1] == 0:
        return child, child
    nearest = X.fans(c - 1, c)
    splits = load(bs, V.SPLIT) & spread(both & nearest)
    alone = load(bs, V.NO_FORWARDING) & spread(both & nearest)
    slides = mine & (((before & spread(both)) | alone) == nothing)
    skipped = select(slides, splits, splits & ~load(bs, V.NO_MULTICAST))
    at = L.NDIM * (c - 1) + L.P + pair
    skip_p = (skipped & spread(1 << at)) != nothing
    skip_r = (skipped & spread(1 << (at + 2))) != nothing
    return child, _rows(pair, c, slides, j, total, slid, skip_p, skip_r, vs)


@inlined
def _tiles(d, c, p, first, since, vs, bs, ws, iw):
    """Number of tiles at memory `c` of a dimension that leaves a remainder: `nest._count`."""
    split = load(bs, V.SPLIT) & spread(X.EVERY_MEMORY << d)
    counts = (split & since & ~first) | (split & first & ~since)
    if lanes_of(counts != spread(0)) == 0:
        return load(vs, V.PICKED + d)
    return pieces(d, c, load(bs, V.COUNTED + d), first, vs, bs, iw)


@step
def tensor(t, rest, bad, vs, bs, ws, iw):
    """Count all words of tensor `t` and charge them; returns (energy of the hops, `bad` and lanes in doubt).

    `rest`: dimensions that leave a remainder in some lane, as bits.
    """
    M = iw[X.MEMORIES] & 7
    one = spread(1.0)
    nothing = spread(0)
    free = free_of(t)
    active = 0
    for d in range(L.NDIM):
        if (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
            active |= 1 << d
    size = spread(ws[X.SIZE + t])
    split = load(bs, V.SPLIT)
    alone = load(bs, V.NO_REDUCTION if t == L.O else V.NO_MULTICAST)
    merging = split & ~alone & spread(X.EVERY_MEMORY * free)
    reduced = split & spread(X.EVERY_MEMORY * FREE_O)
    halo_p = t == L.I and V.has_halo(0, ws)
    halo_q = t == L.I and V.has_halo(1, ws)
    rows = ws[X.TILE + L.P] * ws[X.TILE + L.R]
    columns = ws[X.TILE + L.Q] * ws[X.TILE + L.S]
    hops = spread(0.0)
    # Of dimensions that divide: tiles at the innermost relevant loop and in the fan-outs below it, how many
    # of them the fan-outs below `p` bring together, and factors above `c` and `p`. The others one by one.
    tiles = merged = above = above_p = one
    for d in range(L.NDIM):
        if ((active & rest) >> d) & 1:
            store(vs, V.PICKED + d, one)
            store(bs, V.COUNTED + d, nothing)
    j = spread(-1)
    since = nothing  # fan-outs from the memory of that loop on
    slid_p = slid_q = spread(0.0)
    p = 0
    for c in range(1, M + 1):
        m = c - 1
        row = L.NDIM * m
        if c < M:
            has = (load(bs, V.LOOPS + m) & spread(_ALL & ~free)) != nothing
            outside = load(bs, V.OUTSIDE + L.NTENSOR * m + t)
            here = one
            for d in range(L.NDIM):
                if not (active >> d) & 1:
                    continue
                out = (outside & spread(1 << d)) != nothing
                now = select(out, load(vs, V.SWEPT + row + d), load(vs, V.TILES + row + d))
                if (rest >> d) & 1:
                    counted = select(out, spread(m + 1), spread(m))
                    store(vs, V.PICKED + d, select(has, now, load(vs, V.PICKED + d)))
                    store(bs, V.COUNTED + d, select(has, counted, load(bs, V.COUNTED + d)))
                else:
                    here *= now
            tiles = select(has, here, tiles)
            since = select(has, nothing, since)
            if t == L.I:
                j = select(has, load(bs, V.INNERMOST + m), j)
                slid_p = select(has, load(vs, V.SLID + 2 * m), slid_p)
                slid_q = select(has, load(vs, V.SLID + 2 * m + 1), slid_q)
        else:
            j = spread(-1)
            since = nothing
            tiles = one
            for d in range(L.NDIM):
                if (active >> d) & 1:
                    now = load(vs, V.TILES + L.NDIM * M + d)
                    if (rest >> d) & 1:
                        store(vs, V.PICKED + d, now)
                        store(bs, V.COUNTED + d, spread(M))
                    else:
                        tiles *= now
        before = since
        if iw[X.AXES + m]:
            if c < M:
                since |= spread(X.fans(m, c))
            for d in range(L.NDIM):
                if ((active & ~rest) >> d) & 1:
                    f = load(vs, V.FACTOR + row + d)
                    above *= f
                    if c < M:
                        tiles *= f
                    merged *= select((merging & spread(1 << (row + d))) != nothing, f, one)
        if c < M and iw[X.HOLDS + L.NTENSOR * c + t] == 0:
            continue
        child = size * tiles
        parent = child / merged
        shared = merging & spread(X.fans(p, c))
        for d in range(L.NDIM):
            if ((active & rest) >> d) & 1:
                child *= _tiles(d, c, p, nothing, since, vs, bs, ws, iw)
                parent *= _tiles(d, c, p, shared, since, vs, bs, ws, iw)
        psum = final = child_final = spread(0.0)
        if t == L.I:
            beyond = split & (since | spread(X.fans(p, c)))
            to = from_p = spread(rows)
            if halo_p:
                nearer = split & (before | spread(X.fans(p, m)))
                to, from_p = _halo(0, p, c, j, slid_p, beyond, nearer, vs, bs, ws, iw)
            child *= to
            parent *= from_p
            to = from_p = spread(columns)
            if halo_q:
                nearer = split & (before | spread(X.fans(p, m)))
                to, from_p = _halo(1, p, c, j, slid_q, beyond, nearer, vs, bs, ws, iw)
            child *= to
            parent *= from_p
        elif t == L.O:
            distinct = size * above_p
            for d in range(L.NDIM):
                if ((active & rest) >> d) & 1:
                    mine = split & spread(X.fans(0, p) & (X.EVERY_MEMORY << d))
                    if lanes_of(mine != nothing):
                        distinct *= pieces(d, p, nothing, nothing, vs, bs, iw)
            psum = parent - distinct
            zero = spread(0.0)
            final = select((reduced & spread(X.fans(0, p))) == nothing, distinct, zero)
            child_final = select((reduced & spread(X.fans(0, c))) == nothing, size, zero)
        bad |= (child > spread(V.SURE_COUNT)) | (parent > spread(V.SURE_COUNT))
        if not (p == 0 and iw[X.PROBLEM + L.RESIDENT + t]):
            hops += _charge(t, p, c, parent, child, psum, final, child_final, vs, ws, iw)
        p = c
        merged = one
        above_p = above
    return hops, bad
