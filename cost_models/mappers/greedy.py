"""Hill climbing over proposals: whatever single change of a tile or an order helps (axes: `axes`)."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.mappers import brood as B
from cost_models.mappers.brood import ask, tell
from cost_models.mappers.genes import ENERGY, LATENCY
from cost_models.mappers.proposals import (
    COLUMNS,
    PLACE,
    copy,
    divisor,
    orders_of,
    place_of,
    set_tile,
)

# Rows of proposals: those at trial are 0 .. BROOD - 1.
INCUMBENT = B.BROOD

# Pool.counters: evaluations so far, those after which climbing stops, those of the start ...
SPENT, LIMIT, BEGUN = 0, 1, 2
START, BUDGET = 3, 4  # ... which they are at most, and those of the whole search
REFUSED = 5  # proposals that did not fit: not priced, and quickly found out
BRED, HELPED = 6, 8  # [2] children changed in either way, and those of them better than their parents
COUNTERS = 10

_REFUSALS = 8  # that count as an evaluation

# What is tried for a tile, in this order; steps go on while they help.
_WHOLE, _DOWN, _EVEN_DOWN, _UP, _EVEN_UP = range(5)


@inlined
def better(a, b, pool):
    """Whether proposal `a` is better than `b`: by the objective, then by energy times latency."""
    cost = pool.cost
    if pool.objective == LATENCY and cost[a, 0] != cost[b, 0]:
        return cost[a, 0] < cost[b, 0]
    if pool.objective == ENERGY and cost[a, 1] != cost[b, 1]:
        return cost[a, 1] < cost[b, 1]
    return cost[a, 0] * cost[a, 1] < cost[b, 0] * cost[b, 1]


@inlined
def done(pool):
    """Whether the evaluations are spent."""
    return pool.counters[SPENT] >= pool.counters[LIMIT]


@inlined
def count(b, allowed, pool, space):
    """Count proposal `b` of those asked for as an evaluation, note what it costs; returns whether it fits."""
    cost, counters = pool.cost, pool.counters
    cost[b, 0], cost[b, 1] = tell(b, allowed, pool, space)
    good = np.isfinite(cost[b, 0])
    if good:
        counters[SPENT] += 1
    else:
        counters[REFUSED] += 1
        counters[SPENT] += counters[REFUSED] % _REFUSALS == 0
    return good


@inlined
def accept(b, allowed, pool, space):
    """Make proposal `b` of those asked for the incumbent if it is better; returns whether it was."""
    good = count(b, allowed, pool, space)
    if good and better(b, INCUMBENT, pool):
        copy(b, INCUMBENT, pool)
        return True
    return False


@step
def first_better(n, allowed, pool, space):
    """Price proposals 0 .. n - 1; the first that is better becomes the incumbent. Returns which, or -1.

    Those after it, and beyond the limit, are as if nobody had asked for them.
    """
    if n == 0 or done(pool):
        return -1
    ask(n, allowed, pool, space)
    for b in range(n):
        if done(pool):
            break
        if accept(b, allowed, pool, space):
            return b
    return -1


@inlined
def next_tile(m, d, pool):
    """(dimension after `d` that has tiles, place of memory `m`'s tile of it)."""
    d += 1
    while d < L.NDIM and pool.sizes[d, 1] == 1:
        d += 1
    return d, place_of(INCUMBENT, m, d, pool.proposal, pool.sizes) if d < L.NDIM else 0


@step
def move_tiles(m, allowed, pool, space):
    """Improve each tile of memory `m`: all of the dimension, else down or up in growing steps, else divisors.

    What comes next as long as nothing helps is asked for together.
    """
    proposal, sizes, notes = pool.proposal, pool.sizes, space.brood.notes
    improved = False
    d, k = next_tile(m, -1, pool)
    what, stride, moved = _WHOLE, 1, False  # at hand for this tile; whether steps helped
    while True:
        n = 0
        while n < B.BROOD and d < L.NDIM:
            way = -1 if what <= _EVEN_DOWN else 1
            to = k + way * stride
            if what == _WHOLE:
                to = 1 if k > 1 else 0
            elif what in (_EVEN_DOWN, _EVEN_UP):
                to = divisor(d, k, way, sizes)
                if to == k + way:
                    to = 0
            if 1 <= to <= sizes[d, 0]:
                copy(INCUMBENT, n, pool)
                set_tile(n, m, d, sizes[d, to], proposal)
                at = B.ASKED + B.ASKS * n
                notes[at] = d
                notes[at + 1] = what
                notes[at + 2] = stride
                notes[at + 3] = to
                n += 1
            if what in (_DOWN, _UP) and stride > 1:
                stride //= 2
            elif what == _EVEN_UP or moved:
                d, k = next_tile(m, d, pool)
                what, stride, moved = _WHOLE, 1, False
            else:
                what, stride = what + 1, 1
        b = first_better(n, allowed, pool, space)
        if b < 0:
            if d < L.NDIM and not done(pool):
                continue
            return improved
        improved = True
        at = B.ASKED + B.ASKS * b
        what = notes[at + 1]
        if what in (_DOWN, _UP):
            d, stride, k, moved = notes[at], 2 * notes[at + 2], notes[at + 3], True
        else:
            d, k = next_tile(m, notes[at], pool)
            what, stride, moved = _WHOLE, 1, False


@step
def reorder(m, allowed, pool, space):
    """Try the other loop orders of memory `m`."""
    proposal = pool.proposal
    moved = False
    many = orders_of(m, allowed)
    at = COLUMNS * m + PLACE
    for first in range(0, many, B.BROOD):
        n = min(B.BROOD, many - first)
        if done(pool):
            break
        for b in range(n):
            copy(INCUMBENT, b, pool)
            proposal[b, at] = first + b
        ask(n, allowed, pool, space)
        for b in range(n):
            if proposal[b, at] == proposal[INCUMBENT, at] or done(pool):
                continue
            moved |= accept(b, allowed, pool, space)
    return moved
