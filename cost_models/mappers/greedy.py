"""Hill climbing over proposals: whatever single change of a tile, an order or an axis helps, then swaps.

A swap enlarges one tile and shrinks another of the same memory as far as it takes to fit: what is best
mostly lies where a memory is full, and single steps from there lead to what does not fit or is worse.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.mappers import brood as B
from cost_models.mappers.brood import ask, tell
from cost_models.mappers.filled import fits
from cost_models.mappers.genes import ENERGY, LATENCY
from cost_models.mappers.proposals import (
    COLUMNS,
    DIM,
    PLACE,
    TILE,
    copy,
    divisor,
    may,
    orders_of,
    place_of,
    set_tile,
    widen,
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

_CHOICES = L.NDIM + 1  # of an axis: none, or a dimension


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


@step
def carry(allowed, pool, space):
    """Try another dimension, or none, on each axis."""
    proposal, iw, notes = pool.proposal, space.iw, space.brood.notes
    moved = False
    M = iw[X.MEMORIES] & 7
    i = 0
    while True:
        n = 0
        while n < B.BROOD and i < M * L.MAX_AXES * _CHOICES:
            m, a, d = i // (L.MAX_AXES * _CHOICES), i // _CHOICES % L.MAX_AXES, i % _CHOICES - 1
            i += 1
            if a >= iw[X.AXES + m] or d == proposal[INCUMBENT, COLUMNS * m + DIM + a]:
                continue
            if d >= 0 and not may(m, a, d, allowed.axes, iw):
                continue
            copy(INCUMBENT, n, pool)
            proposal[n, COLUMNS * m + DIM + a] = d
            widen(n, proposal, space.scratch, iw)
            notes[B.ASKED + n] = i
            n += 1
        b = first_better(n, allowed, pool, space)
        if b >= 0:
            i = notes[B.ASKED + b]
            moved = True
        elif n < B.BROOD or done(pool):
            return moved


@inlined
def overfull(row, m, proposal, ws, iw):
    """Whether what memory `m` hands down is too much for the memory below, whatever the loops above."""
    for d in range(L.NDIM):
        ws[X.TILE + L.NDIM * (m + 1) + d] = np.float64(proposal[row, COLUMNS * m + TILE + d])
    return not fits(m + 1, ws, iw)


@step
def give_way(row, m, d, proposal, sizes, ws, iw):
    """Shrink one tile of memory `m` and of those outside as far as it takes; returns whether they fit."""
    for x in range(m, -1, -1):
        at = COLUMNS * x + TILE + d
        if x < m:
            proposal[row, at] = max(proposal[row, at], proposal[row, COLUMNS * m + TILE + d])
        if not overfull(row, x, proposal, ws, iw):
            continue
        # The first place in `sizes` that fits, between `low` (does not) and `high` (does, if any).
        low, high = place_of(row, x, d, proposal, sizes), sizes[d, 0]
        if x < m:
            high = place_of(row, m, d, proposal, sizes)
        proposal[row, at] = sizes[d, high]
        if overfull(row, x, proposal, ws, iw):
            return False
        while high - low > 1:
            k = (low + high) // 2
            proposal[row, at] = sizes[d, k]
            if overfull(row, x, proposal, ws, iw):
                low = k
            else:
                high = k
        proposal[row, at] = sizes[d, high]
    return True


@step
def swap(m, allowed, pool, space):
    """Enlarge one tile of memory `m`, to the next size, divisor, double or all, and shrink another."""
    proposal, sizes = pool.proposal, pool.sizes
    n = 0
    for gain in range(L.NDIM):
        k = place_of(INCUMBENT, m, gain, proposal, sizes)
        last = 0
        for how in range(4):
            up = k - 1
            if how == 1:
                up = divisor(gain, k, -1, sizes)
            elif how == 2:
                while up > 1 and sizes[gain, up] < 2 * sizes[gain, k]:
                    up -= 1
            elif how == 3:
                up = 1
            if up < 1 or up == last or k == 1:
                continue
            last = up
            for loss in range(L.NDIM):
                if gain == loss or proposal[INCUMBENT, COLUMNS * m + TILE + loss] == 1:
                    continue
                copy(INCUMBENT, n, pool)
                set_tile(n, m, gain, sizes[gain, up], proposal)
                if not overfull(n, m, proposal, space.ws, space.iw):
                    down = divisor(loss, place_of(n, m, loss, proposal, sizes), 1, sizes)
                    if down == 0 or how > 1:
                        continue
                    proposal[n, COLUMNS * m + TILE + loss] = sizes[loss, down]
                if not give_way(n, m, loss, proposal, sizes, space.ws, space.iw):
                    continue
                n += 1
                if n < B.BROOD:
                    continue
                if first_better(n, allowed, pool, space) >= 0:
                    return True
                if done(pool):
                    return False
                n = 0
    return first_better(n, allowed, pool, space) >= 0


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
