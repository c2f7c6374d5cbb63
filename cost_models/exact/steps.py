"""Lockstep steps of a box of tiles: cut tiles keep the array as long as whole ones.

A tile that an axis does not divide takes a step for its rest. So 9 rows on 8 lanes take two steps, and a
dimension that is cut in tiles of 9 takes nearly twice as many as one cut in tiles of 8. Steps of a
dimension are counted down the chain of tiles as far as the box leaves one size to each memory.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X

# Rows of `pad` float64[2, M]: steps of a whole tile of a memory; lanes from its fan-out on inwards.
WHOLE, LANES = range(2)

_SCAN = 16  # sizes of the first memory that has several, looked at one by one


@step
def _down(z, c, last, corner, d, pad, ws):
    """Steps of an extent `z` of dimension `d` in memory `c`; tiles down to memory `last` have one size.

    All pieces but the last are whole; the larger they are the fewer, and the shorter the last.
    """
    total = 0.0
    while c < last:
        inner = np.float64(corner[2 * (c + 1), d])
        union = min(np.float64(corner[2 * c, d]), inner * ws[X.FACTOR + L.NDIM * c + d])
        q = np.ceil(z / union)
        total += (q - 1.0) * pad[WHOLE, c + 1]
        z = min(z - (q - 1.0) * union, inner)
        c += 1
    return total + np.ceil(z / pad[LANES, c])


@step
def _into_open(last, corner, box, values, d, pad, ws, iw):
    """Steps of a whole tile of memory `last`, whatever the next memory's of the sizes that it may have."""
    z = np.float64(corner[2 * last, d])
    c = last + 1
    if c == (iw[X.MEMORIES] & 7) or box[1, c, d] - box[0, c, d] > _SCAN:
        return np.ceil(z / pad[LANES, last])
    least = np.inf
    lanes = pad[LANES, c]
    for k in range(box[0, c, d], box[1, c, d] + 1):
        inner = np.float64(values[d, k])
        union = min(z, inner * ws[X.FACTOR + L.NDIM * last + d])
        q = np.ceil(z / union)
        rest = min(z - (q - 1.0) * union, inner)
        least = min(least, (q - 1.0) * np.ceil(inner / lanes) + np.ceil(rest / lanes))
    return least


@step
def box_steps(least, corner, box, values, pad, ws, iw):
    """Cycles to compute any mapping of a box, at least; `least` is what the spatial choice takes at best.

    `corner` int64[2 M, 8]: the smallest and largest tile of each memory, those of the outermost are the
    layer; `box` and `values` as in `box`.
    """
    unit = iw[X.PROBLEM + L.HAS_MACS] == 0 or ws[X.MACHINE + L.UNIT_RATE] > 0.0
    if unit or not iw[X.INEXACT] & X.RELAXED:
        return least
    M = iw[X.MEMORIES] & 7
    steps = 1.0
    for d in range(L.NDIM):
        if corner[0, d] == 1:
            continue
        last = 0
        while last < M - 1 and corner[2 * last + 2, d] == corner[2 * last + 3, d]:
            last += 1
        lanes = 1.0
        for i in range(M):
            c = M - 1 - i
            lanes *= ws[X.FACTOR + L.NDIM * c + d]
            pad[LANES, c] = lanes
        pad[WHOLE, last] = _into_open(last, corner, box, values, d, pad, ws, iw)
        for i in range(last):
            c = last - 1 - i
            pad[WHOLE, c] = _down(np.float64(corner[2 * c, d]), c, last, corner, d, pad, ws)
        steps *= pad[WHOLE, 0]
    return max(least, steps * (1.0 + ws[X.MACHINE + L.EXTRA_CYCLES]))
