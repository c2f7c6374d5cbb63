"""Capacity for eight mappings at a time: what `loopnest.capacity` does."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.lanes import nest as V
from cost_models.lanes.vectors import load, select, spread, store
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_O


@inlined
def touched(p, r, p_gap, r_gap):
    """Distinct input rows, as `inputs.touched`."""
    both = p * r
    links = (p - spread(p_gap)) * (r - spread(r_gap))
    return select((p > spread(p_gap)) & (r > spread(r_gap)), both - links, both)


@step
def tile_words(t, at, vs, ws):
    """Words of tensor `t` in the tiles whose eight sizes begin at slot `at`."""
    if t == L.W:
        words = load(vs, at + L.G) * load(vs, at + L.K) * load(vs, at + L.C)
        return words * load(vs, at + L.R) * load(vs, at + L.S)
    if t == L.O:
        words = load(vs, at + L.N) * load(vs, at + L.G) * load(vs, at + L.K)
        return words * load(vs, at + L.P) * load(vs, at + L.Q)
    rows = touched(load(vs, at + L.P), load(vs, at + L.R), ws[X.GAP], ws[X.GAP + 1])
    columns = touched(load(vs, at + L.Q), load(vs, at + L.S), ws[X.GAP + 2], ws[X.GAP + 3])
    return load(vs, at + L.N) * load(vs, at + L.G) * load(vs, at + L.C) * rows * columns


@step
def space(vs, bs, ws, iw):
    """Status of each lane; leaves the words of all tiles at WORDS."""
    M = iw[X.MEMORIES] & 7
    nothing = spread(0)
    status = nothing
    partial = nothing
    pending = nothing
    reduced = load(bs, V.SPLIT) & spread(X.EVERY_MEMORY * FREE_O)
    relevant = spread(~FREE_O & ((1 << L.NDIM) - 1))
    below_first = 0
    for m in range(M):
        if m > 0:
            loops = load(bs, V.LOOPS + m - 1)
            here = loops & spread(FREE_O)
            has = (loops & relevant) != nothing
            outside = here & load(bs, V.OUTSIDE + L.NTENSOR * (m - 1) + L.O)
            partial = select(has, partial | pending | outside, partial)
            pending = select(has, here & ~outside, pending | here)
        total = spread(0.0)
        memory = X.MEMORY + L.MEM_COLS * m
        for t in range(L.NTENSOR):
            at = L.NTENSOR * m + t
            if iw[X.HOLDS + at] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
                continue
            width = spread(X.width(m, t, ws))
            if t == L.O:
                back = (partial | (reduced & spread(X.fans(0, m)))) != nothing
                width = select(back, spread(X.width(m, L.PSUM, ws)), width)
            words = tile_words(t, V.TILE + L.NDIM * m, vs, ws)
            store(vs, V.WORDS + at, words)
            if m > 0 and iw[X.PROBLEM + L.RESIDENT + t] and not (below_first >> t) & 1:
                size = tile_words(t, V.TILE, vs, ws) * width
            else:
                size = words * width * spread(ws[memory + L.BUFFERS])
            if m > 0:
                below_first |= 1 << t
            total += size
            if np.isfinite(ws[memory + L.CAPACITY + t]):
                over = (status == nothing) & (size > spread(ws[memory + L.CAPACITY + t]))
                status = select(over, spread(L.CAPACITY_OVER + 256 * m + 65536 * t), status)
        if np.isfinite(ws[memory + L.CAPACITY_ALL]):
            over = (status == nothing) & (total > spread(ws[memory + L.CAPACITY_ALL]))
            status = select(over, spread(L.CAPACITY_OVER + 256 * m + 65536 * L.NTENSOR), status)
    return status
