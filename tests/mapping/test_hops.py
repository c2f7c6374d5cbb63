"""Energy of the wires of an array: as counted lane by lane, with and without distance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import Layer, evaluate, load_hardware
from accelsim.hardware.resize import resized
from tests.oracle.hops import lanes_passed

HOP = {"x": 0.25, "y": 2.0}


def machine(by_distance: set[str]) -> dict[str, Any]:
    free = {"read_pj_per_bit": 0, "write_pj_per_bit": 0, "leakage_mw": 0}
    axes = [
        {"axis": name, "size": 8, "multicast": True, "hop_pj_per_bit": pj, "by_distance": name in by_distance}
        for name, pj in HOP.items()
    ]
    memory = {"holds": ["W", "I", "O"], "energy": free, "bandwidth": 8}
    pad = memory | {"name": "pad", "kind": "register", "size_bytes": 65536, "overlap": True}
    return {
        "version": 1, "name": "wires", "source": "made up", "technology_nm": 28, "clock_mhz": 100,
        "precision_bits": {"weight": 8, "input": 4, "output": 16, "psum": 16},
        "mac": {"energy_pj": 0, "leakage_mw": 0},
        "memories": [memory | {"name": "DRAM", "fanout": axes}, pad],
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from((1, 2, 4, 8)),
    st.sampled_from((1, 2, 3, 8)),
    st.sets(st.sampled_from("xy")),
    st.sampled_from((1, 5)),
)
def test_as_counted_lane_by_lane(x: int, y: int, by_distance: set[str], c: int) -> None:
    """Kernels go over one axis, output rows over the other; every lane gets as much as any."""
    layer = Layer(K=2 * x, P=3 * y, C=c)
    spatial = {n: {"dim": d, "factor": f} for n, d, f in (("x", "K", x), ("y", "P", y)) if f > 1}
    whole = {d: n for d, n in layer.dims.items() if n > 1}
    ones = dict.fromkeys(layer.dims, 1)
    mapping = {
        "version": 1,
        "levels": [
            {"memory": "DRAM", "order": [], "tile": whole, "spatial": spatial},
            {"memory": "pad", "order": [], "tile": ones},
        ],
    }
    cost = evaluate(machine(by_distance), layer, mapping)
    each = 8 * 2 * c + 4 * 3 * c + 16 * 2 * 3  # bits of weights, inputs and outputs of a lane
    used = {n: f for n, f in (("x", x), ("y", y)) if f > 1}
    passed = lanes_passed(used, by_distance, each)
    assert cost.energy_split_pj["array"] == pytest.approx(sum(HOP[n] * passed[n] for n in used))


def test_by_distance_costs_more_and_is_off_unless_said() -> None:
    base = load_hardware("nvdla_256")
    far = resized(base, {"memories.CACC.fanout.channels.by_distance": True})
    layer = Layer.conv2d(K=64, C=64, P=14, Q=14, R=3, S=3)
    near = evaluate(base, layer, mapper="template")
    other = evaluate(far, layer, near.mapping)
    assert other.energy_split_pj["array"] > 2 * near.energy_split_pj["array"]
    assert other.latency_cycles == near.latency_cycles
