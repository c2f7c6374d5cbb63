"""Mappings: their JSON form, the messages for bad ones, and prices that do not depend on the door."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.mapping.mapping import Level, Mapping, MappingError

LAYER = accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3)
MACHINE = {
    "version": 1,
    "name": "two by three",
    "source": "made for this test",
    "technology_nm": 45,
    "clock_mhz": 100,
    "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 32},
    "memories": [
        {"name": "DRAM", "size_bytes": None, "holds": ["W", "I", "O"], "bandwidth": 4},
        {
            "name": "GLB",
            "size_bytes": 4096,
            "holds": ["W", "I", "O"],
            "double_buffered": True,
            "bandwidth": 16,
            "fanout": [
                {"axis": "rows", "size": 2, "multicast": True, "reduction": True},
                {"axis": "cols", "size": 3, "multicast": True},
            ],
        },
        {"name": "RF", "size_bytes": 96, "holds": ["W", "I", "O"], "double_buffered": True},
    ],
}
GOOD = {
    "version": 1,
    "levels": [
        {"memory": "DRAM", "order": ["K"], "tile": {"K": 4}, "spatial": {}},
        {
            "memory": "GLB",
            "order": ["P", "Q", "K"],
            "tile": {"K": 1, "P": 3, "Q": 1},
            "spatial": {"rows": {"dim": "C", "factor": 2}, "cols": {"dim": "P", "factor": 3}},
        },
        {"memory": "RF", "order": ["C", "R", "S"], "tile": {"C": 1, "R": 1, "S": 1}, "spatial": {}},
    ],
}


def altered(path: list, value: object) -> dict:
    data = json.loads(json.dumps(GOOD))
    here = data
    for key in path[:-1]:
        here = here[key]
    if value is None:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return data


def test_round_trip() -> None:
    mapping = Mapping.from_dict(GOOD)
    assert Mapping.from_dict(json.loads(json.dumps(mapping.to_dict()))) == mapping


def test_known_price_by_hand() -> None:
    """8 x 4 x 6 x 6 x 3 x 3 points on 2 x 3 lanes; counts follow from the loops alone."""
    cost = accelsim.evaluate(MACHINE, LAYER, GOOD)
    assert cost.compute_steps == 8 * 2 * 2 * 6 * 3 * 3
    rows = {(r["tensor"], r["parent"]): r for r in cost.traffic}
    # Weights cross DRAM -> GLB once: K is the only loop there.
    assert rows["W", "DRAM"]["parent_words"] == 8 * 4 * 9
    # Inputs do not depend on K: one fill.
    assert rows["I", "DRAM"]["fills"] == 1
    assert rows["I", "DRAM"]["parent_words"] == 4 * 8 * 8
    # Outputs leave complete, nothing is read back from DRAM.
    assert rows["O", "DRAM"]["parent_words"] == 8 * 36
    assert rows["O", "DRAM"]["parent_psum_reads"] == 0
    # Rows add partial sums up (C on a reducing axis), so the GLB sees each output once as well.
    assert rows["O", "GLB"]["parent_words"] == 8 * 36
    assert rows["O", "GLB"]["child_words"] == 2 * 8 * 36
    # Every MAC reads its operands.
    assert rows["W", "RF"]["parent_words"] == LAYER.macs
    assert cost.latency_cycles >= cost.compute_steps
    assert cost.edp_js == pytest.approx(cost.energy_pj * 1e-12 * cost.latency_s)


def test_parts_add_up() -> None:
    cost = accelsim.evaluate(MACHINE, LAYER, GOOD)
    assert sum(cost.memory_energy_pj().values()) == pytest.approx(cost.energy_pj)
    for row in cost.accesses:
        assert row["bits"] >= row["words"] * 8
    ports = max(cost.port_cycles.values())
    split = cost.latency_split
    total = max(split["compute"], ports) + split["exposed fills"] + split["ramp-up"] + split["ramp-down"]
    assert total == pytest.approx(cost.latency_cycles)


def test_nest_reads_like_loops() -> None:
    text = Mapping.from_dict(GOOD).nest(LAYER)
    assert "for K in 0:8:4  # 2 steps" in text
    assert "parallel C over rows x2" in text
    assert text.rstrip().endswith("multiply-accumulate")


def test_template_mapping_survives_json() -> None:
    cost = accelsim.evaluate(MACHINE, LAYER)
    again = accelsim.evaluate(MACHINE, LAYER, json.loads(json.dumps(cost.mapping.to_dict())))
    assert (again.latency_cycles, again.energy_pj) == (cost.latency_cycles, cost.energy_pj)
    assert again.traffic == cost.traffic


BAD = [
    (["levels"], [], "mapping.levels: must be a list"),
    (["version"], 2, "mapping.version: must be 1, but got 2"),
    (["lvels"], 1, "mapping.lvels: unknown key; did you mean 'levels'?"),
    (["levels", 0, "memory"], "L2", "in order, DRAM, GLB, RF, but got L2, GLB, RF"),
    (["levels", 2], None, "in order, DRAM, GLB, RF, but got DRAM, GLB"),
    (["levels", 1, "order"], ["P", "P"], "mapping.levels[1].order: every dimension may come once"),
    (["levels", 1, "order"], ["Z"], "mapping.levels[1].order[0]: must be one of N G K C P Q R S"),
    (["levels", 1, "tile", "K"], 0, "mapping.levels[1].tile.K: must be a whole number from 1"),
    (["levels", 1, "tile", "K"], 1.0, "mapping.levels[1].tile.K: must be a whole number"),
    (["levels", 1, "tile", "K"], True, "mapping.levels[1].tile.K: must be a whole number"),
    (["levels", 1, "tile", "K"], 2**40, "mapping.levels[1].tile.K: must be a whole number"),
    (["levels", 1, "tile", "K"], 5, "mapping.levels[1].tile.K: 1 <= tile <= 4 must hold"),
    (["levels", 1, "spatial", "rows", "factor"], 3, "mapping.levels[1].spatial.rows.factor: at most 2"),
    (["levels", 1, "spatial", "cols", "dim"], "K", "at most 1 (the tile that it divides), but got 3"),
    (["levels", 1, "spatial", "diag"], {"dim": "K", "factor": 2}, "GLB has no such axis"),
    (["levels", 2, "spatial", "rows"], {"dim": "C", "factor": 2}, "RF has no such axis; it has none"),
    (["levels", 2, "tile", "S"], None, "below the last memory every dimension must be down to 1, but S"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_bad_mapping_is_explained(path: list, value: object, message: str) -> None:
    with pytest.raises(MappingError) as fault:
        accelsim.evaluate(MACHINE, LAYER, altered(path, value))
    assert message in str(fault.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([[], ["levels"], ["levels", 1], ["levels", 1, "tile"], ["levels", 1, "spatial", "rows"]]),
    st.sampled_from(["levels", "version", "order", "tile", "spatial", "memory", "K", "dim", "factor", "x"]),
    json_values,
)
def test_fuzzed_mapping_never_crashes(path: list, key: str, value: object) -> None:
    data = json.loads(json.dumps(GOOD))
    here = data
    for step in path:
        here = here[step]
    if isinstance(here, dict):
        here[key] = value
    else:
        here.append(value)
    try:
        accelsim.evaluate(MACHINE, LAYER, data)
    except accelsim.AccelsimError as fault:
        assert "mapping" in str(fault)  # noqa: PT017


def test_tile_that_does_not_fit_is_explained() -> None:
    data = altered(["levels", 1, "tile", "K"], 4)
    data["levels"][2]["tile"]["K"] = 1
    fault = r"mapping.levels\[2\]: in RF all tiles take 1\d\d\d bits, two buffers each, but it has 768"
    with pytest.raises(MappingError, match=fault):
        accelsim.evaluate(MACHINE, LAYER, data)


def test_counts_beyond_2_to_53_are_refused(monkeypatch) -> None:
    """By the kernel as well, were a layer ever made in another way."""
    monkeypatch.setattr("accelsim.workloads.layer.MAX_POINTS", 2**80)
    huge = accelsim.Layer.gemm(M=2**31 - 1, N=2**31 - 1, K=2)
    with pytest.raises(accelsim.AccelsimError, match=r"2\^53"):
        accelsim.evaluate(MACHINE, huge)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile": {"K": 2**32 + 1}}, "mapping.levels[0].tile.K: must be a whole number"),
        ({"tile": {"K": 1.5}}, "mapping.levels[0].tile.K: must be a whole number"),
        ({"tile": {"Z": 1}}, "mapping.levels[0].tile.Z: must be one of"),
        ({"order": ("K", "K")}, "mapping.levels[0].order: every dimension may come once"),
        ({"order": ("Z",)}, "mapping.levels[0].order[0]: must be one of"),
        (
            {"spatial": {"rows": ("K", 0)}},
            "mapping.levels[0].spatial.rows.factor: must be a whole number from 1",
        ),
        (
            {"spatial": {"rows": ("K", -2)}},
            "mapping.levels[0].spatial.rows.factor: must be a whole number from 1",
        ),
    ],
)
def test_levels_made_in_python_are_checked_too(changes: dict, message: str) -> None:
    with pytest.raises(MappingError) as fault:
        Mapping((Level("RF", **changes),))
    assert message in str(fault.value)
