"""Verdicts, summaries and rank correlation."""

from __future__ import annotations

import math

import pytest

from accelsim.validation.result import EXACT, Case, Summary, spearman, times, within


@pytest.mark.parametrize(
    ("theirs", "ours", "limits", "rule", "verdict"),
    [
        (2.0, 2.0, EXACT, "", "exact"),
        (2.0, 2.0, EXACT, "some rule", "exact"),
        (2.0, 2.1, EXACT, "", "off"),
        (2.0, 2.1, EXACT, "some rule", "explained"),
        (2.0, 2.1, within(0.06), "", "within"),
        (2.0, 1.9, within(0.04), "", "off"),
        (2.0, 1.01, times(2), "", "within"),
        (2.0, 0.99, times(2), "", "off"),
        (2.0, 4.1, times(2), "", "off"),
        (2.0, 9.0, None, "", "shown"),
    ],
)
def test_verdict(theirs: float, ours: float, limits, rule: str, verdict: str) -> None:
    assert Case("case", "quantity", theirs, ours, limits, rule).verdict == verdict


def test_error() -> None:
    assert Case("", "", 4.0, 3.0, None).error == -0.25
    assert Case("", "", 0.0, 0.0, None).error == 0.0
    assert math.isinf(Case("", "", 0.0, 1.0, None).error)


def test_summary() -> None:
    cases = [Case(name, "q", 1.0, ours, within(0.1)) for name, ours in (("a", 1.05), ("b", 0.7), ("c", 1.0))]
    one = Summary.of("q", cases)
    assert (one.count, one.worst.name) == (3, "b")
    assert one.mean_error == pytest.approx(0.35 / 3)
    assert {v: n for v, n in one.verdicts.items() if n} == {"within": 1, "off": 1, "exact": 1}
    assert not one.passed


def test_spearman() -> None:
    assert spearman([1, 2, 3], [10, 20, 300]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # Ties share their mean rank: ranks 1.5 1.5 3 4 against 1 2 3 4.
    a, b = (1.5, 1.5, 3.0, 4.0), (1.0, 2.0, 3.0, 4.0)
    top = sum((x - 2.5) * (y - 2.5) for x, y in zip(a, b, strict=True))
    bottom = math.sqrt(sum((x - 2.5) ** 2 for x in a) * sum((y - 2.5) ** 2 for y in b))
    assert spearman([5, 5, 6, 7], [1, 2, 3, 4]) == pytest.approx(top / bottom)
