"""Blocks first: the table is what networks cost, and the exact front is that of brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accelsim import AccelsimError
from accelsim.accuracy.table import TableSource
from accelsim.cosearch.run import load_study, resume, search
from accelsim.cosearch.strategies.blockwise import spread
from accelsim.hardware import load_hardware
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.workloads.spaces import MacroPlan, MacroSpace, load_space
from tests.cosearch.small import MACRO, same

DATA = Path(__file__).parents[1] / "accuracy" / "data" / "macro_synthetic.csv"
SMALL = MacroSpace(MacroPlan(slots=(2, 3)), "small_macro")
"""189 networks, each with an accuracy."""

EXACT = {"fix": "hardware", "mapper": "template", "strategy": "blockwise_exact", "finish": 0}
OFA = EXACT | {"hardware": "nvdla_64", "space": "ofa_mbv3", "resolution": 128}


def whole(hardware: str, space, rows, objective: str = "latency") -> np.ndarray:
    """(seconds, joules) of subnets, each priced as a network, layers mapped for an objective."""
    chip = load_hardware(hardware)
    found = NetworkPricer(LoopNest(Way.of("template", objective))).price(
        [Run(chip, space.to_network(r)) for r in rows]
    )
    return np.column_stack([found.latency_cycles / (chip.clock_mhz * 1e6), found.energy_pj * 1e-12])


def not_worse(costs: np.ndarray) -> np.ndarray:
    """[n] rows that no row is better than; equal ones all."""
    as_good = (costs[:, None] >= costs[None]).all(axis=2)
    better = as_good & (costs[:, None] > costs[None]).any(axis=2)
    return ~better.any(axis=1)


def without_rounding(figures: np.ndarray) -> np.ndarray:
    """Equal sums that were added up in another order are equal."""
    return np.array([float(f"{x:.12g}") for x in figures])


def columns(found, *names) -> np.ndarray:
    return np.column_stack([found.column(name) for name in names])[found.feasible]


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_exact_front_is_that_of_all_networks(objective) -> None:
    """Accuracies of a table do not add up, so that all networks are listed."""
    source = TableSource(DATA, SMALL)
    found = search(
        "eyeriss", SMALL, accuracy=source, objectives=f"{objective},accuracy", evaluations=999, **EXACT
    )
    rows = SMALL.enumerate()
    costs = whole("eyeriss", SMALL, rows, objective)
    figure = {"latency": costs[:, 0], "energy": costs[:, 1], "edp": costs.prod(axis=1)}[objective]
    figure = without_rounding(figure)
    both = np.column_stack([figure, -source.predict(SMALL, rows).value])
    want = np.unique(both[not_worse(both)], axis=0)
    mine = columns(found, objective, "accuracy") * [1, -1]
    assert np.allclose(mine[np.lexsort(mine.T[::-1])], want, rtol=1e-11)
    assert found.exhausted
    assert {g.phase for g in found.generations} == {"table", "front"}
    # By sums without accuracy, and with a limit that cuts the front.
    cut = float(np.median(figure))
    for name, sign in (("macs", 1), ("work", -1)):
        options = EXACT | {"objectives": f"{name},{objective}", "limits": {objective: cut}}
        found = search("eyeriss", SMALL, evaluations=999, **options)
        both = np.column_stack([sign * SMALL.macs(rows), figure])
        both = both[figure <= cut]
        want = np.unique(both[not_worse(both)], axis=0)
        mine = columns(found, name, objective) * [sign, 1]
        assert np.allclose(mine[np.lexsort(mine.T[::-1])], want, rtol=1e-12)


def test_no_subnet_of_once_for_all_is_above_the_front() -> None:
    """4.4e14 subnets and more cannot be listed; what random draws and NSGA-II find lies on or under it."""
    found = search(**OFA, objectives="latency,accuracy", evaluations=999)
    space = load_space("ofa_mbv3", (128,))
    front = columns(found, "latency", "accuracy")
    front = front[np.argsort(front[:, 0])]
    assert len(front) > 300
    assert (np.diff(front[:, 1]) > 0).all()
    rows = space.sample(np.random.default_rng(0), 100)
    source = found.setup.nets.source
    for latency, accuracy in zip(
        whole("nvdla_64", space, rows)[:, 0], source.predict(space, rows).value, strict=True
    ):
        there = front[front[:, 0] <= latency * (1 + 1e-12), 1]
        assert there.max() >= accuracy - 1e-9
    searched = search(
        **OFA | {"strategy": "blockwise"}, objectives="latency,accuracy", evaluations=340, population=40
    )
    for latency, accuracy in columns(searched, "latency", "accuracy"):
        assert front[front[:, 0] <= latency * (1 + 1e-12), 1].max() >= accuracy - 1e-9
    # With a limit the front is the part of it that keeps within.
    cut = float(np.median(front[:, 1]))
    part = columns(
        search(**OFA, objectives="latency", min_accuracy=cut, evaluations=999), "latency", "accuracy"
    )
    assert part[0].tolist() == front[front[:, 1] >= cut][0].tolist()
    assert len(part) == 1
    assert "sums over 182 blocks" in found.notes[1]
    assert "e-1" in found.notes[1]


def test_a_chip_that_keeps_data_between_blocks_is_priced_whole() -> None:
    found = search(**MACRO | EXACT | {"hardware": "edgetpu"}, evaluations=64)
    assert "keeps data on chip between blocks" in found.notes[1]
    genomes = found.setup.nets.space.parse(found.found(len(found) - 1).network.split(":")[1])
    cost = whole("edgetpu", found.setup.nets.space, [found.setup.nets.space.encode(genomes)], "edp")[0]
    assert found.column("latency")[-1] == cost[0]


def test_resumed_and_read_back(tmp_path) -> None:
    """Stopped within the table, and within the front."""
    options = MACRO | EXACT
    full = search(**options, evaluations=64)
    for part in (16, 32):
        path = tmp_path / f"{part}.study"
        search(**options, evaluations=part, study=path)
        begun = load_study(path)
        assert ("go on with more evaluations" in begun.notes[0]) == (part == 16)
        assert same(resume(path, 64, finish=0), full)
        assert load_study(path).notes == full.notes


def test_overhead_of_an_inference_counts_once() -> None:
    chip = load_hardware("eyeriss").to_dict() | {"network": {"overhead_us": 250}}
    found = search(**MACRO | EXACT | {"hardware": chip}, evaluations=64)
    assert "latency off by at most" in found.notes[1]
    assert float(found.notes[1].split("at most ")[1].split(",")[0]) < 1e-12


def test_limits_that_no_subnet_meets(tmp_path) -> None:
    found = search(**MACRO | EXACT, evaluations=64, max_latency=1e-9, study=tmp_path / "a.study")
    assert found.best is None
    assert "none of all 3.97e+03 subnets meets the limits" in found.notes[0]
    assert load_study(tmp_path / "a.study").notes == found.notes


def test_spread() -> None:
    assert spread(1) == [0]
    assert spread(5) == [0, 4, 2, 1, 3]
    assert sorted(spread(1000)) == list(range(1000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fix": ""}, "add --fix hardware"),
        ({"objectives": "power,macs"}, "power does not add up"),
        ({"objectives": "edp,macs,latency", "limits": {"energy": 1.0, "accuracy": 70}}, "three figures"),
        ({"space": None, "resolution": None, "networks": "lenet5"}, "name a space"),
    ],
)
@pytest.mark.parametrize("strategy", ["blockwise_exact"])
def test_what_does_not_go_together(strategy, change, message) -> None:
    options = OFA | {"strategy": strategy, "objectives": "edp"} | change
    with pytest.raises(AccelsimError, match=message):
        search(**options, evaluations=8)


def test_accuracies_that_neither_add_up_nor_can_be_listed(tmp_path) -> None:
    source = Path(__file__).parents[1] / "accuracy" / "data" / "dynas_subset.csv"
    with pytest.raises(AccelsimError, match="too many to list; use blockwise"):
        search(
            **OFA | {"resolution": 224}, objectives="latency,accuracy",
            accuracy=TableSource(source, load_space("ofa_mbv3", (224,)), answer="fit"), evaluations=8,
        )  # fmt: skip
