"""What any mapping of a box costs at least, its memories taken together.

Every count falls as a tile grows, so the largest corner bounds traffic; the smallest bounds what the first
and last tiles take. What memories exchange adds up on their ports. The innermost of all loops above a memory
is free to at most one tensor, which alone may stay while loops run. It stays for the loops inside the
innermost memory with a loop that it surely depends on, and for loops of that memory only if its order
favours the tensor. One order serves all memories further in: the bound is the least over all ways to
favour.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.exact import box as F
from cost_models.exact import partial as B
from cost_models.exact.best import BY_BOUND, BY_SIZE, EDP, FRONT, hopeless, score
from cost_models.exact.steps import box_steps
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import free_of, merging
from cost_models.loopnest.ports import busiest

# `fixed` float64[FIXED]: what a spatial choice costs by itself, and what the MACs put on the ports
CYCLES, PJ, LOADS = range(3)
PORTS = L.MAX_MEMORIES * L.NUSER
FIXED = LOADS + PORTS

# `part` float64[M, 3, 3, 5]: of each memory and tensor the bits read and written at the parent, at the
# child, and the pJ of the hops, where it is refilled at each loop, favoured, or stays for loops further in
REFILLED, FAVOURED, LEFT = range(3)
_PARTS = 5
_HOPS = 4

_ALL = (1 << L.NDIM) - 1


@step
def note_shares(b, spatial, share, iw):
    """Fill `share` float64[2, M, 8]: union tile over instance tile, at least; row 1 for tiles of 1.

    All instances of an axis of f have work, the last from element (f - 1) t + 1 on. So the union tile is at
    least f - 1 + 1 / t times the tile, and as the tile is rounded up, f - (f - 1) / t times; the larger of
    both is least where t = f.
    """
    idle = iw[X.INEXACT] & B.IDLE
    for m in range(iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            share[0, m, d] = share[1, m, d] = 1.0
            one = 1.0
            for i in range(iw[X.AXES + m]):
                a = iw[X.AXES + m] - 1 - i
                f = np.float64(spatial.factor[b, m, a])
                if f < 2.0 or spatial.dim[b, m, a] != d or idle:
                    continue
                if iw[X.INEXACT] & X.RELAXED:
                    share[0, m, d] *= f - 1.0 + 1.0 / f
                    share[1, m, d] *= f - 1.0 + 1.0 / min(one, f)
                    one *= f
                else:
                    share[0, m, d] *= f
                    share[1, m, d] *= f


@step
def _fill(t, p, c, level, inside, rows, share, ws, iw):
    """Charge what memory `c` exchanges with parent `p`, where loops of `level` and further in refill nothing.

    Of loops of `level` itself that is so for the set `inside`. `level` = c: every loop refills.
    """
    free = free_of(t)
    one_for_all = merging(t, iw)
    child = parent = distinct = ws[X.SIZE + t]
    for d in range(L.NDIM):
        if not (free >> d) & 1:
            continue
        start = level if (inside >> d) & 1 else level + 1
        fills = ws[X.TILES + L.NDIM * start + d]
        merged = fills
        if iw[X.SPLIT] & (X.EVERY_MEMORY << d):
            shared = False
            for m in range(c):
                at = L.NDIM * m + d
                merges = m >= p and (one_for_all >> at) & 1 == 1
                shared |= merges
                if m < p:
                    distinct *= ws[X.FACTOR + at]
                if m >= start:
                    some = share[np.int64(ws[X.TILE + L.NDIM * (m + 1) + d] == 1.0), m, d]
                    fills *= some
                    merged *= 1.0 if merges else some
                elif merges:
                    merged /= ws[X.FACTOR + at]
            if start == 0:
                fills = max(fills, B.instances(d, c, ws, iw))
            if not shared:
                merged = fills
        if iw[X.INEXACT] & X.RELAXED:
            fills = np.ceil(B.ROUNDING * fills)
            merged = np.ceil(B.ROUNDING * merged)
        child *= fills
        parent *= merged
    if t == L.I:
        child *= rows
        parent *= rows
    return B.hand_down(t, p, c, child, parent, distinct, ws, iw)


@step
def _note(t, p, c, way, level, inside, rows, desk, ws, iw):
    """Fill a row of `part`."""
    part = desk.part
    kind = X.LOAD + PORTS * iw[X.KIND + c]
    outer = kind + L.NUSER * p + t
    inner = kind + L.NUSER * c + t
    for i in range(2):
        ws[outer + L.NTENSOR * i] = 0.0
        ws[inner + L.NTENSOR * i] = 0.0
    part[c, t, way, _HOPS] = _fill(t, p, c, level, inside, rows, desk.share, ws, iw)
    for i in range(2):
        part[c, t, way, i] = ws[outer + L.NTENSOR * i]
        part[c, t, way, 2 + i] = ws[inner + L.NTENSOR * i]


@step
def _no_more(c, t, way, than, part):
    """Make what one way costs no more than another does; returns whether it is less anywhere."""
    less = False
    for k in range(_PARTS):
        if part[c, t, way, k] < part[c, t, than, k]:
            less = True
        else:
            part[c, t, way, k] = part[c, t, than, k]
    return less


@step
def _note_all(desk, ws, iw):
    """Fill `part` for all memories, and who may be favoured: FAVOURS, CHOICES, TENSOR of `facts`."""
    facts, part = desk.facts, desk.part
    M = iw[X.MEMORIES] & 7
    for c in range(1, M):
        facts[c, F.FAVOURS] = 0
    for c in range(1, M):
        rows = B.least_rows(c, ws)
        for t in range(L.NTENSOR):
            p = iw[X.PARENT + L.NTENSOR * c + t]
            if p < 0:
                continue
            s = facts[c, F.REACH + t]
            inside = facts[s, F.INSIDE + t] if s >= 0 else _ALL
            _note(t, p, c, REFILLED, c, _ALL, rows, desk, ws, iw)
            _note(t, p, c, FAVOURED, max(s, 0), inside, rows, desk, ws, iw)
            if 0 <= s < c - 1:
                _note(t, p, c, LEFT, s + 1, _ALL, rows, desk, ws, iw)
                _no_more(c, t, LEFT, REFILLED, part)
                if _no_more(c, t, FAVOURED, LEFT, part):
                    facts[s + 1, F.FAVOURS] |= 1 << t
            if _no_more(c, t, FAVOURED, REFILLED, part):
                facts[c, F.FAVOURS] |= 1 << t
    for c in range(1, M):
        n = 0
        for t in range(L.NTENSOR):
            if (facts[c, F.FAVOURS] >> t) & 1:
                facts[c, F.TENSOR + n] = t
                n += 1
        if n == 0:  # whichever
            facts[c, F.TENSOR] = L.W
            n = 1
        facts[c, F.CHOICES] = n
        facts[c, F.NOW] = 0


@step
def _load(desk, ws, iw):
    """Put on the ports what all memories exchange, favoured as `facts` says; returns the pJ of the hops."""
    facts, part = desk.facts, desk.part
    M = iw[X.MEMORIES] & 7
    for i in range(PORTS * iw[X.KINDS]):
        ws[X.LOAD + i] = desk.fixed[LOADS + i] if i < PORTS else 0.0
    hops = 0.0
    for c in range(1, M):
        favoured = facts[c, F.TENSOR + facts[c, F.NOW]]
        kind = X.LOAD + PORTS * iw[X.KIND + c]
        for t in range(L.NTENSOR):
            p = iw[X.PARENT + L.NTENSOR * c + t]
            if p < 0:
                continue
            way = REFILLED
            if favoured == t:
                way = FAVOURED
                below = facts[c, F.REACH + t] + 1
                if 0 < below < c and facts[below, F.TENSOR + facts[below, F.NOW]] != t:
                    way = LEFT
            for i in range(2):
                ws[kind + L.NUSER * p + t + L.NTENSOR * i] += part[c, t, way, i]
                ws[kind + L.NUSER * c + t + L.NTENSOR * i] += part[c, t, way, 2 + i]
            hops += part[c, t, way, _HOPS]
    return hops


@step
def _next(facts, iw):
    """Go on to the next way to favour; False after the last one."""
    for c in range(1, iw[X.MEMORIES] & 7):
        facts[c, F.NOW] += 1
        if facts[c, F.NOW] < facts[c, F.CHOICES]:
            return True
        facts[c, F.NOW] = 0
    return False


@step
def _ramp(c, ws, iw):
    """Cycles of the first and last tile of memory `c`, at least: as `ports.ramps`, for one child."""
    inner = 0.0
    outer = 0.0
    down = 0.0
    at = X.PARENT + L.NTENSOR * c
    for t in range(L.NTENSOR):
        p = iw[at + t]
        if p < 0 or iw[X.KIND + c]:
            continue
        way = L.WRITE if t == L.O else L.READ
        words = ws[X.WORDS + L.NTENSOR * c + t]
        cpb = X.MEMORY + L.READ_CPB + t
        mine = words * X.width(c, t, ws) * ws[cpb + L.MEM_COLS * c + L.NTENSOR * (1 - way)]
        theirs = words * X.width(p, t, ws) * ws[cpb + L.MEM_COLS * p + L.NTENSOR * way]
        if t == L.O:
            down = max(mine, theirs)
            continue
        inner = inner + mine if iw[X.TOGETHER + 2 * c + L.WRITE] else max(inner, mine)
        together = iw[at + L.W] == iw[at + L.I] and iw[X.TOGETHER + 2 * p + L.READ]
        outer = outer + theirs if together else max(outer, theirs)
    return max(inner, outer) + down


@step
def least_of_box(box, options, desk, found, pruned, ws, iw):
    """The objective that no mapping of a box is below, infinite if none fits or is worth a look.

    For FRONT the product of cycles and pJ; infinite if dominated.
    """
    corner, facts, fixed = desk.corner, desk.facts, desk.fixed
    M = iw[X.MEMORIES] & 7
    F.put_corners(box, options.values, corner, iw)
    F.know(options.orders, corner, facts, ws, iw)
    ramp = 0.0
    for c in range(1, M):
        if not B.put_tile(c, corner, 2 * c, facts[c, F.PARTIAL] != 0, ws, iw):
            pruned[BY_SIZE] += 1
            return np.inf
        ramp += _ramp(c, ws, iw)
    for c in range(1, M):
        B.put_tile(c, corner, 2 * c + 1, False, ws, iw)
    steps = box_steps(fixed[CYCLES], corner, box, options.values, desk.pad, ws, iw)
    _note_all(desk, ws, iw)
    leak = ws[X.MACHINE + L.LEAK_PJ]
    goal = EDP if found.objective == FRONT else found.objective
    least = np.inf
    more = True
    while more:
        pj = fixed[PJ] + _load(desk, ws, iw)
        hidden = steps
        exposed = ramp
        for kind in range(iw[X.KINDS]):
            time, own = busiest(kind, ws, iw)
            pj += own
            if kind == 0:
                hidden = max(hidden, time)
            else:
                exposed += time
        if not hopeless(hidden + exposed, pj, leak, found):
            least = min(least, B.ROUNDING * score(goal, hidden + exposed, pj, leak))
        more = _next(facts, iw)
    if least == np.inf:
        pruned[BY_BOUND] += 1
    return least
