"""Time on the memories' ports: what overlaps with compute, what adds up, and the first and last tiles."""

from __future__ import annotations

from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import step
from cost_models.nest import FREE_I, FREE_O, FREE_W
from cost_models.space import touched

# Kinds of load in the work array: bits that hide behind compute, the first tiles on their way in, the last
# on their way out, and from EXPOSED on, per single-buffered child, those that add up.
OVERLAPPED, FIRST, LAST, EXPOSED = 0, 1, 2, 3
_PORT = L.NTENSOR
_MEMORY = 2 * _PORT
_KIND = L.MAX_MEMORIES * _MEMORY


@step
def add_load(kind, m, way, t, bits, ws):
    """Put `bits` of tensor `t` of one instance on the read or write port of memory `m`."""
    ws[X.LOAD + _KIND * kind + _MEMORY * m + _PORT * way + t] += bits


@step
def slowest_port(kind, ws, iw):
    """Cycles of the machine's busiest port; clears the loads of that kind."""
    slowest = 0.0
    for m in range(iw[X.MEMORIES]):
        for way in range(2):
            at = X.LOAD + _KIND * kind + _MEMORY * m + _PORT * way
            memory = X.MEMORY + L.MEM_COLS * m
            port = memory + L.READ_CPB + L.NTENSOR * way
            w = ws[at] * ws[port]
            i = ws[at + 1] * ws[port + 1]
            o = ws[at + 2] * ws[port + 2]
            time = w + i + o if ws[memory + L.READ_SHARED + way] else max(w, i, o)
            if time > slowest:
                slowest = time
            ws[at] = ws[at + 1] = ws[at + 2] = 0.0
    return slowest


@step
def _first_union_words(t, p, c, ws, iw):
    """Words of `t` that one instance of parent `p` exchanges for one tile in every child `c` under it."""
    if not iw[X.USED] & ((1 << c) - (1 << p)):
        return ws[X.WORDS + L.NTENSOR * c + t]
    free = FREE_W if t == L.W else FREE_I if t == L.I else FREE_O
    capability = X.REDUCTION if t == L.O else X.MULTICAST
    nearest = 1 << (c - 1)
    words = 1.0
    for i in range(iw[X.DIMS]):
        d = iw[X.DIMS + 1 + i]
        tile = ws[X.TILE + L.NDIM * c + d]
        span = tile
        for m in range(p, c):
            f = ws[X.FACTOR + L.NDIM * m + d]
            if f > 1.0:
                if not (free >> d) & 1:
                    span *= f
                elif not (iw[capability + d] >> m) & 1:
                    words *= f
        if (free >> d) & 1:
            continue
        union = ws[X.UNION + L.NDIM * p + d]
        if span > union:
            span = union
        if t != L.I or d < L.P:
            words *= span
            continue
        # Rows and columns: only the fan-out right above the child shares the halo.
        if iw[X.MULTICAST + d] & nearest and iw[X.SPLIT + d] & nearest:
            tile = min(span, tile * ws[X.FACTOR + L.NDIM * (c - 1) + d])
        ws[X.PILE + d] = tile
        words *= span / tile
    if t == L.I:
        for d in range(L.P, L.NDIM):
            if ws[X.TILE + d] == 1.0:
                ws[X.PILE + d] = 1.0
        at = X.PILE
        words *= touched(ws[at + L.P], ws[at + L.R], ws[X.GAP], ws[X.GAP + 1])
        words *= touched(ws[at + L.Q], ws[at + L.S], ws[X.GAP + 2], ws[X.GAP + 3])
    return words


@step
def ramps(ws, iw):
    """(ramp-up, ramp-down) in cycles.

    Up: the first weight and input tiles on their way in, one overlapping memory after the other, each
    at the slower of the ports on both sides. Down: the last output tile on its way out. Memories that are
    not overlap pay for every fill in the exposed time, the first and last included.
    """
    up = 0.0
    down = 0.0
    for c in range(1, iw[X.MEMORIES]):
        if ws[X.MEMORY + L.MEM_COLS * c + L.OVERLAPS] == 0.0:
            continue
        for t in range(L.NTENSOR):
            if iw[X.HOLDS + L.NTENSOR * c + t] == 0 or (t == L.W and iw[X.PROBLEM + L.HAS_WEIGHTS] == 0):
                continue
            p = c - 1
            while iw[X.HOLDS + L.NTENSOR * p + t] == 0:
                p -= 1
            if p == 0 and iw[X.PROBLEM + L.RESIDENT + t]:
                continue
            width = ws[X.MACHINE + L.BITS_W + t]
            inner = ws[X.WORDS + L.NTENSOR * c + t] * width
            outer = _first_union_words(t, p, c, ws, iw) * width
            if t == L.O:
                add_load(LAST, c, L.READ, t, inner, ws)
                add_load(LAST, p, L.WRITE, t, outer, ws)
                down += slowest_port(LAST, ws, iw)
            else:
                add_load(FIRST, c, L.WRITE, t, inner, ws)
                add_load(FIRST, p, L.READ, t, outer, ws)
        up += slowest_port(FIRST, ws, iw)
    return up, down
