"""Dominance with a margin: against its definition, and limits that hold in 95 of 100 cases."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cosearch.apart import half_widths, surely_apart
from accelsim.cosearch.goals import front
from accelsim.cosearch.run import load_study, search
from accelsim.report.accuracies import chance
from tests.cosearch.small import SUBNETS


def beats(a: int, b: int, costs: np.ndarray, half: np.ndarray) -> bool:
    """The definition, a word at a time; the accuracy is the last cost."""
    others = [(costs[a][k], costs[b][k]) for k in range(costs.shape[1] - 1)]
    not_worse = all(mine <= theirs for mine, theirs in others)
    better = any(mine < theirs for mine, theirs in others)
    loses = costs[a][-1] - costs[b][-1]
    return not_worse and better and loses <= (half[a] ** 2 + half[b] ** 2) ** 0.5


points = st.lists(st.tuples(*[st.integers(0, 12)] * 3), min_size=1, max_size=9)


@given(points, st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=9, max_size=9), st.booleans())
def test_kept_beat_no_kept_and_all_others_are_beaten(drawn, widths, two) -> None:
    costs = np.array(drawn, float)[:, 1 if two else 0 :]
    costs = costs[front(costs, np.ones(len(costs), bool))]
    half = np.array(widths)[: len(costs)]
    kept = set(surely_apart(costs, costs.shape[1] - 1, half).tolist())
    everything = range(len(costs))
    right = [
        set(some)
        for size in range(len(costs) + 1)
        for some in combinations(everything, size)
        if all(any(beats(a, b, costs, half) for a in some) == (b not in some) for b in everything)
    ]
    assert right == [kept]  # the only choice that does both


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("apart") / "a.study"
    return search(**SUBNETS, evaluations=24, study=path, apart=True), path


def test_a_front_told_apart(found) -> None:
    """A part of the plain front, no two of which are within the error; the study is the same."""
    result, path = found
    shown = result.front
    accuracy = np.array([one.metrics["accuracy"] for one in shown])
    half = half_widths(result, shown)
    plain = load_study(path)
    assert not plain.apart
    assert {one.index for one in shown} < {one.index for one in plain.front}
    assert shown[0] == plain.front[0]
    for i, j in combinations(range(len(shown)), 2):
        assert abs(accuracy[i] - accuracy[j]) > np.hypot(half[i], half[j])
    plain.apart = True
    assert plain.front == shown


def test_a_limit_that_holds_in_95_of_100_cases() -> None:
    """Stricter than the same limit of the predicted value, and each candidate is judged by its own error."""
    options = SUBNETS | {"objectives": "edp", "evaluations": 16}
    sure = search(**options, min_accuracy_95=70.5)
    half = half_widths(sure, [sure.found(i) for i in range(len(sure))])
    accuracy = sure.column("accuracy")
    chances = np.array([chance(a, h, 70.5) for a, h in zip(accuracy, half)])
    mapped = np.isfinite(sure.column("latency"))
    assert (sure.feasible == (chances >= 0.95) & mapped).all()
    assert ((accuracy >= 70.5) & ~sure.feasible).any()
    assert sure.feasible.any()
