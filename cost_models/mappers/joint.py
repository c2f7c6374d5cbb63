"""Pairs of a layer and a machine whose mappings are fixed by vectors: decoded and priced in one call.

Where the tiles do not fit, all ratios of the vector shrink together, an eighth at a time, until they do.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.price import price
from cost_models.mappers.genes import BLOCK, RATIO, SCRATCH, decode, two_rows
from cost_models.mappers.pairs import place_pair, save
from cost_models.mappers.records import Allowed

STEPS = 8


@kernel
def price_vectors(pairs, machines, allowed, vectors, found):
    """Price P pairs under the mapping that each one's vector stands for.

    vectors  float64[P, M * BLOCK] or wider, see `genes`

    Of `found`, latency and energy are infinite where not even the smallest tiles fit; spent[:, 1] counts the
    mappings tried.
    """
    M = machines.holds.shape[1]
    ws = np.zeros(X.WS_SIZE)
    iw = np.zeros(X.IW_SIZE, np.int64)
    one = two_rows(M)
    scratch = np.zeros(SCRATCH, np.int64)
    genes = np.zeros((1, vectors.shape[1]))
    for p in range(len(pairs.index)):
        h = pairs.index[p]
        place_pair(p, pairs, machines, ws, iw)
        terms = Allowed(allowed.axes[h], allowed.orders[h], allowed.norders[h])
        for g in range(vectors.shape[1]):
            genes[0, g] = vectors[p, g]
        for step in range(STEPS + 1):
            for m in range(M):
                for d in range(L.NDIM):
                    at = BLOCK * m + RATIO + d
                    genes[0, at] = vectors[p, at] * (STEPS - step) / STEPS
            decode(0, genes, False, terms, one, scratch, iw)
            found.spent[p, 1] += 1
            found.status[p] = price(0, False, one, ws, iw)
            if found.status[p] == L.OK:
                break
        found.latency[p] = ws[X.RESULT + L.LATENCY]
        found.energy[p] = ws[X.RESULT + L.ENERGY]
        save(p, one, found.batch, iw)
