"""Which mappings a search has met: those met again are not counted as evaluations where nothing is given.

Half of what a climb proposes has been priced before: an order of loops that are not there, a tile that was
tried from the other side. Counting it leaves less for what is new.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_I, FREE_O, FREE_W

MET = 4096  # mappings that are remembered, each in one place: a newer one takes it over
_SHIFT = np.uint64(52)  # leaves the bits of a place
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_DOWN = np.uint64(29)


@inlined
def _mixed_in(key, value):
    key = (key ^ np.uint64(value)) * _FACTOR
    return key ^ (key >> _DOWN)


@step
def _loops_key(b, m, loops, order):
    """What the order of memory `m` does for the `loops` that are there, as bits.

    The loops inside all that their tensor depends on, and the innermost that moves the input.
    """
    inside = 0
    free = -1  # dimensions free to the tensor that stays
    moves = L.NDIM
    for i in range(L.NDIM):
        d = np.int64(order[b, m, L.NDIM - 1 - i])
        if not (loops >> d) & 1:
            continue
        if free < 0:
            free = 0
            for some in (FREE_W, FREE_I, FREE_O):
                if (some >> d) & 1:
                    free = some
        if moves == L.NDIM and not (FREE_I >> d) & 1:
            moves = d
        if (free >> d) & 1:
            inside |= 1 << d
        elif moves < L.NDIM:
            break
    return inside | moves << L.NDIM


@step
def met(b, seen, batch, iw):
    """Whether the mapping in row `b` of a batch is in `seen` uint64[MET], which it is from then on."""
    tile, order, axis_dim, axis_factor = batch
    M = iw[X.MEMORIES] & 7
    key = np.uint64(1)
    for m in range(M):
        loops = 0
        for d in range(L.NDIM):
            whole = iw[X.PROBLEM + d]
            if whole == 1:
                continue
            if m > 0:
                whole = np.int64(tile[b, m - 1, d])
                for a in range(iw[X.AXES + m - 1]):
                    if axis_factor[b, m - 1, a] > 1 and axis_dim[b, m - 1, a] == d:
                        whole = -(-whole // np.int64(axis_factor[b, m - 1, a]))
            size = np.int64(tile[b, m, d])
            loops |= np.int64(whole > size) << d
            key = _mixed_in(key, size)
        for a in range(iw[X.AXES + m]):
            factor = np.int64(axis_factor[b, m, a])
            key = _mixed_in(key, np.int64(axis_dim[b, m, a]) + L.NDIM * factor if factor > 1 else 0)
        if m < M - 1:
            key = _mixed_in(key, _loops_key(b, m, loops, order))
    at = np.int64(key >> _SHIFT)
    known = seen[at] == key
    seen[at] = key
    return known


@step
def nothing_given(allowed, iw):
    """Whether any axis may carry any dimension and loops stand in any order: there is no `dataflow`."""
    for m in range(iw[X.MEMORIES] & 7):
        if allowed.norders[m] > 0:
            return False
        for a in range(iw[X.AXES + m]):
            if allowed.axes[m, a] != (1 << L.NDIM) - 1:
                return False
    return True
