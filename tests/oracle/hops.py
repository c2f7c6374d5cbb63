"""Lanes that each bit passes on its way, counted lane by lane."""

from __future__ import annotations

from itertools import product


def lanes_passed(factors: dict[str, int], by_distance: set[str], bits_each: float) -> dict[str, float]:
    """Bits times lanes passed over each axis, for `bits_each` delivered to each instance of axes in use."""
    out = dict.fromkeys(factors, 0.0)
    for place in product(*(range(f) for f in factors.values())):
        for axis, at in zip(factors, place):
            out[axis] += bits_each * (at + 1 if axis in by_distance else 1)
    return out
