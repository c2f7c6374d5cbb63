"""Prices of batches: eight mappings at a time, and one at a time what that leaves."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from cost_models.loopnest import price as loopnest

FEW = 256
"""Batches below this size go to the scalar kernel, which takes less than a millisecond for them."""


def price_batch(
    problem: NDArray[np.int64],
    holds: NDArray[np.int64],
    fan: NDArray[np.int64],
    memory: NDArray[np.float64],
    machine: NDArray[np.float64],
    tile: NDArray[np.int32],
    order: NDArray[np.int8],
    axis_dim: NDArray[np.int8],
    axis_factor: NDArray[np.int32],
    status: NDArray[np.int32],
    latency: NDArray[np.float64],
    energy: NDArray[np.float64],
) -> None:
    """Price a batch of mappings of one layer on one machine: bit for bit as `loopnest.price_batch`.

    All arrays are C-contiguous. Fills `status` int32[B], `latency` float64[B] (cycles) and `energy`
    float64[B] (pJ); illegal mappings get infinity.
    """
    hardware = (problem, holds, fan, memory, machine)
    mappings = (tile, order, axis_dim, axis_factor)
    if len(tile) < FEW or numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        loopnest.price_batch(*hardware, *mappings, status, latency, energy)
        return
    from cost_models.lanes.price import PENDING, price_lanes

    if not price_lanes(*hardware, *mappings, status, latency, energy):
        return
    rows = np.flatnonzero(status == PENDING)
    few: list[Any] = [array[rows] for array in (*mappings, status, latency, energy)]
    loopnest.price_batch(*hardware, *few)
    status[rows], latency[rows], energy[rows] = few[-3:]
