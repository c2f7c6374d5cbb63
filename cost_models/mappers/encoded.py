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
    encode_one,
    objective_of,
    two_rows,
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
def _mutate(row, parent, vectors, iw):
    """Change one gene of a dimension that the layer has: a tile, a place in an order, or an axis."""
    genes, state = vectors.genes, vectors.state
    M = iw[X.MEMORIES] & 7
    d = below(L.NDIM, state)
    while iw[X.PROBLEM + d] == 1:
        d = (d + 1) & 7
    m = below(M, state)
    what = uniform(state)
    if what < 0.6 and M > 1:
        m = below(M - 1, state)
        at = BLOCK * m + RATIO + d
        most = np.int64(vectors.tiles[parent, m, d])
        inner = 1 + below(most, state)
        if most > 1 and not vectors.by_index and uniform(state) < 0.7:
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
def _cross(row, first, second, vectors, iw):
    """Write a child of two parents to `row`."""
    genes, state = vectors.genes, vectors.state
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
def populate(n, started, seed, vectors):
    """Draw `n` individuals: row 0 stays; if it is a good `start`, some resemble it; the rest is random."""
    genes, cost, state = vectors.genes, vectors.cost, vectors.state
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
def generations(n, done, budget, allowed, vectors, batch, scratch, ws, iw):
    """Spend evaluations `done` .. `budget` - 1 on a population of `n`; returns those spent in all.

    `batch` and `scratch` as in `genes.decode`.
    """
    genes, cost, state = vectors.genes, vectors.cost, vectors.state
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
            _cross(row, first, second, vectors, iw)
            times = 1
            while times < 4 and uniform(state) < 0.5:
                times += 1
            for _ in range(times):
                _mutate(row, first, vectors, iw)
        decode(row, genes, vectors.by_index, allowed, batch, scratch, iw)
        price(0, False, batch, ws, iw)
        value = objective_of(vectors.objective, ws)
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
                    if batch.axis_factor[0, m, a] > 1 and batch.axis_dim[0, m, a] == d:
                        split *= batch.axis_factor[0, m, a]
                vectors.tiles[target, m, d] = -(-batch.tile[1, m, d] // split)
    return done


@kernel
def begin(problem, machine, batch, budget, started, seed, vectors):
    """Prepare `evolve` from the mapping in row 0 of a batch; returns how many individuals there are."""
    encode_one(problem, machine, batch, vectors.genes)
    n = population(budget)
    populate(n, started, seed, vectors)
    return n


@kernel
def evolve(problem, machine, allowed, n, vectors, done, budget):
    """Spend evaluations `done` .. `budget` - 1 on a population of `n`, which keeps its state between calls.

    Rows to start with are priced first. Returns the evaluations spent in all.
    """
    ws, iw = X.prepare(problem, machine)
    one, scratch = two_rows(len(machine.holds)), np.zeros(SCRATCH, np.int64)
    return generations(n, done, budget, allowed, vectors, one, scratch, ws, iw)
