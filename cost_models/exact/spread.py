"""Spatial choices: a dimension and a factor for each axis, listed with what they cost at least.

Axes are given their part one after the other; a partial choice is dropped once even full use of the axes
left cannot make it fast enough, a complete one once its bound says so.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.exact import partial as B
from cost_models.exact import tiles as T
from cost_models.exact.best import ANY, EDP, FRONT, NOW, hopeless, score
from cost_models.exact.records import Spatial
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import geometry
from cost_models.loopnest.ports import busiest, clear_loads

_SLOTS = L.MAX_MEMORIES * L.MAX_AXES


@step
def _macs(ws, iw):
    """Energy of all multiplications in pJ."""
    if iw[X.PROBLEM + L.HAS_MACS] == 0:
        return 0.0
    return (
        ws[X.MACHINE + L.MAC_PJ] * ws[X.SIZE + L.O] * ws[X.TILE + L.C] * ws[X.TILE + L.R] * ws[X.TILE + L.S]
    )


@step
def spread(b, shape, spatial, ws, iw):
    """Set up the fan-outs of spatial choice `b`; returns (cycles to compute, pJ of MACs and hops).

    Leaves what the MACs exchange on the ports.
    """
    M = iw[X.MEMORIES] & 7
    geometry(b, spatial.union, spatial.dim, spatial.factor, ws, iw)
    if shape != T.DIVISORS:
        iw[X.INEXACT] = X.RELAXED | (B.IDLE if shape == T.LEGAL else 0)
        for d in range(L.NDIM):
            ws[X.TILES + L.NDIM * M + d] = ws[X.TILE + d]
    points = 1.0
    steps = 1.0
    for d in range(L.NDIM):
        spread = 1.0
        for m in range(M):
            spread *= ws[X.FACTOR + L.NDIM * m + d]
        points *= ws[X.TILE + d]
        steps *= np.ceil(ws[X.TILE + d] / spread)
    if ws[X.MACHINE + L.UNIT_RATE] > 0.0:
        steps = np.ceil(points / ws[X.MACHINE + L.UNIT_RATE])
    elif iw[X.PROBLEM + L.HAS_MACS]:
        steps *= 1.0 + ws[X.MACHINE + L.EXTRA_CYCLES]
    else:  # the unit as wide as the array needs no spatial choice
        steps = min(steps, np.ceil(points / ws[X.PES]))
    clear_loads(ws, iw)
    pj = B.to_macs(ws, iw) + _macs(ws, iw)
    return steps, pj


@step
def _glance(b, shape, spatial, whole, ws, iw):
    """(cycles, pJ without leakage) that spatial choice `b` costs at least; `whole` int64[1, 8] is scratch."""
    latency, pj = spread(b, shape, spatial, ws, iw)
    time, own = busiest(0, ws, iw)
    latency = max(latency, time)
    pj += own
    exposed = 0.0
    for d in range(L.NDIM):
        whole[0, d] = iw[X.PROBLEM + d]
    for c in range(1, iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            whole[0, d] = np.int64(np.ceil(whole[0, d] / ws[X.FACTOR + L.NDIM * (c - 1) + d]))
        B.put_tile(c, whole, 0, False, ws, iw)
        own, time = B.tile_alone(c, ws, iw)
        pj += own
        if iw[X.KIND + c]:
            exposed += time
        else:
            latency = max(latency, time)
    return B.ROUNDING * (latency + exposed), B.ROUNDING * pj


@step
def _smallest(shape, spatial, iw):
    """Fill row 0 of the choices with the smallest union tiles that leave memories further in what they need.

    Returns whether the layer is large enough for them.
    """
    for d in range(L.NDIM):
        rest = np.int64(1)
        for m in range((iw[X.MEMORIES] & 7) - 1, -1, -1):
            every = np.int64(1)
            least = np.int64(1)
            for i in range(iw[X.AXES + m]):
                a = iw[X.AXES + m] - 1 - i
                f = np.int64(spatial.factor[0, m, a])
                if f < 2 or spatial.dim[0, m, a] != d:
                    continue
                every *= f
                least = max(least, f)
                if shape == T.ALL:  # every instance has work
                    rest = max(f, (rest - 1) * f + 1, (f - 1) * rest + 1) if rest > 1 else f
            if shape == T.DIVISORS:
                rest *= every
            elif shape == T.LEGAL:
                rest = max(least, (rest - 1) * every + 1)
            spatial.union[0, m, d] = rest
        if rest > iw[X.PROBLEM + d]:
            return False
    return True


@step
def _may(m, a, d, f, allowed, factor, iw):
    """Whether axis `a` below memory `m` may carry `d` in `f` parts, beside the axes that share its lanes."""
    fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    if not (allowed[m, a] >> d) & 1 or f > iw[fan + L.AXIS_SIZE]:
        return False
    host = iw[fan + L.LANES]
    lanes = f
    for other in range(L.MAX_AXES):
        shares = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + other) + L.LANES] == host
        if shares and other != a and factor[0, m, other] > 1:
            lanes *= np.int64(factor[0, m, other])
    return lanes <= iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + host) + L.AXIS_SIZE]


@step
def _twin(m, a, other, ws, iw):
    """Whether two axes below memory `m` differ in nothing that costs."""
    one = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    two = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + other)
    hop = X.MEMORY + L.MEM_COLS * m + L.HOP_PJ
    far = X.MEMORY + L.MEM_COLS * m + L.HOP_MORE
    same = ws[hop + a] == ws[hop + other] and ws[far + a] == ws[far + other]
    for power in (L.MULTICAST, L.REDUCTION, L.FORWARDING):
        same &= iw[one + power] == iw[two + power]
    return same


@step
def _again(shape, allowed, spatial, ws, iw):
    """Whether two axes that are alike could be swapped, and the choice is the later one of the two."""
    dim, factor = spatial.dim, spatial.factor
    for m in range(iw[X.MEMORIES] & 7):
        for a in range(iw[X.AXES + m]):
            for other in range(a):
                d, f = dim[0, m, a], factor[0, m, a]
                e, g = dim[0, m, other], factor[0, m, other]
                later = f > g or (f == g and d > e)
                if (
                    not later
                    or not _twin(m, a, other, ws, iw)
                    or (d == e and f > 1 and g > 1 and shape != T.DIVISORS)
                ):
                    continue
                factor[0, m, a], factor[0, m, other] = g, f
                fine = f < 2 or _may(m, other, np.int64(d), np.int64(f), allowed, factor, iw)
                fine &= g < 2 or _may(m, a, np.int64(e), np.int64(g), allowed, factor, iw)
                factor[0, m, a], factor[0, m, other] = f, g
                if fine:
                    return True
    return False


@kernel
def list_spreads(problem, machine, allowed, shape, floor, found, most, stop):
    """Spatial choices that may be worth a look, ways that differ in nothing that costs taken about once.

    allowed    int64[M, A], bit d: the axis may carry dimension d
    shape      what tiles may be, see `tiles`
    floor      float64[2]: cycles, and pJ without leakage, that any mapping costs
    found      what has to be beaten; with objective ANY none are left out
    most       the most to list

    Returns (`Spatial`, bounds on the objective float64[S], how many were hopeless, whether these are all):
    the list is cut short once stop[NOW] is not 0.
    """
    ws, iw = X.prepare(problem, machine)
    fan = machine.fan
    M = len(fan)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    place = np.zeros((_SLOTS, 2), np.int64)
    slots = 0
    for m in range(M):
        for a in range(L.MAX_AXES):
            if fan[m, a, L.AXIS_SIZE] > 1:
                place[slots, 0], place[slots, 1] = m, a
                slots += 1
    lanes_left = np.ones(_SLOTS + 1)
    for s in range(slots - 1, -1, -1):
        lanes_left[s] = lanes_left[s + 1] * fan[place[s, 0], place[s, 1], L.AXIS_SIZE]
    points = 1.0
    for d in range(L.NDIM):
        points *= problem[d]
    left = np.ones((_SLOTS + 1, L.NDIM), np.int64)
    for d in range(L.NDIM):
        left[0, d] = problem[d]
    used = np.ones(_SLOTS + 1)
    now = np.zeros((_SLOTS, 2), np.int64)  # dimension and factor at trial; dimension 8: unused, 9: done
    one_dim = np.zeros((1, M, L.MAX_AXES), np.int8)
    one_factor = np.zeros((1, M, L.MAX_AXES), np.int32)
    one = Spatial(one_dim, one_factor, np.ones((1, M, L.NDIM), np.int32))
    whole = np.ones((1, L.NDIM), np.int64)
    room = 256
    dims = np.zeros((room, M, L.MAX_AXES), np.int8)
    factors = np.zeros((room, M, L.MAX_AXES), np.int32)
    unions = np.ones((room, M, L.NDIM), np.int32)
    bounds = np.zeros(room)
    n = 0
    hopeless_ones = 0
    s = 0
    if slots > 0:
        now[0, 0] = -1
        now[0, 1] = 1
    while s >= 0:
        if stop[NOW] != 0 or n >= most:
            break
        if s == slots:
            s -= 1
            if _again(shape, allowed, one, ws, iw):
                continue
            if not _smallest(shape, one, iw):
                continue
            value = 0.0
            if found.objective != ANY:
                latency, pj = _glance(0, shape, one, whole, ws, iw)
                latency = max(latency, floor[0])
                pj = max(pj, floor[1])
                if hopeless(latency, pj, leak, found):
                    hopeless_ones += 1
                    continue
                value = B.ROUNDING * score(
                    EDP if found.objective == FRONT else found.objective, latency, pj, leak
                )
            if n == room:
                room *= 2
                dims = np.concatenate((dims, np.zeros_like(dims)))
                factors = np.concatenate((factors, np.zeros_like(factors)))
                unions = np.concatenate((unions, np.ones_like(unions)))
                bounds = np.concatenate((bounds, np.zeros_like(bounds)))
            dims[n] = one_dim[0]
            factors[n] = one_factor[0]
            unions[n] = one.union[0]
            bounds[n] = value
            n += 1
            continue
        m, a = place[s, 0], place[s, 1]
        d, f = now[s, 0], now[s, 1]
        if d > L.NDIM:  # both ways of the last one are done
            one_dim[0, m, a] = one_factor[0, m, a] = 0
            s -= 1
            continue
        f -= 1
        while d < L.NDIM and f < 2:  # the next dimension, all of the axis first
            d += 1
            f = 1
            if d < L.NDIM and (allowed[m, a] >> d) & 1:
                f = min(fan[m, a, L.AXIS_SIZE], problem[d] if shape == T.LEGAL else left[s, d])
        if d == L.NDIM:
            now[s, 0] = L.NDIM + 1
            one_dim[0, m, a] = one_factor[0, m, a] = 0
            used[s + 1] = used[s]
            for e in range(L.NDIM):
                left[s + 1, e] = left[s, e]
        else:
            now[s, 0], now[s, 1] = d, f
            one_dim[0, m, a] = one_factor[0, m, a] = 0
            if shape == T.DIVISORS and left[s, d] % f != 0:
                continue
            if not _may(m, a, d, f, allowed, one_factor, iw):
                continue
            one_dim[0, m, a], one_factor[0, m, a] = d, f
            used[s + 1] = used[s] * f
            for e in range(L.NDIM):
                left[s + 1, e] = left[s, e]
            left[s + 1, d] = -(-left[s, d] // f)
        if found.objective != ANY and problem[L.HAS_MACS] != 0 and ws[X.MACHINE + L.UNIT_RATE] == 0.0:
            latency = max(floor[0], points / (used[s + 1] * lanes_left[s + 1]))
            if hopeless(latency, floor[1], leak, found):
                hopeless_ones += 1
                one_dim[0, m, a] = one_factor[0, m, a] = 0
                continue
        s += 1
        if s < slots:
            now[s, 0] = -1
            now[s, 1] = 1
    return Spatial(dims[:n], factors[:n], unions[:n]), bounds[:n], hopeless_ones, s < 0
