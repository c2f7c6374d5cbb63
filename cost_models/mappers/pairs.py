"""Many (layer, machine) pairs mapped in one call: the greedy start, then the genetic search.

Each pair has its own seed and is searched by itself, so that its answer does not depend on the others.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.loopnest.records import Machine
from cost_models.mappers.genetic import advance
from cost_models.mappers.greedy import BEGUN, BUDGET, SPENT
from cost_models.mappers.records import Allowed


@kernel
def place_pair(p, pairs, machines, ws, iw):
    """Put pair `p`, less what is reserved, into work arrays."""
    h = pairs.index[p]
    one = Machine(machines.holds[h], machines.fan[h], machines.memory[h], machines.machine[h])
    X.place(pairs.problem[p], one, ws, iw)
    if len(pairs.reserved):
        for m in range(iw[X.MEMORIES] & 7):
            for i in range(L.CAPACITY_ALL + 1):
                ws[X.MEMORY + L.MEM_COLS * m + L.CAPACITY + i] -= pairs.reserved[p, m, i]


@step
def save(p, batch, found, iw):
    """Copy the mapping in row 0 to row `p` of those found."""
    for m in range(iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            found.tile[p, m, d] = batch.tile[0, m, d]
            found.order[p, m, d] = batch.order[0, m, d]
        for a in range(L.MAX_AXES):
            found.axis_dim[p, m, a] = batch.axis_dim[0, m, a]
            found.axis_factor[p, m, a] = batch.axis_factor[0, m, a]


@kernel
def map_pairs(pairs, seed, machines, allowed, pool, space, found):
    """Map P pairs, each with the evaluations of `pool` in all: the greedy start, then the genetic search.

    The start always completes, within its evaluations; the search has what it leaves of the budget, so that a
    budget that the start uses up gives the start's mapping.

    seed               uint64[P]
    machines, allowed  of H machines
    pool, space        memory for one search after the other
    """
    batch, counters, ws, iw = space.batch, pool.counters, space.ws, space.iw
    for p in range(len(pairs.index)):
        h = pairs.index[p]
        place_pair(p, pairs, machines, ws, iw)
        for m in range(machines.holds.shape[1]):
            for a in range(L.MAX_AXES):
                batch.axis_dim[0, m, a] = batch.axis_factor[0, m, a] = 0
        counters[SPENT] = 0
        terms = Allowed(allowed.axes[h], allowed.orders[h], allowed.norders[h])
        found.status[p] = advance(pool.counters[BUDGET], seed[p], terms, pool, space)
        found.spent[p, 0] = counters[BEGUN]
        found.spent[p, 1] = counters[SPENT] - counters[BEGUN]
        found.latency[p] = ws[X.RESULT + L.LATENCY]
        found.energy[p] = ws[X.RESULT + L.ENERGY]
        save(p, batch, found.batch, iw)


@kernel
def busy_pairs(pairs, machines, batch, busy):
    """How long P mappings of as many (layer, machine) pairs keep each user of each memory busy.

    Fills busy float64[P, M, NUSER], cycles of one instance: bits only, what transfers take to start left out;
    nothing where the mapping is illegal.
    """
    M = machines.holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    for p in range(len(pairs.index)):
        h = pairs.index[p]
        place_pair(p, pairs, machines, ws, iw)
        if price(p, True, batch, ws, iw) != L.OK:
            continue
        instances = 1.0
        for m in range(M):
            for user in range(L.NUSER):
                bits = ws[X.BITS + 2 * (L.NTENSOR * m + user % L.NTENSOR) + user // L.NTENSOR]
                busy[p, m, user] = bits / instances * machines.memory[h, m, L.READ_CPB + user]
            for a in range(L.MAX_AXES):
                instances *= max(1, batch.axis_factor[p, m, a])
