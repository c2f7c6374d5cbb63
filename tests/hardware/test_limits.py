"""The largest machines that a file may describe: six memories, six axes below one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.mapping.encoding import encode, score
from accelsim.mapping.mapper import mapper_names
from accelsim.mapping.task import Task
from accelsim.pack import price
from accelsim.report.array import lane_shares
from cost_models.loopnest.layout import MAX_AXES, MAX_MEMORIES
from tests.mapping.invented import axis, machine, memory

# Of each axis one dimension: which one carries what is no choice of the mapper's.
CARRIED = dict(zip("abcdef", "KCPQRS", strict=True))
LAYER = accelsim.Layer.conv2d(K=8, C=8, P=8, Q=8, R=3, S=3)


def deep(memories: int = MAX_MEMORIES, axes: int = MAX_AXES) -> dict[str, Any]:
    """A DRAM, buffers, and lanes along so many axes above the registers."""
    fanout = [axis(name, 3 if CARRIED.get(name, "K") in "RS" else 2, "mr") for name in "abcdefg"[:axes]]
    inner = [memory(f"L{m}", 64 << (2 * m), 64, double_buffered=True) for m in range(memories - 2, 0, -1)]
    inner[-1]["fanout"] = fanout
    registers = memory("reg", {"W": 8, "I": 8, "O": 16}, None, overlap=True)
    data = machine("deep", memory("DRAM", None, 16), *inner, registers)
    flow = {name: [dim] for name, dim in CARRIED.items() if name in "abcdefg"[:axes]}
    return data | {"dataflow": {"axes": {"L1": flow}}}


@pytest.mark.parametrize("mapper", mapper_names())
def test_every_mapper_uses_all_axes(mapper: str) -> None:
    hardware = accelsim.load_hardware(deep())
    assert (len(hardware.memories), hardware.num_pes) == (6, 144)
    found = accelsim.map_layer(hardware, LAYER, mapper, "latency", budget=3000)
    used = found.mapping.to_dict()["levels"][4]["spatial"]
    assert {name: use["dim"] for name, use in used.items()} == {name: CARRIED[name] for name in used}
    if mapper not in ("random", "optimal"):  # what chance finds, and as far as a budget proves
        assert len(used) == MAX_AXES
        assert found.cost.compute_steps == 8**4 * 9 / 144


def test_lanes_are_counted_along_each_axis() -> None:
    cost = accelsim.map_layer(accelsim.load_hardware(deep()), LAYER, "template", "latency").cost
    share = lane_shares(cost).share
    assert share.shape == (2, 2, 2, 2, 3, 3)
    assert share.mean() == pytest.approx(cost.utilisation_spatial)


def test_genes_of_all_axes_come_back() -> None:
    """A mapping on six axes survives its encoding, and each axis's share of lanes is a gene that counts."""
    from cost_models.mappers.genes import AXIS_GENES, place_of_axis, width

    hardware = accelsim.load_hardware(deep())
    task = Task(hardware, LAYER, objective="latency")
    batch = accelsim.map_layer(hardware, LAYER, "template").mapping.arrays(hardware, LAYER)
    genes = encode(task, batch)
    assert len(genes) == width(task.machine.fan)
    again, _ = score(task, genes[None])
    np.testing.assert_array_equal(again.axis_factor, batch.axis_factor)
    for a in range(MAX_AXES):
        without = genes.copy()
        without[place_of_axis(4, a, MAX_MEMORIES) + AXIS_GENES - 1] = 0.0
        changed, _ = score(task, without[None])
        assert changed.axis_factor[0, 4, a] == 0
        assert (changed.axis_factor > 1).sum() == (batch.axis_factor > 1).sum() - 1


def test_three_axes_have_the_genes_that_three_axes_need() -> None:
    from cost_models.mappers.genes import BLOCK, width

    assert width(Task(accelsim.load_hardware(deep(axes=3)), LAYER).machine.fan) == MAX_MEMORIES * BLOCK
    assert width(Task(accelsim.load_hardware(deep(axes=4)), LAYER).machine.fan) > MAX_MEMORIES * BLOCK


def test_unused_axes_and_memories_change_nothing() -> None:
    """An axis of one lane more, on the widest machine: the same price for the same mapping."""
    narrow, wide = (accelsim.load_hardware(deep(axes=n)) for n in (5, 6))
    mapping = accelsim.map_layer(narrow, LAYER, "template").mapping
    task = [Task(hardware, LAYER) for hardware in (narrow, wide)]
    batches = [mapping.arrays(hardware, LAYER) for hardware in (narrow, wide)]
    status, latency, _ = zip(
        *(price(one.problem, one.machine, batch) for one, batch in zip(task, batches)), strict=True
    )
    assert status[0][0] == status[1][0] == 0
    assert latency[0] == latency[1]


@pytest.mark.parametrize(("memories", "axes", "place"), [(7, 1, "memories: "), (6, 7, "fanout: ")])
def test_one_more_is_refused(memories: int, axes: int, place: str) -> None:
    with pytest.raises(AccelsimError, match=f"{place}must have at most 6 entries"):
        accelsim.load_hardware(deep(memories, axes))
