"""Optimisers on a space small enough to list: how much of the true front each finds how soon.

    python experiments/optimisers.py [--quick] [--seeds 10] [--out results/optimisers]

Eyeriss-like chips for LeNet-5, energy-delay product against area: every chip is priced, so that the true
front is known. Each figure is the share of its hypervolume, of log10(EDP) and area, mean and standard
deviation over seeds. `nsga2 unscreened` is NSGA-II with a first generation that no bound has chosen.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np
from common import at_least_one, folder, write
from pymoo.indicators.hv import HV

import accelsim
from accelsim.cosearch.configure import configure
from accelsim.cosearch.goals import front
from accelsim.cosearch.optimisers.base import OPTIMISERS
from accelsim.cosearch.optimisers.nsga2 import Nsga2
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.setup import Setup

AFTER = (2, 10, 21, 43)
"""Evaluations: about 1, 5, 10 and 20 % of the space."""

POPULATION = 10


class Unscreened(Nsga2):
    """Its first generation is drawn, not chosen."""

    screened = 1


def main() -> None:
    """Price all, then let each optimiser search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=at_least_one, default=10)
    parser.add_argument("--out", type=folder, default="results/optimisers")
    arguments = parser.parse_args()
    seeds = 2 if arguments.quick else arguments.seeds
    setup = Setup(
        configure(chips(arguments.quick), networks="lenet5", objectives="edp,area", mapper="template")
    )
    everything = listed(setup)
    costs = setup.goals.log_costs(setup.goals.costs(everything.evaluate(rows_of(everything))))
    worst = np.max(costs[np.isfinite(costs).all(axis=1)], axis=0)
    true = share(costs, worst)
    names = [name for name in OPTIMISERS.names() if not OPTIMISERS.load(name).one_objective]
    kinds = {name: OPTIMISERS.load(name) for name in names} | {"nsga2 unscreened": Unscreened}
    rows = []
    for name, kind in kinds.items():
        found = np.array([run(setup, kind, seed, worst) for seed in range(seeds)]) / true
        columns = {
            f"after {n}": f"{mean:.3f} ± {sd:.3f}"
            for n, mean, sd in zip(AFTER, found.mean(axis=0), found.std(axis=0), strict=True)
        }
        rows.append({"optimiser": name, "chips": len(costs), **columns})
    write(arguments.out / "listed.csv", rows)


def chips(quick: bool) -> accelsim.Accelerator:
    """Eyeriss with a `search` section of few choices."""
    hardware = accelsim.load_hardware("eyeriss").to_dict()
    hardware["search"] = {
        "max_pes": 168,
        "strides": {"pes": 24, "buffer_bytes": 76800 if quick else 25600, "array": 4, "bandwidth": 13},
        "array": {"memory": "GLB", "min_axes": 2, "max_axes": 2, "min_size": 2, "max_size": 84,
                  "dims": ["K", "C", "P"]},
        "buffers": {"GLB": {"min": 25600, "max": 102400}},
        "bandwidths": {"GLB": {"min": 1, "max": 26}},
    }  # fmt: skip
    hardware.get("sources", {}).pop("search", None)
    return accelsim.load_hardware(hardware)


def listed(setup: Setup) -> Phase:
    """A phase of its own, which has seen nothing; what is priced once is known to all."""
    return setup.phase("nested", setup.nets, setup.chips)


def rows_of(phase: Phase) -> np.ndarray:
    """A genome of every distinct chip of the envelope."""
    few = {"rank": range(3), "share": range(0, 241, 12)}
    counts = [few.get(gene.name.partition(".")[0], range(gene.choices)) for gene in phase.genome.genes]
    rows = np.array(list(itertools.product(*counts)))
    rows = rows[phase.chips.faults(rows) == ""]
    _, first = np.unique(phase.genome.canonical(rows), axis=0, return_index=True)
    return rows[np.sort(first)]


def run(setup: Setup, kind: Any, seed: int, worst: np.ndarray) -> list[float]:
    """Hypervolume after so many evaluations."""
    phase = listed(setup)
    optimiser = kind(phase, POPULATION, seed)
    costs = np.zeros((0, 2))
    while len(costs) < max(AFTER):
        rows = optimiser.ask()
        if not len(rows):
            break
        values = phase.evaluate(rows)
        optimiser.tell(rows, setup.goals.costs(values), phase.excess(values))
        phase.note(rows)
        costs = np.concatenate([costs, setup.goals.log_costs(setup.goals.costs(values))])
    return [share(costs[:n], worst) for n in AFTER]


def share(costs: np.ndarray, worst: np.ndarray) -> float:
    """Hypervolume of a front, from the worst of the whole space."""
    good = np.isfinite(costs).all(axis=1)
    return float(HV(ref_point=worst)(costs[front(costs, good)])) if good.any() else 0.0


if __name__ == "__main__":
    main()
