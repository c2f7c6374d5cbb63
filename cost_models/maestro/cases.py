"""What one step of a cluster level moves and makes, for maps that stand at their edge or not.

Sets have bit i for map i of the level. A map that is `cut` holds less than one whole tile, or one sweep of
the sub-units, from the first step on.
"""

from __future__ import annotations

from cost_models._jit import inlined
from cost_models.maestro import layout as L
from cost_models.maestro import levels as V


@inlined
def spread(t, level, reached, kept, edge, cut, uneven, ws, iw):
    """How many tiles of input tensor `t` its spatial maps send to all sub-units, in spatial elements.

    reached  spatial maps that start over in this step: sub-units share what their tiles have in common
    kept     whether nothing moved yet: sub-units load whole tiles
    edge     maps at their edge, `cut` ones included
    uneven   those of them whose last sub-unit gets less than the others
    """
    row = V.level_record(level)
    spatial = iw[V.COUPLED + row + t] & iw[V.SPLIT + row]
    used = ws[V.EDGE_UNITS + (level & 3)]
    first = 1.0  # what the first sub-unit receives, and below the others, and the last one
    other = 1.0
    last = 1.0
    short = 1.0  # what the first one receives if it is the last one
    for k in range(2):
        i = iw[V.FIRST + row + k]
        if i < 0 or not (spatial >> i) & 1:
            continue
        j = V.record(level, i)
        whole = ws[V.SIZE + j]
        part = ws[V.EDGE + j]
        first *= whole
        if kept:
            part = part if (cut >> i) & 1 else whole
            other *= whole
            last *= part
        elif (reached >> i) & 1:
            other *= ws[V.FRESH + j]
            last *= ws[V.EDGE_FRESH + j]
        else:
            other *= whole
            last *= part
        short *= part
    if spatial & edge == 0:
        return first + (ws[V.UNITS + (level & 3)] - 1.0) * other
    lone = iw[V.LAST + row + t] & uneven != 0
    if used == 1.0:
        return short if lone or kept else first
    return first + max(used - 1.0 - lone, 0.0) * other + lone * last


@inlined
def unit(i, level, first, last, shared, edge, cut, compat, ws, iw):
    """Outputs of one sub-unit along spatial map `i`: the `first`, the `last` and shorter, or another.

    `edge` holds the maps in their edge step. With `shared`, what the sub-unit before makes too is left out.
    """
    at = V.record(level, i)
    if (edge >> i) & 1:
        if ws[V.EDGE_UNITS + (level & 3)] == 1.0:
            # The tool counts input rows here.
            return ws[V.EDGE + at] if compat else ws[V.OUT_EDGE + at]
        if last:
            return ws[V.OUT_EDGE_FRESH + at]
    elif (cut >> i) & 1 and last:
        if (
            shared
            and ws[V.EDGE_UNITS + (level & 3)] > 1.0
            and (iw[V.COUPLED + V.level_record(level) + L.O] >> i) & 1
        ):
            return ws[V.OUT_EDGE_FRESH + at]
        return ws[V.OUT_EDGE + at]
    if first:
        return ws[V.OUT + at]
    return ws[V.OUT_FRESH + at] if ws[V.OUT_FRESH + at] != 0.0 else 1.0


@inlined
def units(set_, level, first, last, shared, edge, cut, compat, ws, iw):
    """Product of `unit` over the spatial maps in `set_`."""
    made = 1.0
    if (set_ >> iw[V.FIRST + V.level_record(level)]) & 1:
        made = unit(
            iw[V.FIRST + V.level_record(level)], level, first, last, shared, edge, cut, compat, ws, iw
        )
    if iw[V.SECOND + V.level_record(level)] >= 0 and (set_ >> iw[V.SECOND + V.level_record(level)]) & 1:
        made *= unit(
            iw[V.SECOND + V.level_record(level)], level, first, last, shared, edge, cut, compat, ws, iw
        )
    return made


@inlined
def drained(level, edge, cut, uneven, base, compat, ws, iw):
    """Output elements that leave all sub-units; `base` is the product of the temporal tiles."""
    spatial = iw[V.COUPLED + V.level_record(level) + L.O] & iw[V.SPLIT + V.level_record(level)]
    if spatial == 0:
        return base
    used = ws[V.EDGE_UNITS + (level & 3)]
    other = units(spatial, level, False, False, True, edge, cut, compat, ws, iw)
    if spatial & (edge | cut) == 0:
        first = units(spatial, level, True, False, True, edge, cut, compat, ws, iw)
        return base * (first + (ws[V.UNITS + (level & 3)] - 1.0) * other)
    short = iw[V.LAST + V.level_record(level) + L.O] & uneven != 0
    made = units(spatial, level, True, used == 1.0 and short, True, edge, cut, compat, ws, iw)
    if used > 1.0:
        made += max(used - (1.0 if short else 0.0) - 1.0, 0.0) * other
        if short:
            made += units(spatial, level, False, True, True, edge, cut, compat, ws, iw)
    return base * made


@inlined
def worked(level, edge, cut, uneven, base, compat, ws, iw):
    """(multiply-accumulates of all sub-units, of the busiest one)."""
    split = iw[V.SPLIT + V.level_record(level)]
    used = ws[V.EDGE_UNITS + (level & 3)]
    plain = units(split, level, True, False, True, edge, cut, compat, ws, iw)
    if split & (edge | cut) == 0:
        return base * plain * ws[V.UNITS + (level & 3)], base * plain
    second = iw[V.SECOND + V.level_record(level)]
    asked = second if second >= 0 else iw[V.FIRST + V.level_record(level)]
    short = (uneven >> asked) & 1
    made = units(split, level, True, used == 1.0 and short == 1, True, edge, cut, compat, ws, iw)
    if used > 1.0:
        made += max(used - short - 1.0, 0.0) * plain
        if short:
            made += units(split, level, False, True, False, edge, cut, compat, ws, iw)
    lone = used == 1.0 and iw[V.LAST + V.level_record(level) + L.O] & uneven != 0
    longest = units(split, level, True, lone, True, edge, cut, compat, ws, iw) if lone else plain
    return base * made, base * longest
