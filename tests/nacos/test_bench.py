"""What the benchmark answers, against whole networks priced anew and against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import map_layer
from accelsim.nacos.schedules import OBJECTIVES, SCHEDULES, NetCosts, hull, whole_front
from accelsim.nacos.tasks import KEYS, BenchTask


def test_networks_are_those_of_the_space(bench) -> None:
    assert len(bench) == 3969
    for i in (0, 17, 3968):
        assert bench.query_index_by_arch(bench.arch(i)) == i
        net = bench.nets.network(i)
        assert sum(bench.nets.counts[i]) == len(net.layers)
        assert (bench.nets.macs[i], bench.nets.params[i]) == (net.macs, net.params)
    # Identities beyond a stage's first slot may stand anywhere.
    assert bench.query_index_by_arch("nasbench_macro:00010000") == bench.query_index_by_arch("00001000")
    assert bench.query_index_by_arch("10000000") != bench.query_index_by_arch("01000000")


@pytest.mark.parametrize("schedule", ["proved", "template", "q50"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_sums_are_evaluate_of_whole_networks(bench, schedule, objective) -> None:
    rng = np.random.default_rng(len(schedule) + len(objective))
    for i, c in zip(rng.integers(len(bench), size=2), rng.permutation(len(bench.chips))):
        chip = bench.chips[c]
        if not np.isfinite(bench.totals(chip, schedule, nets=[i]).latency[0]):
            with pytest.raises(AccelsimError, match="random mapping"):
                bench.query_by_index(int(i), chip, schedule)
            continue
        row = bench.query_by_index(int(i), chip, schedule, objective=objective)
        cost = bench.live(int(i), chip, schedule, objective=objective)
        assert row["latency_cycles"] == pytest.approx(cost.latency_cycles, rel=1e-12)
        assert row["energy_pj"] == pytest.approx(cost.energy_pj, rel=1e-12)
        assert row["edp_js"] == pytest.approx(cost.edp_js, rel=1e-12)
        assert row["latency_s"] == pytest.approx(cost.latency_s, rel=1e-12)


def test_the_proved_schedule_is_the_best_of_all_choices() -> None:
    """Brute force: every choice of a point of every layer's front, several instances included."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        fronts = []
        for _ in range(3):
            n = int(rng.integers(1, 5))
            latency, energy = (np.sort(rng.choice(30, n, replace=False) + 1.0) for _ in range(2))
            fronts.append(NetCosts(latency, energy[::-1].copy()))
        counts = rng.integers(0, 3, 3)
        picks = [f for f, times in zip(fronts, counts) for _ in range(times)]
        every = [
            (
                sum(f.latency[k] for f, k in zip(picks, chosen)),
                sum(f.energy[k] for f, k in zip(picks, chosen)),
            )
            for chosen in product(*(range(len(f.latency)) for f in picks))
        ]
        over = rng.uniform(0, 5, 2)
        made = _schedules(fronts, tuple(over))
        for objective in OBJECTIVES:
            best, chosen = made.proved(counts[None], objective)
            values = NetCosts(*(np.array(x) + more for x, more in zip(zip(*every), over))).of(objective)
            assert best.of(objective)[0] == pytest.approx(values.min(), rel=1e-12)
            again = sum(f.latency[k] * n for f, k, n in zip(fronts, chosen[0], counts)) + over[0]
            assert again == pytest.approx(best.latency[0])
        found = whole_front(fronts, counts)
        true = sorted({e for e in every if not any(_beats(o, e) for o in every)})
        assert pytest.approx(np.array(true)) == np.array(found).T


def _beats(a, b) -> bool:
    return a != b and a[0] <= b[0] and a[1] <= b[1]


def _schedules(fronts, overhead):
    from accelsim.nacos.schedules import ChipSchedules
    from accelsim.nacos.tables import Rows, Tables
    from accelsim.pack import Batch

    n = len(fronts)
    start = np.cumsum([0, *(len(f.latency) for f in fronts)])
    rows = Rows(
        np.concatenate([f.latency for f in fronts]),
        np.concatenate([f.energy for f in fronts]),
        Batch.empty(int(start[-1]), 2),
    )
    tables = Tables(
        start, rows, Rows.empty(n, 2), Rows.empty(9 * n, 2), np.zeros(n, np.int64), np.zeros((n, 2))
    )
    return ChipSchedules(tables, 0, n, overhead)


def test_hull_is_convex() -> None:
    latency, energy = np.array([1.0, 2, 3, 4, 5]), np.array([9.0, 8, 4, 3.9, 1])
    assert hull(latency, energy) == [0, 2, 4]


def test_no_mapper_beats_the_proof(bench) -> None:
    rng = np.random.default_rng(4)
    for _ in range(6):
        n, chip = int(rng.integers(len(bench.nets.layers))), str(rng.choice(bench.chips))
        front = bench.tables.of(bench.chips.index(chip) * len(bench.nets.layers) + n)
        for objective in OBJECTIVES:
            found = map_layer(bench.chip(chip), bench.nets.layers[n], "genetic", objective, 1000)
            cost = NetCosts(np.array([found.cost.latency_cycles]), np.array([found.cost.energy_pj]))
            best = NetCosts(front.latency, front.energy).of(objective).min()
            assert cost.of(objective)[0] >= best * (1 - 1e-12)


@pytest.mark.parametrize(
    "objectives", [("edp", "accuracy"), ("latency", "work"), ("energy", "area", "accuracy")]
)
def test_the_true_front_is_that_of_brute_force(measured, objectives) -> None:
    """All networks on two chips, every pair of points compared."""
    chips = measured.chips[1:3]
    task = BenchTask(measured, chips, objectives)
    for k, i in product(range(2), range(0, len(measured), 211)):
        row = measured.query_by_index(i, chips[k], objective=objectives[0])
        assert task.every[k * len(measured) + i] == pytest.approx(
            [row[KEYS[o]] for o in objectives], rel=1e-12
        )
    costs = task.every * [-1 if o in ("accuracy", "work", "params") else 1 for o in objectives]
    true = {
        tuple(c) for c in costs if not ((costs <= c).all(axis=1) & (costs < c).any(axis=1)).any()
    }  # fmt: skip
    found = [tuple(costs[chips.index(chip) * len(measured) + i]) for i, chip in task.front]
    assert len(set(found)) == len(found)
    assert set(found) == true
    assert [c[0] for c in found] == sorted(c[0] for c in found)


def test_a_task_is_worked_out_once(bench) -> None:
    assert bench.task() is bench.task(objectives="edp,work")
    assert bench.task("nvdla_64") is not bench.task()
    every = bench.task().every
    assert bench.regret(every[:50]) == bench.regret(
        every[:50], BenchTask(bench, bench.chips, ("edp", "work"))
    )
    plain, least = bench.task(None, ["edp"]), bench.task(None, ["edp"], 9e7)
    assert bench.best(least)["edp_js"] > bench.best(plain)["edp_js"]


def test_regret(measured, bench) -> None:
    for one in (measured, bench):
        whole = one.true_front()
        assert one.regret(whole) == pytest.approx(0.0, abs=1e-12)
        assert 0 < one.regret(whole[::4]) < 1
        assert one.regret([]) == 1.0
        worse = [row | {"edp_js": row["edp_js"] * 1.01} for row in whole]
        assert 0 < one.regret(worse) < 0.05
    least = measured.task(None, ["edp"], at_least=80.0)
    best = measured.best(least)
    assert best["accuracy"] >= 80.0
    assert measured.regret([best], least) == pytest.approx(0.0, abs=1e-12)
    assert measured.regret([[best["edp_js"] * 1.5]], least) == pytest.approx(0.5)
    small = measured.query_by_index(0, measured.chips[0])
    assert measured.regret([small], least) == float("inf")  # too inaccurate to count
    assert measured.regret([], least) == float("inf")


def test_without_a_file_accuracy_is_absent(bench) -> None:
    row = bench.query_by_index(3, "nvdla_256")
    assert (row["accuracy"], row["accuracy_kind"], row["accuracy_error"]) == (None, "absent", None)
    with pytest.raises(AccelsimError, match="accuracy is absent"):
        bench.true_front(objectives=("edp", "accuracy"))


def test_each_option_changes_an_answer(bench, measured) -> None:
    i, chip = 2000, "example"  # where random mappings of every layer fit
    edps = [bench.query_by_index(i, chip, s)["edp_js"] for s in ("proved", "template", "q25", "q75")]
    assert edps == sorted(edps)
    assert len(set(edps)) == 4
    by = [bench.query_by_index(i, chip, objective=o) for o in OBJECTIVES]
    for row, key in zip(by, ("edp_js", "latency_s", "energy_pj")):
        assert row[key] == min(one[key] for one in by)
    assert len({row["energy_pj"] for row in by}) > 1
    assert bench.true_front() != bench.true_front(chip)
    assert measured.query_by_index(i, chip)["accuracy_kind"] == "measured"
    info = bench.get_cost_info(i, chip)
    assert info["edp_edp_js"] == edps[0]
    assert info["template_edp_js"] == edps[1]
    assert info["bound_latency_cycles"] <= info["latency_latency_cycles"]
    assert info["bound_energy_pj"] <= info["energy_energy_pj"]
    front = bench.schedule_front(i, chip)
    assert front[0]["latency_cycles"] == pytest.approx(info["latency_latency_cycles"], rel=1e-12)
    assert front[-1]["energy_pj"] == pytest.approx(info["energy_energy_pj"], rel=1e-12)
    assert min(p["edp_js"] for p in front) == pytest.approx(edps[0], rel=1e-12)


def test_given_mappings_are_priced(bench) -> None:
    i, chip = 40, "nvdla_256"
    plain, bad = bench.query_by_index(i, chip), bench.mappings(i, chip, "template")
    name = next(
        n for n, layer in zip(bench.nets.network(i).names, bench.nets.network(i).layers) if layer.macs
    )
    row = bench.query_by_index(i, chip, {name: bad[name]})
    assert row["schedule"] == "given"
    assert row["edp_js"] >= plain["edp_js"] * (1 - 1e-12)
    everything = bench.query_by_index(i, chip, bad)
    assert everything["edp_js"] == pytest.approx(
        bench.query_by_index(i, chip, "template")["edp_js"], rel=1e-12
    )
    with pytest.raises(AccelsimError, match="no layer 'nothing'"):
        bench.query_by_index(i, chip, {"nothing": bad[name]})


def test_the_clock_counts(measured) -> None:
    measured.reset_clock()
    chip = "nvdla_256"
    layers = int((measured.nets.counts[900] > 0).sum())
    row, cost, total = measured.simulate_eval(900, chip, 100)
    assert cost == {"evaluations": 1, "mappings": 100 * layers, "accuracies": 1} == total
    again, cost, total = measured.simulate_eval(900, chip, 100)
    assert again == row
    assert cost == {"evaluations": 1, "mappings": 0, "accuracies": 0}
    assert total["evaluations"] == 2
    assert measured.simulate_eval(900, chip, 100, seed=1)[1]["mappings"] == 100 * layers
    best = measured.query_by_index(900, chip)["edp_js"]
    assert row["edp_js"] >= best * (1 - 1e-12)
    real, cost, _ = measured.simulate_eval(900, chip, 100, mapper="genetic")
    assert cost["mappings"] > 0
    assert real["edp_js"] >= best * (1 - 1e-12)
    measured.reset_clock()
    assert measured.clock.total == {"evaluations": 0, "mappings": 0, "accuracies": 0}
    assert measured.simulate_eval(900, chip, 100)[0] == row  # whatever came before
    with pytest.raises(AccelsimError, match="mappings must be"):
        measured.simulate_eval(900, chip, 0)


def test_more_mappings_are_worth_something(bench) -> None:
    """Where the template is bad enough for random mappings to beat it."""
    bench.reset_clock()
    few = [bench.simulate_eval(1234, chip, 2, seed=3)[0]["edp_js"] for chip in bench.chips]
    many = [bench.simulate_eval(1234, chip, 100_000, seed=3)[0]["edp_js"] for chip in bench.chips]
    assert sum(many) < sum(few)
    seeds = {bench.simulate_eval(1234, c, 100_000, seed=4)[0]["edp_js"] for c in bench.chips}
    assert seeds != set(many)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda b: b.query_by_index(3969, "nvdla_64"), "numbers from 0 to 3968"),
        (lambda b: b.query_by_index(True, "nvdla_64"), "numbers from 0 to 3968"),
        (lambda b: b.query_by_index(0, "nvdla_65"), "did you mean 'nvdla_64'"),
        (lambda b: b.query_by_index(0, "nvdla_64", "provd"), "did you mean 'proved'"),
        (lambda b: b.query_by_index(0, "nvdla_64", objective="speed"), "objective: must be one of"),
        (lambda b: b.query_index_by_arch("123"), "has 8 digits"),
        (lambda b: b.true_front(objectives=("edp", "latency")), "must hold one of edp"),
        (lambda b: b.true_front(objectives=("work",)), "must hold one of edp"),
        (lambda b: b.true_front(objectives=()), "at least one"),
        (lambda b: b.true_front(objectives=("edp", "wrk")), "did you mean 'work'"),
        (lambda b: b.task(None, ["edp", "work"], 3.0), "one objective"),
        (lambda b: b.best(b.task(None, ["edp"], 1e30)), "no network reaches"),
        (lambda b: accelsim.nacos.create(space="mcro"), "did you mean 'macro'"),
    ],
)
def test_bad_input_is_one_message(bench, ask, words) -> None:
    with pytest.raises(AccelsimError, match=words):
        ask(bench)


def test_words_of_schedules() -> None:
    assert SCHEDULES[:2] == ("proved", "template")
    assert "q50" in SCHEDULES
