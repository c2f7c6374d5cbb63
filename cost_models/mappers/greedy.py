"""Hill climbing over wishes: whatever single change of a tile, an order or an axis helps, then trades.

A trade enlarges one tile and shrinks another of the same memory as far as it takes to fit: what is best
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
from cost_models.mappers.wishes import DIM, PLACE, TILE, WISH, copy, divisor, may, place_of, set_tile, widen

# Rows of wishes: those at trial are 0 .. BROOD - 1.
NOW = B.BROOD  # accepted

# tally: int64[TALLY]: evaluations so far, those after which climbing stops, and those of the start
SPENT, LIMIT, BEGUN = 0, 1, 2
REFUSED = 3  # wishes that did not fit: not priced, and quickly found out
BRED, HELPED = 4, 6  # [2] children changed in either way, and those of them better than their parents
TALLY = 8

_REFUSALS = 8  # that count as an evaluation

# What is tried for a tile, in this order; steps go on while they help.
_WHOLE, _DOWN, _EVEN_DOWN, _UP, _EVEN_UP = range(5)

_CHOICES = L.NDIM + 1  # of an axis: none, or a dimension

FREE_ORDERS = 7  # rows of `orders` to try where norders is 0


@inlined
def better(a, b, objective, cost):
    """Whether wish `a` is better than `b`: by the objective, then by the product of energy and latency."""
    if objective == LATENCY and cost[a, 0] != cost[b, 0]:
        return cost[a, 0] < cost[b, 0]
    if objective == ENERGY and cost[a, 1] != cost[b, 1]:
        return cost[a, 1] < cost[b, 1]
    return cost[a, 0] * cost[a, 1] < cost[b, 0] * cost[b, 1]


@step
def count(
    b, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw
):  # fmt: skip
    """Count wish `b` of those asked for as an evaluation, note what it costs; returns whether it fits."""
    cost[b, 0], cost[b, 1] = tell(
        b, wish, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw
    )
    good = np.isfinite(cost[b, 0])
    if good:
        tally[SPENT] += 1
    else:
        tally[REFUSED] += 1
        tally[SPENT] += tally[REFUSED] % _REFUSALS == 0
    return good


@step
def accept(
    b, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures,
    ws, iw,
):  # fmt: skip
    """Make wish `b` of those asked for NOW if it is better; returns whether it was."""
    good = count(
        b, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw
    )
    if good and better(b, NOW, objective, cost):
        copy(b, NOW, wish, cost)
        return True
    return False


@step
def look(
    n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures,
    ws, iw,
):  # fmt: skip
    """Price wishes 0 .. n - 1; the first that is better becomes NOW. Returns which, or -1.

    Those after it, and beyond the limit, are as if nobody had asked for them.
    """
    if n == 0 or tally[SPENT] >= tally[LIMIT]:
        return -1
    ask(n, wish, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw)
    for b in range(n):
        if tally[SPENT] >= tally[LIMIT]:
            break
        if accept(
            b, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        ):  # fmt: skip
            return b
    return -1


@inlined
def next_tile(m, d, sizes, wish):
    """(dimension after `d` that has tiles, place of memory `m`'s tile of it)."""
    d += 1
    while d < L.NDIM and sizes[d, 1] == 1:
        d += 1
    return d, place_of(NOW, m, d, sizes, wish) if d < L.NDIM else 0


@step
def lines(
    m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
    figures, ws, iw,
):  # fmt: skip
    """Improve each tile of memory `m`: all of the dimension, else down or up in growing steps, else divisors.

    What comes next as long as nothing helps is asked for together.
    """
    improved = False
    d, k = next_tile(m, -1, sizes, wish)
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
                copy(NOW, n, wish, cost)
                set_tile(n, m, d, sizes[d, to], wish)
                at = B.ASKED + B.ASKS * n
                brood[at] = d
                brood[at + 1] = what
                brood[at + 2] = stride
                brood[at + 3] = to
                n += 1
            if what in (_DOWN, _UP) and stride > 1:
                stride //= 2
            elif what == _EVEN_UP or moved:
                d, k = next_tile(m, d, sizes, wish)
                what, stride, moved = _WHOLE, 1, False
            else:
                what, stride = what + 1, 1
        b = look(
            n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        )  # fmt: skip
        if b < 0:
            if d < L.NDIM and tally[SPENT] < tally[LIMIT]:
                continue
            return improved
        improved = True
        at = B.ASKED + B.ASKS * b
        what = brood[at + 1]
        if what in (_DOWN, _UP):
            d, stride, k, moved = brood[at], 2 * brood[at + 2], brood[at + 3], True
        else:
            d, k = next_tile(m, brood[at], sizes, wish)
            what, stride, moved = _WHOLE, 1, False


@step
def turn(
    m, objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor, brood,
    figures, ws, iw,
):  # fmt: skip
    """Try the other loop orders of memory `m`."""
    moved = False
    many = norders[m] if norders[m] > 0 else FREE_ORDERS
    at = WISH * m + PLACE
    for first in range(0, many, B.BROOD):
        n = min(B.BROOD, many - first)
        if tally[SPENT] >= tally[LIMIT]:
            break
        for b in range(n):
            copy(NOW, b, wish, cost)
            wish[b, at] = first + b
        ask(n, wish, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw)
        for b in range(n):
            if wish[b, at] == wish[NOW, at] or tally[SPENT] >= tally[LIMIT]:
                continue
            moved |= accept(
                b, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
                figures, ws, iw,
            )  # fmt: skip
    return moved


@step
def spread(
    objective, allowed, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
    figures, ws, iw,
):  # fmt: skip
    """Try another dimension, or none, on each axis."""
    moved = False
    M = iw[X.MEMORIES] & 7
    i = 0
    while True:
        n = 0
        while n < B.BROOD and i < M * L.MAX_AXES * _CHOICES:
            m, a, d = i // (L.MAX_AXES * _CHOICES), i // _CHOICES % L.MAX_AXES, i % _CHOICES - 1
            i += 1
            if a >= iw[X.AXES + m] or d == wish[NOW, WISH * m + DIM + a]:
                continue
            if d >= 0 and not may(m, a, d, allowed, iw):
                continue
            copy(NOW, n, wish, cost)
            wish[n, WISH * m + DIM + a] = d
            widen(n, wish, scratch, iw)
            brood[B.ASKED + n] = i
            n += 1
        b = look(
            n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        )  # fmt: skip
        if b >= 0:
            i = brood[B.ASKED + b]
            moved = True
        elif n < B.BROOD or tally[SPENT] >= tally[LIMIT]:
            return moved


@inlined
def overfull(row, m, wish, ws, iw):
    """Whether what memory `m` hands down is too much for the memory below, whatever the loops above."""
    for d in range(L.NDIM):
        ws[X.TILE + L.NDIM * (m + 1) + d] = np.float64(wish[row, WISH * m + TILE + d])
    return not fits(m + 1, ws, iw)


@step
def give_way(row, m, d, sizes, wish, ws, iw):
    """Shrink one tile of memory `m` and of those outside as far as it takes; returns whether they fit."""
    for x in range(m, -1, -1):
        at = WISH * x + TILE + d
        if x < m:
            wish[row, at] = max(wish[row, at], wish[row, WISH * m + TILE + d])
        if not overfull(row, x, wish, ws, iw):
            continue
        # The first place in `sizes` that fits, between `low` (does not) and `high` (does, if any).
        low, high = place_of(row, x, d, sizes, wish), sizes[d, 0]
        if x < m:
            high = place_of(row, m, d, sizes, wish)
        wish[row, at] = sizes[d, high]
        if overfull(row, x, wish, ws, iw):
            return False
        while high - low > 1:
            k = (low + high) // 2
            wish[row, at] = sizes[d, k]
            if overfull(row, x, wish, ws, iw):
                low = k
            else:
                high = k
        wish[row, at] = sizes[d, high]
    return True


@step
def trade(
    m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
    figures, ws, iw,
):  # fmt: skip
    """Enlarge one tile of memory `m`, to the next size, divisor, double or all, and shrink another."""
    n = 0
    for gain in range(L.NDIM):
        k = place_of(NOW, m, gain, sizes, wish)
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
                if gain == loss or wish[NOW, WISH * m + TILE + loss] == 1:
                    continue
                copy(NOW, n, wish, cost)
                set_tile(n, m, gain, sizes[gain, up], wish)
                if not overfull(n, m, wish, ws, iw):
                    down = divisor(loss, place_of(n, m, loss, sizes, wish), 1, sizes)
                    if down == 0 or how > 1:
                        continue
                    wish[n, WISH * m + TILE + loss] = sizes[loss, down]
                if not give_way(n, m, loss, sizes, wish, ws, iw):
                    continue
                n += 1
                if n < B.BROOD:
                    continue
                found = look(
                    n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor,
                    brood, figures, ws, iw,
                )  # fmt: skip
                if found >= 0:
                    return True
                if tally[SPENT] >= tally[LIMIT]:
                    return False
                n = 0
    found = look(
        n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures,
        ws, iw,
    )  # fmt: skip
    return found >= 0


@step
def improve(
    objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, brood, figures, ws, iw,
):  # fmt: skip
    """Improve NOW until no change helps or the evaluations are spent."""
    M = iw[X.MEMORIES] & 7
    while tally[SPENT] < tally[LIMIT]:
        moved = False
        for m in range(M - 2, -1, -1):
            moved |= lines(
                m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor,
                brood, figures, ws, iw,
            )  # fmt: skip
            moved |= turn(
                m, objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
                axis_factor, brood, figures, ws, iw,
            )  # fmt: skip
        if moved:
            continue
        for m in range(M - 2, -1, -1):
            moved |= trade(
                m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor,
                brood, figures, ws, iw,
            )  # fmt: skip
        if moved:
            continue
        if not spread(
            objective, allowed, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        ):  # fmt: skip
            return
