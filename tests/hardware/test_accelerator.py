"""What follows from the numbers of a hardware file."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from accelsim.hardware import json_schema, load_hardware, technology
from accelsim.hardware.ports import assumed, feeds
from accelsim.hardware.sections import Residency


def machine() -> dict[str, Any]:
    """Two levels above 3 x 4 MACs, everything given."""
    energy = {"read_pj_per_bit": 1, "write_pj_per_bit": 2, "leakage_mw": 0.5}
    return {
        "version": 1,
        "name": "test",
        "source": "made up",
        "technology_nm": 28,
        "clock_mhz": 100,
        "precision_bits": {"weight": 8, "input": 4, "output": 8, "psum": 16},
        "mac": {"energy_pj": 0.5, "area_um2": 100, "leakage_mw": 0.25},
        "memories": [
            {
                "name": "far",
                "size_bytes": None,
                "holds": ["W", "I", "O"],
                "bandwidth": 4,
                "energy": {"read_pj_per_bit": 10, "write_pj_per_bit": 11},
            },
            {
                "name": "near",
                "size_bytes": 1024,
                "holds": ["W", "I", "O"],
                "bandwidth": {"read": 8},
                "area_mm2": 0.25,
                "energy": energy,
                "fanout": [
                    {"axis": "y", "size": 3, "reduction": True, "hop_pj_per_bit": 0.1},
                    {"axis": "x", "size": 4, "multicast": True, "hop_pj_per_bit": 0.2},
                    {"axis": "z", "size": 2, "shares": "y", "hop_pj_per_bit": 0},
                ],
            },
        ],
    }


def test_counts() -> None:
    hw = load_hardware(machine())
    assert [hw.instances(m) for m in range(3)] == [1, 1, 12]  # z lies on y's lanes
    assert hw.num_pes == hw.peak_macs_per_cycle == 12
    assert hw.onchip_bytes == 1024
    assert hw.leakage_mw == pytest.approx(0.5 + 12 * 0.25)
    assert hw.estimated == ()


def test_area_adds_up() -> None:
    hw = load_hardware(machine())
    # Each lane latches the wider operand (x multicasts) and a partial sum (y reduces).
    array = 12 * (8 + 16) * technology.flipflop(28)[1] * 1e-6
    assert hw.area_breakdown_mm2() == pytest.approx({"far": 0, "near": 0.25, "MAC": 0.0012, "array": array})
    assert hw.area_mm2 == pytest.approx(0.2512 + array)


def test_given_energy_wins() -> None:
    hw = load_hardware(machine())
    assert hw.resolved_energy(1) == dict.fromkeys("WIO", (1.0, 2.0))
    assert hw.costs.hop_pj_per_bit == ((), (0.1, 0.2, 0.0))
    assert hw.costs.mac.energy_pj == 0.5


def test_energy_per_word_and_per_tensor() -> None:
    data = machine()
    data["memories"][1]["energy"] = {
        "read_pj_per_word": {"W": 32, "O": 64},
        "word_bits": 16,
        "write_pj_per_bit": 3,
    }
    hw = load_hardware(data)
    fit = technology.storage(1024, 64, 28)
    assert hw.resolved_energy(1) == {"W": (2.0, 3.0), "I": (fit.read_pj_per_bit, 3.0), "O": (4.0, 3.0)}
    assert hw.estimated == ("memories[1].energy.read_pj_per_bit", "memories[1].energy.leakage_mw")


def test_what_is_missing_is_estimated_and_said_so() -> None:
    data = machine()
    del data["mac"], data["memories"][0]["energy"], data["memories"][1]["fanout"][0]["hop_pj_per_bit"]
    for key in ("energy", "area_mm2"):
        del data["memories"][1][key]
    hw = load_hardware(data)
    assert set(hw.estimated) == {
        "mac.energy_pj",
        "mac.area_um2",
        "mac.leakage_mw",
        "memories[0].energy.read_pj_per_bit",
        "memories[0].energy.write_pj_per_bit",
        "memories[1].energy.read_pj_per_bit",
        "memories[1].energy.write_pj_per_bit",
        "memories[1].energy.leakage_mw",
        "memories[1].area_mm2",
        "memories[1].fanout[0].hop_pj_per_bit",
    }
    mac = technology.mac(8, 4, 16, 28)
    fit = technology.storage(1024, 64, 28)
    assert hw.costs.mac == mac
    assert hw.resolved_energy(0)["W"] == (8.0, 8.0)  # LPDDR4
    assert hw.resolved_energy(1)["I"] == (fit.read_pj_per_bit, fit.write_pj_per_bit)
    half = technology.storage(512, 64, 28)  # both ports at once keep two banks of 64 bit busy
    assert hw.area_breakdown_mm2()["near"] == pytest.approx(2 * half.area_um2 * 1e-6)
    wire = technology.wire_pj_per_bit_mm(28) * math.sqrt(mac.area_um2 * 1e-6)
    assert hw.costs.hop_pj_per_bit[1] == pytest.approx((wire, 0.2, 0.0))


def test_kinds_of_memory() -> None:
    data = machine()
    del data["memories"][1]["energy"], data["memories"][1]["area_mm2"]
    data["memories"][1] |= {
        "kind": "register",
        "size_bytes": {"W": 64, "I": 32, "O": 600},
        "banks": {"O": 2},
    }
    data["memories"][0] |= {"dram_type": "HBM2", "energy": {}}
    hw = load_hardware(data)
    assert hw.resolved_energy(0)["O"] == (6.25, 6.25)
    parts = {  # registers move an operand at a time, and each part has its own size
        "W": technology.storage(64, 8, 28),
        "I": technology.storage(32, 4, 28),
        "O": technology.storage(300, 16, 28),
    }
    assert hw.resolved_energy(1) == {t: (s.read_pj_per_bit, s.write_pj_per_bit) for t, s in parts.items()}
    area = parts["W"].area_um2 + parts["I"].area_um2 + 2 * parts["O"].area_um2
    assert hw.area_breakdown_mm2()["near"] == pytest.approx(area * 1e-6)
    assert hw.onchip_bytes == 696


def test_instances_multiply_down_the_hierarchy() -> None:
    data = machine()
    data["memories"][0]["fanout"] = [{"axis": "tiles", "size": 5}]
    hw = load_hardware(data)
    assert [hw.instances(m) for m in range(3)] == [1, 5, 60]
    assert hw.onchip_bytes == 5 * 1024
    assert hw.area_breakdown_mm2()["near"] == pytest.approx(1.25)
    assert hw.area_mm2 == pytest.approx(sum(hw.area_breakdown_mm2().values()))


def test_ports() -> None:
    data = machine()
    hw = load_hardware(data)
    reads, writes = ("read W", "read I", "read O"), ("write W", "write I", "write O")
    assert hw.ports(0) == ((4.0, reads, True), (4.0, writes, True))
    assert hw.ports(1) == ((8.0, reads, True), (8.0, writes, False))  # of 64 bit, as nothing else is said
    data["memories"][1]["bandwidth"] = {
        "ports": {"W": {"read": 3}, "O": {"write": 5, "read": None}, "I": None}
    }
    assert load_hardware(data).ports(1) == (
        (3.0, ("read W",), True),
        (5.0, ("write O",), True),
        (8.0, ("read I", "read O"), False),
        (8.0, ("write W", "write I"), False),
    )
    listed = [
        {"bytes_per_cycle": 6, "users": ["read", "write O"]},
        {"bytes_per_cycle": 2, "users": ["write I"]},
    ]
    data["memories"][1] |= {"bandwidth": {"ports": listed}, "width_bits": 32}
    assert load_hardware(data).ports(1) == (
        (6.0, (*reads, "write O"), True),
        (2.0, ("write I",), True),
        (4.0, ("write W",), False),
    )
    data["memories"][1]["bandwidth"] = {"read_write": 6}
    assert load_hardware(data).ports(1) == ((6.0, (*reads, *writes), True),)


def test_ports_by_default() -> None:
    data = machine()
    del data["memories"][0]["bandwidth"], data["memories"][1]["bandwidth"]
    data["memories"][1]["kind"] = "register"
    hw = load_hardware(data)
    assert [(port.rate, len(port.users)) for port in hw.ports(0)] == [(8.0, 6)]
    # An operand for each of 12 lanes, and two sums: 8, 4 and 2 x 16 bit.
    assert {port.users[0]: port.rate for port in hw.ports(1)} == {
        f"{way} {t}": n for way in ("read", "write") for t, n in (("W", 12.0), ("I", 6.0), ("O", 48.0))
    }
    assert [text.split(":")[0] for text in assumed(hw)] == ["memories[0].bandwidth", "memories[1].bandwidth"]


def test_a_file_that_lacks_bandwidth_gets_one_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = machine()
    data["memories"][1]["bandwidth"] = {"read": 8, "write": 8}
    path = tmp_path / "chip.json"
    path.write_text(json.dumps(data))
    load_hardware(path)
    assert not caplog.records
    del data["memories"][0]["bandwidth"]
    path.write_text(json.dumps(data))
    load_hardware(path)
    assert len(caplog.records) == 1
    said = caplog.records[0].getMessage()
    assert "memories[0].bandwidth: far has none for this, taken as read+write 8 B/cycle" in said


def test_ports_that_can_never_feed_the_array() -> None:
    data = machine()
    data["memories"][1]["bandwidth"] = {"read": 2, "write": 100}
    # 12 MACs a cycle want 12 / 4 weights of a byte (x multicasts) and as many inputs of half a byte.
    assert feeds(load_hardware(data), 1) == pytest.approx(2 / 4.5)
    data["memories"][1]["bandwidth"] = {"read": 100, "write": 4}
    assert feeds(load_hardware(data), 1) == pytest.approx(4 / (12 / 3 * 2))  # sums of 2 bytes, y adds up
    data["mac"]["cycles"] = 2  # each MAC asks for as much in twice the time
    assert feeds(load_hardware(data), 1) == 1
    data["memories"][1]["bandwidth"] = {"read": 100, "write": 2}
    assert feeds(load_hardware(data), 1) == pytest.approx(2 * 2 / (12 / 3 * 2))
    data["mac"]["cycles"] = 1
    data["memories"][1]["bandwidth"] = {"ports": {t: {"read": 3, "write": 8} for t in "WIO"}}
    assert feeds(load_hardware(data), 1) == 1


def test_overlap_follows_double_buffering_unless_said() -> None:
    for double, overlap, expect in (
        (False, None, False),
        (True, None, True),
        (False, True, True),
        (True, True, True),
    ):
        data = machine()
        data["memories"][1] |= {"double_buffered": double, "overlap": overlap}
        assert load_hardware(data).memories[1].overlaps is expect


def test_dataflow() -> None:
    data = machine()
    data["dataflow"] = {"axes": {"near": {"x": ["K", "P"]}}, "orders": {"near": [["C", "K"]]}}
    hw = load_hardware(data)
    assert hw.axis_dims("near", "x") == ("K", "P")
    assert hw.axis_dims("near", "y") == ("N", "G", "K", "C", "P", "Q", "R", "S")
    assert hw.orders("near") == (("N", "G", "P", "Q", "R", "S", "C", "K"),)
    assert hw.orders("far") == ()


def test_hash_ignores_what_only_describes() -> None:
    base = load_hardware(machine()).hash
    data = dict(reversed(list(machine().items())))
    data |= {
        "name": "other",
        "source": "elsewhere",
        "notes": "a note",
        "sources": {"clock_mhz": "D: guess"},
        "clock_mhz": 100.0,
        "network": {"weights": "dram"},
        "search": {"max_pes": 3},
    }
    data["memories"][1]["notes"] = "another"
    assert load_hardware(data).hash == base
    assert len(base) == 64
    # The same on every machine and in every process.
    assert base == "afec36f48e77495de0e8224dcbf16e216124a2f73a0b9571084f87584f62b9ed"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("technology_nm",), 16),
        (("clock_mhz",), 101),
        (("precision_bits", "psum"), 17),
        (("mac", "energy_pj"), 0.75),
        (("memories", 0, "bandwidth"), 5),
        (("memories", 1, "name"), "close"),
        (("memories", 1, "size_bytes"), 1025),
        (("memories", 1, "double_buffered"), True),
        (("memories", 1, "fanout", 1, "multicast"), False),
        (("memories", 1, "fanout", 2, "shares"), "x"),
        (("network",), {"weights": "resident_if_fit"}),
        (("dataflow",), {"axes": {"near": {"x": ["K"]}}}),
    ],
)
def test_hash_sees_everything_else(path: tuple[str | int, ...], value: Any) -> None:
    data = copy.deepcopy(machine())
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert load_hardware(data).hash != load_hardware(machine()).hash


def test_immutable() -> None:
    hw = load_hardware(machine())
    with pytest.raises(ValueError, match="frozen"):
        hw.clock_mhz = 3


def test_provenance() -> None:
    data = machine()
    data["sources"] = {"clock_mhz": "A: sheet", "precision_bits": "B: book"}
    data["memories"][1]["sources"] = {"fanout": "C: said"}
    data["memories"][1]["fanout"][1]["sources"] = {"size": "D: guess"}
    sources = load_hardware(data).provenance()
    assert sources["clock_mhz"] == "A: sheet"
    assert sources["precision_bits.psum"] == "B: book"
    assert sources["memories[1].fanout[0].size"] == "C: said"
    assert sources["memories[1].fanout[1].size"] == "D: guess"
    assert sources["technology_nm"] is None


def test_schema_describes_every_field() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    seen = 0

    def visit(part: Any, place: str) -> None:
        nonlocal seen
        if isinstance(part, dict):
            for key, field in part.get("properties", {}).items():
                assert field.get("description"), f"{place}.{key}"
                seen += 1
            for key, item in part.items():
                visit(item, f"{place}.{key}")

    visit(schema, "")
    assert seen > 80


@pytest.mark.parametrize(
    ("changes", "keeps"),
    [({}, False), ({"activations": "on_chip_if_fit"}, True), ({"weights": "resident_if_fit"}, True),
     ({"stacks": "auto", "overhead_us": 3.0}, False)],
)  # fmt: skip
def test_what_keeps_tensors_between_layers(changes: dict, keeps: bool) -> None:
    assert Residency(**changes).keeps == keeps
