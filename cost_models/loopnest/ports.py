"""Time on the memories' ports: what overlaps with compute, what adds up, and the first and last tiles.

Users of a port are a tensor and a direction; those of one port take turns.

Bits wait in the work array at LOAD, by kind: kind 0 hides behind compute, every single-buffered child has
a kind of its own, whose time adds up.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.inputs import touched
from cost_models.loopnest.nest import free_of

_PORT = L.NTENSOR
_MEMORY = 2 * _PORT
_KIND = L.MAX_MEMORIES * _MEMORY


@inlined
def clear_loads(ws, iw):
    """Empty all ports."""
    for i in range(X.LOAD, X.LOAD + _KIND * iw[X.KINDS]):
        ws[i] = 0.0
    if iw[X.STARTS]:
        for i in range(X.WAIT, X.WAIT + _KIND * iw[X.KINDS]):
            ws[i] = 0.0


@inlined
def add_load(kind, m, t, read, write, ws):
    """Put bits of tensor `t`, of all instances, on the ports of memory `m`."""
    at = X.LOAD + _KIND * kind + _MEMORY * m + t
    ws[at] += read
    ws[at + _PORT] += write


@step
def add_starts(t, p, kind, fills, parent, psum, read, write, ws, iw):
    """Put the starts of `fills` transfers of `t` on the ports of parent `p`, and round them up to bursts.

    Of outputs `psum` of `parent` words are read back, by as large a share of the transfers. `read` and
    `write` are the bits that `add_load` has put there.
    """
    start = ws[X.MEMORY + L.MEM_COLS * p + L.START_CYCLES]
    burst = ws[X.MEMORY + L.MEM_COLS * p + L.BURST_BITS]
    transfers = fills * ws[X.INSTANCES + p]
    for way in range(2):
        bits = write if way else read
        if bits <= 0.0:
            continue
        many = transfers * psum / parent if t == L.O and way == L.READ else transfers
        at = _KIND * kind + _MEMORY * p + _PORT * way + t
        ws[X.WAIT + at] += many * start
        if burst > 0.0:
            ws[X.LOAD + at] += many * burst * np.ceil(bits / (many * burst)) - bits


@step
def busiest(kind, ws, iw):
    """(cycles of the busiest port, pJ of all accesses) of one kind of load."""
    slowest = 0.0
    energy = 0.0
    for m in range(iw[X.MEMORIES] & 7):
        memory = X.MEMORY + L.MEM_COLS * m
        load = X.LOAD + _KIND * kind + _MEMORY * m
        form = iw[X.FORM + m]
        most = 0.0
        if form == X.ANY_PORTS:
            # Users of one port stand side by side: their times add up, and a new port starts from nothing.
            time = 0.0
            for i in range(L.NUSER * m, L.NUSER * (m + 1)):
                user = iw[X.USER + i]
                own = ws[load + user] * ws[memory + L.READ_CPB + user]
                if iw[X.STARTS]:
                    own += ws[X.WAIT - X.LOAD + load + user]
                time = time * ws[X.SAME + i] + own
                most = max(most, time)
        else:
            w = ws[load] * ws[memory + L.READ_CPB]
            i = ws[load + 1] * ws[memory + L.READ_CPB + 1]
            o = ws[load + 2] * ws[memory + L.READ_CPB + 2]
            w_in = ws[load + 3] * ws[memory + L.WRITE_CPB]
            i_in = ws[load + 4] * ws[memory + L.WRITE_CPB + 1]
            o_in = ws[load + 5] * ws[memory + L.WRITE_CPB + 2]
            if form == X.OWN_PORTS:
                most = max(w, i, o, w_in, i_in, o_in)
            else:
                out = w + i + o
                into = w_in + i_in + o_in
                most = out + into if form == X.ONE_PORT else max(out, into)
        slowest = max(slowest, most / ws[X.INSTANCES + m])
        for way in range(0, L.NUSER, L.NTENSOR):
            pj = memory + L.READ_PJ + way
            at = load + way
            energy += ws[at] * ws[pj] + ws[at + 1] * ws[pj + 1] + ws[at + 2] * ws[pj + 2]
    return slowest, energy


@step
def save_bits(ws, iw):
    """Sum all kinds of load into the result BITS."""
    for i in range(X.BITS, X.USED_BITS):
        ws[i] = 0.0
    for kind in range(iw[X.KINDS]):
        for m in range(iw[X.MEMORIES] & 7):
            for t in range(L.NTENSOR):
                to = X.BITS + 2 * (L.NTENSOR * m + t)
                at = X.LOAD + _KIND * kind + _MEMORY * m + t
                ws[to + L.READ] += ws[at]
                ws[to + L.WRITE] += ws[at + _PORT]


@inlined
def _span(d, p, c, ws):
    """Size of dimension `d` over all instances of `c` under one instance of `p`."""
    union = ws[X.UNION + L.NDIM * p + d]
    if c == p + 1:
        return union
    span = ws[X.TILE + L.NDIM * c + d]
    for m in range(p, c):
        span *= ws[X.FACTOR + L.NDIM * m + d]
    return min(span, union)


@step
def _span_rows(pair, p, c, ws, iw):
    """Input rows (`pair` 0) or columns (1) under one instance of `p`: see `_first_words`."""
    shared = X.fans(c - 1, c) & iw[X.SPLIT] & ~iw[X.NO_MULTICAST]
    repeat = 1.0
    both = (0.0, 0.0)
    for i in range(2):
        d = L.P + pair + 2 * i
        span = _span(d, p, c, ws)
        tile = ws[X.TILE + L.NDIM * c + d]
        # Only the fan-out right above the child shares the halo.
        if (shared >> (L.NDIM * (c - 1) + d)) & 1:
            tile = min(span, tile * ws[X.FACTOR + L.NDIM * (c - 1) + d])
        repeat *= span / tile
        both = (tile, both[0])
    r, q = both
    return repeat * touched(q, r, ws[X.GAP + 2 * pair], ws[X.GAP + 2 * pair + 1])


@step
def _first_words(t, p, c, ws, iw):
    """Words of `t` that one instance of parent `p` exchanges for one tile in every child `c` under it."""
    split = iw[X.SPLIT] & X.fans(p, c)
    if not split:
        return ws[X.WORDS + L.NTENSOR * c + t]
    free = free_of(t)
    apart = split & iw[X.NO_REDUCTION if t == L.O else X.NO_MULTICAST]
    words = 1.0
    for d in range(L.P if t == L.I else L.NDIM):
        if not (free >> d) & 1:
            words *= _span(d, p, c, ws)
    if apart & (X.EVERY_MEMORY * free):
        for m in range(p, c):
            for d in range(L.NDIM):
                if (free >> d) & (apart >> (L.NDIM * m + d)) & 1:
                    words *= ws[X.FACTOR + L.NDIM * m + d]
    if t == L.I:
        words *= _span_rows(0, p, c, ws, iw) * _span_rows(1, p, c, ws, iw)
    return words


@step
def _outer_time(t, p, c, way, ws, iw):
    """Cycles at the parent's port for the tiles of all children."""
    memory = X.MEMORY + L.MEM_COLS * p
    cpb = ws[memory + L.READ_CPB + _PORT * way + t]
    start = ws[memory + L.START_CYCLES]
    return start if cpb == 0.0 else start + _first_words(t, p, c, ws, iw) * X.width(p, t, ws) * cpb


@inlined
def _inner_time(t, c, way, ws):
    """Cycles at the child's port for its tile."""
    words = ws[X.WORDS + L.NTENSOR * c + t] * X.width(c, t, ws)
    return words * ws[X.MEMORY + L.MEM_COLS * c + L.READ_CPB + _PORT * way + t]


@step
def ramps(ws, iw):
    """(ramp-up, ramp-down) in cycles.

    Up: the first weight and input tiles on their way in, one overlapping memory after the other, each
    at the slower of the ports on both sides. Down: the last output tile on its way out. Memories that are
    not overlap pay for every fill in the exposed time, the first and last included.
    """
    up = 0.0
    down = 0.0
    for c in range(1, (iw[X.MEMORIES] & 7)):
        if iw[X.KIND + c]:
            continue
        at = X.PARENT + L.NTENSOR * c
        p_w = iw[at + L.W]
        p_i = iw[at + L.I]
        p_o = iw[at + L.O]
        out_w = in_w = out_i = in_i = 0.0
        if p_w >= 0:
            in_w = _inner_time(L.W, c, L.WRITE, ws)
            out_w = _outer_time(L.W, p_w, c, L.READ, ws, iw)
        if p_i >= 0:
            in_i = _inner_time(L.I, c, L.WRITE, ws)
            out_i = _outer_time(L.I, p_i, c, L.READ, ws, iw)
        inner = in_w + in_i if iw[X.TOGETHER + 2 * c + L.WRITE] else max(in_w, in_i)
        together = p_w == p_i and p_w >= 0 and iw[X.TOGETHER + 2 * p_w + L.READ]
        outer = out_w + out_i if together else max(out_w, out_i)
        up += max(inner, outer)
        if p_o >= 0:
            down += max(_inner_time(L.O, c, L.READ, ws), _outer_time(L.O, p_o, c, L.WRITE, ws, iw))
    return up, down
