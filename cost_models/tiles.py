"""Tile-size multisets of one dimension, carried through temporal and spatial splits.

A split cuts every tile into pieces of one nominal size and at most one smaller remainder, so a multiset
never holds more entries than splits so far plus one. Dimensions whose every split divides do not come
here: their sums are plain products (`exact`).

Arrays: `T` float64[M + 1, 8] instance tiles, `U` float64[M, 8] union tiles, `trip` float64[M, 8] nominal
trip counts, `axis_tile` float64[M, 3] tile after an axis, `axis_dim` int8[B, M, 3] with mapping `b`.
`size` and `count` float64[32] are scratch, modified in place; the number of entries is returned.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import kernel


@kernel
def _split(piece, every, n, size, count):
    """Cut all tiles into pieces of size `piece`; keep all of them, or (`every` false) just the first."""
    whole = 0.0
    left = 0
    for i in range(n):
        s, k = size[i], count[i]
        if every:
            q = np.floor(s / piece)
            whole += k * q
            s -= q * piece
        elif s >= piece:
            whole += k
            s = 0.0
        if s > 0.0:
            size[left] = s
            count[left] = k
            left += 1
    if whole > 0.0:
        size[left] = piece
        count[left] = whole
        left += 1
    return left


@kernel
def pieces(d, b, c, counted, every, skipped, T, U, trip, axis_tile, axis_dim, size, count):
    """Multiset of the tiles of dimension `d` at memory `c`.

    Temporal loops of memories below index `counted` contribute every iteration, the others their first.
    Bit m of `every` / `skipped` says whether the fan-out of memory m contributes every instance / is not
    applied at all (its instances are seen as one); otherwise it contributes its first instance.
    """
    size[0] = T[0, d]
    count[0] = 1.0
    n = 1
    for m in range(c):
        if trip[m, d] > 1.0:
            n = _split(U[m, d], m < counted, n, size, count)
        if not (skipped >> m) & 1:
            for a in range(3):
                if axis_tile[m, a] > 0.0 and axis_dim[b, m, a] == d:
                    n = _split(axis_tile[m, a], (every >> m) & 1 == 1, n, size, count)
    return n


@kernel
def number(n, count):
    """Number of tiles in a multiset of `n` entries."""
    total = 0.0
    for i in range(n):
        total += count[i]
    return total


@kernel
def excess(n, gap, size, count):
    """Sum of max(0, tile - gap): the part of f(p, r) that overlaps (see `loopnest`)."""
    total = 0.0
    for i in range(n):
        if size[i] > gap:
            total += count[i] * (size[i] - gap)
    return total


@kernel
def _over(p, gap):
    return p - gap if p > gap else 0.0


@kernel
def sliding_excess(n, gap, step, size, count):
    """As `excess` over the pieces that a loop of step `step` makes of each tile, minus what slides.

    The first piece of a loop is brought whole, each later one only where it leaves its predecessor.
    """
    total = 0.0
    for i in range(n):
        q = np.floor(size[i] / step)
        rest = size[i] - q * step
        if q == 0.0:
            one = _over(rest, gap)
        else:
            base = _over(step, gap)
            one = base + (q - 1.0) * (_over(2.0 * step, gap) - base)
            if rest > 0.0:
                one += _over(step + rest, gap) - base
        total += count[i] * one
    return total
