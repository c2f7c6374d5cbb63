"""Tiles worth a look: the union tiles that hand an instance a given tile, and lists of tiles of one memory.

A list is found by bounding boxes. A box is a range of tile sizes per dimension; its smallest corner says
whether anything in it fits, its largest how cheap anything in it can be, see `bound`. Boxes that are neither
hopeless nor a single tile are cut in two.
"""

from __future__ import annotations

import numpy as np

from cost_models import bound as B
from cost_models import layout as L
from cost_models import work as X
from cost_models._jit import inlined, step

# What tiles may be, see `accelsim.mapping.mapspace`.
DIVISORS, ALL, LEGAL = range(3)

BOXES = 256  # a box is halved on the way down, eight dimensions of at most 2^31 sizes
BOX = 2 * L.NDIM  # columns of a box: places of its smallest sizes, then of its largest
_MOST_BOXES = 4000  # looked at for the least cost of a tile, before what is left is taken at its bound


@step
def part(m, d, union, b, axis_dim, axis_factor, iw):
    """Tile of an instance below memory `m` if it hands down `union`; 0 if an axis had idle instances."""
    rest = union
    for a in range(iw[X.AXES + m]):
        factor = np.int64(axis_factor[b, m, a])
        if factor > 1 and axis_dim[b, m, a] == d:
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
def next_union(shape, m, d, tile, whole, above, b, axis_dim, axis_factor, ws, iw):
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
            if axis_dim[b, m, a] == d:
                low = max(low, np.int64(axis_factor[b, m, a]))
        return low if low <= high else np.int64(0)
    for union in range(low, high + 1):
        fine = union == high or least_of_its_trips(union, whole)
        if fine and part(m, d, union, b, axis_dim, axis_factor, iw) == tile:
            return union
    return np.int64(0)


@step
def set_union(m, d, size, ws):
    """Give memory `m` a union tile in one dimension, and its trip count."""
    at = L.NDIM * m + d
    ws[X.UNION + at] = np.float64(size)
    ws[X.TRIP + at] = ws[X.TILE + at] / size


@step
def first_unions(shape, m, b, axis_dim, axis_factor, ws, iw):
    """Give memory `m` the smallest union tiles that the tile below it allows; False if there is none."""
    for d in range(L.NDIM):
        tile = np.int64(ws[X.TILE + L.NDIM * (m + 1) + d])
        whole = np.int64(ws[X.TILE + L.NDIM * m + d])
        size = next_union(shape, m, d, tile, whole, np.int64(0), b, axis_dim, axis_factor, ws, iw)
        if size == 0:
            return False
        set_union(m, d, size, ws)
    return True


@step
def next_unions(shape, m, b, axis_dim, axis_factor, ws, iw):
    """Go on to the next combination of union tiles of memory `m`; False after the last one."""
    if shape == DIVISORS:
        return False
    for d in range(L.NDIM):
        if ws[X.FACTOR + L.NDIM * m + d] == 1.0:
            continue
        tile = np.int64(ws[X.TILE + L.NDIM * (m + 1) + d])
        whole = np.int64(ws[X.TILE + L.NDIM * m + d])
        now = np.int64(ws[X.UNION + L.NDIM * m + d])
        size = next_union(shape, m, d, tile, whole, now, b, axis_dim, axis_factor, ws, iw)
        if size > 0:
            set_union(m, d, size, ws)
            return True
        set_union(
            m, d, next_union(shape, m, d, tile, whole, np.int64(0), b, axis_dim, axis_factor, ws, iw), ws
        )
    return False


@step
def list_sizes(shape, b, c, values, union, some, place, count, ws, iw):
    """Fill `some` int64[8, n] with the tile sizes, rising, that spatial choice `b` leaves memory `c`.

    `count` int64[8]: how many; `place`: where the union tile (DIVISORS) or the tile stands in `values`.
    """
    M = iw[X.MEMORIES] & 7
    for d in range(L.NDIM):
        above = iw[X.PROBLEM + d]
        below = np.int64(1)
        for m in range(M):
            factor = np.int64(ws[X.FACTOR + L.NDIM * m + d])
            if m < c - 1:
                above = -(-above // factor)
            elif m >= c:
                below *= factor
        factor = np.int64(ws[X.FACTOR + L.NDIM * (c - 1) + d])
        most = -(-above // factor)
        n = 0
        for k in range(values.shape[1]):
            size = values[d, k]
            if size == 0:
                break
            if shape == DIVISORS:
                fine = size % (factor * below) == 0 and above % size == 0
                size //= factor
            else:
                fine = union[b, c, d] <= size and size <= most
            if fine:
                some[d, n] = size
                place[d, n] = k
                n += 1
        count[d] = n


@step
def _corner(row, box, boxes, some, corner):
    """Put the smallest (`row` 0) or largest (1) tile of a box into a row of `corner` int64[2, 8]."""
    for d in range(L.NDIM):
        corner[row, d] = some[d, boxes[box, L.NDIM * row + d]]


@step
def whole_box(count, boxes):
    """Make row 0 of `boxes` all tiles; returns whether there are any."""
    for d in range(L.NDIM):
        boxes[0, d] = 0
        boxes[0, L.NDIM + d] = count[d] - 1
        if count[d] == 0:
            return False
    return True


@step
def volume(box, boxes):
    """Number of tiles in a box."""
    total = 1.0
    for d in range(L.NDIM):
        total *= boxes[box, L.NDIM + d] - boxes[box, d] + 1.0
    return total


@step
def fits(c, box, boxes, some, corner, ws, iw):
    """Whether the smallest tile of a box fits memory `c`."""
    _corner(0, box, boxes, some, corner)
    return B.put_tile(c, corner, 0, ws, iw)


@step
def cost(c, box, boxes, some, corner, ws, iw):
    """(whether the largest tile of a box fits memory `c`, pJ and cycles that any tile in the box costs)."""
    _corner(1, box, boxes, some, corner)
    fine = B.put_tile(c, corner, 1, ws, iw)
    pj, cycles = B.tile_alone(c, ws, iw)
    return fine, pj, cycles


@step
def halve(box, boxes, some):
    """Cut a box along its widest dimension: the upper half, in row box + 1, comes first.

    Returns False for a single tile.
    """
    widest = -1
    most = 1.0
    for d in range(L.NDIM):
        ratio = some[d, boxes[box, L.NDIM + d]] / some[d, boxes[box, d]]
        if ratio > most:
            widest, most = d, ratio
    if widest < 0:
        return False
    low = boxes[box, widest]
    high = boxes[box, L.NDIM + widest]
    middle = (low + high) // 2
    for i in range(BOX):
        boxes[box + 1, i] = boxes[box, i]
    boxes[box, L.NDIM + widest] = middle
    boxes[box + 1, widest] = middle + 1
    return True


@step
def least_cost(c, by_time, some, count, boxes, corner, stop, ws, iw):
    """The least pJ, or with `by_time` cycles, that any tile of memory `c` that fits costs alone.

    A lower bound where that takes too many boxes, or once stop[0] is not 0; infinite where nothing fits.
    """
    if not whole_box(count, boxes):
        return np.inf
    best = np.inf
    box = 0
    looks = 0
    while box >= 0:
        if not fits(c, box, boxes, some, corner, ws, iw):
            box -= 1
            continue
        fine, pj, cycles = cost(c, box, boxes, some, corner, ws, iw)
        value = cycles if by_time else pj
        looks += 1
        if value < best:
            if fine or looks > _MOST_BOXES or stop[0] != 0:
                best = value
            elif halve(box, boxes, some):
                box += 1
                continue
        box -= 1
    return best
