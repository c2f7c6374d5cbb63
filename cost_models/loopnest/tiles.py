"""Tile-size multisets of one dimension, carried through temporal and spatial splits.

A split cuts every tile into pieces of one nominal size and at most one smaller remainder, so a multiset
never holds more entries than splits so far plus one. Dimensions whose every split divides do not come
here: their sums are plain products.

The multiset lives in the work array `ws` at PILE (sizes) and PILE + PILE_SIZE (how often).
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest.work import (
    AXES,
    AXIS,
    AXIS_DIM,
    MEMORIES,
    PILE,
    PILE_SIZE,
    SWEPT,
    TILE,
    TILES,
    TRIP,
    UNION,
)


@step
def _split(piece, every, n, ws):
    """Cut all tiles into pieces of size `piece`; keep all of them, or (`every` false) just the first."""
    whole = 0.0
    left = 0
    for i in range(n):
        size = ws[PILE + i]
        count = ws[PILE + PILE_SIZE + i]
        if every:
            q = np.floor(size / piece)
            whole += count * q
            size -= q * piece
        elif size >= piece:
            whole += count
            size = 0.0
        if size > 0.0:
            ws[PILE + left] = size
            ws[PILE + PILE_SIZE + left] = count
            left += 1
    if whole > 0.0:
        ws[PILE + left] = piece
        ws[PILE + PILE_SIZE + left] = whole
        left += 1
    return left


@step
def pieces(d, c, counted, first, skipped, survey, ws, iw):
    """Make the multiset of the tiles of dimension `d` at memory `c`; return its number of entries.

    Temporal loops of memories below index `counted` contribute every iteration, the others their first.
    Fan-outs contribute every instance; those in the set `first` (see `work.SPLIT`) just their first, and
    those in `skipped` are not applied at all: their instances are seen as one. `survey` notes the number of
    tiles on the way at SWEPT and TILES.
    """
    ws[PILE] = ws[TILE + d]
    ws[PILE + PILE_SIZE] = 1.0
    n = 1
    for m in range(c):
        at = L.NDIM * m + d
        if ws[TRIP + at] > 1.0:
            n = _split(ws[UNION + at], m < counted, n, ws)
        if survey:
            ws[SWEPT + at] = number(n, ws)
        if not (skipped >> at) & 1:
            for a in range(L.MAX_AXES * m, L.MAX_AXES * m + iw[AXES + m]):
                if iw[AXIS_DIM + a] == d:
                    n = _split(ws[AXIS + a], not (first >> at) & 1, n, ws)
        if survey:
            ws[TILES + L.NDIM + at] = number(n, ws)
    return n


@step
def survey(d, ws, iw):
    """Count the tiles of the inexactly split dimension `d` at every memory: TILES and SWEPT."""
    M = iw[MEMORIES] & 7
    pieces(d, M, M, 0, 0, True, ws, iw)


@inlined
def number(n, ws):
    """Number of tiles in a multiset of `n` entries."""
    total = 0.0
    for i in range(n):
        total += ws[PILE + PILE_SIZE + i]
    return total


@inlined
def over(size, gap):
    """max(0, size - gap): the part of a tile that f(p, r) finds overlapped (see `nest`)."""
    return size - gap if size > gap else 0.0


@step
def sliding_over(size, gap, step):
    """Sum of `over` along a loop of step `step` through a tile, each piece less what slid from the last."""
    q = np.floor(size / step)
    rest = size - q * step
    if q == 0.0:
        return over(rest, gap)
    first = over(step, gap)
    total = first + (q - 1.0) * (over(2.0 * step, gap) - first)
    if rest > 0.0:
        total += over(step + rest, gap) - first
    return total


@inlined
def sliding_most(size, gap, step):
    """No less than `sliding_over` of any tiles of at most `size`, scaled from their sum to this one."""
    if step >= gap:
        return over(size, gap)
    return max(0.0, over(2.0 * step, gap) * (size / step - 1.0))


@step
def excess(n, gap, step, ws):
    """Sum of `over`, or with `step` > 0 of `sliding_over`, over a multiset of `n` entries."""
    total = 0.0
    for i in range(n):
        size = ws[PILE + i]
        one = sliding_over(size, gap, step) if step > 0.0 else over(size, gap)
        total += ws[PILE + PILE_SIZE + i] * one
    return total
