"""Time on the ports for eight mappings at a time: what `ports` does."""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.lanes import nest as V
from cost_models.lanes.capacity import touched
from cost_models.lanes.vectors import least, load, most, select, spread, store
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import free_of

_PORT = L.NTENSOR
_MEMORY = 2 * _PORT
_KIND = L.MAX_MEMORIES * _MEMORY


@inlined
def clear_loads(vs, iw):
    """Empty all ports."""
    zero = spread(0.0)
    for kind in range(iw[X.KINDS]):
        for i in range(_MEMORY * (iw[X.MEMORIES] & 7)):
            store(vs, V.LOAD + _KIND * kind + i, zero)


@step
def _line(kind, m, vs, ws, iw):
    """Cycles of the busiest of any ports: users of one stand side by side, as `ports` has them."""
    time = spread(0.0)
    longer = spread(0.0)
    for i in range(L.NUSER * m, L.NUSER * (m + 1)):
        user = iw[X.USER + i]
        own = load(vs, V.LOAD + _KIND * kind + _MEMORY * m + user)
        own *= spread(ws[X.MEMORY + L.MEM_COLS * m + L.READ_CPB + user])
        time = time * spread(ws[X.SAME + i]) + own
        longer = most(longer, time)
    return longer


@step
def busiest(kind, vs, ws, iw):
    """(cycles of the busiest port, pJ of all accesses) of one kind of load."""
    slowest = spread(0.0)
    energy = spread(0.0)
    for m in range(iw[X.MEMORIES] & 7):
        memory = X.MEMORY + L.MEM_COLS * m
        form = iw[X.FORM + m]
        longer = spread(0.0)
        both = spread(0.0)
        for way in range(2):
            at = V.LOAD + _KIND * kind + _MEMORY * m + _PORT * way
            cpb = memory + L.READ_CPB + _PORT * way
            pj = memory + L.READ_PJ + _PORT * way
            w = load(vs, at)
            i = load(vs, at + 1)
            o = load(vs, at + 2)
            energy += w * spread(ws[pj]) + i * spread(ws[pj + 1]) + o * spread(ws[pj + 2])
            w *= spread(ws[cpb])
            i *= spread(ws[cpb + 1])
            o *= spread(ws[cpb + 2])
            if form == X.OWN_PORTS:
                longer = most(longer, most(w, most(i, o)))
            elif form == X.TWO_PORTS:
                longer = most(longer, w + i + o)
            else:
                both += w + i + o
        if form == X.ONE_PORT:
            longer = both
        elif form == X.ANY_PORTS:
            longer = _line(kind, m, vs, ws, iw)
        slowest = most(slowest, longer / load(vs, V.INSTANCES + m))
    return slowest, energy


@inlined
def _span(d, p, c, vs):
    """Size of dimension `d` over all instances of `c` under one instance of `p`."""
    union = load(vs, V.UNION + L.NDIM * p + d)
    if c == p + 1:
        return union
    span = load(vs, V.TILE + L.NDIM * c + d)
    for m in range(p, c):
        span *= load(vs, V.FACTOR + L.NDIM * m + d)
    return least(span, union)


@step
def _span_rows(pair, p, c, vs, bs, ws):
    """Input rows (columns) under one instance of `p`: see `ports`."""
    shared = load(bs, V.SPLIT) & ~load(bs, V.NO_MULTICAST)
    near = L.NDIM * (c - 1) + L.P + pair
    repeat = spread(1.0)
    q = r = spread(1.0)
    for i in range(2):
        d = L.P + pair + 2 * i
        span = _span(d, p, c, vs)
        tile = load(vs, V.TILE + L.NDIM * c + d)
        joined = (shared & spread(1 << (near + 2 * i))) != spread(0)
        tile = select(joined, least(span, tile * load(vs, V.FACTOR + near + 2 * i)), tile)
        repeat *= span / tile
        q, r = r, tile
    return repeat * touched(q, r, ws[X.GAP + 2 * pair], ws[X.GAP + 2 * pair + 1])


@step
def _first_words(t, p, c, vs, bs, ws, iw):
    """Words of `t` that one instance of `p` exchanges for one tile in every child `c` under it."""
    axes = 0
    for m in range(p, c):
        axes += iw[X.AXES + m]
    if axes == 0:
        return load(vs, V.WORDS + L.NTENSOR * c + t)
    nothing = spread(0)
    free = free_of(t)
    apart = load(bs, V.NO_REDUCTION if t == L.O else V.NO_MULTICAST)
    words = spread(1.0)
    for d in range(L.NDIM):
        if iw[X.PROBLEM + d] == 1:
            continue
        if not (free >> d) & 1:
            if not (t == L.I and d >= L.P):
                words *= _span(d, p, c, vs)
            continue
        for m in range(p, c):
            if iw[X.AXES + m]:
                at = L.NDIM * m + d
                alone = (apart & spread(1 << at)) != nothing
                words *= select(alone, load(vs, V.FACTOR + at), spread(1.0))
    if t == L.I:
        words *= _span_rows(0, p, c, vs, bs, ws) * _span_rows(1, p, c, vs, bs, ws)
    return words


@step
def _outer_time(t, p, c, way, vs, bs, ws, iw):
    """Cycles at the parent's port for the tiles of all children."""
    cpb = ws[X.MEMORY + L.MEM_COLS * p + L.READ_CPB + _PORT * way + t]
    if cpb == 0.0:
        return spread(0.0)
    return _first_words(t, p, c, vs, bs, ws, iw) * spread(X.width(p, t, ws)) * spread(cpb)


@inlined
def _inner_time(t, c, way, vs, ws):
    """Cycles at the child's port for its tile."""
    words = load(vs, V.WORDS + L.NTENSOR * c + t) * spread(X.width(c, t, ws))
    return words * spread(ws[X.MEMORY + L.MEM_COLS * c + L.READ_CPB + _PORT * way + t])


@step
def ramps(vs, bs, ws, iw):
    """(ramp-up, ramp-down) in cycles."""
    ramp_up = spread(0.0)
    ramp_down = spread(0.0)
    for c in range(1, iw[X.MEMORIES] & 7):
        if iw[X.KIND + c]:
            continue
        at = X.PARENT + L.NTENSOR * c
        p_w = iw[at + L.W]
        p_i = iw[at + L.I]
        p_o = iw[at + L.O]
        out_w = in_w = out_i = in_i = spread(0.0)
        if p_w >= 0:
            in_w = _inner_time(L.W, c, L.WRITE, vs, ws)
            out_w = _outer_time(L.W, p_w, c, L.READ, vs, bs, ws, iw)
        if p_i >= 0:
            in_i = _inner_time(L.I, c, L.WRITE, vs, ws)
            out_i = _outer_time(L.I, p_i, c, L.READ, vs, bs, ws, iw)
        inner = in_w + in_i if iw[X.TOGETHER + 2 * c + L.WRITE] else most(in_w, in_i)
        together = p_w == p_i and p_w >= 0 and iw[X.TOGETHER + 2 * p_w + L.READ]
        outer = out_w + out_i if together else most(out_w, out_i)
        ramp_up += most(inner, outer)
        if p_o >= 0:
            inner = _inner_time(L.O, c, L.READ, vs, ws)
            ramp_down += most(inner, _outer_time(L.O, p_o, c, L.WRITE, vs, bs, ws, iw))
    return ramp_up, ramp_down
