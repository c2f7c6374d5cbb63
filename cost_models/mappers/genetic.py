"""The search for a mapping: filled mappings, the best of them improved, then a genetic algorithm over wishes.

The start draws random mappings that fill the chip, keeps the best and climbs from those; its random numbers
are always the same. From then on parents win tournaments of two, a child takes each memory's axes and order
and each dimension's tiles from either, is changed, and replaces the worst of the population if it is better
and unlike all others. It is changed by mutations or by exchanges between two tiles; whichever has made more
children better than their parents of late is chosen more often. With the end of the budget near, what is
best and was not climbed from yet is.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_I, FREE_W
from cost_models.loopnest.price import price
from cost_models.mappers import brood as B
from cost_models.mappers.brood import ask
from cost_models.mappers.chance import below, mixed, uniform
from cost_models.mappers.filled import draw, draw_axis, fill
from cost_models.mappers.greedy import (
    BEGUN,
    BRED,
    FREE_ORDERS,
    HELPED,
    LIMIT,
    NOW,
    REFUSED,
    SPENT,
    TALLY,
    better,
    count,
    improve,
)
from cost_models.mappers.wishes import (
    DIM,
    PARTS,
    PLACE,
    SCRATCH,
    TILE,
    WISH,
    copy,
    divisor,
    grant,
    list_sizes,
    place_of,
    set_tile,
    widen,
)

POPULATION = 32
FIRST = NOW + 1  # row of the population's first wish
ROWS = FIRST + POPULATION
# cost: float64[ROWS, 4]: latency, energy, then
CLIMBED = 2  # what climbing was done from here
KIND = 3  # see `kind_of`
PARTLY, WHOLLY = 1.0, 2.0

DRAWN = 0.3  # share of the start's evaluations for random mappings
LAST = 0.25  # share of a search's evaluations for climbing at its end
_TRIED = 12  # kinds that the start climbs from ...
_STEPS = 30  # with that many evaluations each,
_CHOSEN = 6  # the best on to the end
_ALIKE = 8  # wishes of the same kind in the population
_WIDENED = 0.5  # share of the children whose tiles are made large enough to fill the axes
_AGAIN = 0.4  # chance of one more change, up to four
_RARE, _OFTEN = 0.05, 0.4  # least and largest share of children by exchanges
_WINDOW = 128  # children of one way, after which its counts are halved

# brood, of each child: how it was changed, and its better parent
_WAY, _PARENT = B.ASKED, B.ASKED + B.BROOD
_MUTATED, _EXCHANGED = 0, 1


@inlined
def kind_of(row, wish, orders, iw):
    """A number for what the axes of a wish carry, and which tensor each memory's innermost loop keeps."""
    kind = 0.0
    for m in range(iw[X.MEMORIES] & 7):
        for a in range(iw[X.AXES + m]):
            kind = (L.NDIM + 1) * kind + (wish[row, WISH * m + DIM + a] + 1)
    for m in range((iw[X.MEMORIES] & 7) - 1):
        last = orders[m, wish[row, WISH * m + PLACE], L.NDIM - 1]
        kept = L.W if (FREE_W >> last) & 1 else L.I if (FREE_I >> last) & 1 else L.O
        kind = L.NTENSOR * kind + kept
    return kind


@step
def keep(new, objective, wish, cost, orders, iw):
    """Put wish `new` into the population unless it is like another, or no better than those it competes with.

    It replaces the worst, but of those of its kind if they are many: else few kinds, which are hard to change
    later, would soon be left.
    """
    kind = kind_of(new, wish, orders, iw)
    worst = FIRST
    akin = -1
    many = 0
    for row in range(FIRST, ROWS):
        if cost[row, 0] == cost[new, 0] and cost[row, 1] == cost[new, 1]:
            return
        if better(worst, row, objective, cost):
            worst = row
        if cost[row, KIND] == kind and np.isfinite(cost[row, 0]):
            many += 1
            if akin < 0 or better(akin, row, objective, cost):
                akin = row
    target = akin if many >= _ALIKE else worst
    if better(new, target, objective, cost):
        copy(new, target, wish, cost)
        cost[target, KIND] = kind
        cost[target, CLIMBED] = 0.0


@step
def best_of(objective, most, cost):
    """Row of the best of the population, of those with at most that much in CLIMBED; -1 = none."""
    best = -1
    for row in range(FIRST, ROWS):
        ripe = np.isfinite(cost[row, 0]) and cost[row, CLIMBED] <= most
        if ripe and (best < 0 or better(row, best, objective, cost)):
            best = row
    return best


@step
def best_unlike(objective, cost):
    """Row of the best of whose kind nothing was climbed from; -1 = none."""
    best = -1
    for row in range(FIRST, ROWS):
        seen = not np.isfinite(cost[row, 0])
        for other in range(FIRST, ROWS):
            seen |= cost[other, CLIMBED] > 0.0 and cost[other, KIND] == cost[row, KIND]
        if not seen and (best < 0 or better(row, best, objective, cost)):
            best = row
    return best


@step
def climb(
    row, objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
    axis_factor, brood, figures, ws, iw,
):  # fmt: skip
    """Improve a row of the population in place, until nothing helps or the evaluations are spent."""
    copy(row, NOW, wish, cost)
    improve(
        objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim,
        axis_factor, brood, figures, ws, iw,
    )  # fmt: skip
    copy(NOW, row, wish, cost)
    cost[row, KIND] = kind_of(row, wish, orders, iw)
    cost[row, CLIMBED] = PARTLY if tally[SPENT] >= tally[LIMIT] else WHOLLY


@step
def trial(
    n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures,
    ws, iw,
):  # fmt: skip
    """Price wishes 0 .. n - 1 for the population."""
    ask(n, wish, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw)
    for b in range(n):
        if count(
            b, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw
        ):
            keep(b, objective, wish, cost, orders, iw)


@step
def smallest(wish, iw):
    """Wish 0: no axis in use, single elements below every memory."""
    for m in range(iw[X.MEMORIES] & 7):
        wish[0, WISH * m + PLACE] = 0
        for d in range(L.NDIM):
            wish[0, WISH * m + TILE + d] = 1
        for a in range(L.MAX_AXES):
            wish[0, WISH * m + DIM + a] = -1
            wish[0, WISH * m + PARTS + a] = 0


@step
def complete(
    objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor, brood,
    figures, ws, iw,
):  # fmt: skip
    """Try what may fit where nothing else does: outputs that leave complete are narrower."""
    M = iw[X.MEMORIES] & 7
    for x in range(M - 1):
        for k in range(norders[x] if norders[x] > 0 else FREE_ORDERS):
            smallest(wish, iw)
            wish[0, WISH * x + PLACE] = k
            for m in range(x):
                for d in range(L.NDIM):
                    if d in (L.C, L.R, L.S):
                        wish[0, WISH * m + TILE + d] = iw[X.PROBLEM + d]
            trial(
                1, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
                figures, ws, iw,
            )  # fmt: skip


@inlined
def varies(iw):
    """Whether the layer has a dimension at all."""
    size = 1
    for d in range(L.NDIM):
        size = max(size, iw[X.PROBLEM + d])
    return size > 1


@step
def start(
    objective, limit, allowed, sizes, wish, cost, tally, orders, norders, state, scratch, tile, order,
    axis_dim, axis_factor, brood, figures, ws, iw,
):  # fmt: skip
    """Fill the population and climb, with `limit` evaluations at most; returns whether anything fits."""
    list_sizes(sizes, iw)
    tally[SPENT] = tally[REFUSED] = 0
    tally[LIMIT] = limit
    smallest(wish, iw)
    cost[0, 0] = cost[0, 1] = np.inf
    for row in range(FIRST, ROWS):
        copy(0, row, wish, cost)
        cost[row, CLIMBED] = cost[row, KIND] = 0.0
    trial(
        1, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures,
        ws, iw,
    )  # fmt: skip
    drawn = np.int64(np.ceil(DRAWN * limit))
    while tally[SPENT] < drawn and varies(iw):
        n = min(B.BROOD, drawn - tally[SPENT])
        for b in range(n):
            draw(b, allowed, sizes, wish, norders, FREE_ORDERS, scratch, state, ws, iw)
        trial(
            n, objective, wish, cost, tally, orders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        )  # fmt: skip
    if best_of(objective, WHOLLY, cost) < 0:
        complete(
            objective, wish, cost, tally, orders, norders, scratch, tile, order, axis_dim, axis_factor, brood,
            figures, ws, iw,
        )  # fmt: skip
    for i in range(_TRIED + _CHOSEN):
        row = best_unlike(objective, cost) if i < _TRIED else best_of(objective, PARTLY, cost)
        tally[LIMIT] = min(limit, tally[SPENT] + _STEPS) if i < _TRIED else limit
        if row >= 0 and varies(iw) and tally[SPENT] < limit:
            climb(
                row, objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order,
                axis_dim, axis_factor, brood, figures, ws, iw,
            )  # fmt: skip
    tally[BEGUN] = tally[SPENT]
    return best_of(objective, WHOLLY, cost) >= 0


@step
def winner(objective, cost, state):
    """A row of the population: the better of two."""
    one, two = FIRST + below(POPULATION, state), FIRST + below(POPULATION, state)
    return two if better(two, one, objective, cost) else one


@step
def cross(child, first, second, wish, state, iw):
    """Write the child of two parents to row `child`."""
    M = iw[X.MEMORIES] & 7
    for m in range(M):
        axes = first if uniform(state) < 0.5 else second
        orders = first if uniform(state) < 0.5 else second
        for a in range(L.MAX_AXES):
            wish[child, WISH * m + DIM + a] = wish[axes, WISH * m + DIM + a]
            wish[child, WISH * m + PARTS + a] = wish[axes, WISH * m + PARTS + a]
        wish[child, WISH * m + PLACE] = wish[orders, WISH * m + PLACE]
    for d in range(L.NDIM):
        tiles = first if uniform(state) < 0.5 else second
        for m in range(M - 1):
            wish[child, WISH * m + TILE + d] = wish[tiles, WISH * m + TILE + d]


@step
def shrink(row, m, d, size, wish, iw):
    """Give a wish a tile, and smaller ones further in."""
    for x in range(m, (iw[X.MEMORIES] & 7) - 1):
        at = WISH * x + TILE + d
        if x == m or wish[row, at] > size:
            wish[row, at] = size


@step
def any_tile(state, iw):
    """(memory, dimension) of a tile that may change, drawn."""
    d = below(L.NDIM, state)
    while iw[X.PROBLEM + d] == 1:
        d = (d + 1) & 7
    return below((iw[X.MEMORIES] & 7) - 1, state), d


@step
def mutate(row, allowed, sizes, wish, norders, scratch, state, ws, iw):
    """Change one thing of a wish."""
    M = iw[X.MEMORIES] & 7
    m, d = any_tile(state, iw)
    what = uniform(state)
    if what < 0.3:  # another tile, near or far
        k = place_of(row, m, d, sizes, wish)
        far = 1 + below(3, state) if uniform(state) < 0.7 else 1 + below(sizes[d, 0], state)
        way = -1 if uniform(state) < 0.5 else 1
        to = max(1, min(sizes[d, 0], k + way * far))
        if uniform(state) < 0.5:
            even = divisor(d, to - way, way, sizes)
            to = even if even > 0 else to
        if to < k:
            set_tile(row, m, d, sizes[d, to], wish)
        else:
            shrink(row, m, d, sizes[d, to], wish, iw)
    elif what < 0.5:  # the loop of this memory goes to the one outside or inside
        if uniform(state) < 0.5:
            size = iw[X.PROBLEM + d] if m == 0 else wish[row, WISH * (m - 1) + TILE + d]
        else:
            size = np.int64(1) if m == M - 2 else wish[row, WISH * (m + 1) + TILE + d]
        wish[row, WISH * m + TILE + d] = size
    elif what < 0.65:  # tiles drawn anew
        fill(row, 1 + below(M - 1, state), sizes, wish, scratch, state, ws, iw)
    elif what < 0.8:
        m = below(M, state)
        wish[row, WISH * m + PLACE] = below(norders[m] if norders[m] > 0 else FREE_ORDERS, state)
    else:
        for _ in range(M):
            m = below(M, state)
            if iw[X.AXES + m] > 0:
                break
        for i in range(L.NDIM):
            scratch[i] = iw[X.PROBLEM + i]
        for a in range(L.MAX_AXES):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        if iw[X.AXES + m] > 0:
            draw_axis(row, m, below(iw[X.AXES + m], state), allowed, wish, scratch, state, iw)
            widen(row, wish, scratch, iw)


@step
def exchange(row, sizes, wish, state, iw):
    """Shrink a tile of a wish and enlarge another, of any memory: where ports bind, both or neither help."""
    m, d = any_tile(state, iw)
    k = place_of(row, m, d, sizes, wish)
    for _ in range(1 + below(4, state)):
        k = max(k, divisor(d, k, 1, sizes))
    shrink(row, m, d, sizes[d, k], wish, iw)
    m, d = any_tile(state, iw)
    if uniform(state) < 0.5:
        size = iw[X.PROBLEM + d] if m == 0 else wish[row, WISH * (m - 1) + TILE + d]
        wish[row, WISH * m + TILE + d] = max(size, wish[row, WISH * m + TILE + d])
    else:
        k = place_of(row, m, d, sizes, wish)
        for _ in range(1 + below(3, state)):
            even = divisor(d, k, -1, sizes)
            k = even if even > 0 else k
        set_tile(row, m, d, sizes[d, k], wish)


@step
def share_of_exchanges(tally):
    """How many of the children are to be changed by exchanges, by how often that helped."""
    mutated = (tally[HELPED + _MUTATED] + 1.0) / (tally[BRED + _MUTATED] + 2.0)
    exchanged = (tally[HELPED + _EXCHANGED] + 1.0) / (tally[BRED + _EXCHANGED] + 2.0)
    return min(_OFTEN, max(_RARE, exchanged / (mutated + exchanged)))


@step
def credit(b, objective, cost, tally, brood):
    """Count child `b` for the way in which it was changed."""
    way = brood[_WAY + b]
    tally[BRED + way] += 1
    tally[HELPED + way] += better(b, brood[_PARENT + b], objective, cost)
    if tally[BRED + way] == _WINDOW:
        tally[BRED + way] //= 2
        tally[HELPED + way] //= 2


@step
def breed(
    b, share, objective, allowed, sizes, wish, cost, norders, brood, scratch, state, ws, iw
):  # fmt: skip
    """Write a child to row `b`; `share` is the chance of exchanges."""
    one, two = winner(objective, cost, state), winner(objective, cost, state)
    brood[_PARENT + b] = two if better(two, one, objective, cost) else one
    cross(b, one, two, wish, state, iw)
    way = _EXCHANGED if uniform(state) < share else _MUTATED
    brood[_WAY + b] = way
    if way == _MUTATED and uniform(state) < _WIDENED:
        widen(b, wish, scratch, iw)
    times = 1
    while times < 4 and uniform(state) < _AGAIN:
        times += 1
    for _ in range(times):
        if way == _EXCHANGED:
            exchange(b, sizes, wish, state, iw)
        else:
            mutate(b, allowed, sizes, wish, norders, scratch, state, ws, iw)


@step
def evolve(
    objective, until, budget, allowed, sizes, wish, cost, tally, orders, norders, state, scratch, tile, order,
    axis_dim, axis_factor, brood, figures, ws, iw,
):  # fmt: skip
    """Search on until `until` of `budget` evaluations are spent; a brood or a climb may end somewhat later.

    The answer does not depend on where `until` interrupts it.
    """
    turn = budget - np.int64(LAST * (budget - tally[BEGUN]))
    tally[LIMIT] = budget
    while tally[SPENT] < until and varies(iw):
        row = best_of(objective, PARTLY, cost) if tally[SPENT] >= turn else -1
        if row >= 0:
            climb(
                row, objective, allowed, sizes, wish, cost, tally, orders, norders, scratch, tile, order,
                axis_dim, axis_factor, brood, figures, ws, iw,
            )  # fmt: skip
            continue
        # Children of one population: their number depends on what is spent alone, not on `until`.
        n = min(B.BROOD, (turn if tally[SPENT] < turn else budget) - tally[SPENT])
        share = share_of_exchanges(tally)
        for b in range(n):
            breed(b, share, objective, allowed, sizes, wish, cost, norders, brood, scratch, state, ws, iw)
        ask(n, wish, orders, scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw)
        for b in range(n):
            if count(
                b,
                wish,
                cost,
                tally,
                orders,
                scratch,
                tile,
                order,
                axis_dim,
                axis_factor,
                brood,
                figures,
                ws,
                iw,
            ):
                credit(b, objective, cost, tally, brood)
                keep(b, objective, wish, cost, orders, iw)


@step
def advance(
    objective, limit, until, budget, seed, allowed, sizes, wish, cost, tally, orders, norders, state, scratch,
    tile, order, axis_dim, axis_factor, brood, figures, ws, iw,
):  # fmt: skip
    """Start, if tally[SPENT] is 0, then search; leave the best mapping in row 0 and price it.

    limit   evaluations of the start at most; with the same random numbers for every seed
    wish int64[ROWS, M * WISH], cost float64[ROWS, 4], tally int64[TALLY], sizes int64[8, SIZES] and
    state uint64[1] keep the search between calls; scratch int64[wishes.SCRATCH].
    Others as in `genes.score_batch`; `orders` has at least FREE_ORDERS rows where any goes. Returns a status:
    where nothing fits, that of the smallest tiles.
    """
    some = True
    brood[B.FRESH] = 1
    if tally[SPENT] == 0:
        state[0] = mixed(0)
        some = start(
            objective, limit, allowed, sizes, wish, cost, tally, orders, norders, state, scratch, tile, order,
            axis_dim, axis_factor, brood, figures, ws, iw,
        )  # fmt: skip
        state[0] = mixed(seed)
        for i in range(BRED, TALLY):
            tally[i] = 0
    row = 0
    if some:
        evolve(
            objective, until, budget, allowed, sizes, wish, cost, tally, orders, norders, state, scratch,
            tile, order, axis_dim, axis_factor, brood, figures, ws, iw,
        )  # fmt: skip
        row = best_of(objective, WHOLLY, cost)
    else:
        smallest(wish, iw)
    grant(row, 0, wish, orders, scratch, tile, order, axis_dim, axis_factor, iw)
    return price(0, False, tile, order, axis_dim, axis_factor, ws, iw)


@kernel
def search_on(
    problem, holds, fan, memory, machine, allowed, orders, norders, objective, limit, until, budget, seed,
    sizes, wish, cost, tally, state, tile, order, axis_dim, axis_factor, brood, figures,
):  # fmt: skip
    """`advance` for one layer on one machine, to be called until tally[SPENT] reaches the budget.

    tile int32[BROOD + 1, M, 8], order int8[BROOD, M, 8], axis_dim int8[BROOD, M, A] and axis_factor
    int32[BROOD, M, A]: the mapping in row 0, scratch in the others. `brood` and `figures` are `brood.memory`.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    scratch = np.zeros(SCRATCH, np.int64)
    return advance(
        objective, limit, until, budget, seed, allowed, sizes, wish, cost, tally, orders, norders, state,
        scratch, tile, order, axis_dim, axis_factor, brood, figures, ws, iw,
    )  # fmt: skip
