"""The function that prices a brood in lanes: see `brood`."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.np.numpy_support import carray

from cost_models._jit import callback
from cost_models.lanes import nest as V
from cost_models.lanes.nest import set_out
from cost_models.lanes.price import price_eight
from cost_models.lanes.vectors import LANES
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.records import Batch, Prices

NUMBERS_SIZE = LANES * V.VS_SIZE
SETS_SIZE = LANES * V.BS_SIZE

_FLOATS, _LONGS = types.CPointer(types.float64), types.CPointer(types.int64)
_INTS, _BYTES = types.CPointer(types.int32), types.CPointer(types.int8)


@callback(
    types.int64(
        types.int64, _INTS, _BYTES, _BYTES, _INTS, _LONGS, _FLOATS, _FLOATS, _FLOATS, _LONGS, _FLOATS, _LONGS
    )
)
def price_addressed(
    fresh, tile, order, axis_dim, axis_factor, status, latency, energy, numbers, sets, work, words
):  # fmt: skip
    """Price the eight mappings at these addresses; whether some are left to the scalar kernel.

    fresh  whether `numbers` has held no mapping of the problem at hand
    """
    ws = carray(work, X.WS_SIZE)
    iw = carray(words, X.IW_SIZE)
    M = iw[X.MEMORIES] & 7
    vs = carray(numbers, NUMBERS_SIZE)
    bs = carray(sets, SETS_SIZE)
    if fresh:
        set_out(vs, iw)
    batch = Batch(
        carray(tile, (LANES, M, L.NDIM)),
        carray(order, (LANES, M, L.NDIM)),
        carray(axis_dim, (LANES, M, L.MAX_AXES)),
        carray(axis_factor, (LANES, M, L.MAX_AXES)),
    )
    prices = Prices(carray(status, LANES), carray(latency, LANES), carray(energy, LANES))
    return np.int64(price_eight(0, batch, prices, vs, bs, ws, iw))
