"""What every optimiser promises: fresh rows, a full generation, replay from what it was told, an end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelsim import AccelsimError
from accelsim.cosearch.configure import configure
from accelsim.cosearch.genes import Genomes, PartGene
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.loop import generation
from accelsim.cosearch.optimisers import load_optimiser, optimiser_names
from accelsim.cosearch.optimisers.surrogate import Surrogate
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.screen import BOUNDED
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies.base import load_strategy
from tests.cosearch.small import TINY

POPULATION = 16


class Genes:
    """Part of a genome of which `idle` genes decide nothing."""

    def __init__(self, choices: tuple[int, ...], idle: int = 0) -> None:
        self.genes = tuple(PartGene(f"g{i}", n) for i, n in enumerate(choices))
        self.idle = idle

    def anchor(self) -> np.ndarray:
        return np.array([gene.choices // 2 for gene in self.genes], np.int64)

    def canonical(self, rows: Genomes) -> Genomes:
        out = rows.copy()
        out[:, : self.idle] = 0
        return out


class Walled(Genes):
    """Rows whose first two genes add up to a multiple of three break the envelope."""

    def faults(self, rows: Genomes) -> np.ndarray:
        return np.where(rows[:, :2].sum(axis=1) % 3 == 0, "wall", "")


class Open(Genes):
    def faults(self, rows: Genomes) -> np.ndarray:
        return np.full(len(rows), "")


def phase(first: Genes, second: Genes, objectives: str = "edp", **limits: float) -> Phase:
    parts: Any = first, second
    return MadeUp("made up", *parts, Goals.of(objectives, limits), pricer=None)  # type: ignore[arg-type]


class MadeUp(Phase):
    """Costs are those of `bowl`, and bounds half of them."""

    def floors(self, rows: Genomes) -> tuple[np.ndarray, np.ndarray]:
        costs, excess = bowl(self, rows)
        return np.where(np.isfinite(costs), costs, 1.0) / 2, np.minimum(excess, 0.0)


def wide(objectives: str = "edp", **limits: float) -> Phase:
    return phase(Genes((9, 9, 9, 9), idle=1), Walled((7, 16, 16, 16, 3)), objectives, **limits)


def bowl(found: Phase, rows: Genomes) -> tuple[np.ndarray, np.ndarray]:
    """Costs [n, objectives] and excess [n, limits + 1] of a smooth goal; every seventh has no price."""
    rows = found.genome.canonical(rows)
    x = rows[:, 1:] / np.maximum(found.genome.upper[1:], 1)
    costs = [((x - at) ** 2).sum(axis=1) for at in (0.3, 0.8)][: len(found.goals.objectives)]
    out = np.column_stack(costs)
    out[rows.sum(axis=1) % 7 == 0] = np.inf
    limits = [x[:, -1] - 0.6 for _ in found.goals.limits]
    return out, np.column_stack([*limits, np.where(np.isfinite(out[:, 0]), 0.0, 1.0)])


def run(name: str, found: Phase, generations: int, seed: int = 0, population: int = POPULATION) -> list:
    """(rows, costs, excess, state) of each generation, until none comes."""
    optimiser = load_optimiser(name, found, population, seed)
    out = []
    for _ in range(generations):
        rows = optimiser.ask()
        if not len(rows):
            break
        costs, excess = bowl(found, rows)
        out.append((rows.copy(), costs, excess, optimiser.state()))
        optimiser.tell(rows, costs, excess)
        found.note(rows)
    return out


@pytest.mark.parametrize("name", optimiser_names())
class TestEveryOptimiser:
    def test_rows_are_fresh_and_generations_full(self, name) -> None:
        found = wide()
        made = run(name, found, 12)
        rows = np.concatenate([rows for rows, *_ in made])
        assert [len(rows) for rows, *_ in made] == [POPULATION] * 12
        assert rows.dtype == np.int64
        assert (rows >= 0).all()
        assert (rows <= found.genome.upper).all()
        assert len(set(found.keys(rows))) == len(rows)
        assert (found.chips.faults(found.genome.split(rows)[1]) == "").all()
        assert set(found.rejected) <= {"wall", "repeated"}
        assert found.rejected["wall"] > 0

    @pytest.mark.parametrize("stopped", [0, 5])
    def test_replay_restores_it_bit_for_bit(self, name, stopped) -> None:
        whole = run(name, wide(area=1.0), 8, seed=4)
        again = wide(area=1.0)
        optimiser = load_optimiser(name, again, POPULATION, 4)
        for i, (rows, costs, excess, state) in enumerate(whole):
            asked = optimiser.ask()
            assert asked.tobytes() == rows.tobytes()
            assert optimiser.state() == state
            if i < stopped:  # what a study kept
                costs, excess = costs.copy(), excess.copy()
            else:
                costs, excess = bowl(again, asked)
            optimiser.tell(asked, costs, excess)
            again.note(asked)

    def test_seeds_differ(self, name) -> None:
        first, second = (run(name, wide(), 1, seed)[0][0] for seed in (0, 1))
        assert first.tobytes() != second.tobytes()

    def test_a_tiny_space_is_exhausted_without_repeats(self, name) -> None:
        """5 x 4 x 3 rows, a third of them behind the wall, each thrice by an idle gene."""
        found = phase(Genes((3,), idle=1), Walled((5, 4, 3)))
        made = run(name, found, 50)
        rows = np.concatenate([rows for rows, *_ in made])
        grid = np.stack(np.meshgrid([0], range(5), range(4), range(3), indexing="ij"), -1).reshape(-1, 4)
        free = grid[found.chips.faults(grid[:, 1:]) == ""]
        assert len(rows) == len(free)
        assert set(found.keys(rows)) == set(found.keys(free))
        assert len(made) < 50

    @pytest.mark.parametrize("choices", [(), (1,), (2,), (40,), (1, 1, 5)])
    def test_spaces_of_hardly_any_genes(self, name, choices) -> None:
        made = run(name, phase(Genes(()), Open(choices)), 20)
        rows = np.concatenate([rows for rows, *_ in made])
        assert len(rows) == int(np.prod(choices))

    @pytest.mark.parametrize("population", [2, 3, 40])
    def test_any_population(self, name, population) -> None:
        assert [len(rows) for rows, *_ in run(name, wide(), 4, population=population)] == [population] * 4

    def test_many_generations(self, name) -> None:
        """Long after it has converged."""
        made = run(name, wide(), 60, population=4)
        assert [len(rows) for rows, *_ in made] == [4] * 60

    def test_nothing_is_feasible(self, name) -> None:
        found = wide(area=1.0)
        optimiser = load_optimiser(name, found, POPULATION, 0)
        for _ in range(3):
            rows = optimiser.ask()
            optimiser.tell(rows, np.full((len(rows), 1), np.nan), np.full((len(rows), 2), np.inf))
            found.note(rows)
        assert len(optimiser.ask()) == POPULATION


@pytest.mark.parametrize("name", ["nsga2", "cmaes"])
def test_better_than_random(name) -> None:
    """On a smooth goal, at equal evaluations, for each of several seeds."""
    best = {}
    for who in (name, "random"):
        values = []
        for seed in range(3):
            made = run(who, wide(area=1.0), 20, seed)
            values.append(min(c[(e <= 0).all(axis=1), 0].min(initial=9) for _, c, e, _ in made))
        best[who] = values
    assert max(best[name]) < min(best["random"])


@pytest.mark.parametrize("name", ["nsga2", "random"])
def test_several_objectives(name) -> None:
    found = wide("edp, area", latency=1.0)
    assert [len(rows) for rows, *_ in run(name, found, 8)] == [POPULATION] * 8


def test_nsga2_spreads_along_the_front() -> None:
    """Both ends of the front lie beyond what as many random draws reach."""
    least = []
    for name in ("nsga2", "random"):
        made = run(name, wide("edp, area"), 24)
        costs = np.concatenate([costs[np.isfinite(costs).all(axis=1)] for _, costs, *_ in made])
        least.append(costs.min(axis=0))
    assert (least[0] < least[1]).all()


@pytest.mark.parametrize(
    ("name", "objectives", "words"),
    [
        ("nsga3", 1, ["optimiser", "'nsga3'", "nsga2"]),
        ("cmaes", 2, ["cmaes", "one objective", "2", "--min-accuracy"]),
        ("", 1, ["optimiser", "''"]),
    ],
)
def test_bad_names(name, objectives, words) -> None:
    with pytest.raises(AccelsimError) as fault:
        load_optimiser(name, wide(", ".join(["edp", "area"][:objectives])), 8, 0)
    assert all(word in str(fault.value) for word in words)


def test_the_surrogate_learns_nothing_from_bounds() -> None:
    """Every candidate costs twice its bound; of those that no mapper saw the bound is all that is told."""
    found = phase(Genes((9, 9, 9), idle=1), Open((7, 16)))
    optimiser = load_optimiser("surrogate", found, POPULATION, 0)
    assert isinstance(optimiser, Surrogate)
    for _ in range(3):
        rows = optimiser.ask()
        costs, excess = bowl(found, rows)
        optimiser.bounded = np.arange(len(rows)) % 2 == 0
        costs[optimiser.bounded] /= 2
        optimiser.tell(rows, costs, excess)
        found.note(rows)
    assert optimiser._predicted(found.genome.sample(np.random.default_rng(0), 50)) == pytest.approx(2.0)


def test_a_search_tells_which_candidates_were_only_bounded() -> None:
    options = {key: value for key, value in TINY.items() if key != "finish"}
    setup = Setup(configure(**options, optimiser="surrogate"))
    strategy = load_strategy(setup)
    made = generation(strategy, setup)
    levels = made.levels.copy()
    levels[::2] = BOUNDED
    strategy.tell(made.rows, made.values, levels)
    assert len(strategy.optimiser._known) == made.feasible[1::2].sum() > 0
