"""Rank agreement, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from accelsim.accuracy.statistics import kendall


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [3, 1000])
def test_kendall(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, values, (2, 200))
    assert kendall(a, b) == pytest.approx(kendalltau(a, b)[0], abs=1e-12)
    assert kendall(a, a) == pytest.approx(1.0)
    assert kendall(a, -a) == pytest.approx(-1.0)


def test_kendall_of_a_constant_is_undefined() -> None:
    assert np.isnan(kendall([1, 1, 1], [1, 2, 3]))
