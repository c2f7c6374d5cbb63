"""Objectives and limits: signs, units of the misses, the front, bad names."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from accelsim import AccelsimError
from accelsim.cosearch.goals import Goals, front
from accelsim.cosearch.metrics import METRICS, load_metric

few = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.5, math.inf, math.nan])
any_costs = st.one_of(few, st.floats(allow_nan=True, allow_infinity=True))


@st.composite
def populations(draw):
    n, d = draw(st.integers(0, 25)), draw(st.integers(1, 4))
    elements = draw(st.sampled_from([few, any_costs]))
    return draw(hnp.arrays(float, (n, d), elements=elements)), draw(hnp.arrays(bool, (n,)))


def slow_front(costs: np.ndarray, feasible: np.ndarray) -> list[int]:
    """By definition: feasible and finite, dominated by none; of equal ones the first."""
    good = [i for i in range(len(costs)) if feasible[i] and all(map(math.isfinite, costs[i]))]
    out = []
    for i in good:
        mine = costs[i].tolist()
        others = [(j, costs[j].tolist()) for j in good if j != i]
        dominated = any(all(a <= b for a, b in zip(other, mine)) and other != mine for _, other in others)
        repeated = any(other == mine and j < i for j, other in others)
        if not dominated and not repeated:
            out.append(i)
    return sorted(out, key=lambda i: costs[i].tolist())


@settings(max_examples=300, deadline=None)
@given(populations())
def test_front_is_what_the_definition_says(population) -> None:
    costs, feasible = population
    found = front(costs, feasible)
    assert found.tolist() == slow_front(costs, feasible)
    assert found.dtype == np.int64


@settings(max_examples=50, deadline=None)
@given(populations(), st.randoms(use_true_random=False))
def test_front_does_not_depend_on_the_order(population, random) -> None:
    costs, feasible = population
    order = list(range(len(costs)))
    random.shuffle(order)
    assert costs[front(costs, feasible)].tolist() == (
        costs[order][front(costs[order], feasible[order])].tolist()
    )


def values(goals: Goals, **metrics: float) -> np.ndarray:
    row = np.full((1, len(goals.metrics)), np.nan)
    for name, value in metrics.items():
        row[0, goals.column[name]] = value
    return row


def test_costs_fall_as_designs_improve() -> None:
    goals = Goals.of("accuracy, edp area", {})
    assert goals.objectives == ("accuracy", "edp", "area")
    worse = goals.costs(values(goals, accuracy=70.0, edp=2.0, area=3.0))
    better = goals.costs(values(goals, accuracy=71.0, edp=1.0, area=2.0))
    assert worse.tolist() == [[-70.0, 2.0, 3.0]]
    assert (better < worse).all()


@pytest.mark.parametrize("name", METRICS.names())
def test_excess_is_relative_and_positive_where_missed(name) -> None:
    goals = Goals.of(["edp"], {name: 50.0})
    low, even, high = (goals.excess(values(goals, **{name: x}))[0, 0] for x in (40.0, 50.0, 60.0))
    sign = -1 if load_metric(name).maximise else 1
    assert even == 0
    assert (sign * low, sign * high) == pytest.approx((-0.2, 0.2))
    assert goals.excess(values(goals))[0, 0] == 1.0
    assert goals.excess(values(goals, **{name: math.inf}))[0, 0] == sign * math.inf


def test_limits_keep_the_order_of_the_metrics() -> None:
    goals = Goals.of(["edp"], {"accuracy": 75, "latency": 0.1, "area": 4})
    assert list(goals.limits) == ["latency", "area", "accuracy"]
    assert goals.early() == [1, 2]  # area and accuracy need no mapping
    assert goals.excess(values(goals, latency=0.2, area=2.0, accuracy=75.0)).tolist() == [[1.0, -0.5, 0.0]]
    assert goals.words() == "minimise edp, latency <= 0.1 s, area <= 4 mm2, accuracy >= 75 %"
    assert goals.uses_accuracy
    assert not Goals.of(["edp"], {"area": 4}).uses_accuracy


@pytest.mark.parametrize(
    ("objectives", "limits", "words"),
    [
        (["edpp"], {}, ["'edpp'", "edp"]),
        (["accurracy", "edp"], {}, ["'accurracy'", "accuracy"]),
        ([], {}, ["at least one of", "edp"]),
        ("", {}, ["at least one of"]),
        (" , ", {}, ["at least one of"]),
        (["edp", "edp"], {}, ["edp, edp", "twice"]),
        ([3], {}, ["3"]),
        ([["edp"]], {}, ["['edp']"]),
        (["edp"], {"aera": 1}, ["'aera'", "area"]),
        (["edp"], {"area": 0}, ["max_area", "above 0", "0"]),
        (["edp"], {"area": -1.0}, ["max_area", "-1.0"]),
        (["edp"], {"accuracy": math.nan}, ["min_accuracy", "nan"]),
        (["edp"], {"latency": math.inf}, ["max_latency", "inf"]),
        (["edp"], {"latency": "1"}, ["max_latency", "'1'"]),
        (["edp"], {"latency": True}, ["max_latency", "True"]),
    ],
)
def test_bad_goals(objectives, limits, words) -> None:
    with pytest.raises(AccelsimError) as fault:
        Goals.of(objectives, limits)
    assert all(word in str(fault.value) for word in words)
    assert "\n" not in str(fault.value)


def test_logarithms_keep_the_order_of_what_is_maximised() -> None:
    goals = Goals.of("latency,params,work", {})
    values = np.full((3, len(goals.metrics)), np.nan)
    values[:, [goals.column[name] for name in goals.objectives]] = [[1, 10, 3], [10, 100, 2], [100, 1000, 1]]
    scaled = goals.log_costs(goals.costs(values))
    np.testing.assert_allclose(scaled, [[0, -1, -3], [1, -2, -2], [2, -3, -1]])
