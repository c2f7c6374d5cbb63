"""Many (layer, machine) pairs mapped in one call: the greedy start, then the genetic search.

Each pair has its own seed and is searched by itself, so that its answer does not depend on the others.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers.brood import BROOD
from cost_models.mappers.genetic import ROWS, advance
from cost_models.mappers.greedy import BEGUN, SPENT, TALLY
from cost_models.mappers.wishes import SCRATCH, SIZES, WISH


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
    objective, brood, figures, status, latency, energy, spent, tile, order, axis_dim, axis_factor,
):  # fmt: skip
    """Map P pairs, each with `budget` evaluations in all: the greedy start, then the genetic search.

    The start always completes, within `start` evaluations; the search has what it leaves of the budget, so
    that a budget that the start uses up gives the start's mapping.

    problem   int64[P, PROBLEM_COLS]; index int64[P], the machine of each pair; seed uint64[P]
    reserved  float64[P, M, 4], bits taken off the capacities; P = 0: none
    holds int64[H, M, 3], fan int64[H, M, A, FAN_COLS], memory float64[H, M, MEM_COLS],
    machine float64[H, MACHINE_COLS]: see `layout`
    allowed int64[H, M, A], orders int8[H, M, n, 8], norders int64[H, M]: see `genes.score_batch`; where any
    order goes, the first `greedy.FREE_ORDERS` rows are those that the greedy start tries
    brood, figures: `brood.memory`

    Filled: status int32[P], latency float64[P] in cycles, energy float64[P] in pJ, spent int64[P, 2], the
    evaluations of the start and of the search, and the mappings tile int32[P, M, 8], order int8[P, M, 8],
    axis_dim int8[P, M, A], axis_factor int32[P, M, A]. Where nothing fits, status is that of the smallest
    tiles, which then are the mapping, and the costs are infinite.
    """
    M = holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    t = np.ones((BROOD + 1, M, L.NDIM), np.int32)
    o = np.zeros((BROOD, M, L.NDIM), np.int8)
    ad = np.zeros((BROOD, M, L.MAX_AXES), np.int8)
    af = np.zeros((BROOD, M, L.MAX_AXES), np.int32)
    scratch = np.zeros(SCRATCH, np.int64)
    sizes = np.zeros((L.NDIM, SIZES), np.int64)
    wish = np.zeros((ROWS, M * WISH), np.int64)
    cost = np.zeros((ROWS, 4))
    tally = np.zeros(TALLY, np.int64)
    state = np.zeros(1, np.uint64)
    for p in range(len(index)):
        h = index[p]
        X.place(problem[p], holds[h], fan[h], memory[h], machine[h], ws, iw)
        if len(reserved):
            reserve(p, reserved, ws, iw)
        for m in range(M):
            for a in range(L.MAX_AXES):
                ad[0, m, a] = af[0, m, a] = 0
        tally[SPENT] = 0
        status[p] = advance(
            objective, start, budget, budget, seed[p], allowed[h], sizes, wish, cost, tally, orders[h],
            norders[h], state, scratch, t, o, ad, af, brood, figures, ws, iw,
        )  # fmt: skip
        spent[p, 0] = tally[BEGUN]
        spent[p, 1] = tally[SPENT] - tally[BEGUN]
        latency[p] = ws[X.RESULT + L.LATENCY]
        energy[p] = ws[X.RESULT + L.ENERGY]
        save(p, t, o, ad, af, tile, order, axis_dim, axis_factor, iw)


@kernel
def busy_pairs(
    problem, index, holds, fan, memory, machine, tile, order, axis_dim, axis_factor, busy
):  # fmt: skip
    """How long P mappings of as many (layer, machine) pairs keep each user of each memory busy.

    Arguments as in `map_pairs`. Fills busy float64[P, M, NUSER], cycles of one instance: bits only, what
    transfers take to start left out; nothing where the mapping is illegal.
    """
    M = holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    for p in range(len(index)):
        h = index[p]
        X.place(problem[p], holds[h], fan[h], memory[h], machine[h], ws, iw)
        if price(p, True, tile, order, axis_dim, axis_factor, ws, iw) != L.OK:
            continue
        instances = 1.0
        for m in range(M):
            for user in range(L.NUSER):
                bits = ws[X.BITS + 2 * (L.NTENSOR * m + user % L.NTENSOR) + user // L.NTENSOR]
                busy[p, m, user] = bits / instances * memory[h, m, L.READ_CPB + user]
            for a in range(L.MAX_AXES):
                instances *= max(1, axis_factor[p, m, a])
