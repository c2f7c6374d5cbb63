"""From wished tiles and axes to legal kernel arrays, a whole batch at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.pack import Batch


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
    from cost_models.decode import decode_batch

    tile = np.empty(inner.shape, np.int32)
    factors = np.zeros(axis_factor.shape, np.int32)
    decode_batch(sizes, inner, axis_dim, axis_factor, tile, factors)
    return Batch(tile, order, axis_dim, factors)


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
