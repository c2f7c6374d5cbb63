"""Pairs of a layer and a machine whose mappings are fixed by vectors: decoded and priced in one call.

Where the tiles do not fit, all ratios of the vector shrink together, an eighth at a time, until they do.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers.genes import BLOCK, RATIO, SCRATCH, decode
from cost_models.mappers.pairs import reserve, save

STEPS = 8


@kernel
def price_vectors(
    problem, index, reserved, holds, fan, memory, machine, allowed, orders, norders, vectors, latency,
    energy, spent, tile, order, axis_dim, axis_factor,
):  # fmt: skip
    """Price P pairs under the mapping that each one's vector stands for.

    vectors  float64[P, M * BLOCK] or wider, see `genes`
    Filled: latency float64[P] in cycles and energy float64[P] in pJ, infinite where not even the smallest
    tiles fit; spent int64[P], mappings tried; and the mappings. Others as in `pairs.map_pairs`.
    """
    M = holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    t = np.ones((2, M, L.NDIM), np.int32)
    o = np.zeros((1, M, L.NDIM), np.int8)
    ad = np.zeros((1, M, L.MAX_AXES), np.int8)
    af = np.zeros((1, M, L.MAX_AXES), np.int32)
    scratch = np.zeros(SCRATCH, np.int64)
    genes = np.zeros((1, vectors.shape[1]))
    for p in range(len(index)):
        h = index[p]
        X.place(problem[p], holds[h], fan[h], memory[h], machine[h], ws, iw)
        if len(reserved):
            reserve(p, reserved, ws, iw)
        for g in range(vectors.shape[1]):
            genes[0, g] = vectors[p, g]
        spent[p] = 0
        for step in range(STEPS + 1):
            for m in range(M):
                for d in range(L.NDIM):
                    at = BLOCK * m + RATIO + d
                    genes[0, at] = vectors[p, at] * (STEPS - step) / STEPS
            decode(0, genes, False, allowed[h], orders[h], norders[h], scratch, t, o, ad, af, iw)
            spent[p] += 1
            if price(0, False, t, o, ad, af, ws, iw) == L.OK:
                break
        latency[p] = ws[X.RESULT + L.LATENCY]
        energy[p] = ws[X.RESULT + L.ENERGY]
        save(p, t, o, ad, af, tile, order, axis_dim, axis_factor, iw)
