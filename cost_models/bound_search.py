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
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import price
from cost_models.nest import FREE_I, FREE_O, FREE_W, geometry
from cost_models.ports import busiest, clear_loads

EDP, LATENCY, ENERGY, FRONT = range(4)

# What a branch was cut by, in the order of `pruned`.
BY_ORDER_OF_LIST, BY_TILE, BY_NEST, BY_KERNEL = range(4)

ORDER_COLS = 10  # eight dimensions, then bit masks: all of these loops present, all of these absent

# stop: int64[3], ends a search at once: not 0; the most candidates to look at; the most mappings to price
NOW, NODES, PRICED = range(3)
FULL = 2  # written to stop[NOW]: the front has no room left

# Relative rounding error of a bound, with room to spare.
_ROUNDING = 1.0 - 1e-12


@inlined
def score(objective, latency, pj, leak):
    """The objective from latency in cycles and energy without leakage in pJ."""
    if objective == LATENCY:
        return latency
    energy = pj + leak * latency
    return energy if objective == ENERGY else energy * latency


@inlined
def dominated(latency, energy, front, held):
    """Whether a point of the front is nowhere worse."""
    low = 0
    high = held[0]
    while low < high:  # the last point that is no slower has the least energy of all these
        middle = (low + high) // 2
        if front[middle, 0] <= latency:
            low = middle + 1
        else:
            high = middle
    return low > 0 and front[low - 1, 1] <= energy


@step
def hopeless(objective, latency, pj, leak, best, held):
    """Whether nothing that costs at least this, in cycles and pJ without leakage, is worth a look."""
    if objective == FRONT:
        return dominated(_ROUNDING * latency, _ROUNDING * (pj + leak * latency), best, held)
    return score(objective, latency, pj, leak) * _ROUNDING >= best[0, 0]


@step
def keep(objective, b, tile, order, best, held, best_tile, best_order, best_spatial, stop, ws):
    """Enter the mapping just priced, of spatial choice `b`, if it is worth it."""
    latency = ws[X.RESULT + L.LATENCY]
    energy = ws[X.RESULT + L.ENERGY]
    row = 0
    if objective == FRONT:
        if dominated(latency, energy, best, held):
            return
        n = held[0]
        while row < n and best[row, 0] < latency:
            row += 1
        last = row  # those from `row` to here are beaten
        while last < n and best[last, 1] >= energy:
            last += 1
        if last == row and n == len(best):
            stop[NOW] = FULL
            return
        shift = row + 1 - last
        for k in range(n - last):
            source = n - 1 - k if shift > 0 else last + k
            if shift == 0:
                break
            best[source + shift, 0] = best[source, 0]
            best[source + shift, 1] = best[source, 1]
            best_spatial[source + shift] = best_spatial[source]
            for m in range(tile.shape[1]):
                for d in range(L.NDIM):
                    best_tile[source + shift, m, d] = best_tile[source, m, d]
                    best_order[source + shift, m, d] = best_order[source, m, d]
        held[0] = n + shift
        best[row, 0] = latency
        best[row, 1] = energy
    else:
        value = latency if objective == LATENCY else energy if objective == ENERGY else latency * energy
        if value >= best[0, 0]:
            return
        best[0, 0] = value
        held[0] = 1
    best_spatial[row] = b
    for m in range(tile.shape[1]):
        for d in range(L.NDIM):
            best_tile[row, m, d] = tile[0, m, d]
            best_order[row, m, d] = order[0, m, d]


@step
def part(m, d, union, b, axis_dim, axis_factor, iw):
    """Tile of an instance below memory `m` if it hands down `union`; 0 if an axis had idle instances."""
    rest = union
    for a in range(iw[X.AXES + m]):
        factor = np.int64(axis_factor[b, m, a])
        if factor > 1 and axis_dim[b, m, a] == d:
            each = -(-rest // factor)
            if -(-rest // each) != factor:
                return np.int64(0)
            rest = each
    return rest


@inlined
def least_of_its_trips(union, tile):
    """Whether no smaller union tile splits `tile` into as few parts."""
    trips = -(-tile // union)
    return -(-tile // trips) == union


@step
def closing(d, tile, above, b, axis_dim, axis_factor, ws, iw):
    """The smallest union tile of the last memory over `above` that leaves each MAC one element, or 0."""
    m = (iw[X.MEMORIES] & 7) - 1
    most = np.int64(ws[X.FACTOR + L.NDIM * m + d])
    for union in range(above + 1, min(tile, most) + 1):
        if least_of_its_trips(union, tile) and part(m, d, union, b, axis_dim, axis_factor, iw) == 1:
            return union
    return 0


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


@step
def _macs(ws, iw):
    """Energy of all multiplications in pJ."""
    if iw[X.PROBLEM + L.HAS_MACS] == 0:
        return 0.0
    return (
        ws[X.MACHINE + L.MAC_PJ] * ws[X.SIZE + L.O] * ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
    )


@step
def _spread(b, exact, union, axis_dim, axis_factor, ws, iw):
    """Set up the fan-outs of spatial choice `b`; returns (cycles to compute, pJ of MACs and hops).

    Leaves what the MACs exchange on the ports.
    """
    geometry(b, union, axis_dim, axis_factor, ws, iw)
    if not exact:
        iw[X.INEXACT] = X.RELAXED
        for d in range(L.NDIM):
            ws[X.TILES + L.NDIM * (iw[X.MEMORIES] & 7) + d] = ws[X.TILE + d]
    steps = 1.0
    for d in range(L.NDIM):
        steps *= ws[X.TILE + d]
    cycles = steps / ws[X.INSTANCES + (iw[X.MEMORIES] & 7)]
    if ws[X.MACHINE + L.UNIT_RATE] > 0.0:
        cycles = np.ceil(steps / ws[X.MACHINE + L.UNIT_RATE])
    elif iw[X.PROBLEM + L.HAS_MACS]:
        cycles *= 1.0 + ws[X.MACHINE + L.EXTRA_CYCLES]
    else:  # the unit as wide as the array needs no spatial choice
        cycles = min(cycles, np.ceil(steps / ws[X.PES]))
    clear_loads(ws, iw)
    pj = B.to_macs(ws, iw) + _macs(ws, iw)
    return cycles, pj


@kernel
def spatial_bounds(
    problem, holds, fan, memory, machine, exact, union, axis_dim, axis_factor, objective, bound, latencies,
    energies,
):  # fmt: skip
    """Fill three float64[S] with lower bounds on the objective, cycles and pJ of S spatial choices.

    `union` int32[S, M, 8] holds the smallest union tiles that the factors allow. `exact`: tiles divide.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    M = holds.shape[0]
    whole = np.ones((1, L.NDIM), np.int64)
    for b in range(len(bound)):
        latency, pj = _spread(b, exact, union, axis_dim, axis_factor, ws, iw)
        time, own = busiest(0, ws, iw)
        latency = max(latency, time)
        pj += own
        exposed = 0.0
        for c in range(1, M):
            for d in range(L.NDIM):
                whole[0, d] = problem[d]
                for m in range(c - 1):
                    whole[0, d] = np.int64(np.ceil(whole[0, d] / ws[X.FACTOR + L.NDIM * m + d]))
            B.put_tile(c, whole, 0, ws, iw)
            own, time = B.tile_alone(c, ws, iw)
            pj += own
            if iw[X.KIND + c]:
                exposed += time
            else:
                latency = max(latency, time)
        leak = ws[X.MACHINE + L.LEAK_PJ]
        latencies[b] = _ROUNDING * (latency + exposed)
        energies[b] = _ROUNDING * (pj + leak * (latency + exposed))
        number = EDP if objective == FRONT else objective
        bound[b] = _ROUNDING * score(number, latency + exposed, pj, leak)


@kernel
def list_tiles(
    problem, holds, fan, memory, machine, exact, union, axis_dim, axis_factor, b, c, objective, best, held,
    values, masks, stop,
):  # fmt: skip
    """Tiles of memory `c` for spatial choice `b` that fit and may be worth a look.

    `values` int64[8, n], sizes that tiles may have, 0 where there are fewer. Where tiles divide (`exact`),
    `masks` has the prime factors of each as a set of bits, so that one number divides another where its bits
    are among the other's.

    Returns (union tiles of memory c - 1 int64[n, 8], masks int64[n], pJ float64[n], cycles float64[n], how
    many did not fit, how many fit but are hopeless, and pJ and cycles of the spatial choice by itself). Once
    stop[NOW] is not 0 the list is cut short.
    """
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    M = holds.shape[0]
    steps, base = _spread(b, exact, union, axis_dim, axis_factor, ws, iw)
    time, own = busiest(0, ws, iw)
    base += own
    steps = max(steps, time)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    some = np.zeros((L.NDIM, values.shape[1]), np.int64)
    count = np.zeros(L.NDIM, np.int64)
    for d in range(L.NDIM):
        above = problem[d]
        below = 1
        most = 1
        for m in range(M):
            factor = np.int64(ws[X.FACTOR + L.NDIM * m + d])
            if m < c - 1:
                above = -(-above // factor)
            elif m >= c:
                below *= factor
                most = max(most, factor)
        factor = np.int64(ws[X.FACTOR + L.NDIM * (c - 1) + d])
        for k in range(values.shape[1]):
            v = values[d, k]
            if v == 0:
                break
            if exact:
                fine = v % (factor * below) == 0 and above % v == 0
            else:
                inner = part(c - 1, d, v, b, axis_dim, axis_factor, iw)
                fine = v <= above and inner > 0
                if fine and c < M - 1:
                    fine = inner * inner * inner >= most  # three axes at most may split what is left
                elif fine:
                    fine = closing(d, inner, 0, b, axis_dim, axis_factor, ws, iw) > 0
            if fine:
                some[d, count[d]] = k
                count[d] += 1
    room = 1024
    tiles = np.empty((room, L.NDIM), np.int64)
    bits = np.empty(room, np.int64)
    energy = np.empty(room)
    cycles = np.empty(room)
    n = 0
    large = 0
    dear = 0
    digit = np.zeros(L.NDIM, np.int64)
    empty = False
    for d in range(L.NDIM):
        empty |= count[d] == 0
    while not empty and stop[NOW] == 0:
        bits[n] = 0
        for d in range(L.NDIM):
            k = some[d, digit[d]]
            tiles[n, d] = values[d, k]
            bits[n] |= masks[d, k]
        if not B.put_tile(c, tiles, n, ws, iw):
            large += 1
        else:
            energy[n], cycles[n] = B.tile_alone(c, ws, iw)
            slowest = steps + cycles[n] if iw[X.KIND + c] else max(steps, cycles[n])
            if hopeless(objective, slowest, base + energy[n], leak, best, held):
                dear += 1
            else:
                n += 1
                if n == room:
                    room *= 2
                    tiles = np.concatenate((tiles, np.empty_like(tiles)))
                    bits = np.concatenate((bits, np.empty_like(bits)))
                    energy = np.concatenate((energy, np.empty_like(energy)))
                    cycles = np.concatenate((cycles, np.empty_like(cycles)))
        d = 0
        while d < L.NDIM:
            digit[d] += 1
            if digit[d] < count[d]:
                break
            digit[d] = 0
            d += 1
        if d == L.NDIM:
            break
    return tiles[:n], bits[:n], energy[:n], cycles[:n], large, dear, base, steps


@kernel
def descend(
    problem, holds, fan, memory, machine, exact, union, axis_dim, axis_factor, b, objective,
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
    steps, base = _spread(b, exact, union, axis_dim, axis_factor, ws, iw)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    kinds = iw[X.KINDS]
    load = X.RESULT - X.LOAD
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
    inside = np.zeros(M, np.int64)  # primes that the tile of a memory may have
    inside[1] = -1
    at = start.copy()
    turn = np.zeros(M, np.int64)  # 0: take the next tile, else the next order + 1
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
            if exact:
                if bits[i] & ~inside[c]:
                    continue
            else:
                fine = True
                for d in range(L.NDIM):
                    whole = np.int64(ws[X.TILE + L.NDIM * (c - 1) + d])
                    fine &= tiles[i, d] <= whole and least_of_its_trips(tiles[i, d], whole)
                if not fine:
                    continue
            if hopeless(objective, with_me + mine, rest + energy[i], leak, best, held):
                pruned[BY_TILE] += 1
                continue
            B.put_tile(c, tiles, i, ws, iw)
            B.nest_above(c, tiles, i, ws)
            loops = 0
            for d in range(L.NDIM):
                loops |= np.int64(ws[X.TRIP + L.NDIM * (c - 1) + d] > 1.0) << d
            iw[X.LOOPS + c - 1] = loops
            ramp[c] = B.prefix_ramps(c, ws, iw)
            latency = with_me + mine + ramp[c] - ramp[c - 1]
            if hopeless(objective, latency, rest + energy[i], leak, best, held):
                pruned[BY_TILE] += 1
                continue
            turn[c] = 1
        m = c - 1
        k = turn[c] - 1
        loops = iw[X.LOOPS + m]
        while k < orders.shape[1] and orders[m, k, 0] >= 0:
            if orders[m, k, 8] & ~loops == 0 and orders[m, k, 9] & loops == 0:
                break
            k += 1
        if k == orders.shape[1] or orders[m, k, 0] < 0:
            turn[c] = 0
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
            if exact:
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
        for d in range(L.NDIM):
            whole = np.int64(ws[X.TILE + L.NDIM * (M - 1) + d])
            last = np.int64(ws[X.FACTOR + L.NDIM * (M - 1) + d])
            tile[0, M - 1, d] = last if exact else closing(d, whole, 0, b, axis_dim, axis_factor, ws, iw)
        while True:
            nodes[1] += 1
            if price(0, False, tile, order, dims, factors, exact_ws, exact_iw) == L.OK:
                keep(
                    objective, b, tile, order, best, held, best_tile, best_order, best_spatial, stop, exact_ws
                )
            else:
                pruned[BY_KERNEL] += 1
            d = L.NDIM if exact else 0
            while d < L.NDIM:
                whole = np.int64(ws[X.TILE + L.NDIM * (M - 1) + d])
                above = np.int64(tile[0, M - 1, d])
                more_of_it = closing(d, whole, above, b, axis_dim, axis_factor, ws, iw)
                if more_of_it > 0:
                    tile[0, M - 1, d] = more_of_it
                    break
                tile[0, M - 1, d] = closing(d, whole, 0, b, axis_dim, axis_factor, ws, iw)
                d += 1
            if d == L.NDIM:
                break
