"""From wished tiles and axes to legal mappings: only capacity and shared lanes can still refuse them."""

from __future__ import annotations

from cost_models import layout as L
from cost_models._jit import kernel


@kernel
def decode_batch(sizes, inner, wish_dim, wish_factor, tile, axis_factor):
    """Fill `tile` int32[B, M, 8] and `axis_factor` int32[B, M, 3] with the mappings closest to B wishes.

    sizes       int64[8], the layer
    inner       int64[B, M, 8], wished instance tile of the memory below memory m; the last is taken as 1
    wish_dim    int8[B, M, 3], wish_factor int32[B, M, 3]: the axes; factors shrink to what they divide

    Sizes are clamped from the outermost memory inwards, so that tiles never grow on their way in.
    """
    B, M = inner.shape[:2]
    for b in range(B):
        for d in range(L.NDIM):
            left = sizes[d]
            for m in range(M):
                union = 1
                if m < M - 1:
                    union = min(inner[b, m, d], left)
                for a in range(L.MAX_AXES):
                    if wish_dim[b, m, a] == d:
                        factor = max(1, min(wish_factor[b, m, a], left))
                        axis_factor[b, m, a] = factor if factor > 1 else 0
                        union = min(union * factor, left)
                tile[b, m, d] = union
                left = union
                for a in range(L.MAX_AXES):
                    if wish_dim[b, m, a] == d and axis_factor[b, m, a] > 1:
                        left = -(-left // axis_factor[b, m, a])
