"""Branch and bound over boxes of tiles, the most promising first; see `box` and `least`.

A box is cut in two where that raises the bound most. One of a single tile for each memory is left to
`chain`. What is found lies in `best` and the arrays beside it: the best mapping, or with objective
FRONT all that no other matches in one of latency and energy and beats in the other.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel, step
from cost_models.exact import box as F
from cost_models.exact import open as Q
from cost_models.exact.best import BY_BOUND, FRONT, LOOKED, NODES, NOW, PRICED, TRIED
from cost_models.exact.chain import SUMS, chain
from cost_models.exact.least import CYCLES, FIXED, LOADS, PJ, PORTS, least_of_box, note_shares
from cost_models.exact.partial import put_tile
from cost_models.exact.records import Desk
from cost_models.exact.spread import spread
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.records import Batch

_NARROW = 512  # free slots below which boxes are searched depth first: one more for each cut on the way down


@kernel
def new_desk(M, iw):
    """Scratch for a machine of `M` memories."""
    return Desk(
        fixed=np.zeros(FIXED),
        share=np.ones((2, M, L.NDIM)),
        part=np.zeros((M, L.NTENSOR, 3, 5)),
        facts=np.zeros((M, F.FACTS), np.int64),
        corner=np.ones((2 * M, L.NDIM), np.int64),
        pad=np.zeros((2, M)),
        sums=np.zeros((SUMS, M)),
        loads=np.zeros((M, PORTS * iw[X.KINDS])),
        turn=np.zeros(M, np.int64),
        batch=Batch(
            np.ones((1, M, L.NDIM), np.int32),
            np.zeros((1, M, L.NDIM), np.int8),
            np.zeros((1, M, L.MAX_AXES), np.int8),
            np.zeros((1, M, L.MAX_AXES), np.int32),
        ),
    )


@step
def fix(b, spatial, shape, desk, ws, iw):
    """Set up spatial choice `b`: what it costs by itself, and its shares."""
    desk.fixed[CYCLES], desk.fixed[PJ] = spread(b, shape, spatial, ws, iw)
    for i in range(PORTS):
        desk.fixed[LOADS + i] = ws[X.LOAD + i]
    note_shares(b, spatial, desk.share, iw)


@step
def _copy(box, to, iw):
    for side in range(2):
        for c in range(1, iw[X.MEMORIES] & 7):
            for d in range(L.NDIM):
                to[side, c, d] = box[side, c, d]


@step
def _cut(where, upper, whole, box, iw):
    """Make `box` the lower or upper half of `whole` in one memory and dimension, 8 c + d."""
    _copy(whole, box, iw)
    c, d = where // L.NDIM, where % L.NDIM
    middle = (whole[0, c, d] + whole[1, c, d]) // 2
    if upper:
        box[0, c, d] = middle + 1
    else:
        box[1, c, d] = middle


@step
def _look(b, spatial, box, options, desk, counters, found, ws, iw):
    """Shrink a box; what no mapping in it is below, infinite if it is not worth a look."""
    counters.nodes[LOOKED] += 1
    if not F.shrink(b, spatial, box, options, ws, iw):
        return np.inf
    return least_of_box(box, options, desk, found, counters.pruned, ws, iw)


@step
def _where(key, b, spatial, whole, box, options, desk, counters, found, ws, iw):
    """Memory and dimension, 8 c + d, the larger tiles of which matter most, -1 for single tiles.

    That is where the bound rises most without them; of equals the widest range.
    """
    values = options.values
    where = -1
    most = 0.0
    for c in range(1, iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            if whole[0, c, d] == whole[1, c, d]:
                continue
            _cut(L.NDIM * c + d, False, whole, box, iw)
            value = _look(b, spatial, box, options, desk, counters, found, ws, iw)
            rise = min(1.0, value / key - 1.0) if key > 0.0 and value > key else 0.0
            width = np.log(values[d, whole[1, c, d]] / values[d, whole[0, c, d]])
            score = (rise + 1e-6) * (1.0 + 1e-3 * width)
            if score > most:
                where, most = L.NDIM * c + d, score
    return where


@kernel
def search(problem, machine, spatial, bounds, ranked, options, most, waiting, counters, found):
    """Search choices `ranked` int64[S] of `spatial`, by rising `bounds` float64[S]; improves `found`.

    most      boxes that there may be room for at most
    waiting   what is left to do, `Waiting.empty` in the beginning

    Returns what nothing that is left to do is below, infinite when done. It ends before that as `stop`
    says, or to be called again with longer arrays.
    """
    M = len(machine.holds)
    ws, iw = X.prepare(problem, machine)
    exact_ws, exact_iw = X.prepare(problem, machine)
    desk = new_desk(M, iw)
    whole = np.zeros((2, M, L.NDIM), np.int64)
    box = np.zeros((2, M, L.NDIM), np.int64)
    for d in range(L.NDIM):
        desk.batch.order[0, M - 1, d] = options.orders[M - 1, 0, d]
        desk.corner[0, d] = desk.corner[1, d] = problem[d]
    boxes, owner, keys, links, state = waiting
    stop, nodes, pruned = counters
    single = found.objective != FRONT
    b = np.int64(-1)
    while True:
        at = state[Q.AT]
        glance = bounds[ranked[at]] if at < len(ranked) else np.inf
        least = min(glance, Q.least_key(keys, links, state))
        narrow = Q.room(links, state) < _NARROW
        if narrow and len(keys) < most:
            return least
        if stop[NOW] != 0 or nodes[LOOKED] >= stop[NODES] or nodes[TRIED] >= stop[PRICED]:
            return least
        first = state[Q.STACK] > 0
        if not first and (least == np.inf or (single and least >= found.value[0, 0])):
            return np.inf
        opens = not first and glance <= least
        if first:
            state[Q.STACK] -= 1
            slot = links[Q.STACK, state[Q.STACK]]
        elif opens:
            slot = Q.take_slot(links, state)
            owner[slot] = ranked[at]
            keys[slot] = glance
            state[Q.AT] += 1
        else:
            slot = Q.take(keys, links, state)
        key = keys[slot]
        if single and key >= found.value[0, 0]:
            pruned[BY_BOUND] += 1
            Q.give_back(slot, links, state)
            continue
        if owner[slot] != b:
            b = owner[slot]
            fix(b, spatial, options.shape, desk, ws, iw)
        where = np.int64(-1)
        if not opens:
            _copy(boxes[slot], whole, iw)
            where = _where(key, b, spatial, whole, box, options, desk, counters, found, ws, iw)
        if not opens and where < 0:
            F.put_corners(whole, options.values, desk.corner, iw)
            for c in range(1, M):
                put_tile(c, desk.corner, 2 * c, False, ws, iw)
            for m in range(M):
                for a in range(L.MAX_AXES):
                    desk.batch.axis_dim[0, m, a] = spatial.dim[b, m, a]
                    desk.batch.axis_factor[0, m, a] = spatial.factor[b, m, a]
            if chain(b, spatial, options, desk, counters, found, ws, iw, exact_ws, exact_iw):
                Q.give_back(slot, links, state)
            else:
                Q.put(slot, keys, links, state)
            continue
        Q.give_back(slot, links, state)
        other = np.int64(-1)
        for upper in range(1 if opens else 2):
            if opens:
                F.root(box, options.values, iw)
            else:
                _cut(where, upper == 1, whole, box, iw)
            value = _look(b, spatial, box, options, desk, counters, found, ws, iw)
            if value == np.inf:
                continue
            slot = Q.take_slot(links, state)
            owner[slot] = b
            keys[slot] = max(key, value)
            _copy(box, boxes[slot], iw)
            if other >= 0 and keys[other] < keys[slot]:
                other, slot = slot, other
            if other >= 0 and narrow:
                Q.put_first(other, links, state)
            elif other >= 0:
                Q.put(other, keys, links, state)
            other = slot
        if other >= 0 and narrow:
            Q.put_first(other, links, state)
        elif other >= 0:
            Q.put(other, keys, links, state)
