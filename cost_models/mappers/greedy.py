"""Hill climbing over wishes: whatever single change of a tile, an order or an axis helps, then trades.

A trade enlarges one tile and shrinks another of the same memory as far as it takes to fit: what is best
mostly lies where a memory is full, and single steps from there lead to what does not fit or is worse.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers.filled import fits
from cost_models.mappers.genes import ENERGY, LATENCY
from cost_models.mappers.wishes import (
    DIM,
    PLACE,
    TILE,
    WISH,
    copy,
    divisor,
    grant,
    may,
    place_of,
    set_tile,
    widen,
)

NEW, NOW = 0, 1  # rows of wishes: at trial, accepted

# tally: int64[TALLY]: evaluations so far, those after which climbing stops, and those of the start
SPENT, LIMIT, BEGUN = 0, 1, 2
REFUSED = 3  # wishes that did not fit: not priced, and quickly found out
TALLY = 4

_REFUSALS = 8  # that count as an evaluation

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
def attempt(wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw):
    """Price wish NEW."""
    grant(NEW, wish, orders, scratch, tile, order, axis_dim, axis_factor, iw)
    if price(0, False, tile, order, axis_dim, axis_factor, ws, iw) == L.OK:
        tally[SPENT] += 1
    else:
        tally[REFUSED] += 1
        tally[SPENT] += tally[REFUSED] % _REFUSALS == 0
    cost[NEW, 0] = ws[X.RESULT + L.LATENCY]
    cost[NEW, 1] = ws[X.RESULT + L.ENERGY]


@step
def look(objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw):
    """Price wish NEW; accept it as NOW if better. Returns whether it was."""
    if tally[SPENT] >= tally[LIMIT]:
        return False
    attempt(wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw)
    if not better(NEW, NOW, objective, cost):
        return False
    copy(NEW, NOW, wish, cost)
    return True


@step
def line(
    m, d, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor,
    ws, iw,
):  # fmt: skip
    """Improve one tile: all of the dimension, else up or down in growing steps, else the next divisors."""
    k = place_of(NOW, m, d, sizes, wish)
    if k > 1:
        copy(NOW, NEW, wish, cost)
        set_tile(NEW, m, d, sizes[d, 1], wish)
        if look(objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw):
            return True
    for way in range(-1, 2, 2):
        stride = 1
        moved = False
        while stride > 0:
            to = k + way * stride
            if to < 1 or to > sizes[d, 0]:
                stride //= 2
                continue
            copy(NOW, NEW, wish, cost)
            set_tile(NEW, m, d, sizes[d, to], wish)
            if look(
                objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
            ):
                moved = True
                k = to
                stride *= 2
            else:
                stride //= 2
        if not moved:
            to = divisor(d, k, way, sizes)
            if to > 0 and to != k + way:
                copy(NOW, NEW, wish, cost)
                set_tile(NEW, m, d, sizes[d, to], wish)
                moved = look(
                    objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
                )
        if moved:
            return True
    return False


@step
def turn(
    m, objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor, ws, iw
):  # fmt: skip
    """Try the other loop orders of memory `m`."""
    moved = False
    for k in range(norders[m] if norders[m] > 0 else FREE_ORDERS):
        if k != wish[NOW, WISH * m + PLACE]:
            copy(NOW, NEW, wish, cost)
            wish[NEW, WISH * m + PLACE] = k
            moved |= look(
                objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
            )
    return moved


@step
def spread(
    objective, allowed, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
):  # fmt: skip
    """Try another dimension, or none, on each axis."""
    moved = False
    for m in range(iw[X.MEMORIES] & 7):
        for a in range(iw[X.AXES + m]):
            for d in range(-1, L.NDIM):
                if d == wish[NOW, WISH * m + DIM + a]:
                    continue
                if d >= 0 and not may(m, a, d, allowed, iw):
                    continue
                copy(NOW, NEW, wish, cost)
                wish[NEW, WISH * m + DIM + a] = d
                widen(NEW, wish, scratch, iw)
                moved |= look(
                    objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
                )
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
    m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
):  # fmt: skip
    """Enlarge one tile of memory `m`, to the next size, divisor, double or all, and shrink another."""
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
                copy(NOW, NEW, wish, cost)
                set_tile(NEW, m, gain, sizes[gain, up], wish)
                if not overfull(NEW, m, wish, ws, iw):
                    down = divisor(loss, place_of(NEW, m, loss, sizes, wish), 1, sizes)
                    if down == 0 or how > 1:
                        continue
                    wish[NEW, WISH * m + TILE + loss] = sizes[loss, down]
                if not give_way(NEW, m, loss, sizes, wish, ws, iw):
                    continue
                if look(
                    objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
                ):
                    return True
    return False


@step
def improve(
    objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, ws, iw,
):  # fmt: skip
    """Improve NOW until no change helps or the evaluations are spent."""
    M = iw[X.MEMORIES] & 7
    while tally[SPENT] < tally[LIMIT]:
        moved = False
        for m in range(M - 2, -1, -1):
            for d in range(L.NDIM):
                if sizes[d, 1] > 1:
                    moved |= line(
                        m, d, objective, sizes, wish, cost, tally, orders, scratch, tile, order,
                        axis_dim, axis_factor, ws, iw,
                    )  # fmt: skip
            moved |= turn(
                m, objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
                axis_factor, ws, iw,
            )  # fmt: skip
        if moved:
            continue
        for m in range(M - 2, -1, -1):
            moved |= trade(
                m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim,
                axis_factor, ws, iw,
            )  # fmt: skip
        if moved:
            continue
        if not spread(
            objective, allowed, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
        ):
            return
