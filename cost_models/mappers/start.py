"""The start of every search: mappings that fill the chip, drawn at random, and climbs from the best."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers import brood as B
from cost_models.mappers.axes import carry
from cost_models.mappers.brood import ask
from cost_models.mappers.filled import draw
from cost_models.mappers.greedy import (
    BEGUN,
    INCUMBENT,
    LIMIT,
    REFUSED,
    SPENT,
    START,
    count,
    done,
    move_tiles,
    reorder,
)
from cost_models.mappers.population import (
    CLIMBED,
    FIRST,
    KIND,
    PARTLY,
    ROWS,
    WHOLLY,
    best_of,
    best_unlike,
    keep,
    kind_of,
)
from cost_models.mappers.proposals import COLUMNS, DIM, PARTS, PLACE, TILE, copy, list_sizes, orders_of
from cost_models.mappers.swaps import swap

DRAWN = 0.3  # share of the start's evaluations for random mappings
_TRIED = 12  # kinds that it climbs from ...
_STEPS = 30  # with that many evaluations each,
_CHOSEN = 6  # the best on to the end


@inlined
def varies(iw):
    """Whether the layer has a dimension at all."""
    size = 1
    for d in range(L.NDIM):
        size = max(size, iw[X.PROBLEM + d])
    return size > 1


@step
def improve(allowed, pool, space):
    """Improve the incumbent until no change helps or the evaluations are spent."""
    M = space.iw[X.MEMORIES] & 7
    while not done(pool):
        moved = False
        for m in range(M - 2, -1, -1):
            moved |= move_tiles(m, allowed, pool, space)
            moved |= reorder(m, allowed, pool, space)
        if moved:
            continue
        for m in range(M - 2, -1, -1):
            moved |= swap(m, allowed, pool, space)
        if moved:
            continue
        if not carry(allowed, pool, space):
            return


@step
def climb(row, allowed, pool, space):
    """Improve a row of the population in place, until nothing helps or the evaluations are spent."""
    copy(row, INCUMBENT, pool)
    improve(allowed, pool, space)
    copy(INCUMBENT, row, pool)
    pool.cost[row, KIND] = kind_of(row, allowed.orders, pool.proposal, space.iw)
    pool.cost[row, CLIMBED] = PARTLY if done(pool) else WHOLLY


@step
def trial(n, allowed, pool, space):
    """Price proposals 0 .. n - 1 for the population."""
    ask(n, allowed, pool, space)
    for b in range(n):
        if count(b, allowed, pool, space):
            keep(b, allowed, pool, space.iw)


@step
def smallest(proposal, iw):
    """Proposal 0: no axis in use, single elements below every memory."""
    for m in range(iw[X.MEMORIES] & 7):
        proposal[0, COLUMNS * m + PLACE] = 0
        for d in range(L.NDIM):
            proposal[0, COLUMNS * m + TILE + d] = 1
        for a in range(L.MAX_AXES):
            proposal[0, COLUMNS * m + DIM + a] = -1
            proposal[0, COLUMNS * m + PARTS + a] = 0


@step
def complete(allowed, pool, space):
    """Try what may fit where nothing else does: outputs that leave complete are narrower."""
    proposal, iw = pool.proposal, space.iw
    M = iw[X.MEMORIES] & 7
    for x in range(M - 1):
        for k in range(orders_of(x, allowed)):
            smallest(proposal, iw)
            proposal[0, COLUMNS * x + PLACE] = k
            for m in range(x):
                for d in range(L.NDIM):
                    if d in (L.C, L.R, L.S):
                        proposal[0, COLUMNS * m + TILE + d] = iw[X.PROBLEM + d]
            trial(1, allowed, pool, space)


@step
def start(allowed, pool, space):
    """Fill the population and climb, with counters[START] evaluations at most; whether anything fits."""
    cost, counters, iw = pool.cost, pool.counters, space.iw
    limit = counters[START]
    list_sizes(pool, iw)
    counters[SPENT] = counters[REFUSED] = 0
    counters[LIMIT] = limit
    smallest(pool.proposal, iw)
    cost[0, 0] = cost[0, 1] = np.inf
    for row in range(FIRST, ROWS):
        copy(0, row, pool)
        cost[row, CLIMBED] = cost[row, KIND] = 0.0
    trial(1, allowed, pool, space)
    drawn = np.int64(np.ceil(DRAWN * limit))
    while counters[SPENT] < drawn and varies(iw):
        n = min(B.BROOD, drawn - counters[SPENT])
        for b in range(n):
            draw(b, allowed, pool, space)
        trial(n, allowed, pool, space)
    if best_of(WHOLLY, pool) < 0:
        complete(allowed, pool, space)
    for i in range(_TRIED + _CHOSEN):
        row = best_unlike(pool) if i < _TRIED else best_of(PARTLY, pool)
        counters[LIMIT] = min(limit, counters[SPENT] + _STEPS) if i < _TRIED else limit
        if row >= 0 and varies(iw) and counters[SPENT] < limit:
            climb(row, allowed, pool, space)
    counters[BEGUN] = counters[SPENT]
    return best_of(WHOLLY, pool) >= 0
