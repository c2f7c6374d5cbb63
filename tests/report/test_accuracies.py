"""What accuracies can tell: against counting, and in the report."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.cosearch.apart import half_widths
from accelsim.cosearch.run import search
from accelsim.report.accuracies import accuracy_lines, chance, told_apart
from tests.cosearch.small import SUBNETS


def test_groups_differ_by_more_than_the_error_of_a_difference() -> None:
    accuracy = np.array([76.0, 76.2, 76.6, 77.3, 76.55])
    assert told_apart(accuracy, np.full(5, 0.35)) == 3  # 0.495 of a difference: 76.0, 76.55, 77.3
    assert told_apart(accuracy, np.full(5, 1.0)) == 1
    assert told_apart(accuracy, np.full(5, 1e-6)) == 5


@pytest.mark.parametrize(
    ("accuracy", "half", "limit"), [(76.0, 0.35, 76.0), (76.2, 0.4, 76.0), (75, 0.9, 76)]
)
def test_chance_is_what_draws_say(accuracy, half, limit) -> None:
    drawn = np.random.default_rng(0).normal(accuracy, half / 1.959964, 200_000)
    assert chance(accuracy, half, limit) == pytest.approx((drawn >= limit).mean(), abs=0.005)
    assert chance(accuracy, 0.0, limit) == (accuracy >= limit)


def test_the_report_says_it_and_the_limit_it_names_is_sure() -> None:
    found = search(**SUBNETS, evaluations=24, min_accuracy=71.0)
    half = half_widths(found, found.front)
    assert half is not None
    assert (half > 0).all()
    apart, limit = accuracy_lines(found)
    assert f"of these {len(found.front)} designs" in apart
    wanted = float(limit.split("ask for ")[1].split(" %")[0])
    assert chance(wanted, half[0], 71.0) == pytest.approx(0.95, abs=0.01)
    plain = search(**SUBNETS | {"objectives": "edp"}, evaluations=8)
    assert accuracy_lines(plain) == []
