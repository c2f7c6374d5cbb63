"""How well the search works: optimisers, strategies, and a space small enough to know its true front.

    python experiments/search_evidence.py [--quick] [--seeds 5] [--out results/search_evidence]

Three tables, each figure the mean of several seeds and its standard deviation:

1. optimisers  NSGA-II, random search and CMA-ES at equal numbers of candidates
2. strategies  nested, joint and sequential at equal numbers of candidates, and joint with ten times more,
               since it prices one mapping a layer where the others search
3. small space every pair of a few networks and a few hundred chips priced: the share of the true front's
               hypervolume after 2, 5 and 10 % of the evaluations
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np
from common import at_least_one, chip, folder, write

import accelsim
from accelsim.cosearch.configure import configure
from accelsim.cosearch.finish import finish
from accelsim.cosearch.goals import front
from accelsim.cosearch.loop import generation
from accelsim.cosearch.metrics import Edp
from accelsim.cosearch.nets import ListedNets
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies import load_strategy
from accelsim.engines import load_engine

SPACE = "ofa_mbv3"
FLOOR = 76.0
REFERENCE = {"edp": -3.5, "accuracy": -70.0}
"""Hypervolumes are measured from 10^-3.5 Js and 70 % top-1."""


def main() -> None:
    """Run everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--seeds", type=at_least_one, default=5)
    parser.add_argument("--hardware", type=chip, default="nvdla_256")
    parser.add_argument("--out", type=folder, default="results/search_evidence")
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    many, population, budget = (4, 4, 0) if arguments.quick else (400, 40, 200)
    with load_engine("threads", 2) as engine:
        run = Runs(arguments.hardware, engine, many, population, budget, seeds)
        write(arguments.out / "optimisers.csv", optimisers(run))
        write(arguments.out / "strategies.csv", strategies(run, 2 if arguments.quick else 10))
        write(arguments.out / "small_space.csv", small_space(run, arguments.quick))


class Runs:
    """Searches with common settings."""

    def __init__(
        self, hardware: str, engine: Any, many: int, population: int, budget: int, seeds: int
    ) -> None:  # fmt: skip
        self.hardware = accelsim.load_hardware(hardware)
        self.engine = engine
        self.many = many
        self.settings = {"population": population, "budget": budget}
        self.seeds = range(seeds)

    def one(self, many: int, nets: Any = None, **options: Any) -> SearchResult:
        """One search, in memory."""
        config = configure(self.hardware, SPACE, **{**self.settings, **options})
        setup = Setup(config, self.engine)
        if nets is not None:
            setup.nets = nets
        strategy, result = load_strategy(setup), SearchResult(setup, None)
        while len(result) < many and (made := generation(strategy, setup)) is not None:
            result.add(made, strategy.phase)
            strategy.tell(made.rows, made.values, made.levels)
        finish(result, 0, lambda: False, lambda *_, **__: None)
        return result

    def repeat(self, many: int, **options: Any) -> list[SearchResult]:
        """The same with each seed."""
        return [self.one(many, seed=seed, **options) for seed in self.seeds]


def hypervolume(result: SearchResult, upto: int | None = None) -> float:
    """From the fixed reference point, so that searches compare."""
    reference = np.array([REFERENCE[name] for name in result.config.objectives])
    return result.hypervolume(reference, upto)


def best_at_floor(result: SearchResult) -> float:
    """Lowest EDP in Js of the candidates with at least the accuracy of the floor."""
    good = np.flatnonzero(result.column("accuracy") >= FLOOR).tolist()
    return float(np.fmin.reduce([result.found(i).metrics["edp"] for i in good], initial=np.inf))


def spread(values: list[float]) -> dict[str, str]:
    """Mean and standard deviation, four digits."""
    if not np.isfinite(values).all():
        none = f"none in {np.isinf(values).sum()} of {len(values)}"
        return {"mean": none, "sd": "", "least": "", "most": ""}
    numbers = np.mean(values), np.std(values), min(values), max(values)
    return dict(zip(("mean", "sd", "least", "most"), (f"{x:.4g}" for x in numbers)))


def optimisers(run: Runs) -> list[dict[str, Any]]:
    """Table 1."""
    rows = []
    for name in ("nsga2", "random"):
        found = run.repeat(run.many, optimiser=name)
        rows.append({"task": "edp, accuracy", "optimiser": name, "measure": "hypervolume",
                     "candidates": run.many, **spread([hypervolume(x) for x in found])})  # fmt: skip
    for name in ("nsga2", "cmaes", "random"):
        found = run.repeat(run.many, optimiser=name, objectives="edp", limits={"accuracy": FLOOR})
        rows.append({"task": f"edp, accuracy >= {FLOOR:g}", "optimiser": name, "measure": "best EDP, Js",
                     "candidates": run.many, **spread([best_at_floor(x) for x in found])})  # fmt: skip
    return rows


def strategies(run: Runs, times: int) -> list[dict[str, Any]]:
    """Table 2."""
    rows = []
    for name, many in (
        ("nested", run.many), ("joint", run.many), ("joint", times * run.many), ("sequential", run.many)
    ):  # fmt: skip
        found = run.repeat(many, strategy=name)
        mappings = np.mean([x.setup.tally.mappings for x in found])
        for measure, value in (("hypervolume", hypervolume), ("best EDP at floor, Js", best_at_floor)):
            rows.append({"strategy": name, "candidates": many, "mappings": f"{mappings:.3g}",
                         "measure": measure, **spread([value(x) for x in found])})  # fmt: skip
    return rows


def small_space(run: Runs, quick: bool) -> list[dict[str, Any]]:
    """Table 3: a dozen networks and a few hundred chips."""
    given = run.hardware.search
    assert given is not None
    assert given.array is not None
    most, (buffer, span) = run.hardware.num_pes, next(iter(given.buffers.items()))
    hardware = run.hardware.to_dict()
    steps = 1 if quick else 4
    hardware["search"] = {
        "max_pes": most,
        "strides": {"pes": most // steps, "buffer_bytes": span.max // steps, "array": 8},
        "array": {"memory": given.array.memory, "min_axes": 2, "max_axes": 2, "max_size": most // 2,
                  "dims": ["K", "C"] if quick else ["K", "C", "P"]},
        "buffers": {buffer: {"min": span.max // 8, "max": span.max}},
    }  # fmt: skip
    hardware.get("sources", {}).pop("search", None)
    small = Runs("nvdla_256", run.engine, run.many, 10, run.settings["budget"], len(run.seeds))
    small.hardware = accelsim.load_hardware(hardware)
    setup = Setup(configure(small.hardware, SPACE, **small.settings), run.engine)
    rng = np.random.default_rng(1)
    nets = ListedNets(setup.nets, setup.nets.space.sample(rng, 2 if quick else 12))  # type: ignore[arg-type,union-attr]
    everything = enumerated(setup, nets)
    costs, feasible = everything
    true = truth(costs, feasible)
    n = int(feasible.sum())
    rows = []
    for name in ("nested", "joint", "sequential"):
        for optimiser in ("nsga2", "random"):
            if name != "nested" and optimiser == "random":
                continue
            options = {"strategy": name, "optimiser": optimiser}
            found = [small.one(round(0.1 * n), nets, seed=seed, **options) for seed in small.seeds]
            for share in (0.02, 0.05, 0.1):
                got = [hypervolume(x, max(10, round(share * n))) / true for x in found]
                rows.append({**options, "pairs": n, "evaluated": f"{share:.0%}",
                             "measure": "share of true hypervolume", **spread(got)})  # fmt: skip
    return rows


def enumerated(setup: Setup, nets: ListedNets) -> tuple[np.ndarray, np.ndarray]:
    """(objectives to minimise [pairs, 2], whether feasible) of every distinct pair."""
    phase = setup.phase("all", nets, setup.chips)
    # Three levels of a rank put three dimensions in any order.
    counts = [range(3 if "rank" in gene.name else gene.choices) for gene in phase.genome.genes]
    seen: dict[bytes, np.ndarray] = {}
    chips = np.array(list(itertools.product(*counts[1:])))
    for row in chips[setup.chips.faults(chips) == ""]:
        seen.setdefault(setup.chips.canonical(row[None, :]).tobytes(), row)
    rows = np.array([[net, *chip] for net in range(len(nets.rows)) for chip in seen.values()])
    values = phase.evaluate(rows)
    return setup.goals.costs(values), (phase.excess(values) <= 0).all(axis=1)


def truth(costs: np.ndarray, feasible: np.ndarray) -> float:
    """Hypervolume of the true front."""
    from pymoo.indicators.hv import HV

    assert Edp.logarithmic
    points = np.column_stack([np.log10(costs[:, 0]), costs[:, 1]])
    return float(HV(ref_point=np.array(list(REFERENCE.values())))(points[front(points, feasible)]))


if __name__ == "__main__":
    main()
