"""What the kernels hand around: arrays that belong together, by name; `layout` says what stands where.

Machine code is kept under a hash of `cost_models` alone, so what kernels are called with is defined here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cost_models.loopnest import layout as L


class Machine(NamedTuple):
    """An accelerator; or H of them with as many memories, each array with one more axis in front."""

    holds: NDArray[np.int64]  # [M, 3]
    fan: NDArray[np.int64]  # [M, A, FAN_COLS]
    memory: NDArray[np.float64]  # [M, MEM_COLS]
    machine: NDArray[np.float64]  # [MACHINE_COLS]


class Batch(NamedTuple):
    """B mappings: see `price`."""

    tile: NDArray[np.int32]  # [B, M, 8]
    order: NDArray[np.int8]  # [B, M, 8]
    axis_dim: NDArray[np.int8]  # [B, M, A]
    axis_factor: NDArray[np.int32]  # [B, M, A]

    @classmethod
    def empty(cls, B: int, M: int) -> Batch:
        """`B` mappings that split nothing, loops in the order N G K C P Q R S, no axis in use."""
        order = np.broadcast_to(np.arange(L.NDIM, dtype=np.int8), (B, M, L.NDIM))
        return cls(
            np.ones((B, M, L.NDIM), np.int32),
            order.copy(),
            np.zeros((B, M, L.MAX_AXES), np.int8),
            np.zeros((B, M, L.MAX_AXES), np.int32),
        )

    def take(self, rows: Any) -> Batch:
        """The mappings in `rows` (any NumPy index that keeps the batch axis)."""
        return Batch(*(np.ascontiguousarray(array[rows]) for array in self))


class Prices(NamedTuple):
    """What B mappings cost; illegal ones infinitely much."""

    status: NDArray[np.int32]  # [B], see `layout`
    latency: NDArray[np.float64]  # [B], cycles
    energy: NDArray[np.float64]  # [B], pJ

    @classmethod
    def empty(cls, B: int) -> Prices:
        """Room for `B`."""
        return cls(np.empty(B, np.int32), np.empty(B), np.empty(B))


class Counts(NamedTuple):
    """Everything that is counted for B mappings."""

    status: NDArray[np.int32]
    traffic: NDArray[np.float64]
    bits: NDArray[np.float64]
    used: NDArray[np.float64]
    summary: NDArray[np.float64]

    @classmethod
    def empty(cls, B: int, M: int) -> Counts:
        """Room for `B`."""
        return cls(
            np.zeros(B, np.int32),
            np.zeros((B, M + 1, L.NTENSOR, L.TRAFFIC_COLS)),
            np.zeros((B, M, L.NTENSOR, 2)),
            np.zeros((B, M, L.NTENSOR)),
            np.zeros((B, L.SUMMARY_COLS)),
        )
