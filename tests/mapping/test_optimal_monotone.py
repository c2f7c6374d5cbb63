"""What must hold for proved optima, whatever the machine: more of anything never hurts."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from accelsim import Layer, load_hardware
from accelsim.mapping.optimal import optimal
from accelsim.mapping.template import Objective
from tests.mapping.test_optimal import OBJECTIVES, machine, problem


def best(data: dict[str, Any], layer: Layer, objective: Objective) -> float | None:
    """The proved optimum; None where it takes too long or nothing fits."""
    found = optimal(load_hardware(data), layer, objective=objective, max_nodes=20_000)
    return None if found is None or not found.certificate.complete else found.cost


def more_memory(chance: random.Random, data: dict[str, Any]) -> None:
    for memory in data["memories"][1:]:
        size, times = memory["size_bytes"], chance.choice((1, 2, 8))
        memory["size_bytes"] = (
            {t: n * times for t, n in size.items()} if isinstance(size, dict) else size * times
        )


def more_bandwidth(chance: random.Random, data: dict[str, Any]) -> None:
    for memory in data["memories"]:
        rate, times = memory["bandwidth"], chance.choice((1, 2, 8))
        if isinstance(rate, dict) and "ports" in rate:
            for port in rate["ports"]:
                port["bytes_per_cycle"] *= times
        elif isinstance(rate, dict):
            memory["bandwidth"] = {way: one * times for way, one in rate.items()}
        elif rate is not None:  # else as wide as its ports
            memory["bandwidth"] = rate * times


def more_lanes(chance: random.Random, data: dict[str, Any]) -> None:
    memory = chance.choice([memory for memory in data["memories"] if memory["fanout"]])
    for axis in memory["fanout"]:  # all, since some share lanes
        axis["size"] += 1


def more_axes(chance: random.Random, data: dict[str, Any]) -> None:
    memory = chance.choice([memory for memory in data["memories"] if len(memory["fanout"]) < 6])
    size = chance.choice((2, 4))
    wires = {"multicast": True, "reduction": True, "hop_pj_per_bit": 0}
    memory["fanout"].append({"axis": "new", "size": size, **wires})


@pytest.mark.parametrize("change", [more_memory, more_bandwidth, more_lanes, more_axes])
@pytest.mark.parametrize("seed", range(2))
def test_more_is_never_worse(seed: int, change: Any) -> None:
    """With energies and leakage held fixed, which a larger memory or array would raise."""
    chance = random.Random(700 + seed)
    done = proved = 0
    while done < 6:
        data, layer = machine(chance), problem(chance)
        if change is more_lanes and not any(memory["fanout"] for memory in data["memories"]):
            continue
        if change is more_bandwidth and all(memory["bandwidth"] is None for memory in data["memories"]):
            continue
        for memory in data["memories"]:  # whose instances leak, and more lanes mean more of them
            memory["energy"]["leakage_mw"] = 0
            if change is more_axes and "serial_folds" in memory:  # whose skew is that of the array
                memory["fold_cycles"] = 3
        data["mac"] = {"energy_pj": 1.0, "leakage_mw": 0}
        more = copy.deepcopy(data)
        change(chance, more)
        for objective in OBJECTIVES:
            before, after = best(data, layer, objective), best(more, layer, objective)
            if before is None or after is None:
                continue
            assert after <= before * (1 + 1e-12), (data, more, layer, objective)
            proved += 1
        done += 1
    assert proved >= 6


@pytest.mark.parametrize("seed", range(2))
def test_a_batch_of_two_takes_at_most_twice_as_much(seed: int) -> None:
    """Where any loop order goes: N outermost repeats what one does."""
    chance = random.Random(800 + seed)
    done = 0
    while done < 6:
        data, layer = machine(chance), problem(chance)
        data["dataflow"]["orders"] = {}
        if layer.N > 1:
            continue
        twice = Layer(**(layer.dims | {"N": 2}), stride=layer.stride, dilation=layer.dilation, op=layer.op)
        for objective in OBJECTIVES:
            one, two = best(data, layer, objective), best(data, twice, objective)
            if one is not None and two is not None:
                assert two <= (4 if objective == "edp" else 2) * one * (1 + 1e-12), (data, layer, objective)
        done += 1
