"""Pairs of a layer and a machine mapped by the greedy start alone: a kernel without the genetic search."""

from __future__ import annotations

import numpy as np

from cost_models import greedy as D
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import kernel
from cost_models.genes import SCRATCH
from cost_models.loopnest import price
from cost_models.pairs import reserve, save


@kernel
def start_pairs(
    problem, index, reserved, holds, fan, memory, machine, allowed, orders, norders, start, objective,
    status, latency, energy, spent, tile, order, axis_dim, axis_factor,
):  # fmt: skip
    """Map P pairs as `pairs.map_pairs` does where the start leaves nothing of the budget."""
    M = holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    t = np.ones((2, M, L.NDIM), np.int32)
    o = np.zeros((1, M, L.NDIM), np.int8)
    ad = np.zeros((1, M, L.MAX_AXES), np.int8)
    af = np.zeros((1, M, L.MAX_AXES), np.int32)
    scratch = np.zeros(SCRATCH, np.int64)
    sizes = np.zeros((L.NDIM, D.SIZES), np.int64)
    wish = np.zeros((D.ROWS, M * D.WISH), np.int64)
    value = np.zeros((D.ROWS, 3))
    tally = np.zeros(2, np.int64)
    for p in range(len(index)):
        h = index[p]
        X.place(problem[p], holds[h], fan[h], memory[h], machine[h], ws, iw)
        if len(reserved):
            reserve(p, reserved, ws, iw)
        tally[D.LIMIT] = start
        D.search(
            objective, allowed[h], sizes, wish, value, tally, orders[h], norders[h], scratch, t, o, ad, af,
            ws, iw,
        )  # fmt: skip
        D.grant(D.BEST, wish, orders[h], scratch, t, o, ad, af, iw)
        status[p] = price(0, False, t, o, ad, af, ws, iw)
        latency[p] = ws[X.RESULT + L.LATENCY]
        energy[p] = ws[X.RESULT + L.ENERGY]
        spent[p, 0] = tally[D.SPENT]
        spent[p, 1] = 0
        save(p, t, o, ad, af, tile, order, axis_dim, axis_factor, iw)
