"""The nest of eight mappings at a time: what `nest` does, with a select for every branch.

Where every split divides, the tiles of a dimension at a memory are a plain product of trip counts and
factors; dimensions that leave a remainder in any lane are counted again in `lanes.tiles`. Counts are whole
numbers, so that they are exact in any order. Lanes with an illegal mapping are left to the scalar kernel.

`vs` is a flat float64 and `bs` a flat int64, whose slots hold eight lanes each; all offsets are named here.
Batch invariants stand in `ws` and `iw`, described in `work`.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.lanes.vectors import (
    as_float,
    ceiling,
    eight_bytes,
    load,
    one_of_each,
    select,
    spread,
    store,
    turn_tiles,
)
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_I, FREE_O, FREE_W

_M = L.MAX_MEMORIES

# vs, as the slots of the same names in `work`
TILE = 0  # [M + 1, 8]
UNION = TILE + (_M + 1) * L.NDIM  # [M, 8]
TRIP = UNION + _M * L.NDIM  # [M, 8]
FACTOR = TRIP + _M * L.NDIM  # [M, 8]
TILES = FACTOR + _M * L.NDIM  # [M + 1, 8]
SWEPT = TILES + (_M + 1) * L.NDIM  # [M, 8]
LOCK = SWEPT + _M * L.NDIM  # [M + 1, 8] as TILES, of the first instance of every fan-out: lockstep iterations
LOCK_SWEPT = LOCK + (_M + 1) * L.NDIM  # [M, 8]
OVER = LOCK_SWEPT + _M * L.NDIM  # [M + 1, 8] sum over the tiles of a window dimension of max(0, tile - gap)
OVER_SWEPT = OVER + (_M + 1) * L.NDIM  # [M, 8] the same before the fan-out
SLID = OVER_SWEPT + _M * L.NDIM  # [M, 2] the same along the innermost loop of the inputs over a pair
AXIS = SLID + 2 * _M  # [M, MAX_AXES]
INSTANCES = AXIS + _M * L.MAX_AXES  # [M + 1]
HOPS = INSTANCES + _M + 1  # [M]
WORDS = HOPS + _M  # [M, 3]
LOAD = WORDS + _M * L.NTENSOR  # [M kinds, M, 2, 3]
SHARED = LOAD + _M * _M * 2 * L.NTENSOR  # [MAX_AXES] factors of the axes on the lanes of one
PICKED = SHARED + L.MAX_AXES  # [8] see `lanes.traffic`
PILE = PICKED + L.NDIM  # [3, PILE_SIZE] tile multiset: sizes, counts, counts in lockstep
VS_SIZE = PILE + 3 * X.PILE_SIZE

# bs: sets of loops and fan-outs, as in `work`
SPLIT, NO_MULTICAST, NO_REDUCTION, NO_FORWARDING = 0, 1, 2, 3
LOOPS = 4  # [M]
OUTSIDE = LOOPS + _M  # [M, 3]
INNERMOST = OUTSIDE + _M * L.NTENSOR  # [M] of the inputs
AXIS_DIM = INNERMOST + _M  # [M, MAX_AXES], -1 = axis unused
COUNTED = AXIS_DIM + _M * L.MAX_AXES  # [8] see `lanes.traffic`
INEXACT = COUNTED + L.NDIM
BS_SIZE = INEXACT + 1

# Counts up to here are exact whatever the order of their factors; larger ones are left to the scalar kernel.
SURE_COUNT = L.MAX_COUNT / 2.0

_ALL = (1 << L.NDIM) - 1


@inlined
def gap_of(d, ws):
    """How far tiles of window dimension `d` may reach before they overlap, see `work.GAP`."""
    return ws[X.GAP + 2 * ((d - L.P) & 1) + ((d - L.P) >> 1)]


@inlined
def has_halo(pair, ws):
    """Whether tiles can overlap along a window pair at all: a matter of the layer alone."""
    p = ws[X.TILE + L.P + pair]
    r = ws[X.TILE + L.R + pair]
    return p > ws[X.GAP + 2 * pair] and r > ws[X.GAP + 2 * pair + 1]


@step
def set_out(vs, iw):
    """Fill what no mapping of the batch changes: the whole layer, and dimensions of size 1."""
    M = iw[X.MEMORIES] & 7
    one = spread(1.0)
    for i in range(L.NDIM * (M + 1)):
        store(vs, TILE + i, one)
        store(vs, TILES + i, one)
        store(vs, LOCK + i, one)
    for i in range(L.NDIM * M):
        store(vs, UNION + i, one)
        store(vs, TRIP + i, one)
        store(vs, FACTOR + i, one)
        store(vs, SWEPT + i, one)
        store(vs, LOCK_SWEPT + i, one)
    for d in range(L.NDIM):
        store(vs, TILE + d, as_float(spread(iw[X.PROBLEM + d])))
    store(vs, INSTANCES, one)


@step
def _axes(b, m, axis_dim, axis_factor, vs, bs, ws, iw):
    """Split the tiles below memory `m` over its axes; returns the lanes in which that is illegal."""
    M = iw[X.MEMORIES] & 7
    one = spread(1.0)
    bad = spread(False)
    used_all = one
    for a in range(iw[X.AXES + m]):
        store(vs, SHARED + a, one)
    hops = spread(0.0)
    for a in range(iw[X.AXES + m]):
        here = L.MAX_AXES * m + a
        axis = X.FAN + L.FAN_COLS * here
        at = L.MAX_AXES * (M * b + m) + a
        stride = L.MAX_AXES * M
        d = one_of_each(axis_dim, at, stride) & spread(7)
        f = as_float(one_of_each(axis_factor, at, stride))
        used = f >= spread(2.0)
        f = select(used, f, one)
        host = iw[axis + L.LANES]
        room = as_float(spread(iw[axis + L.FAN_COLS * (host - a) + L.AXIS_SIZE]))
        together = load(vs, SHARED + host) * f
        store(vs, SHARED + host, together)
        bad |= (f > as_float(spread(iw[axis + L.AXIS_SIZE]))) | (together > room)
        whole = one
        left = one
        for e in range(L.NDIM):
            if iw[X.PROBLEM + e] > 1:
                mine = d == spread(e)
                whole = select(mine, load(vs, UNION + L.NDIM * m + e), whole)
                left = select(mine, load(vs, TILE + L.NDIM * (m + 1) + e), left)
        q = ceiling(left / f)
        bad |= f > whole
        store(vs, AXIS + here, q)
        store(bs, AXIS_DIM + here, select(used, d, spread(-1)))
        rest = select(q * f != left, spread(1) << d, spread(0))
        store(bs, INEXACT, load(bs, INEXACT) | rest)
        for e in range(L.NDIM):
            if iw[X.PROBLEM + e] > 1:
                mine = used & (d == spread(e))
                at = L.NDIM * m + e
                grown = select(mine, f, one)
                store(vs, TILE + L.NDIM + at, select(mine, q, load(vs, TILE + L.NDIM + at)))
                store(vs, TILES + L.NDIM + at, load(vs, TILES + L.NDIM + at) * grown)
                store(vs, FACTOR + at, load(vs, FACTOR + at) * grown)
        used_all *= f
        hop = X.MEMORY + L.MEM_COLS * m + a
        far = spread(ws[hop + L.HOP_PJ]) + spread(ws[hop + L.HOP_MORE]) * (f - one)
        hops += select(used, far, spread(0.0))
        bit = select(used, spread(1) << (d + spread(L.NDIM * m)), spread(0))
        store(bs, SPLIT, load(bs, SPLIT) | bit)
        if iw[axis + L.MULTICAST] == 0:
            store(bs, NO_MULTICAST, load(bs, NO_MULTICAST) | bit)
        if iw[axis + L.REDUCTION] == 0:
            store(bs, NO_REDUCTION, load(bs, NO_REDUCTION) | bit)
        if iw[axis + L.FORWARDING] == 0:
            store(bs, NO_FORWARDING, load(bs, NO_FORWARDING) | bit)
    store(vs, INSTANCES + m + 1, load(vs, INSTANCES + m) * used_all)
    store(vs, HOPS + m, hops)
    return bad


@step
def geometry(b, tile, axis_dim, axis_factor, vs, bs, ws, iw):
    """Tiles, trip counts and factors of mappings b .. b + 7; returns the lanes that are illegal."""
    M = iw[X.MEMORIES] & 7
    one = spread(1.0)
    nothing = spread(0)
    bad = spread(False)
    for i in range(LOOPS):
        store(bs, i, nothing)
    store(bs, INEXACT, nothing)
    for m in range(M):
        row = L.NDIM * m
        turn_tiles(tile, L.NDIM * (M * b + m), L.NDIM * M, vs, UNION + row)
        loops = inexact = nothing
        for d in range(L.NDIM):
            at = row + d
            u = load(vs, UNION + at)
            if iw[X.PROBLEM + d] == 1:
                bad |= u != one
                continue
            t = load(vs, TILE + at)
            q = ceiling(t / u)
            bad |= (u < one) | (u > t)
            inexact |= select(q * u != t, spread(1 << d), nothing)
            n = load(vs, TILES + at) * q
            lock = load(vs, LOCK + at) * q
            store(vs, TRIP + at, q)
            store(vs, TILE + L.NDIM + at, u)
            store(vs, FACTOR + at, one)
            store(vs, SWEPT + at, n)
            store(vs, TILES + L.NDIM + at, n)
            store(vs, LOCK_SWEPT + at, lock)
            store(vs, LOCK + L.NDIM + at, lock)
            loops |= select(q > one, spread(1 << d), nothing)
        store(bs, LOOPS + m, loops)
        store(bs, INEXACT, load(bs, INEXACT) | inexact)
        if iw[X.AXES + m]:
            bad |= _axes(b, m, axis_dim, axis_factor, vs, bs, ws, iw)
        else:
            store(vs, INSTANCES + m + 1, load(vs, INSTANCES + m))
            store(vs, HOPS + m, spread(0.0))
    for d in range(L.NDIM):
        bad |= load(vs, TILE + L.NDIM * M + d) != one
    return bad


@step
def arrange(b, order, vs, bs, iw):
    """Per tensor and memory but the last: what stands outside the innermost relevant loop, which of `I`."""
    M = iw[X.MEMORIES] & 7
    nothing = spread(0)
    for m in range(M - 1):
        dims = eight_bytes(order, L.NDIM * (M * b + m), L.NDIM * M)
        loops = load(bs, LOOPS + m)
        seen = out_w = out_i = out_o = nothing
        j_i = spread(-1)
        for _ in range(L.NDIM):
            d = dims & spread(7)
            dims = dims >> spread(8)
            bit = loops & (spread(1) << d)
            out_w = select((bit & spread(~FREE_W)) != nothing, seen, out_w)
            mine = (bit & spread(~FREE_I)) != nothing
            j_i = select(mine, d, j_i)
            out_i = select(mine, seen, out_i)
            out_o = select((bit & spread(~FREE_O)) != nothing, seen, out_o)
            seen |= bit
        at = OUTSIDE + L.NTENSOR * m
        store(bs, at + L.W, out_w)
        store(bs, at + L.I, out_i)
        store(bs, at + L.O, out_o)
        store(bs, INNERMOST + m, j_i)
