"""Time on the memories' ports: what overlaps with compute, what adds up, and the first and last tiles."""

from __future__ import annotations

from cost_models import layout as L
from cost_models._jit import kernel
from cost_models.nest import FREE_I, FREE_O, FREE_W, MULTICAST, REDUCTION, gap, tile_words, touched

# Rows of the scratch array `load`: bits that hide behind compute, the first tiles on their way in, the last
# on their way out, and from EXPOSED on, per single-buffered child, those that add up.
OVERLAPPED, FIRST, LAST, EXPOSED = 0, 1, 2, 3


@kernel
def port_time(load, kind, m, memory):
    """Cycles of the busier port of memory `m` for `load[kind, m]` float64[2, 3] bits of one instance."""
    slowest = 0.0
    for way in range(2):
        column = L.READ_CPB if way == L.READ else L.WRITE_CPB
        together = memory[m, L.READ_SHARED + way]
        time = 0.0
        for t in range(L.NTENSOR):
            one = load[kind, m, way, t] * memory[m, column + t]
            if together:
                time += one
            elif one > time:
                time = one
        if time > slowest:
            slowest = time
    return slowest


@kernel
def slowest_port(load, kind, memory):
    """Cycles of the busiest port of the machine; clears the loads of that kind."""
    slowest = 0.0
    for m in range(memory.shape[0]):
        time = port_time(load, kind, m, memory)
        if time > slowest:
            slowest = time
        for t in range(L.NTENSOR):
            load[kind, m, L.READ, t] = 0.0
            load[kind, m, L.WRITE, t] = 0.0
    return slowest


@kernel
def first_union_words(t, p, c, problem, work):
    """Words of `t` that one instance of parent `p` exchanges for one tile in every child `c` under it."""
    T, U, _, factor, _, _, mask, _, _, pile, _ = work
    free = FREE_W if t == L.W else FREE_I if t == L.I else FREE_O
    capability = REDUCTION if t == L.O else MULTICAST
    span = pile[0]
    copies = 1.0
    for d in range(L.NDIM):
        span[d] = T[c, d]
        for m in range(p, c):
            if factor[m, d] > 1.0:
                if not (free >> d) & 1:
                    span[d] *= factor[m, d]
                elif not (mask[capability, d] >> m) & 1:
                    copies *= factor[m, d]
        if span[d] > U[p, d]:
            span[d] = U[p, d]
    if t == L.W:
        return copies * span[L.G] * span[L.K] * span[L.C] * span[L.R] * span[L.S]
    if t == L.O:
        return copies * span[L.N] * span[L.G] * span[L.K] * span[L.P] * span[L.Q]
    nearest = 1 << (c - 1)
    words = copies * span[L.N] * span[L.G] * span[L.C]
    for pair in range(2):
        dp, dr = (L.P, L.R) if pair == 0 else (L.Q, L.S)
        p_gap, r_gap = gap(problem[L.STRIDE_H + pair], problem[L.DILATION_H + pair])
        p_tile, r_tile = T[c, dp], T[c, dr]
        # Only the fan-out right above the child shares the halo.
        if mask[MULTICAST, dp] & nearest:
            p_tile = min(span[dp], p_tile * factor[c - 1, dp])
        if mask[MULTICAST, dr] & nearest:
            r_tile = min(span[dr], r_tile * factor[c - 1, dr])
        words *= touched(p_tile, r_tile, p_gap, r_gap) * (span[dp] / p_tile) * (span[dr] / r_tile)
    return words


@kernel
def ramps(problem, holds, memory, machine, work):
    """(ramp-up, ramp-down) in cycles.

    Up: the first weight and input tiles on their way in, one double-buffered memory after the other, each
    at the slower of the ports on both sides. Down: the last output tile on its way out. Memories that are
    not double-buffered pay for every fill in the exposed time, the first and last included.
    """
    T = work[0]
    load = work[10]
    M = holds.shape[0]
    up = 0.0
    down = 0.0
    for c in range(1, M):
        if memory[c, L.BUFFERS] < 2.0:
            continue
        for t in range(L.NTENSOR):
            if holds[c, t] == 0 or (t == L.W and problem[L.HAS_WEIGHTS] == 0):
                continue
            p = c - 1
            while holds[p, t] == 0:
                p -= 1
            if p == 0 and problem[L.RESIDENT + t]:
                continue
            width = machine[L.BITS_W + t]
            inner = tile_words(t, c, problem, T) * width
            outer = first_union_words(t, p, c, problem, work) * width
            if t == L.O:
                load[LAST, c, L.READ, t] = inner
                load[LAST, p, L.WRITE, t] = outer
                down += slowest_port(load, LAST, memory)
            else:
                load[FIRST, c, L.WRITE, t] = inner
                load[FIRST, p, L.READ, t] = outer
        up += slowest_port(load, FIRST, memory)
    return up, down
