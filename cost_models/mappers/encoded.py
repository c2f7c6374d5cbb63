"""A steady-state genetic algorithm over mappings encoded as vectors, see `genes`.

Parents win a tournament of two; a child takes each memory's genes of a dimension from either, is mutated in
one to four genes, and replaces the worst individual if it is better than that and unlike all others.
"""

from __future__ import annotations

import math

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers.chance import below, mixed, uniform
from cost_models.mappers.genes import (
    AXIS,
    BLOCK,
    MORE,
    ORDER,
    RATIO,
    SCRATCH,
    axis_gene,
    decode,
    encode,
    objective_of,
)

POPULATION = 48
_COPIES = 8  # of the start, with some genes drawn anew; the rest is random
_REDRAWN = 0.3  # share of a copy's genes
_SPREAD = 0.15  # of a mutation, as a share of a gene's range


@step
def population(budget):
    """How many individuals a budget can feed."""
    return min(POPULATION, max(1, budget // 4))


@step
def _mutate(row, genes, tiles, parent, by_index, state, iw):
    """Change one gene of a dimension that the layer has: a tile, a place in an order, or an axis."""
    M = iw[X.MEMORIES] & 7
    d = below(L.NDIM, state)
    while iw[X.PROBLEM + d] == 1:
        d = (d + 1) & 7
    m = below(M, state)
    what = uniform(state)
    if what < 0.6 and M > 1:
        m = below(M - 1, state)
        at = BLOCK * m + RATIO + d
        most = np.int64(tiles[parent, m, d])
        inner = 1 + below(most, state)
        if most > 1 and not by_index and uniform(state) < 0.7:
            # A trip count that divides evenly, of a few tries.
            for _ in range(6):
                inner = 1 + below(most, state)
                if uniform(state) < 0.5:
                    inner = max(1, most // (1 + below(inner, state)))
                if most % inner == 0:
                    break
            genes[row, at] = math.log(np.float64(inner)) / math.log(np.float64(most))
            return
    elif what < 0.8 or iw[X.AXES + m] == 0:
        at = BLOCK * m + ORDER + d
    else:
        a = below(iw[X.AXES + m], state)
        at = axis_gene(m, a, M) + (L.NDIM if uniform(state) < 0.3 else d)
    value = uniform(state)
    if uniform(state) < 0.5:
        value = genes[row, at] + _SPREAD * (2.0 * value - 1.0)
    genes[row, at] = max(0.0, min(1.0, value))


@step
def _cross(row, first, second, genes, state, iw):
    """Write a child of two parents to `row`."""
    M = iw[X.MEMORIES] & 7
    for m in range(M):
        orders = first if uniform(state) < 0.5 else second
        axes = first if uniform(state) < 0.5 else second
        for g in range(BLOCK * m + ORDER, BLOCK * m + RATIO):
            genes[row, g] = genes[orders, g]
        for g in range(BLOCK * m + AXIS, BLOCK * (m + 1)):
            genes[row, g] = genes[axes, g]
        if genes.shape[1] > BLOCK * M:
            for g in range(BLOCK * M + MORE * m, BLOCK * M + MORE * (m + 1)):
                genes[row, g] = genes[axes, g]
    for d in range(L.NDIM):
        tiles = first if uniform(state) < 0.5 else second
        for m in range(M):
            genes[row, BLOCK * m + RATIO + d] = genes[tiles, BLOCK * m + RATIO + d]


@inlined
def _winner(n, cost, state):
    i, j = below(n, state), below(n, state)
    return i if cost[i] <= cost[j] else j


@step
def populate(n, started, seed, genes, cost, state):
    """Draw `n` individuals: row 0 stays; if it is a good `start`, some resemble it; the rest is random."""
    state[0] = mixed(seed)
    for i in range(n + 1):
        cost[i] = np.inf
        for g in range(genes.shape[1]):
            if i == 0:
                continue
            value = uniform(state)
            if started and i < _COPIES and uniform(state) >= _REDRAWN:
                value = genes[0, g]
            genes[i, g] = value


@step
def generations(
    n, done, budget, by_index, objective, allowed, orders, norders, genes, cost, tiles, state, scratch,
    tile, order, axis_dim, axis_factor, ws, iw,
):  # fmt: skip
    """Spend evaluations `done` .. `budget` - 1 on a population of `n`; returns those spent in all.

    Arguments as in `evolve` and `genes.decode`.
    """
    M = iw[X.MEMORIES] & 7
    work = False
    for d in range(L.NDIM):
        work |= iw[X.PROBLEM + d] > 1
    while done < budget:
        row = done
        if done >= n:
            if not work:
                return done
            row = n
            first, second = _winner(n, cost, state), _winner(n, cost, state)
            _cross(row, first, second, genes, state, iw)
            times = 1
            while times < 4 and uniform(state) < 0.5:
                times += 1
            for _ in range(times):
                _mutate(row, genes, tiles, first, by_index, state, iw)
        decode(
            row, genes, by_index, allowed, orders, norders, scratch, tile, order, axis_dim, axis_factor, iw
        )
        price(0, False, tile, order, axis_dim, axis_factor, ws, iw)
        value = objective_of(objective, ws)
        done += 1
        target = row
        if row == n:
            target = 0
            twin = False
            for i in range(n):
                twin |= cost[i] == value
                if cost[i] > cost[target]:
                    target = i
            if twin or value >= cost[target]:
                continue
            for g in range(genes.shape[1]):
                genes[target, g] = genes[n, g]
        cost[target] = value
        for m in range(M):
            for d in range(L.NDIM):
                split = 1
                for a in range(L.MAX_AXES):
                    if axis_factor[0, m, a] > 1 and axis_dim[0, m, a] == d:
                        split *= axis_factor[0, m, a]
                tiles[target, m, d] = -(-tile[1, m, d] // split)
    return done


@kernel
def begin(
    problem, holds, fan, memory, machine, tile, order, axis_dim, axis_factor, budget, started, seed, genes,
    cost, state,
):  # fmt: skip
    """Prepare `evolve` from the mapping in row 0 of the arrays; returns the individuals, at most POPULATION.

    Fills genes float64[POPULATION + 1, width(fan)], cost float64[POPULATION + 1] and state uint64[1].
    """
    _, iw = X.prepare(problem, holds, fan, memory, machine)
    t = np.ones((2, holds.shape[0], L.NDIM), np.int32)
    t[0] = tile[0]
    encode(0, genes, np.zeros(SCRATCH, np.int64), t, order, axis_dim, axis_factor, iw)
    n = population(budget)
    populate(n, started, seed, genes, cost, state)
    return n


@kernel
def evolve(
    problem, holds, fan, memory, machine, allowed, orders, norders, n, genes, cost, tiles, done, budget,
    by_index, objective, state,
):  # fmt: skip
    """Spend evaluations `done` .. `budget` - 1 on a population of `n`, which keeps its state between calls.

    genes   float64[POPULATION + 1, width(fan)], row `n` is scratch; rows to start with are priced first
    cost    float64[POPULATION + 1]
    tiles   int32[POPULATION + 1, M, 8], what a tile of the individual may have at most
    state   uint64[1], of the random numbers, not 0
    Others as in `genes.score_batch`. Returns the evaluations spent in all.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    M = holds.shape[0]
    tile = np.ones((2, M, L.NDIM), np.int32)
    order = np.zeros((1, M, L.NDIM), np.int8)
    axis_dim = np.zeros((1, M, L.MAX_AXES), np.int8)
    axis_factor = np.zeros((1, M, L.MAX_AXES), np.int32)
    scratch = np.zeros(SCRATCH, np.int64)
    return generations(
        n, done, budget, by_index, objective, allowed, orders, norders, genes, cost, tiles,
        state, scratch, tile, order, axis_dim, axis_factor, ws, iw,
    )  # fmt: skip
