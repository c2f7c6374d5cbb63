"""All mappings of one tile for each memory: union tiles and loop orders, from the outermost memory inwards.

Below a chosen union tile and order the fills of a memory are known (exactly, where splits leave no
remainder), see `bound.into`; a complete mapping is priced by the kernel itself, which decides.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.exact import partial as B
from cost_models.exact import tiles as T
from cost_models.exact.best import BY_KERNEL, BY_NEST, BY_TILE, NOW, PRICED, TRIED, hopeless, keep
from cost_models.exact.least import CYCLES, LOADS, PJ, PORTS
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_I, FREE_O, FREE_W
from cost_models.loopnest.ports import busiest
from cost_models.loopnest.price import price

# Rows of `sums` float64[SUMS, M]: of memories up to m the pJ, of hops and MACs alone, the cycles of the
# busiest port, of exposed fills, of the ramps; of memories further in the least pJ, port and exposed fills
ALL_PJ, NO_ACCESS, PORT, EXPOSED, RAMP, REST_PJ, REST_PORT, REST_EXPOSED = range(8)
SUMS = 8


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
def _begin(desk, ws, iw):
    """Enter what the spatial choice costs, and what memories cost whatever stands above them."""
    fixed, sums, loads = desk.fixed, desk.sums, desk.loads
    M = iw[X.MEMORIES] & 7
    for row in range(SUMS):
        sums[row, 0] = sums[row, M - 1] = 0.0
    for i in range(1, M):
        c = M - i
        pj, time = B.tile_alone(c, ws, iw)
        exposed = iw[X.KIND + c] != 0
        sums[REST_PJ, c - 1] = sums[REST_PJ, c] + pj
        sums[REST_PORT, c - 1] = sums[REST_PORT, c] if exposed else max(sums[REST_PORT, c], time)
        sums[REST_EXPOSED, c - 1] = sums[REST_EXPOSED, c] + (time if exposed else 0.0)
    for i in range(PORTS * iw[X.KINDS]):
        loads[0, i] = ws[X.LOAD + i] = fixed[LOADS + i] if i < PORTS else 0.0
    time, pj = busiest(0, ws, iw)
    sums[NO_ACCESS, 0] = fixed[PJ]
    sums[ALL_PJ, 0] = fixed[PJ] + pj
    sums[PORT, 0] = max(fixed[CYCLES], time)


@step
def _fill(c, k, orders, desk, ws, iw):
    """Enter the fills of memory `c`, whose parent loops in its order `k`."""
    fixed, sums, loads = desk.fixed, desk.sums, desk.loads
    m = c - 1
    _arrange(m, k, orders, ws, iw)
    for i in range(PORTS * iw[X.KINDS]):
        ws[X.LOAD + i] = loads[m, i]
    sums[NO_ACCESS, c] = sums[NO_ACCESS, m] + B.into(c, ws, iw)
    sums[ALL_PJ, c] = sums[NO_ACCESS, c]
    sums[EXPOSED, c] = 0.0
    for kind in range(iw[X.KINDS]):
        time, pj = busiest(kind, ws, iw)
        sums[ALL_PJ, c] += pj
        if kind == 0:
            sums[PORT, c] = max(fixed[CYCLES], time)
        else:
            sums[EXPOSED, c] += time


@step
def _too_dear(m, c, sums, found, ws):
    """Whether fills up to memory `m` and ramps up to memory `c` leave nothing worth a look."""
    cycles = max(sums[PORT, m], sums[REST_PORT, m]) + sums[EXPOSED, m] + sums[RAMP, c] + sums[REST_EXPOSED, m]
    pj = sums[ALL_PJ, m] + sums[REST_PJ, m]
    return hopeless(cycles, pj, ws[X.MACHINE + L.LEAK_PJ], found)


@step
def chain(b, spatial, options, desk, counters, found, ws, iw, exact_ws, exact_iw):
    """Look for better mappings of the tiles that `ws` holds; False if `stop` says so before all are done.

    `turn` int64[M]: 0 where a memory begins, 1: new union tiles, else the next order + 1.
    """
    shape, orders = options.shape, options.orders
    sums, turn, tile, order = desk.sums, desk.turn, desk.batch.tile, desk.batch.order
    stop, nodes, pruned = counters.stop, counters.nodes, counters.pruned
    M = iw[X.MEMORIES] & 7
    _begin(desk, ws, iw)
    c = 1
    turn[1] = 0
    while c > 0:
        m = c - 1
        if turn[c] == 0:
            if not T.first_unions(shape, m, b, spatial, ws, iw):
                c -= 1
                continue
            turn[c] = 1
        if turn[c] == 1:  # union tiles that no order has met yet
            if stop[NOW] != 0:
                return False
            loops = 0
            for d in range(L.NDIM):
                loops |= np.int64(ws[X.TRIP + L.NDIM * m + d] > 1.0) << d
            iw[X.LOOPS + m] = loops
            sums[RAMP, c] = B.prefix_ramps(c, ws, iw)
            if _too_dear(m, c, sums, found, ws):
                pruned[BY_TILE] += 1
                turn[c] = orders.shape[1] + 1
        k = turn[c] - 1
        loops = iw[X.LOOPS + m]
        while k < orders.shape[1] and orders[m, k, 0] >= 0:
            if orders[m, k, L.NDIM] & ~loops == 0 and orders[m, k, L.NDIM + 1] & loops == 0:
                break
            k += 1
        if k >= orders.shape[1] or orders[m, k, 0] < 0:
            turn[c] = np.int64(T.next_unions(shape, m, b, spatial, ws, iw))
            c -= turn[c] == 0
            continue
        turn[c] = k + 2
        _fill(c, k, orders, desk, ws, iw)
        if _too_dear(c, c, sums, found, ws):
            pruned[BY_NEST] += 1
            continue
        for d in range(L.NDIM):
            order[0, m, d] = orders[m, k, d]
        if c < M - 1:
            for i in range(PORTS * iw[X.KINDS]):
                desk.loads[c, i] = ws[X.LOAD + i]
            c += 1
            turn[c] = 0
            continue
        for x in range(M - 1):
            for d in range(L.NDIM):
                tile[0, x, d] = np.int32(ws[X.UNION + L.NDIM * x + d])
        more_of_it = T.first_unions(shape, M - 1, b, spatial, ws, iw)
        while more_of_it:
            if stop[NOW] != 0 or nodes[TRIED] >= stop[PRICED]:
                return False
            for d in range(L.NDIM):
                tile[0, M - 1, d] = np.int32(ws[X.UNION + L.NDIM * (M - 1) + d])
            nodes[TRIED] += 1
            if price(0, False, desk.batch, exact_ws, exact_iw) == L.OK:
                keep(b, tile, order, found, stop, exact_ws)
            else:
                pruned[BY_KERNEL] += 1
            more_of_it = T.next_unions(shape, M - 1, b, spatial, ws, iw)
    return True
