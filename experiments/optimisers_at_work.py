"""Optimisers in spaces too large to list: hypervolume at equal CPU seconds, as they are and tuned.

    python experiments/optimisers_at_work.py [--quick] [--seeds 10] [--seconds 8] [--out results/...]

Once-for-All subnets on searched chips, energy-delay product against accuracy, screened, before anything is
mapped in full at the end. Each figure is a share of the hypervolume of all that these searches end with on
that chip and space, of log10(EDP) and accuracy from the worst on any of their fronts, after a quarter of the
seconds, half of them and all: mean and standard deviation over seeds; "all" is over chips and spaces too.
Seconds are of the process, kernels compiled before.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from common import at_least_one, chip_names, folder, refused, write
from numpy.typing import NDArray
from pymoo.indicators.hv import HV

from accelsim.cosearch.goals import front
from accelsim.cosearch.loop import Progress
from accelsim.cosearch.optimisers.base import OPTIMISERS
from accelsim.cosearch.optimisers.nsga2 import Nsga2
from accelsim.cosearch.run import search
from accelsim.cosearch.screen import BOUNDED
from accelsim.workloads.spaces import load_space

CHIPS = ("nvdla_256", "eyeriss", "edgetpu")
SPACES = ("ofa_mbv3", "ofa_resnet50")
SHARES = (0.25, 0.5, 1.0)


class Bold(Nsga2):
    """Twice as many genes mutate."""

    mutated = 4.0


class Shy(Nsga2):
    """Half as many genes mutate."""

    mutated = 1.0


class Single(Nsga2):
    """Half of the offspring have one parent."""

    crossed = 0.5


TUNED: dict[str, dict[str, Any]] = {
    "nsga2, population 20": {"population": 20},
    "nsga2, population 100": {"population": 100},
    "surrogate, population 20": {"optimiser": "surrogate", "population": 20},
    "nsga2, 4 genes mutated": {"optimiser": Bold},
    "nsga2, 1 gene mutated": {"optimiser": Shy},
    "nsga2, half crossed": {"optimiser": Single},
}


def main() -> None:
    """Search and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=at_least_one, default=10)
    parser.add_argument("--seconds", type=float, default=8.0, help="of CPU time, each search")
    parser.add_argument("--chips", type=chip_names, default=",".join(CHIPS))
    parser.add_argument("--spaces", type=space_names, default=",".join(SPACES))
    parser.add_argument("--out", type=folder, default="results/optimisers_at_work")
    arguments = parser.parse_args()
    names = [name for name in OPTIMISERS.names() if not OPTIMISERS.load(name).one_objective]
    ways: dict[str, dict[str, Any]] = {name: {"optimiser": name} for name in names} | TUNED
    chips, spaces, seeds = arguments.chips, arguments.spaces, arguments.seeds
    options: dict[str, Any] = {}
    if arguments.quick:
        chips, spaces, seeds, arguments.seconds = ["nvdla_64"], ["ofa_mbv3"], 1, 0.5
        options, ways = {"population": 4, "resolution": 128}, {x: ways[x] for x in ("nsga2", "random")}
    rows, shares = [], {name: [] for name in ways}
    for space in spaces:
        for chip in chips:
            search(chip, space, evaluations=8, population=4, finish=0)  # compiles
            found = {name: [] for name in ways}
            for seed in range(seeds):
                for name, way in ways.items():
                    settings = options | way | {"seed": seed}
                    found[name].append(fronts(chip, space, arguments.seconds, settings))
            for name, share in compared(found).items():
                rows.append({"space": space, "chip": chip, "optimiser": name, **columns(share)})
                shares[name].append(share)
    for name, each in shares.items():
        rows.append({"space": "all", "chip": "all", "optimiser": name, **columns(np.concatenate(each))})
    write(arguments.out / "optimisers_at_work.csv", rows)


def space_names(text: str) -> list[str]:
    """Of an option that names several, with commas between."""
    with refused():
        return [load_space(name).name for name in text.split(",")]


def fronts(chip: str, space: str, seconds: float, settings: dict[str, Any]) -> list[NDArray[np.float64]]:
    """The front [n, 2] after each share of the seconds; the last generation comes to its end."""
    began = time.process_time()
    *left, end = (share * seconds for share in SHARES)
    marks: list[NDArray[np.float64]] = []
    last = [np.zeros((0, 2))]

    def spent() -> bool:
        return time.process_time() - began >= end

    def watch(progress: Progress) -> None:
        while len(marks) < len(left) and time.process_time() - began > left[len(marks)]:
            marks.append(last[0])
        result = progress.result
        costs = result.log_costs()
        last[0] = costs[front(costs, result.feasible & (result.levels != BOUNDED))]

    search(chip, space, evaluations=10**6, finish=0, watch=watch, cancel=spent, **settings)
    return [*marks, *[last[0]] * (len(SHARES) - len(marks))]


def compared(found: dict[str, list[list[NDArray[np.float64]]]]) -> dict[str, NDArray[np.float64]]:
    """[seeds, shares of the seconds] shares of the hypervolume of all together."""
    ends = np.concatenate([marks[-1] for seeds in found.values() for marks in seeds])
    volume = HV(ref_point=ends.max(axis=0))
    whole = float(volume(ends))
    return {
        name: np.array([[float(volume(costs)) / whole if len(costs) else 0.0 for costs in m] for m in seeds])
        for name, seeds in found.items()
    }


def columns(share: NDArray[np.float64]) -> dict[str, str]:
    """Means and standard deviations over the rows."""
    return {
        f"after {part:.0%}": f"{mean:.3f} ± {sd:.3f}"
        for part, mean, sd in zip(SHARES, share.mean(axis=0), share.std(axis=0), strict=True)
    }


if __name__ == "__main__":
    main()
