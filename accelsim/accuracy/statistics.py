"""How well predictions agree with measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b: rank agreement from -1 to 1, ties discounted (Kendall, Biometrika 1945). O(n^2)."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    agree = tied_x = tied_y = 0.0
    for i in range(len(x) - 1):
        dx, dy = np.sign(x[i + 1 :] - x[i]), np.sign(y[i + 1 :] - y[i])
        agree += float(dx @ dy)
        tied_x += float(np.sum(dx == 0))
        tied_y += float(np.sum(dy == 0))
    pairs = len(x) * (len(x) - 1) / 2
    scale = np.sqrt((pairs - tied_x) * (pairs - tied_y))
    return float(agree / scale) if scale else float("nan")
