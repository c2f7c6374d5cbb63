"""Screening spares mappings and loses nothing that the front could have."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.finished import Finished, Name
from accelsim.cosearch.goals import front
from accelsim.cosearch.hopeful import hopeful
from accelsim.cosearch.run import load_study, search
from accelsim.cosearch.screen import BOUNDED, MAPPED, SKETCHED, Known, screened
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies import load_strategy
from accelsim.errors import AccelsimError
from accelsim.mapping.sketch import SketchMapper
from accelsim.mapping.task import Task
from accelsim.report.search import nothing_feasible
from tests.cosearch.small import TINY, same

CHIPS = ("eyeriss", "nvdla_64", "edgetpu")


@pytest.fixture(scope="module", params=CHIPS)
def found(request):
    return search(**TINY | {"hardware": request.param}, evaluations=40)


def test_what_a_level_says(found) -> None:
    """Sketches are above the figures of a search without it, bounds below; the front has the same."""
    values, levels = found.values, found.levels
    assert SKETCHED in levels
    config = dataclasses.replace(found.config, screen=False)
    plain = load_strategy(Setup(config)).phase
    full = np.concatenate([plain.evaluate(g.rows) for g in found.generations])
    names = found.setup.goals.column
    for name in ("latency", "energy"):
        column = names[name]
        assert (values[:, column] <= full[:, column] * (1 + 1e-9))[levels == BOUNDED].all()
    edp = names["edp"]
    assert (values[:, edp] >= full[:, edp] * (1 - 1e-9))[levels == SKETCHED].mean() > 0.8
    for item in found.front:
        assert item.level == "mapped"
        np.testing.assert_array_equal([*item.metrics.values()], full[item.index])
    costs = found.setup.goals.costs(full)
    lost = set(front(costs, found.feasible)) - {item.index for item in found.front}
    assert not [i for i in lost if levels[i] == BOUNDED]


def test_it_spares_mappings(found) -> None:
    config = dataclasses.replace(found.config, screen=False)
    spent = found.setup.tally.mappings
    plain = load_strategy(Setup(config)).phase
    for made in found.generations:
        plain.evaluate(made.rows)
    assert spent < 0.9 * plain.pricer.tally.mappings


def test_candidates_say_what_their_figures_are(found) -> None:
    words = [row["figures"] for row in found.to_rows()]
    assert words.count("bounded") == (found.levels == BOUNDED).sum()
    rough = [i for i, word in enumerate(words) if word == "sketched"]
    assert set(rough) < set(np.flatnonzero(found.levels == SKETCHED).tolist())
    for item in (found.found(rough[0]), found.front[0]):
        (mapped,) = found.mappings(item)
        assert mapped.cost.edp_js == item.metrics["edp"]
    for i in np.flatnonzero(found.levels == BOUNDED)[:1].tolist():
        with pytest.raises(AccelsimError, match=f"candidate {i}: was not mapped"):
            found.mappings(found._searched(i))


def test_it_is_the_same_on_workers_and_resumed(tmp_path) -> None:
    whole = search(**TINY, evaluations=24)
    assert same(search(**TINY, evaluations=24, workers=2), whole)
    path = tmp_path / "a.study"
    search(**TINY, evaluations=8, study=path)
    again = search(**TINY, evaluations=24, study=path)
    assert same(again, whole)
    assert (load_study(path).levels == whole.levels).all()


@pytest.mark.parametrize(("falls", "mapped"), [((0.5, 1.0, 1.0), 3), ((0.5, 1.0, 0.6), 4)])
def test_sketches_are_judged_by_how_most_fell(falls, mapped) -> None:
    """Three are the front of the sketches; the fourth is 1.5 times above one of them."""
    sketches = np.array([[1.0, 9.0], [4.0, 4.0], [9.0, 1.0], [6.0, 6.0]])
    full = sketches * np.array([*falls, 1.0])[:, None]
    metric = SimpleNamespace(mapped=True, maximise=False)
    goals = SimpleNamespace(
        metrics={"latency": metric, "energy": metric}, objectives=("latency", "energy"), costs=lambda x: x
    )
    result = SimpleNamespace(
        setup=SimpleNamespace(goals=goals),
        values=sketches,
        levels=np.full(4, SKETCHED),
        feasible=np.ones(4, bool),
        excess=lambda values: np.zeros((len(values), 1)),
        finished={},
    )
    rounds = []
    for candidates in hopeful(result, 1):
        rounds += candidates
        for i in candidates:
            result.finished[Name(i)] = Finished(i, False, tuple(full[i]), tuple(sketches[i]), "", 0)
    assert len(rounds) == len(set(rounds)) == mapped


@pytest.mark.parametrize("finishing", [0, 100])
def test_of_what_misses_the_limits_the_nearest_are_mapped(monkeypatch, finishing) -> None:
    """A quarter where none meets them; and one that meets them only when mapped in full is found."""
    monkeypatch.setattr(SketchMapper, "start_budget", 20)
    options = TINY | {"finish": finishing, "evaluations": 16, "objectives": "latency"}
    free = search(**options)
    sketches = free.column("latency")
    hopeless = search(**options, max_latency=0.5 * float(np.nanmin(sketches)))
    assert not hopeless.front
    assert len(hopeless.finished) == 16 // 4
    full = free.best.metrics["latency"]
    assert full < np.nanmin(sketches)
    found = search(**options, max_latency=(full + float(np.nanmin(sketches))) / 2)
    assert found.front
    assert not found.feasible.any()


def test_the_switch_counts() -> None:
    plain = search(**TINY, evaluations=16, screen=False)
    assert (plain.levels == MAPPED).all()
    assert "screen" not in plain.config.to_dict()
    assert plain.config.hash != search(**TINY, evaluations=8).config.hash


def test_a_sketch_is_cheap_and_legal() -> None:
    hw = accelsim.load_hardware("eyeriss")
    task = Task(hw, accelsim.Layer.conv2d(K=64, C=64, P=28, Q=28, R=3, S=3))
    found = SketchMapper().map(task)
    assert 0.5 * SketchMapper.start_budget < found.start_evaluations <= SketchMapper.start_budget
    latency, energy, spent = SketchMapper().batch([task])[0]
    assert (latency, energy) == (found.cost.latency_cycles, found.cost.energy_pj)
    assert spent == found.start_evaluations


def test_known_beats_as_a_plain_loop_says() -> None:
    rng = np.random.default_rng(0)
    known = Known(2)
    seen = np.zeros((0, 2))
    for _ in range(20):
        costs = rng.integers(0, 12, (6, 2)).astype(float)
        expected = [any((k <= c).all() and (k < c).any() for k in seen) for c in costs]
        assert known.beats(costs).tolist() == expected
        feasible = rng.random(6) < 0.7
        known.add(costs, feasible)
        seen = np.concatenate([seen, costs[feasible]])


def test_nothing_is_bounded_before_anything_is_known() -> None:
    found = search(**TINY, evaluations=8)
    strategy = load_strategy(found.setup)
    rows = found.generations[0].rows
    _, levels = screened(strategy.phase, rows)
    assert (levels != BOUNDED).all()


def test_a_limit_that_only_full_mappings_meet() -> None:
    """What is said of the limits, and the hypervolume, is of the figures that are reported."""
    free = search(**TINY, evaluations=8)
    best = free.best.metrics["edp"]
    assert np.nanmin(free.values[:, free.setup.goals.column["edp"]]) > best
    met = search(**TINY, evaluations=8, max_edp=best)
    assert not met.feasible.any()
    assert met.best.metrics["edp"] == best
    said = met.to_dict()
    assert said["feasible"] == sum(row["feasible"] for row in met.to_rows()) == 1
    assert said["limits_missed"] == {"edp": 7 / 8}
    short = search(**TINY, evaluations=8, max_edp=best * 0.99)
    assert short.best is None
    assert f"the best candidate has {best:.4g}" in nothing_feasible(short)
