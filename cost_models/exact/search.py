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
from cost_models.exact.best import FRONT, NODES, NOW, PRICED
from cost_models.exact.chain import SUMS, chain
from cost_models.exact.least import CYCLES, FIXED, LOADS, PJ, PORTS, least_of_box, note_shares
from cost_models.exact.partial import put_tile
from cost_models.exact.spread import spread
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X

# What a branch was cut by: the places in `pruned` of those too large, then too dear; before them the three of
# `chain`
BY_SIZE = 3

_NARROW = 512  # free slots below which boxes are searched depth first: one more for each cut on the way down


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
def _look(
    shape, objective, b, union, axis_dim, axis_factor, box, values, orders, corner, facts, part, share, pad,
    fixed, best, held, nodes, pruned, ws, iw,
):  # fmt: skip
    """Shrink a box; what no mapping in it is below, infinite if it is not worth a look."""
    nodes[0] += 1
    if not F.shrink(shape, b, union, box, values, axis_dim, axis_factor, ws, iw):
        return np.inf
    return least_of_box(
        objective, box, values, orders, corner, facts, part, share, pad, fixed, best, held, pruned, ws, iw
    )


@step
def _where(
    key, shape, objective, b, union, axis_dim, axis_factor, whole, box, values, orders, corner, facts, part,
    share, pad, fixed, best, held, nodes, pruned, ws, iw,
):  # fmt: skip
    """Memory and dimension, 8 c + d, the larger tiles of which matter most, -1 for single tiles.

    That is where the bound rises most without them; of equals the widest range.
    """
    where = -1
    most = 0.0
    for c in range(1, iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            if whole[0, c, d] == whole[1, c, d]:
                continue
            _cut(L.NDIM * c + d, False, whole, box, iw)
            value = _look(
                shape, objective, b, union, axis_dim, axis_factor, box, values, orders, corner, facts, part,
                share, pad, fixed, best, held, nodes, pruned, ws, iw,
            )  # fmt: skip
            rise = min(1.0, value / key - 1.0) if key > 0.0 and value > key else 0.0
            width = np.log(values[d, whole[1, c, d]] / values[d, whole[0, c, d]])
            score = (rise + 1e-6) * (1.0 + 1e-3 * width)
            if score > most:
                where, most = L.NDIM * c + d, score
    return where


@kernel
def search(
    problem, holds, fan, memory, machine, shape, union, axis_dim, axis_factor, bounds, ranked, objective,
    orders, values, most, boxes, owner, keys, links, state,
    stop, best, held, best_tile, best_order, best_spatial, nodes, pruned,
):  # fmt: skip
    """Search spatial choices `ranked` int64[S], by rising `bounds` float64[S].

    orders    int64[M, n, 10], -1 where a memory has fewer: eight dimensions, then sets of bits: all of these
              loops present, all of these absent
    values    int64[8, n], sizes that tiles may have, 0 where there are fewer
    boxes     int32[n, 2, M, 8], the spatial choice `owner` int64[n] of each, and `keys`, `links`, `state` as
              in `open`: what is left to do; `state` all 0 in the beginning
    most      boxes that there may be room for at most
    stop      int64[3], see `best`
    best      float64[n, 2], held int64[1], best_tile int32[n, M, 8], best_order int8[n, M, 8], best_spatial
              int64[n]: improved in place; n = 1, the first column being the objective, or for FRONT rows of
              cycles and pJ, held[0] of them, by rising cycles and falling energy
    nodes     int64[2]: boxes looked at, mappings priced; pruned int64[5]

    Returns what nothing that is left to do is below, infinite when done. It ends before that as `stop`
    says, or to be called again with longer arrays.
    """
    M = holds.shape[0]
    ws, iw = X.prepare(problem, holds, fan, memory, machine)
    exact_ws, exact_iw = X.prepare(problem, holds, fan, memory, machine)
    fixed = np.zeros(FIXED)
    share = np.ones((2, M, L.NDIM))
    part = np.zeros((M, L.NTENSOR, 3, 5))
    pad = np.zeros((2, M))
    facts = np.zeros((M, F.FACTS), np.int64)
    corner = np.ones((2 * M, L.NDIM), np.int64)
    whole = np.zeros((2, M, L.NDIM), np.int64)
    box = np.zeros((2, M, L.NDIM), np.int64)
    sums = np.zeros((SUMS, M))
    loads = np.zeros((M, PORTS * iw[X.KINDS]))
    turn = np.zeros(M, np.int64)
    tile = np.ones((1, M, L.NDIM), np.int32)
    order = np.zeros((1, M, L.NDIM), np.int8)
    dims = np.zeros((1, M, L.MAX_AXES), np.int8)
    factors = np.zeros((1, M, L.MAX_AXES), np.int32)
    for d in range(L.NDIM):
        order[0, M - 1, d] = orders[M - 1, 0, d]
        corner[0, d] = corner[1, d] = problem[d]
    cut = pruned[BY_SIZE:]
    b = np.int64(-1)
    while True:
        at = state[Q.AT]
        glance = bounds[ranked[at]] if at < len(ranked) else np.inf
        least = min(glance, Q.least_key(keys, links, state))
        narrow = Q.room(links, state) < _NARROW
        if narrow and len(keys) < most:
            return least
        if stop[NOW] != 0 or nodes[0] >= stop[NODES] or nodes[1] >= stop[PRICED]:
            return least
        first = state[Q.STACK] > 0
        if not first and (least == np.inf or (objective != FRONT and least >= best[0, 0])):
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
        if objective != FRONT and key >= best[0, 0]:
            cut[1] += 1
            Q.give_back(slot, links, state)
            continue
        if owner[slot] != b:
            b = owner[slot]
            fixed[CYCLES], fixed[PJ] = spread(b, shape, union, axis_dim, axis_factor, ws, iw)
            for i in range(PORTS):
                fixed[LOADS + i] = ws[X.LOAD + i]
            note_shares(b, axis_dim, axis_factor, share, iw)
        where = np.int64(-1)
        if not opens:
            _copy(boxes[slot], whole, iw)
            where = _where(
                key, shape, objective, b, union, axis_dim, axis_factor, whole, box, values, orders, corner,
                facts, part, share, pad, fixed, best, held, nodes, cut, ws, iw,
            )  # fmt: skip
        if not opens and where < 0:
            F.put_corners(whole, values, corner, iw)
            for c in range(1, M):
                put_tile(c, corner, 2 * c, False, ws, iw)
            for m in range(M):
                for a in range(L.MAX_AXES):
                    dims[0, m, a] = axis_dim[b, m, a]
                    factors[0, m, a] = axis_factor[b, m, a]
            done = chain(
                shape, objective, b, axis_dim, axis_factor, orders, fixed, sums, loads, turn, tile, order,
                dims, factors, stop, best, held, best_tile, best_order, best_spatial, nodes, pruned, ws, iw,
                exact_ws, exact_iw,
            )  # fmt: skip
            if done:
                Q.give_back(slot, links, state)
            else:
                Q.put(slot, keys, links, state)
            continue
        Q.give_back(slot, links, state)
        other = np.int64(-1)
        for upper in range(1 if opens else 2):
            if opens:
                F.root(box, values, iw)
            else:
                _cut(where, upper == 1, whole, box, iw)
            value = _look(
                shape, objective, b, union, axis_dim, axis_factor, box, values, orders, corner, facts, part,
                share, pad, fixed, best, held, nodes, cut, ws, iw,
            )  # fmt: skip
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
