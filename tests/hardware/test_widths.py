"""Memories that keep elements in widths of their own: capacity, ports and energy count them, wires do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

import accelsim
from accelsim import AccelsimError, Layer
from accelsim.pricing.residency import plan
from tests.mapping.invented import machine as described
from tests.mapping.invented import memory

LAYER = Layer.gemm(M=4, N=6, K=8)
BASE: dict[str, Any] = described(
    "widths",
    memory("DRAM", None, {"read": 4, "write": 2}, energy={"read_pj_per_bit": 1, "write_pj_per_bit": 2}),
    memory(
        "buffer", 4096, 64, overlap=True, energy={"read_pj_per_bit": 0.5, "write_pj_per_bit": 0.25},
        fanout=[{"axis": "x", "size": 2, "multicast": True, "reduction": True, "hop_pj_per_bit": 3}],
    ),
    memory("PE", 64, 64, overlap=True, energy={"read_pj_per_bit": 0, "write_pj_per_bit": 0}),
)  # fmt: skip
MAPPING = {
    "levels": [
        {"memory": "DRAM"},
        {"memory": "buffer", "order": ["P", "K", "C"], "tile": {"C": 2, "K": 1, "P": 1},
         "spatial": {"x": {"dim": "C", "factor": 2}}},
        {"memory": "PE"},
    ]
}  # fmt: skip


def changed(m: int, **bits: int) -> accelsim.Accelerator:
    data = json.loads(json.dumps(BASE))
    data["memories"][m]["precision_bits"] = bits
    return accelsim.load_hardware(data)


def priced(hw: accelsim.Accelerator) -> Any:
    return accelsim.evaluate(hw, LAYER, MAPPING)


def rows(cost: Any, memory: str) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (r["tensor"], r["direction"]): (r["words"], r["bits"]) for r in cost.accesses if r["memory"] == memory
    }


def test_each_memory_counts_its_own_bits() -> None:
    """48 weights, 32 inputs, 24 outputs leave DRAM once; sums come and go in the buffer."""
    cost = priced(changed(0, weight=4, input=16, output=24))
    dram = rows(cost, "DRAM")
    assert dram["W", "read"] == (48, 48 * 4)
    assert dram["I", "read"] == (32, 32 * 16)
    assert dram["O", "write"] == (24, 24 * 24)
    assert rows(cost, "buffer") == rows(priced(accelsim.load_hardware(BASE)), "buffer")
    assert cost.port_cycles["DRAM read"] == (48 * 4 + 32 * 16) / 32
    assert cost.port_cycles["DRAM write"] == 24 * 24 / 16
    split = cost.energy_split_pj
    assert split["DRAM"]["W"] == {"read": 48 * 4, "write": 0}
    assert split["DRAM"]["O"] == {"read": 0, "write": 2 * 24 * 24}
    wide = priced(changed(1, output=32, psum=32))
    used = {row["tensor"]: row["used_bits"] for row in wide.capacity if row["memory"] == "buffer"}
    assert used == {"W": 48 * 8, "I": 32 * 8, "O": 24 * 32}
    assert all(bits == 32 * words for (t, _), (words, bits) in rows(wide, "buffer").items() if t == "O")


def test_wires_and_macs_have_the_width_of_the_machine() -> None:
    plain, other = priced(accelsim.load_hardware(BASE)), priced(changed(1, weight=2, input=2))
    assert other.energy_split_pj["array"] == plain.energy_split_pj["array"] > 0
    assert other.energy_split_pj["mac"] == plain.energy_split_pj["mac"]
    assert other.energy_split_pj["buffer"]["W"]["read"] == plain.energy_split_pj["buffer"]["W"]["read"] / 4


def test_the_same_widths_everywhere_are_the_machine_itself() -> None:
    plain = accelsim.load_hardware(BASE)
    data = json.loads(json.dumps(BASE))
    for item in data["memories"]:
        item["precision_bits"] = dict(BASE["precision_bits"])
    same = accelsim.load_hardware(data)
    assert same.area_mm2 == plain.area_mm2
    for mapper in ("genetic", "optimal"):
        one, two = (accelsim.map_layer(hw, LAYER, mapper) for hw in (plain, same))
        assert (one.value, one.mapping) == (two.value, two.mapping)
    assert json.loads(json.dumps(same.to_dict()))["memories"][0]["precision_bits"]["psum"] == 32


def test_room_is_for_the_elements_as_they_are_kept() -> None:
    """A tile that fits at 8 bits does not at 32; narrow results stay on chip where wide ones do not."""
    data = json.loads(json.dumps(BASE))
    data["memories"][1]["size_bytes"] = 48 + 32 + 24
    accelsim.evaluate(data, LAYER, MAPPING)
    data["memories"][1]["precision_bits"] = {"weight": 16}
    with pytest.raises(AccelsimError, match=r"in buffer all tiles take \d+ bits, but it has 832"):
        accelsim.evaluate(data, LAYER, MAPPING)
    data["memories"][1]["size_bytes"] = 6
    with pytest.raises(AccelsimError, match=r"room for one element of W and I and O \(56 bits\)"):
        accelsim.load_hardware(data)
    data["memories"][1] |= {"size_bytes": 8192, "precision_bits": {}}
    data["network"] = {"activations": "on_chip_if_fit", "weights": "resident_if_fit"}
    net = accelsim.load_network("lenet5")
    kept = []
    for bits in ({}, {"output": 32, "weight": 64}):
        data["memories"][1]["precision_bits"] = bits
        kept.append(plan(accelsim.load_hardware(data), net))
    assert kept[1].kept < kept[0].kept
    assert kept[1].weights < kept[0].weights


def test_every_verb_counts_them() -> None:
    net = accelsim.load_network("lenet5")
    for hw in (accelsim.load_hardware(BASE), changed(0, weight=2)):
        expected = accelsim.evaluate(hw, net, mapper="template").energy_pj
        (row,) = accelsim.sweep(hw, net, [], mapper="template").rows
        assert row["energy_pj"] == pytest.approx(expected, rel=1e-12)
    vary = ["memories.DRAM.precision_bits.weight=2,4,8"]
    rows_ = accelsim.sweep(changed(0, weight=2), net, vary, objective="energy").rows
    assert rows_[0]["energy_pj"] < rows_[1]["energy_pj"] < rows_[2]["energy_pj"]
