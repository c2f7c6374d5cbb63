"""The search for a mapping: filled mappings, the best of them improved, then a genetic algorithm.

The start draws random mappings that fill the chip, keeps the best and climbs from those; its random numbers
are always the same. From then on parents win tournaments of two, a child takes each memory's axes and order
and each dimension's tiles from either, is changed, and replaces the worst of the population if it is better
and unlike all others. With the end of the budget near, what is best and was not climbed from yet is.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers import brood as B
from cost_models.mappers.brood import ask
from cost_models.mappers.chance import mixed
from cost_models.mappers.greedy import BEGUN, BRED, BUDGET, LIMIT, OPEN, SPENT, count
from cost_models.mappers.met import MET, nothing_given
from cost_models.mappers.population import PARTLY, WHOLLY, best_of, keep
from cost_models.mappers.proposals import realise
from cost_models.mappers.start import climb, smallest, start, varies
from cost_models.mappers.variation import breed, credit, share_of_exchanges

LAST = 0.25  # share of a search's evaluations for climbing at its end


@step
def evolve(until, allowed, pool, space):
    """Search on until `until` evaluations are spent; a brood or a climb may end somewhat later.

    The answer does not depend on where `until` interrupts it.
    """
    counters, notes = pool.counters, space.brood.notes
    budget = counters[BUDGET]
    turn = budget - np.int64(LAST * (budget - counters[BEGUN]))
    counters[LIMIT] = budget
    while counters[SPENT] < until and varies(space.iw):
        row = best_of(PARTLY, pool) if counters[SPENT] >= turn else -1
        if row >= 0:
            climb(row, allowed, pool, space)
            continue
        # Children of one population: their number depends on what is spent alone, not on `until`.
        n = min(B.BROOD, (turn if counters[SPENT] < turn else budget) - counters[SPENT])
        share = share_of_exchanges(counters)
        for b in range(n):
            breed(b, share, allowed, pool, space)
        ask(n, allowed, pool, space)
        for b in range(n):
            if count(b, allowed, pool, space):
                credit(b, notes, pool)
                keep(b, allowed, pool, space.iw)


@step
def advance(until, seed, allowed, pool, space):
    """Start, if counters[SPENT] is 0, then search; leave the best mapping in row 0 and price it.

    The start has the same random numbers for every seed. Returns a status: where nothing fits, that of the
    smallest tiles.
    """
    counters, state = pool.counters, pool.state
    some = True
    space.brood.notes[B.FRESH] = 1
    if counters[SPENT] == 0:
        state[0] = mixed(0)
        some = start(allowed, pool, space)
        state[0] = mixed(seed)
        for i in range(BRED, OPEN):
            counters[i] = 0
        counters[OPEN] = nothing_given(allowed, space.iw)
        for i in range(MET):
            pool.seen[i] = 0
    row = 0
    if some:
        evolve(until, allowed, pool, space)
        row = best_of(WHOLLY, pool)
    else:
        smallest(pool.proposal, space.iw)
    realise(row, 0, allowed.orders, pool.proposal, space.batch, space.scratch, space.iw)
    return price(0, False, space.batch, space.ws, space.iw)


@kernel
def search_on(problem, machine, allowed, pool, space, until, seed):
    """`advance` for one layer on one machine, to be called until counters[SPENT] reaches the budget.

    The mapping is in row 0 of the batch.
    """
    X.place(problem, machine, space.ws, space.iw)
    return advance(until, seed, allowed, pool, space)
