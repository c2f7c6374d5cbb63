"""The population of the genetic search: who is in it, who enters, who is best."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_I, FREE_W
from cost_models.mappers.chance import below
from cost_models.mappers.greedy import INCUMBENT, better
from cost_models.mappers.proposals import COLUMNS, DIM, PLACE, copy

POPULATION = 32
FIRST = INCUMBENT + 1  # row of the population's first proposal
ROWS = FIRST + POPULATION
# Pool.cost: latency in cycles, energy in pJ, then
CLIMBED = 2  # what climbing was done from here
KIND = 3  # see `kind_of`
PARTLY, WHOLLY = 1.0, 2.0

_ALIKE = 8  # proposals of the same kind in the population


@inlined
def kind_of(row, orders, proposal, iw):
    """A number for what the axes of a proposal carry, and which tensor each memory's innermost loop keeps."""
    kind = 0.0
    for m in range(iw[X.MEMORIES] & 7):
        for a in range(iw[X.AXES + m]):
            kind = (L.NDIM + 1) * kind + (proposal[row, COLUMNS * m + DIM + a] + 1)
    for m in range((iw[X.MEMORIES] & 7) - 1):
        last = orders[m, proposal[row, COLUMNS * m + PLACE], L.NDIM - 1]
        kept = L.W if (FREE_W >> last) & 1 else L.I if (FREE_I >> last) & 1 else L.O
        kind = L.NTENSOR * kind + kept
    return kind


@step
def keep(new, allowed, pool, iw):
    """Put proposal `new` into the population unless it is like another, or no better than its rivals.

    It replaces the worst, but of those of its kind if they are many: else few kinds, which are hard to change
    later, would soon be left.
    """
    cost = pool.cost
    kind = kind_of(new, allowed.orders, pool.proposal, iw)
    worst = FIRST
    akin = -1
    many = 0
    for row in range(FIRST, ROWS):
        if cost[row, 0] == cost[new, 0] and cost[row, 1] == cost[new, 1]:
            return
        if better(worst, row, pool):
            worst = row
        if cost[row, KIND] == kind and np.isfinite(cost[row, 0]):
            many += 1
            if akin < 0 or better(akin, row, pool):
                akin = row
    target = akin if many >= _ALIKE else worst
    if better(new, target, pool):
        copy(new, target, pool)
        cost[target, KIND] = kind
        cost[target, CLIMBED] = 0.0


@step
def best_of(most, pool):
    """Row of the best of the population, of those with at most that much in CLIMBED; -1 = none."""
    cost = pool.cost
    best = -1
    for row in range(FIRST, ROWS):
        ripe = np.isfinite(cost[row, 0]) and cost[row, CLIMBED] <= most
        if ripe and (best < 0 or better(row, best, pool)):
            best = row
    return best


@step
def best_unlike(pool):
    """Row of the best of whose kind nothing was climbed from; -1 = none."""
    cost = pool.cost
    best = -1
    for row in range(FIRST, ROWS):
        seen = not np.isfinite(cost[row, 0])
        for other in range(FIRST, ROWS):
            seen |= cost[other, CLIMBED] > 0.0 and cost[other, KIND] == cost[row, KIND]
        if not seen and (best < 0 or better(row, best, pool)):
            best = row
    return best


@inlined
def winner(pool):
    """A row of the population: the better of two."""
    one, two = FIRST + below(POPULATION, pool.state), FIRST + below(POPULATION, pool.state)
    return two if better(two, one, pool) else one
