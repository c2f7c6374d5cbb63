"""A deterministic greedy mapper: the array filled, the tiles grown, then whatever single change helps.

A wish says per memory which instance tile the memory below should have, which dimension each axis should
carry and which loop order to use; `grant` makes a mapping of it that only capacity can refuse. The search
ranks the choices of axes with the smallest tiles, grows the tiles of the best ones in several orders of
the dimensions, and improves the best results: one tile, order or axis at a time, then two tiles of one
memory against each other. It stops when nothing helps or its evaluations are spent.
"""

from __future__ import annotations

import numpy as np

from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import inlined, step
from cost_models.genes import ENERGY, LATENCY
from cost_models.loopnest import price

# wish: int64[ROWS, MAX_MEMORIES * WISH], a row a wish, WISH columns a memory
TILE = 0  # [8] instance tile of the memory below
DIM = TILE + L.NDIM  # [3] dimension of an axis, -1 = unused
PLACE = DIM + L.MAX_AXES  # row of `orders`
WISH = PLACE + 1
NEW, NOW, BEST, START = 0, 1, 2, 3  # rows: at trial, accepted, best of all, and the choices of axes
STARTS = 6  # half by the objective, half by compute steps
END = START + STARTS  # the best results of growing
ENDS = 2
ROWS = END + ENDS

# sizes: int64[8, SIZES]: how many, then tile sizes worth trying, falling, the smallest of their trip counts
SIZES = 65
_THIN = 1.12  # ratio of the trip counts of neighbours that do not divide

# tally: int64[2]
SPENT, LIMIT = 0, 1

FREE_ORDERS = 3  # rows of `orders` to try where norders is 0

# Dimensions in the order in which tiles grow, an octal digit each, the first one last.
_GROWTH = (0o01254367, 0o01376245, 0o01457632)
_KINDS = 3  # each from the outside in and from the inside out
_SLACK = 1.02  # what a larger tile may cost while tiles grow
_GROWTHS = 6
_MOST_CHOICES = 64  # of axes that are all tried


@step
def list_sizes(sizes, iw):
    """Fill `sizes` for the problem at hand."""
    for d in range(L.NDIM):
        size = iw[X.PROBLEM + d]
        n = 0
        trips = 1
        wanted = 1.0
        while True:
            tile = -(-size // trips)
            if n < SIZES - 2 and (size % tile == 0 or trips >= wanted or tile == 1):
                n += 1
                sizes[d, n] = tile
                wanted = trips * _THIN
            if tile == 1:
                break
            trips = trips + 1 if trips * trips <= size else -(-size // (tile - 1))
        if sizes[d, n] != 1:
            n += 1
            sizes[d, n] = 1
        sizes[d, 0] = n


@step
def grant(row, wish, orders, scratch, tile, order, axis_dim, axis_factor, iw):
    """Write the mapping that comes closest to a wish to row 0 of the arrays that `loopnest.price` takes.

    Tiles never grow on their way in; an axis cuts its dimension into as few and as even parts as it can.
    """
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        tile[1, 0, d] = iw[X.PROBLEM + d]
    for m in range(M):
        at = WISH * m
        for d in range(L.NDIM):
            scratch[d] = tile[1, m, d]
            tile[0, m, d] = wish[row, at + TILE + d] if m < M - 1 else 1
            order[0, m, d] = orders[m, wish[row, at + PLACE], d]
        for a in range(L.MAX_AXES):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        for a in range(L.MAX_AXES):
            fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
            d = wish[row, at + DIM + a]
            axis_dim[0, m, a] = 0
            axis_factor[0, m, a] = 0
            if d < 0:
                continue
            host = L.NDIM + iw[fan + L.LANES]
            room = min(iw[fan + L.AXIS_SIZE], scratch[host], scratch[d])
            if room < 2:
                continue
            each = -(-scratch[d] // room)
            factor = -(-scratch[d] // each)
            axis_dim[0, m, a] = d
            axis_factor[0, m, a] = factor
            scratch[host] //= factor
            scratch[d] = each
            tile[0, m, d] *= factor
        for d in range(L.NDIM):
            union = min(tile[0, m, d], tile[1, m, d])
            tile[0, m, d] = union
            scratch[d] = union
        if m == M - 1:
            break
        for a in range(L.MAX_AXES):
            if axis_factor[0, m, a] > 1:
                d = axis_dim[0, m, a]
                scratch[d] = -(-scratch[d] // axis_factor[0, m, a])
        for d in range(L.NDIM):
            tile[1, m + 1, d] = scratch[d]


@inlined
def copy(source, target, wish, cost):
    """Copy a wish and what it costs."""
    for i in range(wish.shape[1]):
        wish[target, i] = wish[source, i]
    cost[target, 0] = cost[source, 0]
    cost[target, 1] = cost[source, 1]


@inlined
def better(a, b, objective, cost):
    """Whether wish `a` is better than `b`: by the objective, then by the product of energy and latency."""
    if objective == LATENCY and cost[a, 0] != cost[b, 0]:
        return cost[a, 0] < cost[b, 0]
    if objective == ENERGY and cost[a, 1] != cost[b, 1]:
        return cost[a, 1] < cost[b, 1]
    return cost[a, 0] * cost[a, 1] < cost[b, 0] * cost[b, 1]


@inlined
def about_as_good(objective, cost):
    """Whether wish NEW is no worse than NOW, but for the little that a larger tile may cost by itself."""
    if objective == LATENCY:
        return cost[NEW, 0] <= _SLACK * cost[NOW, 0]
    if objective == ENERGY:
        return cost[NEW, 1] <= _SLACK * cost[NOW, 1]
    return cost[NEW, 0] * cost[NEW, 1] <= _SLACK * cost[NOW, 0] * cost[NOW, 1]


@step
def look(lax, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw):
    """Price wish NEW; accept it as NOW if better, or (`lax`) about as good. Returns whether it was."""
    if tally[SPENT] >= tally[LIMIT]:
        return False
    grant(NEW, wish, orders, scratch, tile, order, axis_dim, axis_factor, iw)
    price(0, False, tile, order, axis_dim, axis_factor, ws, iw)
    tally[SPENT] += 1
    cost[NEW, 0] = ws[X.RESULT + L.LATENCY]
    cost[NEW, 1] = ws[X.RESULT + L.ENERGY]
    if not (better(NEW, NOW, objective, cost) or (lax and about_as_good(objective, cost))):
        return False
    copy(NEW, NOW, wish, cost)
    return True


@inlined
def set_tile(m, d, size, wish):
    """Give wish NEW a tile; a larger one below needs at least as large ones above."""
    wish[NEW, WISH * m + TILE + d] = size
    for x in range(m):
        at = WISH * x + TILE + d
        wish[NEW, at] = max(wish[NEW, at], size)


@inlined
def place_of(m, d, sizes, wish):
    """Place in `sizes` of the tile of dimension `d` that memory `m` hands down."""
    k = 1
    while k < sizes[d, 0] and sizes[d, k] > wish[NOW, WISH * m + TILE + d]:
        k += 1
    return k


@inlined
def divisor(d, k, way, sizes):
    """The next place from `k` on whose size divides the dimension, or 0."""
    k += way
    while 1 <= k <= sizes[d, 0]:
        if sizes[d, 1] % sizes[d, k] == 0:
            return k
        k += way
    return 0


@step
def line(
    m, d, growing, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor,
    ws, iw,
):  # fmt: skip
    """Improve one tile: all of the dimension, else up or down in growing steps, else the next divisors.

    `growing` only enlarges it, and takes what is about as good: a tile that pays off once others grow too.
    """
    k = place_of(m, d, sizes, wish)
    if k > 1:
        copy(NOW, NEW, wish, cost)
        set_tile(m, d, sizes[d, 1], wish)
        if look(
            growing, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw
        ):
            return True
    for way in range(-1, 0 if growing else 2, 2):
        stride = 1
        moved = False
        while stride > 0:
            to = k + way * stride
            if to < 1 or to > sizes[d, 0]:
                stride //= 2
                continue
            copy(NOW, NEW, wish, cost)
            set_tile(m, d, sizes[d, to], wish)
            if look(
                growing,
                objective,
                wish,
                cost,
                tally,
                orders,
                scratch,
                tile,
                order,
                axis_dim,
                axis_factor,
                ws,
                iw,
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
                set_tile(m, d, sizes[d, to], wish)
                moved = look(
                    growing,
                    objective,
                    wish,
                    cost,
                    tally,
                    orders,
                    scratch,
                    tile,
                    order,
                    axis_dim,
                    axis_factor,
                    ws,
                    iw,
                )
        if moved:
            return True
    return False


@step
def grow(
    start, growth, objective, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, ws, iw,
):  # fmt: skip
    """Grow the tiles of wish `start`; the result is NOW.

    Growths 0 .. 2 go from the outermost memory inwards, 3 .. 5 the other way round.
    """
    M = iw[X.MEMORIES] & 7
    copy(start, NOW, wish, cost)
    for level in range(M - 1):
        m = level if growth < _KINDS else M - 2 - level
        for i in range(L.NDIM):
            d = (_GROWTH[growth % _KINDS] >> (3 * i)) & 7
            if sizes[d, 1] > 1:
                line(
                    m, d, True, objective, sizes, wish, cost, tally, orders, scratch, tile, order, axis_dim,
                    axis_factor, ws, iw,
                )  # fmt: skip
        turn(
            m, objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor,
            ws, iw,
        )  # fmt: skip


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
                False,
                objective,
                wish,
                cost,
                tally,
                orders,
                scratch,
                tile,
                order,
                axis_dim,
                axis_factor,
                ws,
                iw,
            )
    return moved


@inlined
def may(m, a, d, allowed, iw):
    """Whether an axis may carry a dimension that the layer has."""
    return (allowed[m, a] >> d) & 1 == 1 and iw[X.PROBLEM + d] > 1


@step
def useful(m, a, allowed, iw):
    """How many dimensions an axis may carry."""
    many = 0
    for d in range(L.NDIM):
        many += may(m, a, d, allowed, iw)
    return many


@step
def pick(m, a, skip, allowed, iw):
    """Dimension number `skip` of those that an axis may carry."""
    for d in range(L.NDIM):
        if may(m, a, d, allowed, iw):
            if skip == 0:
                return d
            skip -= 1
    return -1


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
                moved |= look(
                    False,
                    objective,
                    wish,
                    cost,
                    tally,
                    orders,
                    scratch,
                    tile,
                    order,
                    axis_dim,
                    axis_factor,
                    ws,
                    iw,
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
            k, j = place_of(m, gain, sizes, wish), place_of(m, loss, sizes, wish)
            for how in range(3):
                up = k - 1 if how == 0 else divisor(gain, k, -1, sizes)
                down = j + 1 if how == 0 else divisor(loss, j, 1, sizes)
                if how == 2:
                    up = 1
                if up < 1 or down < 1 or down > sizes[loss, 0] or k == 1:
                    continue
                copy(NOW, NEW, wish, cost)
                wish[NEW, WISH * m + TILE + loss] = sizes[loss, down]
                set_tile(m, gain, sizes[gain, up], wish)
                if look(
                    False,
                    objective,
                    wish,
                    cost,
                    tally,
                    orders,
                    scratch,
                    tile,
                    order,
                    axis_dim,
                    axis_factor,
                    ws,
                    iw,
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
                        m, d, False, objective, sizes, wish, cost, tally, orders, scratch, tile, order,
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


@step
def refine(
    end, objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, ws, iw,
):  # fmt: skip
    """Improve wish `end` in place; keep it as BEST if it is."""
    if not np.isfinite(cost[end, 0]):
        return
    copy(end, NOW, wish, cost)
    improve(
        objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
        axis_factor, ws, iw,
    )  # fmt: skip
    copy(NOW, end, wish, cost)
    if better(NOW, BEST, objective, cost):
        copy(NOW, BEST, wish, cost)


@step
def rank(first, last, by_steps, steps, objective, wish, cost):
    """Put wish NEW among the rows `first` .. `last` - 1, the best first, unless it is no better."""
    for row in range(first, last):
        ahead = better(NEW, row, objective, cost)
        if by_steps and steps != cost[row, 2]:
            ahead = steps < cost[row, 2]
        if ahead:
            for x in range(last - 1, row, -1):
                copy(x - 1, x, wish, cost)
                cost[x, 2] = cost[x - 1, 2]
            copy(NEW, row, wish, cost)
            cost[row, 2] = steps
            return


@step
def choose(
    objective, allowed, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor, ws,
    iw,
):  # fmt: skip
    """Fill the rows START .. with the most promising choices of axes, at the smallest tiles.

    All combinations if there are few, else each axis in turn with the others left as they are best.
    """
    M = iw[X.MEMORIES] & 7
    for i in range(wish.shape[1]):
        wish[NEW, i] = 0
    ways = 1
    for m in range(M):
        for d in range(L.NDIM):
            wish[NEW, WISH * m + TILE + d] = 1
        for a in range(L.MAX_AXES):
            wish[NEW, WISH * m + DIM + a] = -1
            ways = min(ways * max(1, useful(m, a, allowed, iw)), 1 << 20)
    cost[NEW, 0] = cost[NEW, 1] = np.inf
    for row in range(NOW, ROWS):
        copy(NEW, row, wish, cost)
        cost[row, 2] = np.inf
    half = START + STARTS // 2
    whole = ways <= _MOST_CHOICES
    singles = L.MAX_AXES * M * L.NDIM
    for at in range(1 + ways if whole else 2 + 2 * singles):
        valid = True
        if at == 1 or (at > 0 and whole):
            rest = at - 1
            for m in range(M):
                for a in range(L.MAX_AXES):
                    ways_here = useful(m, a, allowed, iw)
                    if ways_here > 0:
                        wish[NEW, WISH * m + DIM + a] = pick(m, a, rest % ways_here, allowed, iw)
                        rest //= ways_here
        elif at > 1:
            one = (at - 2) % singles
            d = one % L.NDIM
            a = one // L.NDIM % L.MAX_AXES
            m = one // L.NDIM // L.MAX_AXES
            copy(NOW, NEW, wish, cost)
            wish[NEW, WISH * m + DIM + a] = d
            valid = a < iw[X.AXES + m] and d != wish[NOW, WISH * m + DIM + a] and may(m, a, d, allowed, iw)
        if not valid:
            continue
        look(False, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, ws, iw)
        steps = ws[X.RESULT + L.STEPS]
        if np.isfinite(cost[NEW, 0]):
            rank(START, half, False, steps, objective, wish, cost)
            rank(half, START + STARTS, True, steps, objective, wish, cost)
    if np.isfinite(cost[START, 0]):
        return
    # Outputs that leave complete are narrower than partial sums: C, R and S in one memory, other orders.
    for x in range(M - 1):
        for k in range(norders[x] if norders[x] > 0 else FREE_ORDERS):
            copy(BEST, NEW, wish, cost)
            wish[NEW, WISH * x + PLACE] = k
            for m in range(x):
                for d in range(L.NDIM):
                    if d in (L.C, L.R, L.S):
                        wish[NEW, WISH * m + TILE + d] = iw[X.PROBLEM + d]
            look(
                False,
                objective,
                wish,
                cost,
                tally,
                orders,
                scratch,
                tile,
                order,
                axis_dim,
                axis_factor,
                ws,
                iw,
            )
            if np.isfinite(cost[NEW, 0]):
                rank(START, half, False, ws[X.RESULT + L.STEPS], objective, wish, cost)


@step
def search(
    objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, ws, iw,
):  # fmt: skip
    """Leave the best wish found at BEST, and what it costs; at most tally[LIMIT] mappings are priced.

    sizes int64[8, SIZES], wish int64[ROWS, M * WISH], cost float64[ROWS, 3], tally int64[2] and scratch are
    work space. Others as in `genes.score_batch`; `orders` has at least FREE_ORDERS rows where any goes.
    """
    list_sizes(sizes, iw)
    tally[SPENT] = 0
    choose(
        objective, allowed, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor,
        ws, iw,
    )  # fmt: skip
    copy(NOW, BEST, wish, cost)
    for row in range(START, START + STARTS):
        twin = not np.isfinite(cost[row, 0])
        for other in range(START, row):
            same = True
            for i in range(wish.shape[1]):
                same &= wish[other, i] == wish[row, i]
            twin |= same
        if not twin:
            grow(
                row, 0, objective, sizes, wish, cost, tally, orders, norders, scratch, tile, order,
                axis_dim, axis_factor, ws, iw,
            )  # fmt: skip
            copy(NOW, NEW, wish, cost)
            rank(END, END + ENDS, False, np.float64(row), objective, wish, cost)
    one, two = cost[END, 2], cost[END + 1, 2]
    for i in range((_GROWTHS - 1) * ENDS):
        row = one if i & 1 == 0 else two
        if np.isfinite(row):
            grow(
                np.int64(row), 1 + i // ENDS, objective, sizes, wish, cost, tally, orders, norders, scratch,
                tile, order, axis_dim, axis_factor, ws, iw,
            )  # fmt: skip
            copy(NOW, NEW, wish, cost)
            rank(END, END + ENDS, False, row, objective, wish, cost)
    for end in range(END, END + ENDS):
        refine(
            end, objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order,
            axis_dim, axis_factor, ws, iw,
        )  # fmt: skip
