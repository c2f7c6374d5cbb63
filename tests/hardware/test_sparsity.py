"""Zeros: what is spared is what a count of them one by one says, and nothing where it is not asked for."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import AccelsimError, Layer, evaluate, load_hardware
from accelsim.hardware.resize import resized
from accelsim.pack import pack_machine
from tests.oracle import zeros

PADS = {"name": "pad", "kind": "register", "holds": ["W", "I", "O"], "size_bytes": 4096, "overlap": True}


def machine(lanes: int, density: dict[str, float], on_zero: dict[str, str]) -> dict[str, Any]:
    """Lanes with a MAC and a memory each. No energy but that of MACs and of weights read there."""
    free = {"read_pj_per_bit": 0, "write_pj_per_bit": 0, "leakage_mw": 0}
    pads = copy.deepcopy(PADS) | {
        "bandwidth": 1e6,
        "energy": free | {"read_pj_per_bit": {"W": 2, "I": 0, "O": 0}},
    }
    axis = {"axis": "rows", "size": lanes, "multicast": True, "hop_pj_per_bit": 0}
    memories = [
        {"name": "DRAM", "holds": ["W", "I", "O"], "bandwidth": 1e9, "energy": free, "fanout": [axis]},
        pads,
    ]
    return {
        "version": 1, "name": "lanes", "source": "made up", "technology_nm": 28, "clock_mhz": 100,
        "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 32},
        "density": density, "memories": memories,
        "mac": {"energy_pj": 3, "leakage_mw": 0, "on_zero": on_zero},
    }  # fmt: skip


def mapping(layer: Layer, lanes: int) -> dict[str, Any]:
    whole = {d: n for d, n in layer.dims.items() if n > 1}
    spatial = {"rows": {"dim": "P", "factor": lanes}} if lanes > 1 else {}
    ones = dict.fromkeys(layer.dims, 1)
    return {
        "version": 1,
        "levels": [
            {"memory": "DRAM", "order": [], "tile": whole, "spatial": spatial},
            {"memory": "pad", "order": ["K", "C", "P"], "tile": ones},
        ],
    }


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_as_counted_one_by_one(data) -> None:
    draw = lambda *options: data.draw(st.sampled_from(options))  # noqa: E731
    lanes = draw(1, 2, 3)
    layer = Layer(
        N=draw(1, 2),
        K=draw(2, 4),
        C=draw(2, 6),
        P=lanes * draw(1, 2),
        Q=draw(1, 3),
        R=draw(1, 3),
        S=draw(1, 2),
    )
    saves = {t: draw("nothing", "energy", "time") for t in "WI"}
    gates = "".join(t for t in "WI" if saves[t] == "energy")
    skips = "".join(t for t in "WI" if saves[t] == "time")
    energy, cycles, read = zeros.count(layer, lanes, gates, skips)
    cost = evaluate(machine(lanes, {"W": 0.5, "I": 0.5}, saves), layer, mapping(layer, lanes))
    assert cost.energy_split_pj["mac"] == pytest.approx(3 * energy)
    assert cost.energy_split_pj["pad"]["W"]["read"] == pytest.approx(2 * 8 * read)
    assert cost.compute_cycles == pytest.approx(cycles)


def test_element_wise_operands_are_read_whatever_they_meet() -> None:
    """A mask or scale is no multiply-accumulate: its operand is read beside zeros, too."""
    layer = Layer.scale(C=4, P=4, Q=4)
    sparse = machine(1, {"W": 1.0, "I": 0.25}, {"W": "nothing", "I": "energy"})
    dense = machine(1, {"W": 1.0, "I": 1.0}, {"W": "nothing", "I": "energy"})
    told = [evaluate(hw, layer, mapping(layer, 1)).energy_split_pj for hw in (sparse, dense)]
    assert told[0] == told[1]
    assert told[0]["pad"]["W"]["read"] > 0


@pytest.mark.parametrize("saves", ["energy", "time"])
def test_off_unless_both_are_said(saves: str) -> None:
    layer = Layer.conv2d(K=4, C=4, P=4, Q=4, R=3, S=3)
    dense = evaluate(machine(2, {}, {}), layer, mapping(layer, 2))
    for density, on_zero in (({"I": 0.1}, {}), ({}, {"I": saves}), ({"W": 0.1}, {"I": saves})):
        other = evaluate(machine(2, density, on_zero), layer, mapping(layer, 2))
        assert (other.latency_cycles, other.energy_pj) == (dense.latency_cycles, dense.energy_pj)
    spared = evaluate(machine(2, {"I": 0.1}, {"I": saves}), layer, mapping(layer, 2))
    assert spared.utilisation_spatial == pytest.approx(dense.utilisation_spatial)
    assert spared.hardware.peak_macs_per_cycle == pytest.approx(20 if saves == "time" else 2)
    assert spared.energy_pj < dense.energy_pj
    assert (spared.latency_cycles < dense.latency_cycles) == (saves == "time")


def test_a_read_that_serves_several_macs_is_not_spared() -> None:
    """Where MACs share a memory for weights, one of them may still want what another spares."""
    data = machine(2, {"I": 0.5}, {"I": "energy"})
    data["memories"][1]["fanout"] = [{"axis": "macs", "size": 2, "multicast": True, "hop_pj_per_bit": 0}]
    dense = copy.deepcopy(data) | {"density": {}}
    both = [pack_machine(load_hardware(x)) for x in (data, dense)]
    assert np.array_equal(both[0].memory, both[1].memory)
    assert not np.array_equal(both[0].machine, both[1].machine)


def test_shipped_chips_gate_and_are_priced_dense() -> None:
    for name, tensors in (("eyeriss", "I"), ("nvdla_256", "WI")):
        hw = load_hardware(name)
        assert [t for t in "WI" if getattr(hw.mac.on_zero, t) == "energy"] == list(tensors)
        assert (hw.density.W, hw.density.I) == (1, 1)
        sparse = resized(hw, {"density.I": 0.4})
        layer = Layer.conv2d(K=32, C=32, P=14, Q=14, R=3, S=3)
        before, after = (evaluate(x, layer, mapper="template") for x in (hw, sparse))
        assert after.energy_split_pj["mac"] == pytest.approx(0.4 * before.energy_split_pj["mac"])


def test_pooling_has_no_zeros_to_spare() -> None:
    pool = Layer.pool(C=8, P=8, Q=8, R=2, S=2, stride=2)
    dense, sparse = (
        evaluate(machine(2, x, {"I": "time", "W": "time"}), pool, mapper="template") for x in ({}, {"I": 0.1})
    )
    assert (sparse.latency_cycles, sparse.energy_pj) == (dense.latency_cycles, dense.energy_pj)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"density": {"I": 0}}, "density.I: must be a number from 1e-06 to 1"),
        ({"density": {"O": 0.5}}, "density.O: unknown key"),
        ({"mac": {"on_zero": {"I": "skip"}}}, "mac.on_zero.I: must be 'nothing', 'energy' or 'time'"),
    ],
)
def test_bad_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AccelsimError) as fault:
        load_hardware(machine(2, {}, {}) | change)
    assert message in str(fault.value)
