"""Hill climbing over wishes: whatever single change of a tile, an order or an axis helps, then trades."""

from __future__ import annotations

from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import inlined, step
from cost_models.genes import ENERGY, LATENCY
from cost_models.loopnest import price
from cost_models.wishes import DIM, PLACE, TILE, WISH, copy, divisor, grant, may, place_of, set_tile, widen

NEW, NOW = 0, 1  # rows of wishes: at trial, accepted

# tally: int64[TALLY]: evaluations so far, those after which climbing stops, and those of the start
SPENT, LIMIT, BEGUN = 0, 1, 2
TALLY = 3

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
    price(0, False, tile, order, axis_dim, axis_factor, ws, iw)
    tally[SPENT] += 1
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


@step
def trade(
    m, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
):  # fmt: skip
    """Enlarge one tile of memory `m` and shrink another, by neighbours and by divisors."""
    for gain in range(L.NDIM):
        for loss in range(L.NDIM):
            if gain == loss or sizes[gain, 1] == 1 or sizes[loss, 1] == 1:
                continue
            k, j = place_of(NOW, m, gain, sizes, wish), place_of(NOW, m, loss, sizes, wish)
            for how in range(3):
                up = k - 1 if how == 0 else divisor(gain, k, -1, sizes)
                down = j + 1 if how == 0 else divisor(loss, j, 1, sizes)
                if how == 2:
                    up = 1
                if up < 1 or down < 1 or down > sizes[loss, 0] or k == 1:
                    continue
                copy(NOW, NEW, wish, cost)
                wish[NEW, WISH * m + TILE + loss] = sizes[loss, down]
                set_tile(NEW, m, gain, sizes[gain, up], wish)
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
