"""Numbers as people read them."""

from __future__ import annotations


def quantity(value: float, unit: str) -> str:
    """Number with an SI prefix and three significant digits: 1.23 mJ."""
    for factor, prefix in (
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1.0, ""),
        (1e-3, "m"),
        (1e-6, "u"),
        (1e-9, "n"),
    ):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}" if value == 0 else f"{value / 1e-12:.3g} p{unit}"


def size_text(size_bytes: float) -> str:
    """Bytes with a binary prefix: 100 KiB, 1.5 MiB."""
    for factor, prefix in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.4g} {prefix}B"
    return f"{size_bytes:.4g} B"


def times(gain: float, loss: str = "more") -> str:
    """A factor as people say it: 2.40x is a gain, and what would be 0.40x is "2.50x more"."""
    return f"{gain:.2f}x" if gain >= 0.995 or gain <= 0 else f"{1 / gain:.2f}x {loss}"
