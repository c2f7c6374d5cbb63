"""Widths of elements, by `onnx.TensorProto` type."""

from __future__ import annotations

BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 17: 8, 18: 8,
    19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2, 27: 6, 28: 6,
}  # fmt: skip
"""Bits of an element in a file; text and complex numbers, which no layer computes with, have none."""

QUANTISED = frozenset({2, 3, 4, 5, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28})
"""Types that are quantised values: whole numbers of 2, 4, 8 and 16 bits, and floating ones of 4, 6 and 8."""


def width(kind: int) -> int:
    """Bits of an element of a type; 32 for one without any."""
    return BITS.get(kind, 32)


def quantised_bits(kind: int) -> int:
    """Width of a type of quantised values, 0 for others."""
    return width(kind) if kind in QUANTISED else 0
