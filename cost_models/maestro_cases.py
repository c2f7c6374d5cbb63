"""What one step of a cluster level moves and makes, for maps that stand at their edge or not.

Sets have bit i for map i of the level. A map that is `cut` holds less than one whole tile, or one sweep of
the sub-units, from the first step on.
"""

from __future__ import annotations

from cost_models import maestro_layout as L
from cost_models import maestro_levels as V
from cost_models._jit import inlined, step


@step
def load(t, level, moving, edge, cut, uneven, free, base, ws, iw):
    """Elements of input tensor `t` sent to all sub-units in the step in which map `moving` (-1: none) moves.

    edge    spatial maps at their edge, cut ones included
    uneven  those of them whose last sub-unit gets less than the others
    free    maps with more than one step
    base    product of the temporal tiles
    """
    at = L.NDIM * level
    coupled = iw[V.COUPLED + L.NTENSOR * level + t]
    spatial = coupled & iw[V.SPLIT + level]
    used = ws[V.EDGE_UNITS + level]
    short = 0.0
    if iw[V.LAST + L.NTENSOR * level + t] & uneven:
        short = 1.0
    first = 1.0  # what the first sub-unit receives, and below the others, and the last one
    other = 1.0
    last = 1.0
    if moving < 0:
        for k in range(2):
            i = iw[V.FIRST + level] if k == 0 else iw[V.SECOND + level]
            if i < 0 or not (spatial >> i) & 1:
                continue
            first *= ws[V.EDGE + at + i] if (cut >> i) & 1 and used == 1.0 else ws[V.SIZE + at + i]
            other *= ws[V.SIZE + at + i]
            last *= ws[V.EDGE + at + i] if (cut >> i) & 1 else ws[V.SIZE + at + i]
    else:
        if not (coupled >> moving) & 1:
            return 0.0
        restarted = coupled & free & ~((2 << moving) - 1)
        if not restarted and not (spatial >> moving) & 1:
            fresh = ws[V.FRESH + at + moving]
            if fresh == 0.0:
                iw[V.STATUS] = L.STUCK
            base = base / ws[V.SIZE + at + moving] * fresh
        if spatial:
            whole_last = 1.0
            for k in range(2):
                i = iw[V.FIRST + level] if k == 0 else iw[V.SECOND + level]
                if i < 0 or not (spatial >> i) & 1:
                    continue
                first *= ws[V.SIZE + at + i]
                whole_last *= ws[V.EDGE + at + i]
                if i > moving or (i == moving and not restarted):
                    other *= ws[V.FRESH + at + i]
                    last *= ws[V.EDGE_FRESH + at + i]
                else:
                    other *= ws[V.SIZE + at + i]
                    last *= ws[V.EDGE + at + i]
            if used == 1.0 and short == 1.0 and spatial & edge:
                first = whole_last
    if spatial == 0:
        return base
    if spatial & edge == 0:
        return base * (first + (ws[V.UNITS + level] - 1.0) * other)
    if used > 1.0:
        first += max(used - short - 1.0, 0.0) * other + short * last
    return base * first


@inlined
def unit(i, level, first, last, shared, edge, cut, compat, ws, iw):
    """Outputs of one sub-unit along spatial map `i` (-1: none): the `first`, the `last` and shorter, or another.

    `edge` holds the maps in their edge step. With `shared` what the sub-unit before it makes too is left out.
    """
    if i < 0:
        return 1.0
    at = L.NDIM * level + i
    if (edge >> i) & 1:
        if ws[V.EDGE_UNITS + level] == 1.0:
            # The tool counts input rows here.
            return ws[V.EDGE + at] if compat else ws[V.OUT_EDGE + at]
        if last:
            return ws[V.OUT_EDGE_FRESH + at]
    elif (cut >> i) & 1 and last:
        if shared and ws[V.EDGE_UNITS + level] > 1.0 and (iw[V.COUPLED + L.NTENSOR * level + L.O] >> i) & 1:
            return ws[V.OUT_EDGE_FRESH + at]
        return ws[V.OUT_EDGE + at]
    if first:
        return ws[V.OUT + at]
    return ws[V.OUT_FRESH + at] if ws[V.OUT_FRESH + at] != 0.0 else 1.0


@inlined
def units(set_, level, first, last, shared, edge, cut, compat, ws, iw):
    """Product of `unit` over the spatial maps in `set_`."""
    made = 1.0
    if (set_ >> iw[V.FIRST + level]) & 1:
        made = unit(iw[V.FIRST + level], level, first, last, shared, edge, cut, compat, ws, iw)
    if iw[V.SECOND + level] >= 0 and (set_ >> iw[V.SECOND + level]) & 1:
        made *= unit(iw[V.SECOND + level], level, first, last, shared, edge, cut, compat, ws, iw)
    return made


@step
def drained(level, edge, cut, uneven, base, compat, ws, iw):
    """Output elements that leave all sub-units; `base` is the product of the temporal tiles."""
    spatial = iw[V.COUPLED + L.NTENSOR * level + L.O] & iw[V.SPLIT + level]
    if spatial == 0:
        return base
    used = ws[V.EDGE_UNITS + level]
    other = units(spatial, level, False, False, True, edge, cut, compat, ws, iw)
    if spatial & (edge | cut) == 0:
        first = units(spatial, level, True, False, True, edge, cut, compat, ws, iw)
        return base * (first + (ws[V.UNITS + level] - 1.0) * other)
    short = iw[V.LAST + L.NTENSOR * level + L.O] & uneven != 0
    made = units(spatial, level, True, used == 1.0 and short, True, edge, cut, compat, ws, iw)
    if used > 1.0:
        made += max(used - (1.0 if short else 0.0) - 1.0, 0.0) * other
        if short:
            made += units(spatial, level, False, True, True, edge, cut, compat, ws, iw)
    return base * made


@step
def worked(level, edge, cut, uneven, base, compat, ws, iw):
    """(multiply-accumulates of all sub-units, of the busiest one)."""
    split = iw[V.SPLIT + level]
    used = ws[V.EDGE_UNITS + level]
    plain = units(split, level, True, False, True, edge, cut, compat, ws, iw)
    if split & (edge | cut) == 0:
        return base * plain * ws[V.UNITS + level], base * plain
    second = iw[V.SECOND + level]
    asked = second if second >= 0 else iw[V.FIRST + level]
    short = (uneven >> asked) & 1
    made = units(split, level, True, used == 1.0 and short == 1, True, edge, cut, compat, ws, iw)
    if used > 1.0:
        made += max(used - short - 1.0, 0.0) * plain
        if short:
            made += units(split, level, False, True, False, edge, cut, compat, ws, iw)
    lone = used == 1.0 and iw[V.LAST + L.NTENSOR * level + L.O] & uneven != 0
    longest = units(split, level, True, lone, True, edge, cut, compat, ws, iw) if lone else plain
    return base * made, base * longest
