"""Input words: the halo that tiles share, what slides from tile to tile, and sums over all tiles.

Input rows of a tile with p output rows and r kernel rows are f(p, r) = p r - max(0, p - d') max(0, r - s')
with s' = s/gcd(s, d), d' = d/gcd(s, d), so sums over tiles split into products of one-dimensional sums.
"""

from __future__ import annotations

from cost_models._jit import inlined, step
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from cost_models.loopnest.tiles import excess, over, pieces, sliding_most, sliding_over


@inlined
def touched(p, r, p_gap, r_gap):
    """Distinct input rows of a tile of p output rows and r kernel rows: f(p, r)."""
    if p > p_gap and r > r_gap:
        return p * r - (p - p_gap) * (r - r_gap)
    return p * r


@step
def _excess(d, gap, c, skipped, j_memory, slides, ws, iw):
    """Sum over all tiles of dimension `d` at memory `c` of max(0, tile - gap).

    Fan-outs in `skipped` are seen as one instance. With `slides` the loop over `d` in memory `j_memory`
    brings only what is new, and no fan-out below it splits `d`.
    """
    step = 0.0
    if slides:
        c = j_memory
        step = ws[X.UNION + L.NDIM * j_memory + d]
    if (iw[X.INEXACT] >> d) & 1:
        return excess(pieces(d, c, c, 0, skipped, False, ws, iw), gap, step, ws)
    size = ws[X.TILE + L.NDIM * c + d]
    if skipped & iw[X.SPLIT] & (X.EVERY_MEMORY << d):
        for m in range(c):
            if (skipped >> (L.NDIM * m + d)) & 1:
                size *= ws[X.FACTOR + L.NDIM * m + d]
    if not slides:
        one = over(size, gap)
    elif iw[X.INEXACT] & X.RELAXED:
        one = sliding_most(size, gap, step)
    else:
        one = sliding_over(size, gap, step)
    return ws[X.TILE + d] / size * one


@step
def rows(pair, p, c, j_memory, j, shared, ws, iw):
    """Sum over all tiles of the input rows (`pair` 0) or columns (1) brought to child `c` from parent `p`.

    `shared` asks for the parent's reads (halo shared and forwarded where the array can), else the child's
    writes. `j` is the innermost relevant loop, or < 0 if nothing slides.
    """
    dp = L.P + pair
    dr = L.R + pair
    p_gap = ws[X.GAP + 2 * pair]
    r_gap = ws[X.GAP + 2 * pair + 1]
    total = ws[X.TILE + dp] * ws[X.TILE + dr]
    if ws[X.TILE + dp] <= p_gap or ws[X.TILE + dr] <= r_gap:
        return total
    split = iw[X.SPLIT] & ((X.EVERY_MEMORY << dp) | (X.EVERY_MEMORY << dr))
    nearest = split & X.fans(c - 1, c)
    between = split & X.fans(p, c)
    slides = j in (dp, dr)
    if slides:
        # Halo is shared and forwarded only across the fan-out right above the child.
        if shared and not nearest & iw[X.NO_FORWARDING]:
            between &= ~nearest
        slides = between == 0 and not (p > j_memory and split & X.fans(j_memory, p))
    skipped = 0
    if shared:
        skipped = nearest & ~iw[X.NO_MULTICAST]
        if slides:
            skipped |= nearest
    over_p = _excess(dp, p_gap, c, skipped, j_memory, slides and j == dp, ws, iw)
    if over_p == 0.0:
        return total
    return total - over_p * _excess(dr, r_gap, c, skipped, j_memory, slides and j == dr, ws, iw)


@inlined
def rows_alike(pair, p, c, iw):
    """Whether parent reads and child writes have the same `rows`: no fan-out between them splits the pair."""
    dims = (X.EVERY_MEMORY << (L.P + pair)) | (X.EVERY_MEMORY << (L.R + pair))
    return iw[X.SPLIT] & dims & X.fans(p, c) == 0
