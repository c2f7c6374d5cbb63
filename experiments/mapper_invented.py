"""Measure `template` and `genetic` against the exact mapper on machines that nobody built.

    python -m experiments.mapper_invented [--every 1] [--seconds 2] [--tiles divisors]

The machines of `tests/mapping/invented.py` have no `dataflow`: whatever an axis carries is left to the
mapper. Objective EDP. Gaps are to the lower bound, which is the optimum where that is proved.
"""

from __future__ import annotations

import argparse

import numpy as np

import accelsim
from accelsim.mapping.mapper import map_layer
from accelsim.workloads.layer import Layer
from experiments.common import at_least_one
from tests.mapping.invented import INVENTED, invented

NETWORKS = ("resnet50", "mobilenet_v2", "bert_base")
MAPPERS = ("template", "genetic")


def layers(every: int) -> list[Layer]:
    """Every so many of the distinct layers."""
    some = dict.fromkeys(layer for name in NETWORKS for layer in accelsim.load_network(name).layers)
    return list(some)[::every]


def measure(hardware: accelsim.Accelerator, layer: Layer, seconds: float, tiles: str) -> list[float]:
    """[1 if proved, lower bound, EDP of each mapper], in pJ x cycles."""
    sure = map_layer(hardware, layer, "optimal", seconds=seconds, tiles=tiles)  # type: ignore[arg-type]
    found = [map_layer(hardware, layer, name).cost for name in MAPPERS]
    proof = sure.certificate
    assert proof is not None
    values = [cost.latency_cycles * cost.energy_pj for cost in found]
    return [float(proof.complete), proof.lower_bound, *values]


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=at_least_one, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--tiles", default="divisors", choices=["divisors", "all"])
    asked = parser.parse_args()
    heads = [f"{name}, {kind}" for name in MAPPERS for kind in ("mean", "worst")]
    print("| machine | layers | proved | " + " | ".join(heads) + " |\n" + "|---" * (3 + len(heads)) + "|")
    whole = []
    for name in [*INVENTED, "all"]:
        if name == "all":
            rows = np.concatenate(whole)
        else:
            hardware = invented(name)
            rows = np.array([measure(hardware, x, asked.seconds, asked.tiles) for x in layers(asked.every)])
            whole.append(rows)
        cells = [name, str(len(rows)), f"{rows[:, 0].sum():.0f}"]
        for values in rows[:, 2:].T:
            gaps = values / rows[:, 1]
            cells += [f"{np.exp(np.log(gaps).mean()) - 1:+.1%}", f"{gaps.max() - 1:+.1%}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
