"""What screening saves: searches with and without it, by CPU seconds to the same hypervolume.

    python experiments/screening.py [--quick] [--seeds 10] [--evaluations 320] [--out results/screening]

Once-for-All MobileNetV3 on two chips, energy-delay product against accuracy, default settings, nothing
finished by the exact mapper. The goal of each seed is 99 % of the hypervolume that the search without
screening ends with, above the worst that both priced; time is of the process, kernels compiled before. A
screened search has sketches after each generation, and at its end the full mappings of its front.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import numpy as np
from common import at_least_one, chip_names, folder, front_costs, write
from pymoo.indicators.hv import HV

from accelsim.cosearch.loop import Progress
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.run import search
from accelsim.cosearch.screen import BOUNDED

CHIPS = ("nvdla_256", "eyeriss")
SHARE = 0.99


def main() -> None:
    """Search both ways from each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=at_least_one, default=10)
    parser.add_argument("--evaluations", type=at_least_one, default=320)
    parser.add_argument("--chips", type=chip_names, default=",".join(CHIPS))
    parser.add_argument("--out", type=folder, default="results/screening")
    arguments = parser.parse_args()
    options: dict[str, Any] = {"space": "ofa_mbv3", "evaluations": arguments.evaluations, "finish": 0}
    if arguments.quick:
        options |= {"evaluations": 8, "population": 4, "budget": 0, "resolution": 128}
    rows = []
    for chip in arguments.chips[: 1 if arguments.quick else None]:
        search(chip, **options | {"evaluations": 8, "population": 4})  # compiles
        seeds = range(1 if arguments.quick else arguments.seeds)
        pairs = [
            [timed(chip, options | {"seed": s, "screen": screen}) for screen in (True, False)] for s in seeds
        ]
        rows.append(summary(chip, pairs))
    write(arguments.out / "screening.csv", rows)


def timed(chip: str, options: dict[str, Any]) -> tuple[SearchResult, list[float]]:
    """The result, and CPU seconds after each generation."""
    began = time.process_time()
    marks: list[float] = []

    def watch(_: Progress) -> None:
        marks.append(time.process_time() - began)

    found = search(chip, watch=watch, **options)
    return found, [*marks, time.process_time() - began]


def summary(chip: str, pairs: list[list[tuple[SearchResult, list[float]]]]) -> dict[str, Any]:
    """Medians over seeds."""
    rates: list[list[float]] = [[], []]
    reach: list[list[float]] = [[], []]
    ends: list[list[float]] = [[], []]
    for pair in pairs:
        fronts = [front_costs(found) for found, _ in pair]
        known = [found.log_costs()[found.feasible & (found.levels != BOUNDED)] for found, _ in pair]
        worst = np.concatenate(known).max(axis=0)
        whole = [HV(ref_point=worst)(costs) for costs in fronts]
        goal = SHARE * whole[1]
        for i, (found, marks) in enumerate(pair):
            step = found.config.population
            curve = [found.hypervolume(worst, step * n) for n in range(1, len(marks))] + [whole[i]]
            rates[i].append(len(found) / marks[-1])
            ends[i].append(curve[-1])
            reach[i].append(next((t for t, hv in zip(marks, curve) if hv >= goal), float("inf")))
    return {
        "chip": chip,
        "seeds": len(pairs),
        "candidates/CPU s": f"{median(rates[0]):.1f}",
        "without": f"{median(rates[1]):.1f}",
        "ratio": f"{median(a / b for a, b in zip(*rates)):.1f}",
        "hypervolume at the end, of that without": f"{median(a / b for a, b in zip(*ends)):.3f}",
        "CPU s to 99 %": f"{median(reach[0]):.1f}",
        "without to 99 %": f"{median(reach[1]):.1f}",
        "seeds that reach it": sum(t < float("inf") for t in reach[0]),
    }


if __name__ == "__main__":
    main()
