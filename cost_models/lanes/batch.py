"""Prices of batches: eight mappings at a time, and one at a time what that leaves."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from cost_models.loopnest import price as loopnest
from cost_models.loopnest.layout import PENDING
from cost_models.loopnest.records import Batch, Machine, Prices

FEW = 256
"""Batches below this size go to the scalar kernel, which takes less than a millisecond for them."""


def price_batch(problem: NDArray[np.int64], machine: Machine, batch: Batch, prices: Prices) -> None:
    """Fill the prices of a batch of mappings of one layer on one machine, as `loopnest.price_batch` does.

    All arrays are C-contiguous.
    """
    if len(prices.status) < FEW or numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        loopnest.price_batch(problem, machine, batch, prices)
        return
    from cost_models.lanes.price import price_lanes

    if not price_lanes(problem, machine, batch, prices):
        return
    rows = np.flatnonzero(prices.status == PENDING)
    rest = Prices.empty(len(rows))
    loopnest.price_batch(problem, machine, batch.take(rows), rest)
    prices.status[rows], prices.latency[rows], prices.energy[rows] = rest
