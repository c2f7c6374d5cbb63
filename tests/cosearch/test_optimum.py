"""What a search reports at the end is at the optimum, or within 2 % of it, where that is known."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.configure import configure
from accelsim.cosearch.setup import Setup
from tests.cosearch.small import SUBNETS, tiny

FINISH = 300
SEEDS = (0, 1, 2)
NEAR = 1.02


def few_chips(name: str) -> dict[str, Any]:
    """A chip whose `search` section has so few choices that all can be listed."""
    data = accelsim.load_hardware(name).to_dict()
    array = data["search"]["array"]["memory"]
    buffer = {"eyeriss": ("GLB", 25600, 102400), "nvdla_64": ("CBUF", 32768, 131072)}[name]
    data["search"] = {
        "max_pes": {"eyeriss": 168, "nvdla_64": 64}[name],
        "strides": {"pes": 8, "buffer_bytes": buffer[1], "array": 4, "bandwidth": 8},
        "array": {"memory": array, "min_axes": 2, "max_axes": 2, "min_size": 2, "max_size": 12,
                  "dims": ["K", "C", "P"]},
        "buffers": {buffer[0]: {"min": buffer[1], "max": buffer[2]}},
    }  # fmt: skip
    return data


@cache
def optimum(name: str) -> tuple[float, int]:
    """The least EDP of all chips, each layer under the best of its mappings, and the number of chips."""
    setup = Setup(configure(few_chips(name), networks=tiny()))
    phase = setup.phase("all", setup.nets, setup.chips)
    choices = [
        range(0, gene.choices, 12) if gene.name.startswith("share") else range(min(gene.choices, 24))
        if not gene.name.startswith("rank") else range(3)
        for gene in phase.genome.genes
    ]  # fmt: skip
    rows = np.array(list(itertools.product(*choices)))
    rows = rows[phase.chips.faults(rows) == ""]
    _, first = np.unique(phase.genome.canonical(rows), axis=0, return_index=True)
    phase.pricer = setup.finisher(1000)  # 20,000 find none that costs less
    edp = phase.evaluate(rows[np.sort(first)])[:, setup.goals.column["edp"]]
    return float(edp.min()), len(edp)


@pytest.mark.parametrize("name", ["eyeriss", "nvdla_64"])
@pytest.mark.parametrize("seed", SEEDS)
def test_chips_of_a_listed_space(name, seed) -> None:
    """All chips priced; the search sees a few of them."""
    least, chips = optimum(name)
    assert chips > 100
    found = accelsim.search(
        few_chips(name), networks=tiny(), budget=100, population=4, evaluations=12, seed=seed, finish=FINISH
    )
    assert len(found) < 0.15 * chips
    assert found.best.metrics["edp"] <= least * NEAR


@cache
def best_network(name: str) -> float:
    """The least EDP of all subnets above the floor, by dynamic programming over their blocks."""
    options = SUBNETS | {"hardware": name, "budget": 2000, "population": 256}
    found = accelsim.search(
        **options, fix="hardware", strategy="blockwise_exact", min_accuracy=70, evaluations=2000
    )
    assert len({g.phase for g in found.generations}) == 2
    return float(found.best.metrics["edp"])


@pytest.mark.parametrize("name", ["eyeriss", "nvdla_64"])
@pytest.mark.parametrize("seed", SEEDS)
def test_networks_of_a_space_of_which_the_best_is_known(name, seed) -> None:
    """Of 10^19 subnets on one chip, from 16 candidates on."""
    options = SUBNETS | {"hardware": name, "finish": FINISH, "seed": seed, "min_accuracy": 70}
    found = accelsim.search(**options, fix="hardware", evaluations=16)
    assert found.best.metrics["edp"] <= best_network(name) * NEAR
    assert found.best.metrics["accuracy"] >= 70
