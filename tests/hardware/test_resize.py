"""Changed figures, and those that follow by the technology fit."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from accelsim import AccelsimError, load_hardware
from accelsim.hardware import hardware_names, technology
from accelsim.hardware.paths import numeric_paths, value_at
from accelsim.hardware.resize import resized


def raw(name: str) -> dict:
    return json.loads(resources.files("hw_configs").joinpath(f"{name}.json").read_text())


def test_a_machine_that_gives_no_figures_is_the_edited_file() -> None:
    data = raw("example")
    data["memories"][1]["size_bytes"] = 65536
    data["memories"][1]["fanout"][0]["size"] = 8
    data["precision_bits"]["psum"] = 24
    changes = {
        "memories.buffer.size_bytes": 65536,
        "memories[1].fanout.rows.size": 8,
        "precision_bits.psum": 24,
    }
    edited, made = load_hardware(data), resized("example", changes)
    assert made.hash == edited.hash
    assert made.costs == edited.costs
    assert [value_at(made, path) for path in changes] == list(changes.values())


def test_given_figures_follow_the_fit() -> None:
    """GLB of Eyeriss: 25 banks, 64 bits wide, 65 nm; twice the size scales each figure by its own ratio."""
    old, new = load_hardware("eyeriss"), resized("eyeriss", {"memories.GLB.size_bytes": 204800})
    small, large = (technology.storage(size / 25, 64, 65) for size in (102400, 204800))
    (read, write), (read_2, write_2) = old.resolved_energy(1)["I"], new.resolved_energy(1)["I"]
    assert read_2 / read == pytest.approx(large.read_pj_per_bit / small.read_pj_per_bit, rel=1e-12)
    assert write_2 / write == pytest.approx(large.write_pj_per_bit / small.write_pj_per_bit, rel=1e-12)
    assert read_2 > read
    leak = new.memories[1].energy.leakage_mw / old.memories[1].energy.leakage_mw
    assert leak == pytest.approx(large.leakage_mw / small.leakage_mw, rel=1e-12)
    for m in (0, 2):
        assert new.resolved_energy(m) == old.resolved_energy(m)
    assert new.mac == old.mac
    source = new.provenance()["memories[1].energy.read_pj_per_word"]
    assert source.startswith("E: 15.0 scaled by the technology fit")
    assert "memories.GLB.size_bytes = 204800" in source
    assert "nn_dataflow" in source
    assert new.provenance()["memories[1].size_bytes"].startswith("D: varied, was 102400; before, A: Chen")


def test_a_named_figure_is_not_scaled() -> None:
    changes = {"memories.GLB.size_bytes": 204800, "memories.GLB.energy.read_pj_per_word": 20}
    new = resized("eyeriss", changes)
    assert new.memories[1].energy.read_pj_per_word == 20
    assert new.memories[1].energy.write_pj_per_word > 15


def test_a_number_for_parts_is_their_sum() -> None:
    new = resized("eyeriss", {"memories.spad.size_bytes": 261, "memories.GLB.bandwidth": 13})
    assert new.memories[2].parts() == {"W": 225, "I": 12, "O": 24}
    assert [(port.rate, *port.users) for port in new.ports(1)] == [
        (1.0, "read I"),
        (4.0, "write I"),
        (4.0, "read O"),
        (4.0, "write O"),
    ]
    listed = [{"bytes_per_cycle": 2, "users": ["read"]}, {"bytes_per_cycle": 6, "users": ["write"]}]
    data = resized("eyeriss", {"memories.GLB.size_bytes": 65536}).to_dict()
    data["memories"][1]["bandwidth"] = {"ports": listed}
    assert [port.rate for port in resized(data, {"memories.GLB.bandwidth": 4}).ports(1)] == [1.0, 3.0]
    energy = new.memories[2].energy.read_pj_per_word
    assert energy.W < energy.I < 1  # 448 to 225 bytes is nearer to SRAM than 24 to 12
    tiny = resized("example", {"memories.PE.size_bytes": 30}).memories[2].parts()
    assert sum(tiny.values()) == 30


def test_axes_on_the_same_lanes_follow() -> None:
    new = resized("eyeriss", {"memories.GLB.fanout.rows.size": 8})
    assert [axis.size for axis in new.memories[1].fanout] == [8, 8, 14]
    new = resized("eyeriss", {"memories.GLB.fanout.rows.size": 24, "memories.GLB.fanout.sets.size": 6})
    assert [axis.size for axis in new.memories[1].fanout] == [24, 6, 14]
    new = resized(new, {"memories.GLB.fanout.rows.size": 30})
    assert [axis.size for axis in new.memories[1].fanout] == [30, 6, 14]
    new = resized(new, {"memories.GLB.fanout.rows.size": 4})
    assert [axis.size for axis in new.memories[1].fanout] == [4, 4, 14]


@pytest.mark.parametrize("name", hardware_names())
def test_there_and_back(name: str) -> None:
    """Every number can be set; to its own value is no change, and back again restores every figure."""
    hw = load_hardware(name)
    paths = numeric_paths(hw)
    assert resized(hw, {path: value_at(hw, path) for path in paths}).hash == hw.hash
    for m, memory in enumerate(hw.memories[1:], start=1):
        there = resized(hw, {f"memories.{memory.name}.size_bytes": int(4 * memory.total_bytes)})
        assert there.hash != hw.hash
        assert there.memories[m].parts() == {t: 4 * size for t, size in memory.parts().items()}
        back = resized(there, {f"memories.{memory.name}.size_bytes": int(memory.total_bytes)})
        assert back.memories[m].parts() == memory.parts()
        for i in range(len(hw.memories)):
            for tensor, both in hw.resolved_energy(i).items():
                assert back.resolved_energy(i)[tensor] == pytest.approx(both, rel=1e-9)
        assert back.leakage_mw == pytest.approx(hw.leakage_mw, rel=1e-9)
        assert back.area_mm2 == pytest.approx(hw.area_mm2, rel=1e-9)


def test_objects_left_out_are_made() -> None:
    new = resized("example", {"mac.energy_pj": 0.5, "memories.buffer.energy.read_pj_per_bit": 0.1})
    assert new.costs.mac.energy_pj == 0.5
    assert new.resolved_energy(1)["W"][0] == 0.1
    assert resized("example", {"memories.PE.double_buffered": True}).memories[2].double_buffered


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memories.GBL.size_bytes": 3}, "memories.GBL.size_bytes: no memory is called 'GBL'"),
        ({"memories.GLB.sise_bytes": 3}, "unknown key; did you mean 'size_bytes'?"),
        ({"memories.GLB.fanout.rowz.size": 3}, "no axis is called 'rowz'; did you mean 'rows'?"),
        ({"memories.GLB": 3}, "no number of Eyeriss stands there; did you mean 'memories.GLB."),
        ({"memories.GLB.size_bytes.W": 3}, "did you mean 'memories.GLB.size_bytes'?"),
        ({"clokc_mhz": 3}, "unknown key; did you mean 'clock_mhz'?"),
        ({"memories[7].size_bytes": 3}, "no memory is called '7'; known: DRAM, GLB, spad"),
        ({"": 1}, "no number of Eyeriss stands there; known: clock_mhz"),
        (
            {"memories.GLB.size_bytes": 3.5},
            "memories[1].size_bytes: must be a whole number >= 1, but got 3.5",
        ),
        ({"memories.spad.size_bytes": 2}, "must be a whole number >= 3, a byte for each part, but got 2"),
        ({"memories.spad.size_bytes": "x"}, 'must be a number, the sum of its parts, but got "x"'),
        ({"memories.GLB.fanout": 3}, "memories[1].fanout: has parts; name one of them"),
        ({"memories.GLB.fanout.sets.size": 13}, "must be at most 12, the size of axis 'rows', but got 13"),
        ({"memories.GLB.size_bytes": 3}, "must have room for one element of I and O"),
    ],
)
def test_faults(changes: dict, message: str) -> None:
    with pytest.raises(AccelsimError) as fault:
        resized("eyeriss", changes)
    assert message in str(fault.value)


def test_a_default_may_have_a_source() -> None:
    data = raw("eyeriss")
    data["memories"][1]["sources"]["double_buffered"] = "A: the paper, section 4"
    data["memories"][0]["sources"]["size_bytes"] = "E: off chip"
    hw = load_hardware(data)
    assert load_hardware(hw.to_dict()) == hw
    assert hw.hash == load_hardware("eyeriss").hash
