"""Words of eight mappings at a time, whose tiles divide: what `loopnest._tensor` and `inputs` count.

Walking down the memories, each lane keeps the number of tiles at its own innermost relevant loop; a fan-out
below multiplies it. What the scalar kernel looks up by that loop's memory is here carried along.
"""

from __future__ import annotations

from cost_models import lanes_nest as V
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import inlined, step
from cost_models.lanes import load, most, select, spread, store
from cost_models.nest import FREE_I, FREE_O, FREE_W

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
        wide = spread(ws[X.MACHINE + L.BITS_PSUM])
        narrow = spread(ws[X.MACHINE + L.BITS_O])
        read = psum * wide
        write = (parent - final) * wide + final * narrow
        child_read = (child - child_final) * wide + child_final * narrow
        child_write = read
    else:
        width = spread(ws[X.MACHINE + L.BITS_W + t])
        read = parent * width
        write = child_read = spread(0.0)
        child_write = child * width
    base = V.LOAD + _KIND * iw[X.KIND + c]
    _add(base + _MEMORY * p + t, read, vs)
    if t == L.O:
        _add(base + _MEMORY * p + _PORT + t, write, vs)
    if c < (iw[X.MEMORIES] & 7):
        if t == L.O:
            _add(base + _MEMORY * c + t, child_read, vs)
        _add(base + _MEMORY * c + _PORT + t, child_write, vs)
    hops = spread(0.0)
    for m in range(p, c):
        if iw[X.AXES + m]:
            hops += load(vs, V.HOPS + m)
    return hops * (child_read + child_write)


@inlined
def _over(size, gap):
    """max(0, size - gap)."""
    return most(size - gap, spread(0.0))


@inlined
def _slid(m, pair, j, vs, ws):
    """Sum of what the loop `j` of memory `m` over the pair finds overlapped, over all its tiles."""
    at = L.NDIM * m + L.P + pair
    rows = j == spread(L.R + pair)
    gap = select(rows, spread(ws[X.GAP + 2 * pair + 1]), spread(ws[X.GAP + 2 * pair]))
    size = select(rows, load(vs, V.UNION + at + 2), load(vs, V.UNION + at))
    trips = select(rows, load(vs, V.TRIP + at + 2), load(vs, V.TRIP + at))
    tiles = select(rows, load(vs, V.TILES + at + 2), load(vs, V.TILES + at))
    first = _over(size, gap)
    return tiles * (first + (trips - spread(1.0)) * (_over(size + size, gap) - first))


@inlined
def _apart(d, c, skipped, vs, ws):
    """Sum of what tiles of dimension `d` at memory `c` find overlapped; instances in `skipped` seen as one."""
    at = L.NDIM * (c - 1) + d
    gap = spread(ws[X.GAP + (d - L.P) % 2 * 2 + (d - L.P) // 2])
    size = load(vs, V.TILE + L.NDIM + at)
    tiles = load(vs, V.TILES + L.NDIM + at)
    size = select(skipped, size * load(vs, V.FACTOR + at), size)
    tiles = select(skipped, load(vs, V.SWEPT + at), tiles)
    return tiles * _over(size, gap)


@inlined
def _rows(pair, c, slides, j, slid, total, skip_p, skip_r, vs, ws):
    """Sum over all tiles of input rows (columns): see `inputs.rows`."""
    dp = L.P + pair
    dr = L.R + pair
    p = select(slides & (j == spread(dp)), slid, _apart(dp, c, skip_p, vs, ws))
    r = select(slides & (j == spread(dr)), slid, _apart(dr, c, skip_r, vs, ws))
    return total - p * r


@inlined
def has_halo(pair, ws):
    """Whether any two tiles can overlap along the pair: a matter of the layer alone."""
    p = ws[X.TILE + L.P + pair]
    r = ws[X.TILE + L.R + pair]
    return p > ws[X.GAP + 2 * pair] and r > ws[X.GAP + 2 * pair + 1]


@step
def _halo(pair, p, c, j, slid, beyond, before, vs, bs, ws, iw):
    """(child writes, parent reads) of input rows or columns.

    `beyond` and `before` are the sets of fan-outs from the memory of loop `j` or `p` on that end sliding: down to
    the child, and down to the fan-out right above it.
    """
    nothing = spread(0)
    total = spread(ws[X.TILE + L.P + pair] * ws[X.TILE + L.R + pair])
    both = (X.EVERY_MEMORY << (L.P + pair)) | (X.EVERY_MEMORY << (L.R + pair))
    never = spread(False)
    mine = (j == spread(L.P + pair)) | (j == spread(L.R + pair))
    slides = mine & ((beyond & spread(both)) == nothing)
    child = _rows(pair, c, slides, j, slid, total, never, never, vs, ws)
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
    return child, _rows(pair, c, slides, j, slid, total, skip_p, skip_r, vs, ws)


@step
def tensor(t, bad, vs, bs, ws, iw):
    """Count all words of tensor `t` and charge them; returns (energy of the hops, `bad` and lanes in doubt)."""
    M = iw[X.MEMORIES] & 7
    one = spread(1.0)
    nothing = spread(0)
    free = V.free_of(t)
    size = spread(ws[X.SIZE + t])
    no_merge = load(bs, V.NO_REDUCTION if t == L.O else V.NO_MULTICAST)
    split = load(bs, V.SPLIT)
    reduced = split & spread(X.EVERY_MEMORY * FREE_O)
    halo_p = t == L.I and has_halo(0, ws)
    halo_q = t == L.I and has_halo(1, ws)
    rows = ws[X.TILE + L.P] * ws[X.TILE + L.R]
    columns = ws[X.TILE + L.Q] * ws[X.TILE + L.S]
    hops = spread(0.0)
    tiles = one  # at the innermost relevant loop, and in the fan-outs below it
    merged = one  # of them, what the fan-outs below `p` bring together
    above = one  # factors of free dimensions above memory `c`, and `p`
    above_p = one
    j = spread(-1)
    since = nothing  # fan-outs from the memory of `j` on
    slid_p = slid_q = spread(0.0)
    p = 0
    for c in range(1, M + 1):
        m = c - 1
        row = L.NDIM * m
        before = since
        if c < M:
            has = (load(bs, V.LOOPS + m) & spread(_ALL & ~free)) != nothing
            outside = load(bs, V.OUTSIDE + L.NTENSOR * m + t)
            here = one
            for d in range(L.NDIM):
                if (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
                    out = (outside & spread(1 << d)) != nothing
                    here *= select(out, load(vs, V.SWEPT + row + d), load(vs, V.TILES + row + d))
            tiles = select(has, here, tiles)
            if t == L.I:
                now = load(bs, V.INNERMOST + m)
                j = select(has, now, j)
                since = select(has, nothing, since)
                before = since
                if halo_p:
                    slid_p = select(has, _slid(m, 0, now, vs, ws), slid_p)
                if halo_q:
                    slid_q = select(has, _slid(m, 1, now, vs, ws), slid_q)
        else:
            j = spread(-1)
            tiles = one
            for d in range(L.NDIM):
                if (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
                    tiles *= load(vs, V.TILES + L.NDIM * M + d)
        if iw[X.AXES + m]:
            since |= split & spread(X.fans(m, c))
            for d in range(L.NDIM):
                if (free >> d) & 1 and iw[X.PROBLEM + d] > 1:
                    f = load(vs, V.FACTOR + row + d)
                    above *= f
                    if c < M:
                        tiles *= f
                    merged *= select((no_merge & spread(1 << (row + d))) == nothing, f, one)
        if c < M and iw[X.HOLDS + L.NTENSOR * c + t] == 0:
            continue
        child = size * tiles
        parent = child / merged
        psum = final = child_final = spread(0.0)
        if t == L.I:
            to = from_p = spread(rows)
            if halo_p:
                to, from_p = _halo(
                    0, p, c, j, slid_p, since | split & spread(X.fans(p, c)),
                    before | split & spread(X.fans(p, m)), vs, bs, ws, iw,
                )  # fmt: skip
            child *= to
            parent *= from_p
            to = from_p = spread(columns)
            if halo_q:
                to, from_p = _halo(
                    1, p, c, j, slid_q, since | split & spread(X.fans(p, c)),
                    before | split & spread(X.fans(p, m)), vs, bs, ws, iw,
                )  # fmt: skip
            child *= to
            parent *= from_p
        elif t == L.O:
            distinct = size * above_p
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
