"""Metrics, shipped and of a user's own: values, limits, columns of studies and exports."""

from __future__ import annotations

import csv
import sqlite3

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError, search
from accelsim.cosearch.configure import configure
from accelsim.cosearch.export import to_csv
from accelsim.cosearch.metrics import ALWAYS, METRICS, load_metric
from accelsim.cosearch.run import load_study, resume
from accelsim.workloads.capacity import fisher
from tests.command import run
from tests.cosearch import own_metric
from tests.cosearch.small import SUBNETS, TINY, same, tiny

OWN = "tests.cosearch.own_metric"
COSTLY = [name for name in METRICS.home if name not in ALWAYS and name != "accuracy_95"]
"""Kept where they are asked for; `accuracy_95` is known for spaces alone."""


@pytest.fixture(scope="module")
def every():
    """A search that keeps every shipped metric."""
    return search(**TINY, evaluations=16, objectives=["edp", *COSTLY])


def test_every_shipped_metric_is_what_other_verbs_say(every) -> None:
    assert set(every.setup.goals.metrics) == {*ALWAYS, *COSTLY}
    for found in every.front[:3]:
        chip, (net,), _ = every.design(found)
        (mapped,) = every.mappings(found)
        plan = accelsim.memory_plan(net, chip)
        off = sum(
            access["words"]
            for layer in mapped.cost.layers
            for access in layer.accesses
            if access["memory"] == chip.memories[0].name
        )
        assert found.metrics["dram_words"] == off > 0
        assert found.metrics["peak_memory"] == plan.peak > 0
        assert found.metrics["flash"] == plan.flash > 0
        assert found.metrics["params"] == net.params
        assert found.metrics["capacity"] == fisher(net).mean > 0
        assert found.metrics["edp"] == mapped.cost.edp_js
        assert found.metrics["macs"] == found.metrics["work"] == net.macs


def test_asking_for_mappings_changes_no_other_figure(every) -> None:
    plain = search(**TINY, evaluations=8, objectives="edp")
    detailed = search(**TINY, evaluations=8, objectives="edp", max_dram_words=1e12, workers=2)
    assert plain.generations[0].rows.tobytes() == detailed.generations[0].rows.tobytes()
    for name in ALWAYS:
        assert plain.column(name).tobytes() == detailed.column(name).tobytes()
    assert every.setup.tally.mappings > 0


def test_memories_of_several_networks_are_the_largest() -> None:
    nets = [tiny("a", 8), tiny("b", 24)]
    both, *single = (
        search(**TINY | {"networks": x}, evaluations=8, fix="hardware", objectives=["edp", *COSTLY])
        for x in (nets, *nets)
    )
    for name in ("peak_memory", "flash"):
        assert both.best.metrics[name] == max(one.best.metrics[name] for one in single)
    words = [one.best.metrics["dram_words"] for one in single]
    assert both.best.metrics["dram_words"] == pytest.approx((words[0] * words[1]) ** 0.5)


def test_what_needs_no_mapping_is_judged_before_mapping() -> None:
    free = search(**SUBNETS, optimiser="random", evaluations=8, objectives="edp", max_flash=1e9)
    cut = float(np.median(free.column("flash")))
    found = search(**SUBNETS, optimiser="random", evaluations=8, objectives="edp", max_flash=cut)
    over = found.column("flash") > cut
    assert over.any()
    assert np.isnan(found.column("edp")[over]).all()
    assert not found.feasible[over].any()
    assert found.best.metrics["flash"] <= cut


@pytest.mark.parametrize(
    "objectives",
    [
        [f"{OWN}:Speed", f"{OWN}:Slowest"],
        [own_metric.Speed, own_metric.Slowest],
        [own_metric.Speed(), own_metric.Slowest()],
    ],
    ids=["names", "classes", "objects"],
)
def test_own_metrics_are_objectives(objectives) -> None:
    found = search(**TINY, evaluations=16, objectives=objectives, limits={own_metric.Lanes: 64})
    speed = 1.0 / found.column("latency") / found.column("area")
    assert (found.column("speed") == speed)[np.isfinite(speed)].all()
    assert (found.column("slowest") < found.column("latency"))[np.isfinite(speed)].all()
    assert all(item.metrics["lanes"] <= 64 for item in found.front)
    assert [item.metrics["speed"] for item in found.front] == sorted(
        (item.metrics["speed"] for item in found.front), reverse=True
    )
    assert found.setup.goals.words() == "maximise speed, minimise slowest, lanes <= 64"


def test_a_limit_of_an_own_objective_by_its_name() -> None:
    found = search(**TINY, evaluations=8, objectives=[own_metric.Lanes(), "edp"], max_lanes=64)
    assert found.config.limits == {"tests.cosearch.own_metric:Lanes(weight=1.0)": 64.0}
    with pytest.raises(AccelsimError, match="max_speed: of speed, more is better; its limit is min_speed"):
        configure("eyeriss", networks=tiny(), objectives=own_metric.Speed, max_speed=3)


def test_registered(monkeypatch) -> None:
    monkeypatch.setattr(METRICS, "_added", {})
    METRICS.register("lanes", own_metric.Lanes)
    found = search(**TINY, evaluations=8, objectives="edp, lanes", max_lanes=64)
    assert found.config.objectives == ("edp", "lanes")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": f"{OWN}:Missing"}, ["metric: cannot import", "Missing"]),
        ({"objectives": ["edp", 3]}, ["metric: must be a name, or a Metric", "3"]),
        ({"objectives": [own_metric.Shadow]}, ["'edp' is the name of another"]),
        ({"objectives": [own_metric.Nameless]}, ["small letters", "'Two words'"]),
        ({"objectives": [own_metric.Lanes(), own_metric.Lanes(2.0)]}, ["both named lanes"]),
        ({"max_lane": 3}, ["'lane'", "metric"]),
        ({"max_accuracy": 3}, ["its limit is min_accuracy"]),
        ({"maximum": 3}, ["no option 'maximum'"]),
        ({"objectives": "dram_words", "model": "maestro"}, ["dram_words", "maestro has none"]),
    ],
)
def test_refused(options, words) -> None:
    with pytest.raises(AccelsimError) as fault:
        configure("eyeriss", networks=tiny(), **options)
    assert all(word in str(fault.value) for word in words), fault.value
    assert "\n" not in str(fault.value)


def test_a_metric_that_fails_says_which() -> None:
    with pytest.raises(AccelsimError, match=r"metric broken: .*ZeroDivisionError"):
        search(**TINY, evaluations=8, objectives=own_metric.Broken)


# -- studies ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "a.study"
    search(**TINY, evaluations=16, objectives=f"{OWN}:Speed,edp", limits={f"{OWN}:Lanes": 200}, study=path)
    return path


def test_a_study_keeps_names_and_versions(study, monkeypatch) -> None:
    with sqlite3.connect(study) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(candidates)")]
    db.close()
    assert columns[-10:] == [*ALWAYS, "speed", "lanes", "_level"]
    whole = load_study(study)
    rows = list(csv.DictReader(to_csv(whole).splitlines()))
    assert [float(row["lanes_count"]) for row in rows] == whole.column("lanes").tolist()
    longer = resume(study, 24, trust=True, finish=0)
    assert same(
        longer,
        search(**TINY, evaluations=24, objectives=[own_metric.Speed, "edp"], limits={own_metric.Lanes: 200}),
    )


def test_without_the_metric_a_study_shows_but_does_not_go_on(study, monkeypatch, capsys) -> None:
    before = study.read_bytes()
    monkeypatch.setattr(METRICS, "_added", {})
    monkeypatch.delattr(own_metric, "Speed")
    shown = load_study(study)
    known = [*shown.column("speed")[shown.feasible], *(found.metrics["speed"] for found in shown.front)]
    assert max(known) == shown.best.metrics["speed"]
    with pytest.raises(AccelsimError) as fault:
        resume(study, 48, finish=0, trust=True)
    assert str(fault.value).startswith(f"study {study}: it needs the metric speed, version 1: ")
    assert study.read_bytes() == before
    code, out, _ = run(capsys, "study", "show", str(study))
    assert code == 0
    assert "maximise speed" in out


def test_another_version_does_not_go_on(study, monkeypatch) -> None:
    monkeypatch.setattr(own_metric.Speed, "version", "2")
    assert len(load_study(study)) >= 16
    with pytest.raises(AccelsimError, match=r"its metric speed has changed: it was version 1 .*version 2"):
        resume(study, 48, finish=0, trust=True)


def test_on_the_command_line(tmp_path, capsys) -> None:
    words = ("search", "eyeriss", "--network", "lenet5", "--budget", "20", "--population", "8")
    words += ("--evaluations", "8", "--finish", "0", "--study", str(tmp_path / "a.study"))
    own = ("--objectives", f"{OWN}:Speed,peak_memory", "--limit", f"{OWN}:Lanes=200", "--max-flash", "1e6")
    code, out, err = run(capsys, *words, *own)
    assert (code, err) == (0, "")
    for word in ("maximise speed", "speed /s/mm2", "peak_memory B", "lanes <= 200", "flash <= 1e+06 B"):
        assert word in out
    code, _, err = run(capsys, *words, "--limit", "edp")
    assert code == 2
    assert "write it as NAME=VALUE" in err


def test_accuracy_a_metric_needs(tmp_path) -> None:
    """A metric that needs accuracies gets them, and none where the networks are given."""

    class Points(own_metric.Speed):
        name, needs = "points", ("accuracy",)

        def of(self, candidate):
            return candidate.accuracy

    found = search(**SUBNETS, evaluations=8, objectives=[Points(), "edp"])
    assert found.column("points").tolist() == found.column("accuracy").tolist()
    with pytest.raises(AccelsimError, match="given networks have none"):
        configure("eyeriss", networks=tiny(), objectives=Points())


def test_load_metric_takes_itself() -> None:
    one = load_metric("edp")
    assert load_metric(one) is one
