"""Boxes of tiles: a range of sizes for each memory and dimension, all memories together.

A box is int64[2, M, 8], places in `values` of the smallest and of the largest tile of each memory; row 0,
the outermost, is not used. Its corners are those tiles. What no mapping can be is cut off its sides, and
what is certain about its loops is noted in `facts` int64[M, FACTS].
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step
from cost_models.exact import tiles as T
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.nest import FREE_O, free_of

# Columns of `facts`
SURE = 0  # of memory m: bit d, the loop over d is there in all mappings of the box
MAY = 1  # ... in some
INSIDE = 2  # 2, 3, 4: of W, I, O: loops free to it that may stand inside all that it depends on
PARTIAL = 5  # whether the outputs in memory m are partial sums in all mappings
REACH = 6  # 6, 7, 8: the innermost memory outside m with a loop that W, I, O surely depends on; -1: none
FAVOURS = 9  # bit t: tensors that gain if the innermost loop above memory m is free to them
CHOICES = 10  # how many tensors these are, at least one
NOW = 11  # number of the one that is looked at
TENSOR = 12  # 12, 13, 14: these tensors
FACTS = 15


@step
def root(box, values, iw):
    """Make `box` all tiles."""
    for d in range(L.NDIM):
        n = 0
        while n < values.shape[1] and values[d, n] > 0:
            n += 1
        for c in range(1, iw[X.MEMORIES] & 7):
            box[0, c, d] = 0
            box[1, c, d] = n - 1


@step
def _from_outside(d, box, options, ws, iw):
    """Cut off tiles too large for what stands above; False if nothing is left."""
    shape, values = options.shape, options.values
    above = iw[X.PROBLEM + d]
    for c in range(1, iw[X.MEMORIES] & 7):
        f = np.int64(ws[X.FACTOR + L.NDIM * (c - 1) + d])
        most = above // f if shape == T.DIVISORS else -(-above // f)
        k = box[1, c, d]
        while k >= box[0, c, d] and values[d, k] > most:
            k -= 1
        box[1, c, d] = k
        if k < box[0, c, d]:
            return False
        above = values[d, k]
    return True


@step
def _from_inside(d, b, spatial, box, options, ws, iw):
    """Cut off tiles too small for what stands below; False if nothing is left."""
    shape, values = options.shape, options.values
    M = iw[X.MEMORIES] & 7
    below = np.int64(1)
    for i in range(1, M):
        c = M - i
        f = np.int64(ws[X.FACTOR + L.NDIM * c + d])
        least = below * f
        if shape != T.DIVISORS:
            least = max((below - 1) * f + 1, np.int64(spatial.union[b, c, d]))
        k = box[0, c, d]
        while k <= box[1, c, d] and values[d, k] < least:
            k += 1
        box[0, c, d] = k
        if k > box[1, c, d]:
            return False
        below = values[d, k]
    return True


@step
def _divide(d, m, inner, by, box, values):
    """Cut off both sides of a memory's tiles what does not divide `by`, or is no multiple (`inner` false)."""
    while box[0, m, d] <= box[1, m, d]:
        size = values[d, box[0, m, d]]
        if (by % size if inner else size % by) == 0:
            break
        box[0, m, d] += 1
    while box[0, m, d] <= box[1, m, d]:
        size = values[d, box[1, m, d]]
        if (by % size if inner else size % by) == 0:
            break
        box[1, m, d] -= 1
    return box[0, m, d] <= box[1, m, d]


@step
def _pairs(d, b, spatial, box, options, ws, iw):
    """Whether neighbouring tiles go together, as far as one of the two has one size."""
    shape, values = options.shape, options.values
    for c in range(1, iw[X.MEMORIES] & 7):
        f = np.int64(ws[X.FACTOR + L.NDIM * (c - 1) + d])
        outer = c == 1 or box[0, c - 1, d] == box[1, c - 1, d]
        one = box[0, c, d] == box[1, c, d]
        whole = iw[X.PROBLEM + d]
        if c > 1 and outer:
            whole = values[d, box[0, c - 1, d]]
        if shape == T.DIVISORS:
            if outer:
                if whole % f != 0 or not _divide(d, c, True, whole // f, box, values):
                    return False
            elif one and not _divide(d, c - 1, False, values[d, box[0, c, d]] * f, box, values):
                return False
        elif f > 1 and outer and one:
            tile = values[d, box[0, c, d]]
            zero = np.int64(0)
            if T.next_union(shape, c - 1, d, tile, whole, zero, b, spatial, ws, iw) == 0:
                return False
    return True


@step
def shrink(b, spatial, box, options, ws, iw):
    """Cut off what no mapping of spatial choice `b` can be; returns whether anything may be left."""
    for d in range(L.NDIM):
        if iw[X.PROBLEM + d] > 1:
            fine = _from_outside(d, box, options, ws, iw)
            fine = fine and _from_inside(d, b, spatial, box, options, ws, iw)
            fine = fine and _pairs(d, b, spatial, box, options, ws, iw)
            if not fine:
                return False
    return True


@step
def put_corners(box, values, corner, iw):
    """Fill `corner` int64[2 M, 8] with the smallest and largest tile of memories 1 .. M - 1."""
    for c in range(1, iw[X.MEMORIES] & 7):
        for d in range(L.NDIM):
            corner[2 * c, d] = values[d, box[0, c, d]]
            corner[2 * c + 1, d] = values[d, box[1, c, d]]


@step
def _orders(m, orders, facts):
    """Note what may stand inside all that a tensor depends on: INSIDE of memory `m`."""
    sure = facts[m, SURE]
    may = facts[m, MAY]
    for t in range(L.NTENSOR):
        facts[m, INSIDE + t] = 0
    k = 0
    while k < orders.shape[1] and orders[m, k, 0] >= 0:
        if orders[m, k, L.NDIM] & ~may == 0 and orders[m, k, L.NDIM + 1] & sure == 0:
            for t in range(L.NTENSOR):
                free = free_of(t)
                for i in range(L.NDIM):
                    bit = 1 << orders[m, k, L.NDIM - 1 - i]
                    if free & bit:
                        facts[m, INSIDE + t] |= bit & may
                    elif sure & bit:
                        break
        k += 1


@step
def know(orders, corner, facts, ws, iw):
    """Fill SURE, MAY, INSIDE, PARTIAL and REACH of `facts` from the corners of a box."""
    M = iw[X.MEMORIES] & 7
    for m in range(M - 1):
        sure = 0
        may = 0
        for d in range(L.NDIM):
            f = ws[X.FACTOR + L.NDIM * m + d]
            sure |= np.int64(corner[2 * m, d] > corner[2 * m + 3, d] * f) << d
            may |= np.int64(corner[2 * m + 1, d] > (corner[2 * m + 2, d] - 1) * f + 1) << d
        facts[m, SURE] = sure
        facts[m, MAY] = may
        _orders(m, orders, facts)
    partial = iw[X.SPLIT] & (X.EVERY_MEMORY * FREE_O)
    met = False  # a loop over C, R or S
    ends = False  # one that makes outputs come back
    for c in range(1, M):
        here = facts[c - 1, SURE]
        needs = here & ~FREE_O != 0
        if needs and (met or here & FREE_O & ~facts[c - 1, INSIDE + L.O] != 0):
            ends = True
        met = met or here & FREE_O != 0
        facts[c, PARTIAL] = np.int64(ends or partial & X.fans(0, c) != 0)
        for t in range(L.NTENSOR):
            free = free_of(t)
            s = c - 1
            while s >= 0 and not facts[s, SURE] & ~free:
                s -= 1
            facts[c, REACH + t] = s
