"""Branch and bound over tiles and loop orders, the spatial choice being fixed.

Tiles are chosen from the outermost memory inwards. The candidates for each memory come from a list sorted
by what the tile costs alone (`bound.tile_alone`), so that one look at the next candidate ends a whole list.
Below a chosen tile and order the fills of that memory are known (exactly, where splits leave no remainder),
see `bound.into`; a complete mapping is priced by the kernel itself, which decides.

What is found lies in `best` and the arrays beside it: the best mapping, or with objective FRONT all that no
other matches in one of latency and energy and beats in the other.
"""

from __future__ import annotations

import numpy as np

from cost_models import bound as B
from cost_models import bound_tiles as T
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import kernel, step
from cost_models.bound_best import LATENCY, NODES, NOW, PRICED, hopeless, keep
from cost_models.bound_spread import spread
from cost_models.loopnest import price
from cost_models.nest import FREE_I, FREE_O, FREE_W
from cost_models.ports import busiest

# What a branch was cut by, in the order of `pruned`.
BY_ORDER_OF_LIST, BY_TILE, BY_NEST, BY_KERNEL = range(4)

ORDER_COLS = 10  # eight dimensions, then bit masks: all of these loops present, all of these absent

_ROUNDING = B.ROUNDING
_MOST_TILES = 1 << 21  # in one list


@step
def _arrange(m, k, orders, ws, iw):
    """As `nest.arrange`, for the one memory `m` in its order `k`."""
    loops = iw[X.LOOPS + m]
    at = X.INNERMOST + L.NTENSOR * m
    out = X.OUTSIDE + L.NTENSOR * m
    for t in range(L.NTENSOR):
        iw[at + t] = -1
        iw[out + t] = 0
    seen = 0
    for i in range(L.NDIM):
        d = orders[m, k, i]
        bit = loops & (1 << d)
        if bit & ~FREE_W:
            iw[at + L.W], iw[out + L.W] = d, seen
        if bit & ~FREE_I:
            iw[at + L.I], iw[out + L.I] = d, seen
        if bit & ~FREE_O:
            iw[at + L.O], iw[out + L.O] = d, seen
        seen |= bit


@kernel
def least_tiles(
    problem, holds, fan, memory, machine, shape, union, axis_dim, axis_factor, b, values, stop, pj, cycles
):
    """Fill two float64[M] with the least pJ and cycles that fitting tiles of each memory cost alone.

    Row 0 holds what spatial choice `b` costs by itself: the MACs, and the time that hides behind nothing.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    some = np.zeros((L.NDIM, values.shape[1]), np.int64)
    place = np.zeros_like(some)
    count = np.zeros(L.NDIM, np.int64)
    boxes = np.zeros((T.BOXES, T.BOX), np.int64)
    corner = np.zeros((2, L.NDIM), np.int64)
    steps, base = spread(b, shape, union, axis_dim, axis_factor, ws, iw)
    time, own = busiest(0, ws, iw)
    pj[0] = base + own
    cycles[0] = max(steps, time)
    for c in range(1, holds.shape[0]):
        T.list_sizes(shape, b, c, values, union, some, place, count, ws, iw)
        pj[c] = T.least_cost(c, False, some, count, boxes, corner, stop, ws, iw)
        cycles[c] = T.least_cost(c, True, some, count, boxes, corner, stop, ws, iw)


@kernel
def list_tiles(
    problem, holds, fan, memory, machine, shape, union, axis_dim, axis_factor, b, c, objective, hidden,
    exposed, others, best, held, values, masks, stop,
):  # fmt: skip
    """Tiles of memory `c` for spatial choice `b` that fit and may be worth a look.

    `values` int64[8, n], sizes that tiles may have, 0 where there are fewer. Where tiles divide (DIVISORS),
    `masks` has the prime factors of each as a set of bits, so that one number divides another where its bits
    are among the other's. `hidden` (of which the most counts) and `exposed` cycles (which add up) and
    `others` pJ are what the rest costs at least.

    Returns (tiles int64[n, 8] of an instance, masks of the union tiles int64[n], pJ float64[n], cycles
    float64[n], how many did not fit, how many fit but are hopeless, whether the list is whole): it is cut
    short once stop[NOW] is not 0, or when it gets too long.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    some = np.zeros((L.NDIM, values.shape[1]), np.int64)
    place = np.zeros_like(some)
    count = np.zeros(L.NDIM, np.int64)
    boxes = np.zeros((T.BOXES, T.BOX), np.int64)
    corner = np.zeros((2, L.NDIM), np.int64)
    spread(b, shape, union, axis_dim, axis_factor, ws, iw)
    T.list_sizes(shape, b, c, values, union, some, place, count, ws, iw)
    room = 1024
    tiles = np.empty((room, L.NDIM), np.int64)
    bits = np.empty(room, np.int64)
    energy = np.empty(room)
    cycles = np.empty(room)
    n = 0
    large = 0.0
    dear = 0.0
    box = 0 if T.whole_box(count, boxes) else -1
    while box >= 0 and stop[NOW] == 0 and n < _MOST_TILES:
        if not T.fits(c, box, boxes, some, corner, ws, iw):
            large += T.volume(box, boxes)
            box -= 1
            continue
        _, pj, time = T.cost(c, box, boxes, some, corner, ws, iw)
        slowest = exposed + (hidden + time if iw[X.KIND + c] else max(hidden, time))
        if hopeless(objective, slowest, others + pj, leak, best, held):
            dear += T.volume(box, boxes)
            box -= 1
            continue
        if T.halve(box, boxes, some):
            box += 1
            continue
        if n == room:
            room *= 2
            tiles = np.concatenate((tiles, np.empty_like(tiles)))
            bits = np.concatenate((bits, np.empty_like(bits)))
            energy = np.concatenate((energy, np.empty_like(energy)))
            cycles = np.concatenate((cycles, np.empty_like(cycles)))
        bits[n] = 0
        for d in range(L.NDIM):
            tiles[n, d] = corner[1, d]
            bits[n] |= masks[d, place[d, boxes[box, d]]]
        energy[n] = pj
        cycles[n] = time
        n += 1
        box -= 1
    return tiles[:n], bits[:n], energy[:n], cycles[:n], large, dear, box < 0


@kernel
def descend(
    problem, holds, fan, memory, machine, shape, union, axis_dim, axis_factor, b, objective,
    orders, values, masks, tiles, bits, energy, cycles, start, first, quota,
    stop, best, held, best_tile, best_order, best_spatial, nodes, pruned,
):  # fmt: skip
    """Search spatial choice `b`, from row `first` of the list of memory 1 on.

    orders    int64[M, n, ORDER_COLS], -1 where a memory has fewer
    tiles, bits, energy, cycles: the lists of memories 1 .. M - 1 one after the other, each sorted by
              cycles (objective latency) or energy; the list of memory c begins at row start[c]
    stop      int64[3], see above
    best      float64[n, 2], held int64[1], best_tile int32[n, M, 8], best_order int8[n, M, 8], best_spatial
              int64[n]: improved in place; n = 1, the first column being the objective, or for FRONT rows of
              cycles and pJ, held[0] of them, by rising cycles and falling energy
    nodes     int64[2]: candidates looked at, mappings priced; pruned int64[4]

    Returns the row of memory 1 to go on from (start[2]: done), after about `quota` candidates or `stop`.
    """
    M = holds.shape[0]
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    exact_ws, exact_iw = X.prepare(problem, holds, fan, memory, machine)
    steps, base = spread(b, shape, union, axis_dim, axis_factor, ws, iw)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    kinds = iw[X.KINDS]
    load = L.MAX_MEMORIES * L.NUSER * kinds
    saved = np.zeros((M, load))
    for i in range(load):
        saved[0, i] = ws[X.LOAD + i]
    pj = np.zeros(M)  # of accesses, hops and MACs up to a memory
    fixed = np.zeros(M)  # of hops and MACs alone
    port = np.zeros(M)
    extra = np.zeros(M)  # exposed fills
    ramp = np.zeros(M)
    rest_pj = np.zeros(M)
    rest_port = np.zeros(M)
    rest_extra = np.zeros(M)
    for c in range(M - 1, 0, -1):
        least_pj = np.inf
        least_time = np.inf
        for i in range(start[c], start[c + 1]):
            least_pj = min(least_pj, energy[i])
            least_time = min(least_time, cycles[i])
        rest_pj[c - 1] = rest_pj[c] + least_pj
        rest_port[c - 1] = rest_port[c] if iw[X.KIND + c] else max(rest_port[c], least_time)
        rest_extra[c - 1] = rest_extra[c] + (least_time if iw[X.KIND + c] else 0.0)
    time, own = busiest(0, ws, iw)
    fixed[0] = base
    pj[0] = base + own
    port[0] = max(steps, time)
    tile = np.ones((1, M, L.NDIM), np.int32)
    order = np.zeros((1, M, L.NDIM), np.int8)
    dims = axis_dim[b : b + 1]
    factors = axis_factor[b : b + 1]
    for d in range(L.NDIM):
        order[0, M - 1, d] = orders[M - 1, 0, d]
    inside = np.full(M, -1, np.int64)  # primes that the union tiles above a memory may have
    at = start.copy()
    turn = np.zeros(M, np.int64)  # 0: take the next tile, 1: new union tiles, else the next order + 1
    c = 1
    at[1] = first
    limit = nodes[0] + quota
    while True:
        if turn[c] == 0:
            i = at[c]
            if i >= start[c + 1]:
                c -= 1
                if c == 0:
                    return start[2]
                continue
            if c == 1 and nodes[0] >= limit:
                return i
            if stop[NOW] != 0 or nodes[0] >= stop[NODES] or nodes[1] >= stop[PRICED]:
                return i if c == 1 else at[1] - 1
            nodes[0] += 1
            shown = port[c - 1]
            hidden = max(shown, rest_port[c])
            more = extra[c - 1] + ramp[c - 1] + rest_extra[c]
            rest = pj[c - 1] + rest_pj[c]
            exposed = iw[X.KIND + c] != 0
            mine = more + cycles[i] if exposed else more
            with_me = hidden if exposed else max(hidden, cycles[i])
            if objective == LATENCY:
                done = hopeless(objective, with_me + mine, rest, leak, best, held)
            else:
                done = hopeless(objective, hidden + more, rest + energy[i], leak, best, held)
            if done:
                pruned[BY_ORDER_OF_LIST] += start[c + 1] - i
                at[c] = start[c + 1]
                continue
            at[c] += 1
            if bits[i] & ~inside[c]:
                continue
            fine = True
            for d in range(L.NDIM):
                fine &= tiles[i, d] <= ws[X.TILE + L.NDIM * (c - 1) + d]
            if not fine:
                continue
            if hopeless(objective, with_me + mine, rest + energy[i], leak, best, held):
                pruned[BY_TILE] += 1
                continue
            B.put_tile(c, tiles, i, ws, iw)
            if not T.first_unions(shape, c - 1, b, axis_dim, axis_factor, ws, iw):
                continue
            turn[c] = 1
        if turn[c] == 1:  # union tiles that no order has met yet
            if stop[NOW] != 0:
                return at[1] - 1
            m = c - 1
            loops = 0
            for d in range(L.NDIM):
                loops |= np.int64(ws[X.TRIP + L.NDIM * m + d] > 1.0) << d
            iw[X.LOOPS + m] = loops
            ramp[c] = B.prefix_ramps(c, ws, iw)
            i = at[c] - 1
            hidden = max(port[m], rest_port[c])
            more = extra[m] + ramp[c] + rest_extra[c]
            if iw[X.KIND + c] != 0:
                more += cycles[i]
            else:
                hidden = max(hidden, cycles[i])
            if hopeless(objective, hidden + more, pj[m] + rest_pj[c] + energy[i], leak, best, held):
                pruned[BY_TILE] += 1
                turn[c] = orders.shape[1] + 1
        m = c - 1
        k = turn[c] - 1
        loops = iw[X.LOOPS + m]
        while k < orders.shape[1] and orders[m, k, 0] >= 0:
            if orders[m, k, 8] & ~loops == 0 and orders[m, k, 9] & loops == 0:
                break
            k += 1
        if k == orders.shape[1] or orders[m, k, 0] < 0:
            turn[c] = np.int64(T.next_unions(shape, m, b, axis_dim, axis_factor, ws, iw))
            continue
        turn[c] = k + 2
        _arrange(m, k, orders, ws, iw)
        for i in range(load):
            ws[X.LOAD + i] = saved[m, i]
        fixed[c] = fixed[m] + B.into(c, ws, iw)
        pj[c] = fixed[c]
        extra[c] = 0.0
        port[c] = steps
        for kind in range(kinds):
            time, own = busiest(kind, ws, iw)
            pj[c] += own
            if kind == 0:
                port[c] = max(steps, time)
            else:
                extra[c] += time
        latency = max(port[c], rest_port[c]) + extra[c] + ramp[c] + rest_extra[c]
        if hopeless(objective, latency, pj[c] + rest_pj[c], leak, best, held):
            pruned[BY_NEST] += 1
            continue
        for d in range(L.NDIM):
            order[0, m, d] = orders[m, k, d]
        if c < M - 1:
            for i in range(load):
                saved[c, i] = ws[X.LOAD + i]
            c += 1
            if shape == T.DIVISORS:
                inside[c] = 0
                for d in range(L.NDIM):
                    for k in range(values.shape[1]):
                        if values[d, k] == np.int64(ws[X.TILE + L.NDIM * (c - 1) + d]):
                            inside[c] |= masks[d, k]
            at[c] = start[c]
            turn[c] = 0
            continue
        for x in range(M - 1):
            for d in range(L.NDIM):
                tile[0, x, d] = np.int32(ws[X.UNION + L.NDIM * x + d])
        more_of_it = T.first_unions(shape, M - 1, b, axis_dim, axis_factor, ws, iw)
        while more_of_it:
            if stop[NOW] != 0 or nodes[1] >= stop[PRICED]:
                return at[1] - 1
            for d in range(L.NDIM):
                tile[0, M - 1, d] = np.int32(ws[X.UNION + L.NDIM * (M - 1) + d])
            nodes[1] += 1
            if price(0, False, tile, order, dims, factors, exact_ws, exact_iw) == L.OK:
                keep(
                    objective, b, tile, order, best, held, best_tile, best_order, best_spatial, stop, exact_ws
                )
            else:
                pruned[BY_KERNEL] += 1
            more_of_it = T.next_unions(shape, M - 1, b, axis_dim, axis_factor, ws, iw)
