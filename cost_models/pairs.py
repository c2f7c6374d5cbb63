"""Many (layer, machine) pairs mapped in one call: the greedy start, then the genetic search.

Each pair has its own seed and is searched by itself, so that its answer does not depend on the others.
"""

from __future__ import annotations

import numpy as np

from cost_models import greedy as D
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import kernel, step
from cost_models.genes import BLOCK, SCRATCH, decode, encode, objective_of
from cost_models.genetic import POPULATION, generations, populate, population
from cost_models.loopnest import price


@step
def reserve(p, reserved, ws, iw):
    """Take the bits that others keep from pair `p` off the capacities."""
    for m in range(iw[X.MEMORIES] & 7):
        for i in range(L.CAPACITY_ALL + 1):
            ws[X.MEMORY + L.MEM_COLS * m + L.CAPACITY + i] -= reserved[p, m, i]


@step
def save(p, tile, order, axis_dim, axis_factor, out_tile, out_order, out_dim, out_factor, iw):
    """Copy the mapping in row 0 to row `p` of the answers."""
    for m in range(iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            out_tile[p, m, d] = tile[0, m, d]
            out_order[p, m, d] = order[0, m, d]
        for a in range(L.MAX_AXES):
            out_dim[p, m, a] = axis_dim[0, m, a]
            out_factor[p, m, a] = axis_factor[0, m, a]


@kernel
def map_pairs(
    problem, index, seed, reserved, holds, fan, memory, machine, allowed, orders, norders, budget, start,
    objective, status, latency, energy, spent, tile, order, axis_dim, axis_factor,
):  # fmt: skip
    """Map P pairs, each with `budget` evaluations in all: the greedy start, then the genetic search.

    The start always completes, within `start` evaluations; the search has what it leaves of the budget, so
    that a budget that the start uses up gives the start's mapping.

    problem   int64[P, PROBLEM_COLS]; index int64[P], the machine of each pair; seed uint64[P]
    reserved  float64[P, M, 4], bits taken off the capacities; P = 0: none
    holds int64[H, M, 3], fan int64[H, M, 3, FAN_COLS], memory float64[H, M, MEM_COLS],
    machine float64[H, MACHINE_COLS]: see `layout`
    allowed int64[H, M, 3], orders int8[H, M, n, 8], norders int64[H, M]: see `genes.score_batch`; where any
    order goes, the first `greedy.FREE_ORDERS` rows are those that the greedy start tries

    Filled: status int32[P], latency float64[P] in cycles, energy float64[P] in pJ, spent int64[P, 2], the
    evaluations of the start and of the search, and the mappings tile int32[P, M, 8], order int8[P, M, 8],
    axis_dim int8[P, M, 3], axis_factor int32[P, M, 3]. Where nothing fits, status is that of the smallest
    tiles, which then are the mapping, and the costs are infinite.
    """
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
    genes = np.zeros((POPULATION + 1, M * BLOCK))
    cost = np.zeros(POPULATION + 1)
    tiles = np.ones((POPULATION + 1, M, L.NDIM), np.int32)
    state = np.zeros(1, np.uint64)
    for p in range(len(index)):
        h = index[p]
        axes = allowed[h]
        nests = orders[h]
        many = norders[h]
        X.place(problem[p], holds[h], fan[h], memory[h], machine[h], ws, iw)
        if len(reserved):
            reserve(p, reserved, ws, iw)
        tally[D.LIMIT] = start
        D.search(objective, axes, sizes, wish, value, tally, nests, many, scratch, t, o, ad, af, ws, iw)
        spent[p, 0] = tally[D.SPENT]
        spent[p, 1] = 0
        D.grant(D.BEST, wish, nests, scratch, t, o, ad, af, iw)
        status[p] = price(0, False, t, o, ad, af, ws, iw)
        latency[p] = ws[X.RESULT + L.LATENCY]
        energy[p] = ws[X.RESULT + L.ENERGY]
        save(p, t, o, ad, af, tile, order, axis_dim, axis_factor, iw)
        left = budget - tally[D.SPENT]
        if status[p] != L.OK or left <= 0:
            continue
        least = objective_of(objective, ws)
        encode(0, genes, scratch, t, o, ad, af, iw)
        n = population(left)
        populate(n, True, seed[p], genes, cost, state, iw)
        spent[p, 1] = generations(
            n, 0, left, False, objective, axes, nests, many, genes, cost, tiles, state, scratch, t, o, ad, af,
            ws, iw,
        )  # fmt: skip
        best = 0
        for i in range(n):
            if cost[i] < cost[best]:
                best = i
        if cost[best] < least:
            decode(best, genes, False, axes, nests, many, scratch, t, o, ad, af, iw)
            price(0, False, t, o, ad, af, ws, iw)
            latency[p] = ws[X.RESULT + L.LATENCY]
            energy[p] = ws[X.RESULT + L.ENERGY]
            save(p, t, o, ad, af, tile, order, axis_dim, axis_factor, iw)
