"""Union tiles that hand an instance a given tile."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X

# What tiles may be, see `accelsim.mapping.mapspace`.
DIVISORS, ALL, LEGAL = range(3)


@step
def part(m, d, union, b, spatial, iw):
    """Tile of an instance below memory `m` if it hands down `union`; 0 if an axis had idle instances."""
    rest = union
    for a in range(iw[X.AXES + m]):
        factor = np.int64(spatial.factor[b, m, a])
        if factor > 1 and spatial.dim[b, m, a] == d:
            each = -(-rest // factor)
            if -(-rest // each) != factor:
                return np.int64(0)
            rest = each
    return rest


@inlined
def least_of_its_trips(union, tile):
    """Whether no smaller union tile splits `tile` into as few parts."""
    trips = -(-tile // union)
    return -(-tile // trips) == union


@step
def next_union(shape, m, d, tile, whole, above, b, spatial, ws, iw):
    """The smallest union tile of memory `m` over `above` that gives an instance `tile` of `whole`, or 0."""
    factor = np.int64(ws[X.FACTOR + L.NDIM * m + d])
    full = tile * factor
    if factor == 1 or shape == DIVISORS:
        fine = above < full and full <= whole and (shape != DIVISORS or whole % full == 0)
        return full if fine else np.int64(0)
    low = max(above, full - factor) + 1
    high = min(whole, full)
    if shape == LEGAL:
        for a in range(iw[X.AXES + m]):
            if spatial.dim[b, m, a] == d:
                low = max(low, np.int64(spatial.factor[b, m, a]))
        return low if low <= high else np.int64(0)
    for union in range(low, high + 1):
        fine = union == high or least_of_its_trips(union, whole)
        if fine and part(m, d, union, b, spatial, iw) == tile:
            return union
    return np.int64(0)


@step
def set_union(m, d, size, ws):
    """Give memory `m` a union tile in one dimension, and its trip count."""
    at = L.NDIM * m + d
    ws[X.UNION + at] = np.float64(size)
    ws[X.TRIP + at] = ws[X.TILE + at] / size


@step
def first_unions(shape, m, b, spatial, ws, iw):
    """Give memory `m` the smallest union tiles that the tile below it allows; False if there is none."""
    for d in range(L.NDIM):
        tile = np.int64(ws[X.TILE + L.NDIM * (m + 1) + d])
        whole = np.int64(ws[X.TILE + L.NDIM * m + d])
        size = next_union(shape, m, d, tile, whole, np.int64(0), b, spatial, ws, iw)
        if size == 0:
            return False
        set_union(m, d, size, ws)
    return True


@step
def next_unions(shape, m, b, spatial, ws, iw):
    """Go on to the next combination of union tiles of memory `m`; False after the last one."""
    if shape == DIVISORS:
        return False
    for d in range(L.NDIM):
        if ws[X.FACTOR + L.NDIM * m + d] == 1.0:
            continue
        tile = np.int64(ws[X.TILE + L.NDIM * (m + 1) + d])
        whole = np.int64(ws[X.TILE + L.NDIM * m + d])
        now = np.int64(ws[X.UNION + L.NDIM * m + d])
        size = next_union(shape, m, d, tile, whole, now, b, spatial, ws, iw)
        if size > 0:
            set_union(m, d, size, ws)
            return True
        set_union(m, d, next_union(shape, m, d, tile, whole, np.int64(0), b, spatial, ws, iw), ws)
    return False
