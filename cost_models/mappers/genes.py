"""Mappings as vectors of numbers in [0, 1], which search methods can vary freely.

The encoding of NAAS (Lin, Yang and Han, DAC 2021, section 3): every dimension has an importance, the largest
standing outermost, or on the array axis; a tile is a ratio of what is left of its dimension. The alternative
it was compared with numbers the choices instead, so that neighbouring values have nothing in common.

A memory has `BLOCK` genes: ORDER, eight importances; RATIO, eight tiling ratios, on a logarithmic scale; and
for each of its first `FIRST_AXES` axes eight importances (AXIS) and the share of its lanes in use. Where a
memory has more axes, `MORE` genes for each memory follow after all blocks: see `width`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cost_models._jit import inlined, kernel, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.loopnest.records import Batch

ORDER = 0
RATIO = ORDER + L.NDIM
AXIS = RATIO + L.NDIM
AXIS_GENES = L.NDIM + 1  # importances, then the share of the lanes
FIRST_AXES = 3
BLOCK = AXIS + FIRST_AXES * AXIS_GENES
MORE = (L.MAX_AXES - FIRST_AXES) * AXIS_GENES

EDP, LATENCY, ENERGY = range(3)  # objectives

# scratch: int64[8 + MAX_AXES], what is left of each dimension, and of the lanes of each axis
SCRATCH = L.NDIM + L.MAX_AXES


def width(fan: NDArray[np.int64]) -> int:
    """Genes of a mapping on a machine with these fan-outs: int64[M, A, FAN_COLS], see `layout`."""
    many = (fan[:, FIRST_AXES:, L.AXIS_SIZE] > 1).any()
    return len(fan) * (BLOCK + MORE if many else BLOCK)


def place_of_axis(m: int, a: int, M: int) -> int:
    """First gene of axis `a` below memory `m` of `M`."""
    if a < FIRST_AXES:
        return BLOCK * m + AXIS + AXIS_GENES * a
    return BLOCK * M + MORE * m + AXIS_GENES * (a - FIRST_AXES)


axis_gene = inlined(place_of_axis)


@step
def _order(i, m, genes, by_index, allowed, order):
    """Loop order of memory `m`: by importance, or the closest one to that which the dataflow allows."""
    orders, norders = allowed.orders, allowed.norders
    at = BLOCK * m + ORDER
    if norders[m] > 0:
        best = 0
        most = -1.0
        for n in range(norders[m]):
            score = 0.0
            for place in range(L.NDIM):
                score += genes[i, at + orders[m, n, place]] * (L.NDIM - place)
            if score > most:
                best, most = n, score
        if by_index:
            best = min(norders[m] - 1, np.int64(genes[i, at] * norders[m]))
        for place in range(L.NDIM):
            order[0, m, place] = orders[m, best, place]
        return
    rest = min(40319, np.int64(genes[i, at] * 40320.0))  # one of 8! permutations
    used = 0
    radix = 5040
    for place in range(L.NDIM):
        pick = -1
        if by_index:
            skip = rest // radix
            rest -= skip * radix
            if place < L.NDIM - 1:
                radix //= L.NDIM - 1 - place
            for d in range(L.NDIM):
                if not (used >> d) & 1:
                    if skip == 0 and pick < 0:
                        pick = d
                    skip -= 1
        else:
            most = -1.0
            for d in range(L.NDIM):
                if not (used >> d) & 1 and genes[i, at + d] > most:
                    pick, most = d, genes[i, at + d]
        used |= 1 << pick
        order[0, m, place] = pick


@step
def _axis(i, m, a, genes, by_index, allowed, batch, scratch, iw):
    """Dimension and factor of one axis; takes them off `scratch`."""
    axes, axis_dim, axis_factor = allowed.axes, batch.axis_dim, batch.axis_factor
    fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
    at = axis_gene(m, a, iw[X.MEMORIES] & 7)
    axis_dim[0, m, a] = 0
    axis_factor[0, m, a] = 0
    pick = -1
    most = -1.0
    many = 0
    for d in range(L.NDIM):
        if (axes[m, a] >> d) & 1 and scratch[d] > 1:
            many += 1
            if genes[i, at + d] > most:
                pick, most = d, genes[i, at + d]
    if many == 0:
        return
    if by_index:
        skip = min(many - 1, np.int64(genes[i, at] * many))
        for d in range(L.NDIM):
            if (axes[m, a] >> d) & 1 and scratch[d] > 1:
                if skip == 0:
                    pick = d
                skip -= 1
    host = iw[fan + L.LANES]
    left = scratch[pick]
    room = min(iw[fan + L.AXIS_SIZE], scratch[L.NDIM + host], left)
    wish = 1 + np.int64(genes[i, at + L.NDIM] * (room - 1) + 0.5)
    if wish < 2:
        return
    each = -(-left // wish)
    factor = -(-left // each)
    if factor < 2:
        return
    axis_dim[0, m, a] = pick
    axis_factor[0, m, a] = factor
    scratch[L.NDIM + host] //= factor
    scratch[pick] = each


@step
def decode(i, genes, by_index, allowed, batch, scratch, iw):
    """Write the mapping of individual `i` to row 0 of a batch; row 1 of its tiles is scratch.

    Only capacity can make it illegal. Tiles are evened out: no larger than their trip count asks for.
    """
    tile, axis_dim, axis_factor = batch.tile, batch.axis_dim, batch.axis_factor
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        scratch[d] = iw[X.PROBLEM + d]
        tile[1, 0, d] = scratch[d]  # instance tile of the memory at hand
    for m in range(M):
        _order(i, m, genes, by_index, allowed, batch.order)
        for a in range(L.MAX_AXES):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        for a in range(iw[X.AXES + m]):
            _axis(i, m, a, genes, by_index, allowed, batch, scratch, iw)
        for d in range(L.NDIM):
            whole = tile[1, m, d]
            most = scratch[d]
            inner = np.int64(1)
            if m < M - 1 and most > 1:
                ratio = genes[i, BLOCK * m + RATIO + d]
                if by_index:
                    inner = min(most, 1 + np.int64(ratio * most))
                else:
                    inner = min(most, max(1, np.int64(math.exp(ratio * math.log(np.float64(most))) + 0.5)))
                inner = -(-most // -(-most // inner))
            union = inner
            for a in range(iw[X.AXES + m]):
                if axis_factor[0, m, a] > 1 and axis_dim[0, m, a] == d:
                    union *= axis_factor[0, m, a]
            union = min(union, whole)
            tile[0, m, d] = union
            for a in range(iw[X.AXES + m]):
                if axis_factor[0, m, a] > 1 and axis_dim[0, m, a] == d:
                    union = -(-union // axis_factor[0, m, a])
            scratch[d] = union
            if m < M - 1:
                tile[1, m + 1, d] = union


@step
def encode(i, genes, batch, scratch, iw):
    """Write to row `i` of `genes` a vector that decodes to the mapping in row 0, or to one close to it.

    Row 1 of its tiles is scratch.
    """
    tile, order, axis_dim, axis_factor = batch
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        tile[1, 0, d] = iw[X.PROBLEM + d]
    for m in range(M):
        at = BLOCK * m
        for d in range(L.NDIM):
            genes[i, at + ORDER + order[0, m, d]] = 1.0 - d / L.NDIM
            scratch[d] = tile[1, m, d]
        for a in range(L.MAX_AXES):
            scratch[L.NDIM + a] = iw[X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a) + L.AXIS_SIZE]
        for a in range(max(FIRST_AXES, iw[X.AXES + m])):
            fan = X.FAN + L.FAN_COLS * (L.MAX_AXES * m + a)
            gene = axis_gene(m, a, M)
            for d in range(L.NDIM):
                genes[i, gene + d] = 0.5
            genes[i, gene + L.NDIM] = 0.0
            factor = np.int64(axis_factor[0, m, a])
            if factor > 1:
                d = np.int64(axis_dim[0, m, a])
                host = L.NDIM + iw[fan + L.LANES]
                room = min(iw[fan + L.AXIS_SIZE], scratch[host], scratch[d])
                scratch[host] //= factor
                scratch[d] = -(-scratch[d] // factor)
                genes[i, gene + d] = 1.0
                genes[i, gene + L.NDIM] = (factor - 1.0) / max(1, room - 1)
        for d in range(L.NDIM):
            inner = np.int64(tile[0, m, d])
            for a in range(L.MAX_AXES):
                if axis_factor[0, m, a] > 1 and axis_dim[0, m, a] == d:
                    inner = -(-inner // axis_factor[0, m, a])
            genes[i, at + RATIO + d] = 0.5
            if tile[1, m, d] > 1 and scratch[d] > 1:
                share = math.log(np.float64(inner)) / math.log(np.float64(scratch[d]))
                genes[i, at + RATIO + d] = min(1.0, share)
            if m < M - 1:
                tile[1, m + 1, d] = inner


@inlined
def objective_of(kind, ws):
    """What is minimised: pJ x cycles, cycles or pJ; infinity for an illegal mapping."""
    if kind == LATENCY:
        return ws[X.RESULT + L.LATENCY]
    if kind == ENERGY:
        return ws[X.RESULT + L.ENERGY]
    return ws[X.RESULT + L.LATENCY] * ws[X.RESULT + L.ENERGY]


@kernel
def two_rows(M):
    """A batch of a mapping, and of the scratch that `decode` and `encode` take."""
    return Batch(
        np.ones((2, M, L.NDIM), np.int32),
        np.zeros((1, M, L.NDIM), np.int8),
        np.zeros((1, M, L.MAX_AXES), np.int8),
        np.zeros((1, M, L.MAX_AXES), np.int32),
    )


@kernel
def score_batch(problem, machine, allowed, genes, by_index, objective, batch, cost):
    """Decode and price `genes` float64[B, width(fan)]: fills a batch of B mappings and `cost` float64[B]."""
    tile, order, axis_dim, axis_factor = batch
    ws, iw = X.prepare(problem, machine)
    M = len(machine.holds)
    one = two_rows(M)
    scratch = np.zeros(SCRATCH, np.int64)
    for b in range(genes.shape[0]):
        decode(b, genes, by_index, allowed, one, scratch, iw)
        price(0, False, one, ws, iw)
        cost[b] = objective_of(objective, ws)
        for m in range(M):
            for d in range(L.NDIM):
                tile[b, m, d] = one.tile[0, m, d]
                order[b, m, d] = one.order[0, m, d]
            for a in range(L.MAX_AXES):
                axis_dim[b, m, a] = one.axis_dim[0, m, a]
                axis_factor[b, m, a] = one.axis_factor[0, m, a]


@kernel
def encode_one(problem, machine, batch, genes):
    """Fill `genes` float64[1, width(fan)] from the mapping in row 0: see `encode`."""
    _, iw = X.prepare(problem, machine)
    tile = two_rows(len(machine.holds)).tile
    tile[0] = batch.tile[0]
    one = Batch(tile, batch.order, batch.axis_dim, batch.axis_factor)
    encode(0, genes, one, np.zeros(SCRATCH, np.int64), iw)
