"""From wished tiles and axes to legal kernel arrays, a whole batch at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.pack import Batch
from cost_models import layout as L


def decode(
    sizes: NDArray[np.int64],
    inner: NDArray[np.int64],
    order: NDArray[np.int8],
    axis_dim: NDArray[np.int8],
    axis_factor: NDArray[np.int32],
) -> Batch:
    """Mappings that come closest to wished inner tiles; only capacity can make them illegal.

    sizes        int64[8], the layer
    inner        int64[B, M, 8], wished instance tile of the memory below memory m; the last is ignored (1)
    order        int8[B, M, 8]
    axis_dim, axis_factor  [B, M, 3], wished axes; factors shrink to the tile that they divide
    """
    B, M = inner.shape[:2]
    tile = np.empty((B, M, L.NDIM), np.int32)
    factors = np.maximum(axis_factor, 1).astype(np.int32)
    rows = np.arange(B)
    inside = np.broadcast_to(sizes, (B, L.NDIM)).astype(np.int64)
    for m in range(M):
        union = np.minimum(inner[:, m], inside) if m < M - 1 else np.ones((B, L.NDIM), np.int64)
        for a in range(L.MAX_AXES):
            d = axis_dim[:, m, a]
            factors[:, m, a] = np.minimum(factors[:, m, a], inside[rows, d])
            union[rows, d] = np.minimum(union[rows, d] * factors[:, m, a], inside[rows, d])
        tile[:, m] = union
        inside = union.copy()
        for a in range(L.MAX_AXES):
            d = axis_dim[:, m, a]
            inside[rows, d] = -(-inside[rows, d] // factors[:, m, a])
    return Batch(tile, order, axis_dim, np.where(factors < 2, 0, factors).astype(np.int32))


def tile_sizes(size: int) -> list[int]:
    """Sizes worth trying for a tile of a dimension of `size`: the smallest of each trip count 1, 2, ...

    For large dimensions the trip counts are thinned out to about 24.
    """
    trips = sorted({-(-size // t) for t in range(1, size + 1)}) if size <= 4096 else []
    if not trips or len(trips) > 24:
        wanted = np.unique(np.geomspace(1, size, 24).astype(int))
        divisors = [n for n in range(1, min(size, 4096) + 1) if size % n == 0]
        trips = sorted({int(n) for n in wanted} | set(divisors))
    return sorted({-(-size // n) for n in trips})
