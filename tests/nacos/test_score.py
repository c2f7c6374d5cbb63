"""Optimisers against the known answer: they pay for what they ask, and none beats the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.nacos.game import Game, Schedules
from accelsim.nacos.optimisers import OPTIMISERS, _crowding, _survivors
from accelsim.nacos.score import SHARES, score
from tests.command import run

CHIP = "nvdla_64"


@pytest.fixture(scope="module")
def task(measured):
    return measured.task(CHIP)


@pytest.fixture(scope="module")
def schedules(task):
    return Schedules(task, 500, None, 0)


def test_neighbours_and_numbers_are_those_of_the_space(bench) -> None:
    nets = bench.nets
    for i in (0, 1, 777, 2500, 3968):
        near = sorted(
            nets.index(nets.space.decode(row).encoding) for row in nets.space.neighbours(nets.rows[i])
        )
        assert nets.neighbours[i].tolist() == sorted(set(near))
    assert (nets.numbers(nets.rows) == np.arange(len(nets))).all()


def test_costs_are_those_of_the_clock(measured, task, schedules) -> None:
    measured.reset_clock()
    game = Game(task, schedules, 10)
    for i in (0, 1000, 3000):
        row = measured.simulate_eval(i, CHIP, 500, 0)[0]
        assert game.costs[0, i] == pytest.approx([np.log10(row["edp_js"]), -row["accuracy"]], rel=1e-12)
    real = Schedules(task, 200, "genetic", 3)
    row, cost, _ = measured.simulate_eval(1000, CHIP, 200, 3, mapper="genetic")
    assert Game(task, real, 10).costs[0, 1000, 0] == pytest.approx(np.log10(row["edp_js"]), rel=1e-12)
    used = measured.nets.counts[1000] > 0
    assert cost["mappings"] == real.spent[0, used].sum()


def test_a_game_counts(measured, schedules, task) -> None:
    game = Game(task, schedules, 4)
    assert game.ask([(1, 0), (2, 0), (1, 0)]) == [(1, 0), (2, 0), (1, 0)]
    assert game.paid == 2
    runs = measured.nets.counts > 0
    assert game.spent(1) == (500 * runs[1].sum(), 1)
    assert game.spent(2) == (500 * (runs[1] | runs[2]).sum(), 2)
    assert game.ask([(3, 0), (4, 0), (5, 0), (1, 0)]) == [(3, 0), (4, 0), (1, 0)]
    assert game.done
    assert game.after(3).tolist() == [1, 2, 3]
    tables = Game(task, schedules, 30)
    assert tables.table(0, 26)
    assert tables.spent(25) == (0.0, 0)
    assert tables.spent(26) == (500 * len(measured.nets.layers), len(measured))
    assert not tables.table(0, 26)
    assert tables.done


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_keep_to_the_rules(name, task, schedules) -> None:
    games = [Game(task, schedules, 300) for _ in range(3)]
    for game, seed in zip(games, (0, 0, 1)):
        OPTIMISERS[name](game, np.random.default_rng(seed))
        assert len(set(game.order)) == len(game.order)
        assert game.paid <= 300
    assert games[0].order == games[1].order
    if name not in ("blockwise",):
        assert len(games[0].order) == 300
        assert games[0].order != games[2].order


def test_regrets_fall_and_end_where_schedules_leave_them(measured) -> None:
    found = score(measured, chip=CHIP, seeds=3)
    for name, regrets in found.regrets.items():
        assert (np.diff(regrets, axis=1) <= 1e-12).all(), name
        assert (regrets >= found.floor[:, None] - 1e-12).all(), name
        assert regrets.max() <= 1.0
        assert (np.diff(found.spent[name], axis=1) >= 0).all()
    assert found.regrets["blockwise"][:, -1] == pytest.approx(found.floor, abs=1e-12)
    assert (found.floor > 0).all()
    last = {name: np.median(r[:, -1]) for name, r in found.regrets.items()}
    assert last["nsga2"] < last["random"]
    assert last["local"] < last["random"]
    rows = found.to_rows()
    assert len(rows) == len(OPTIMISERS) * len(SHARES)
    again = score(measured, ["random", "nsga2"], chip=CHIP, seeds=2)
    assert np.array_equal(again.regrets["nsga2"], found.regrets["nsga2"][:2])


def test_an_optimiser_of_ones_own(measured) -> None:
    def first(game, rng):
        game.ask([(i, 0) for i in range(game.limit)])

    def few(game, rng):
        game.ask([(i, 0) for i in range(20)])

    found = score(measured, {"first": first, "few": few}, chip=CHIP, seeds=1)
    task = found.task
    rows = [measured.simulate_eval(i, CHIP, 500, 0)[0] for i in range(20)]
    assert found.regrets["few"][0, -1] == pytest.approx(task.bench.regret(rows, task), rel=1e-9)
    assert found.regrets["first"][0, -1] < found.regrets["few"][0, -1]


def test_options_change_scores(measured) -> None:
    def last(**options):
        return score(measured, ["random"], **{"chip": CHIP, "seeds": 1, **options}).regrets["random"][0, -1]

    plain = last()
    assert plain == last()
    # Templates are hard to beat for random mappings; on this chip a million of them do.
    default = last(chip="example")
    assert default != last(chip="example", mappings=1_000_000)
    assert default != last(chip="example", mapper="genetic", mappings=2000)
    assert plain != last(objectives=("latency", "accuracy"))
    assert plain != last(chip="nvdla_256")


def test_layers_under_the_proved_schedule_of_a_network_cost_its_optimum(measured, task) -> None:
    """And no other network is below its own."""
    true = task.costs(task.every)
    made = measured._schedule(CHIP)
    for i in (0, 1234, 3968):
        schedules = Schedules(task, 1, None, 0)
        points = made.proved(measured.nets.counts[[i]], "edp")[1][0]
        for kept, rows in ((schedules.latency, "latency"), (schedules.energy, "energy")):
            kept[0] = [getattr(front, rows)[k] for front, k in zip(made.fronts, points)]
        costs = Game(task, schedules, 10).costs[0]
        assert costs[i] == pytest.approx(true[i], rel=1e-12)
        assert (costs[:, 0] >= true[:, 0] - 1e-12).all()
        assert (costs[:, 1] == true[:, 1]).all()


def test_crowding_and_survivors(task, schedules) -> None:
    assert _crowding(np.array([[0.0, 4], [1, 2], [4, 0]])).tolist() == [np.inf, 2.0, np.inf]
    game = Game(task, schedules, 400)
    places = game.ask([(i, 0) for i in range(400)])
    kept = _survivors(game, places)
    costs, chosen = game.cost(places), game.cost(kept)
    beaten = [int(((costs <= c).all(axis=1) & (costs < c).any(axis=1)).sum()) for c in chosen]
    assert len(kept) == 50
    best = [i for i, c in enumerate(costs) if not ((costs <= c).all(axis=1) & (costs < c).any(axis=1)).any()]
    assert beaten.count(0) == min(50, len(best))
    assert beaten[: beaten.count(0)] == [0] * beaten.count(0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimisers": ["nsga"]}, "did you mean 'nsga2'"),
        ({"seeds": 0}, "seeds: must be"),
        ({"mappings": 0}, "mappings: must be"),
        ({"objectives": ["edp"]}, "two or more"),
        ({"mapper": "genetics"}, "did you mean"),
        ({"objectives": ["edp", "area"]}, "area is the same for all networks on nvdla_64"),
    ],
)
def test_bad_input_is_one_message(bench, options, words) -> None:
    with pytest.raises(AccelsimError, match=words):
        score(bench, **{"chip": CHIP, **options})


def test_the_command(capsys, tmp_path) -> None:
    words = ("nacos", "score", "--chip", CHIP, "--seeds", "2", "--optimisers", "random,blockwise")
    plot = tmp_path / "a.svg"
    code, out, _ = run(capsys, *words, "--json", "--plot", str(plot))
    assert code == 0
    rows = json.loads(out)["rows"]
    assert [row["optimiser"] for row in rows] == ["random"] * 4 + ["blockwise"] * 4
    assert "blockwise" in plot.read_text()
    assert "All of them evaluated leave" in run(capsys, *words)[1]
    assert run(capsys, *words, "--csv")[1].startswith("optimiser,share_percent")
