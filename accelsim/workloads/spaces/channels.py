"""Channel counts that are multiples of eight."""

from __future__ import annotations


def divisible(value: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor`, at least one of them, and never below 90 % of `value`.

    The rule of the MobileNet family (Sandler et al., CVPR 2018, reference code), used by Once-for-All too.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
