"""Tensors that stay on chip between layers: they fit, they are consistent, and they save their traffic."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim.pricing.residency import plan


@pytest.mark.parametrize("hardware", ["edgetpu", "shidiannao"])
@pytest.mark.parametrize("name", ["lenet5", "squeezenet1_1", "resnet50", "mobilenet_v2"])
def test_plan_is_consistent(hardware: str, name: str) -> None:
    """A kept result has only consumers that read all their inputs on chip."""
    hw, net = accelsim.load_hardware(hardware), accelsim.load_network(name)
    residency = plan(hw, net)
    flags = [kept for kept, _ in residency.table()]
    for i in residency.kept:
        assert i not in net.outputs
        assert "O" in flags[i]
        for edge in net.consumers_of[i]:
            assert edge.operand in flags[edge.consumer], (net.names[i], net.names[edge.consumer])


@pytest.mark.parametrize("hardware", ["edgetpu", "shidiannao"])
@pytest.mark.parametrize("name", ["lenet5", "squeezenet1_1"])
def test_residents_and_tiles_fit_together(hardware: str, name: str) -> None:
    hw, net = accelsim.load_hardware(hardware), accelsim.load_network(name)
    residency = plan(hw, net)
    cost = accelsim.evaluate(hw, net)
    assert any(taken is not None for _, taken in residency.table())
    for one, (_, taken) in zip(cost.layers, residency.table(), strict=True):
        reserved = np.zeros((len(hw.memories), 4)) if taken is None else taken
        for m, memory in enumerate(hw.memories):
            used = {r["tensor"]: r["used_bits"] for r in one.capacity if r["memory"] == memory.name}
            parts = memory.parts()
            for t, tensor in enumerate("WIO"):
                if tensor in parts and tensor in used:
                    assert used[tensor] + reserved[m, t] <= 8 * parts[tensor]
            if "all" in parts:
                assert sum(used.values()) + reserved[m, 3] <= 8 * parts["all"]


def test_small_network_stays_on_chip() -> None:
    """LeNet-5 fits ShiDianNao: only its input and its result cross the host link."""
    cost = accelsim.evaluate("shidiannao", "lenet5")
    moved = sum(r["bits"] for one in cost.layers for r in one.accesses if r["memory"] == "Host")
    first, last = cost.layers[0], cost.layers[-1]
    assert 0 < moved < 2 * 16 * (first.layer.input_elements + last.layer.output_elements)


def test_nothing_stays_unless_the_hardware_says_so() -> None:
    assert not any(one.resident for one in accelsim.evaluate("eyeriss", "lenet5").layers)


def test_given_mapping_breaks_residency_on_both_sides() -> None:
    free = accelsim.evaluate("shidiannao", "lenet5")
    mapping = free.layers[1].mapping
    name = free.layers[1].layer.name
    cost = accelsim.evaluate("shidiannao", "lenet5", {name: mapping})
    assert cost.layers[1].resident == ""
    assert "O" not in cost.layers[0].resident
    assert "I" not in cost.layers[2].resident
