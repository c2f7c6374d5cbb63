"""What the local search around finished designs is worth, and how far from the best networks it ends.

    python experiments/near_optimum.py [--quick] [--chips eyeriss] [--seeds 5] [--out results/near_optimum]

Once-for-All MobileNetV3 above 76 % top-1, energy-delay product and accuracy. Each seed is searched and
finished without the local search, then with it: best EDP of the one over the other, hypervolumes of both
fronts from the worst that was mapped, CPU seconds of the difference, chips that it mapped. The optimum is of
all networks of the best design's resolution on its chip, by `blockwise_exact`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from common import at_least_one, chip_names, folder, front_costs, write
from pymoo.indicators.hv import HV

from accelsim.cosearch import finish, near
from accelsim.cosearch.descent import Descent
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.run import resume, search
from accelsim.cosearch.screen import BOUNDED

CHIPS = ("nvdla_256", "eyeriss", "edgetpu", "shidiannao")
OPTIONS: dict[str, Any] = {"space": "ofa_mbv3", "min_accuracy": 76.0, "evaluations": 256}
QUICK: dict[str, Any] = {
    "objectives": "edp",
    "min_accuracy": 68.0,
    "evaluations": 8,
    "population": 8,
    "budget": 20,
    "resolution": 128,
}


def main() -> None:
    """Search, finish, look around."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--seeds", type=at_least_one, default=5)
    parser.add_argument("--chips", type=chip_names, default=",".join(CHIPS))
    parser.add_argument("--out", type=folder, default="results/near_optimum")
    arguments = parser.parse_args()
    chips, seeds = arguments.chips, range(arguments.seeds)
    options, patience = OPTIONS, finish.PATIENCE
    if arguments.quick:
        options, patience, chips, seeds = OPTIONS | QUICK, 100, ["nvdla_64"], range(1)
    rows = [compared(chip, seed, options, patience) for chip in chips for seed in seeds]
    write(arguments.out / "near_optimum.csv", rows)


def compared(chip: str, seed: int, options: dict[str, Any], patience: int) -> dict[str, Any]:
    """One seed without, with, and against the optimum."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.study"
        looks, finish.nearby = finish.nearby, lambda *_: []
        try:
            plain = search(chip, seed=seed, study=path, finish=patience, **options)
        finally:
            finish.nearby = looks
        began = time.process_time()
        found, chips = around(path, patience)
        spent = time.process_time() - began
    assert plain.best is not None
    assert found.best is not None
    before, after = (one.best.metrics["edp"] for one in (plain, found) if one.best is not None)
    priced = found.feasible & (found.levels != BOUNDED)
    worst = found.log_costs()[priced].max(axis=0)
    volumes = [volume(one, worst) for one in (plain, found)]
    return {
        "chip": chip,
        "seed": seed,
        "EDP before": f"{before:.4g}",
        "after": f"{after:.4g}",
        "ratio": f"{after / before:.3f}",
        "hypervolume": f"{volumes[1] / volumes[0]:.2f}" if volumes[0] else "",
        "CPU s": f"{spent:.0f}",
        "chips mapped": chips,
        "over the optimum": f"{after / optimum(found, options) - 1:.2%}",
    }


def around(path: Path, patience: int) -> tuple[SearchResult, int]:
    """What the local search makes of a finished study, and how many chips it mapped.

    By a step more of patience the study is not finished yet.
    """
    descents: list[Descent] = []

    class Counted(Descent):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            descents.append(self)

    with patch.object(near, "Descent", Counted):
        return resume(path, finish=patience + 1), sum(len(one.known) for one in descents)


def volume(result: SearchResult, worst: np.ndarray) -> float:
    """Hypervolume of a front as it is reported."""
    return float(HV(ref_point=worst)(front_costs(result)))


def optimum(result: SearchResult, options: dict[str, Any]) -> float:
    """Least EDP of all networks of the best design's resolution on its chip."""
    best = result.best
    assert best is not None
    chip = result.design(best).chip
    resolution = int(best.network.partition(":r")[2].partition("-")[0])
    exact = search(
        chip, space=options["space"], min_accuracy=options["min_accuracy"], resolution=resolution, finish=0,
        fix="hardware", strategy="blockwise_exact", evaluations=4000,
        budget=options.get("budget", 2000),
    )  # fmt: skip
    assert exact.best is not None
    return exact.best.metrics["edp"]


if __name__ == "__main__":
    main()
