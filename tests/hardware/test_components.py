"""Components: what they count, that they cost area and power, and that files without them are as before."""

from __future__ import annotations

import copy
import json
import math
from itertools import pairwise
from typing import Any

import pytest

from accelsim import Accelerator, AccelsimError, Layer, evaluate, load_hardware
from accelsim.hardware import technology
from accelsim.hardware.resize import resized
from accelsim.pack import pack_machine
from accelsim.report.text import quantity
from cost_models.loopnest import layout as L

LAYER = Layer.conv2d(K=16, C=8, P=14, Q=14, R=3, S=3)


def machine(*components: dict[str, Any], axes: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """A machine with 3 x 4 PEs of 2 MACs each, and some components."""
    flow = {"buffer": axes or {"rows": ["C"], "cols": ["K", "P", "G"]}, "PE": {"pair": ["C"]}}
    return {
        "version": 1,
        "name": "parts",
        "source": "made up",
        "technology_nm": 45,
        "clock_mhz": 250,
        "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 24},
        "mac": {"energy_pj": 1, "area_um2": 400, "leakage_mw": 0.001},
        "components": list(components),
        "memories": [
            {"name": "DRAM", "holds": ["W", "I", "O"], "bandwidth": 8},
            {
                "name": "buffer",
                "holds": ["W", "I", "O"],
                "size_bytes": 65536,
                "banks": 4,
                "double_buffered": True,
                "bandwidth": {"read": 16, "write": 16},
                "fanout": [
                    {"axis": "rows", "size": 3, "reduction": True},
                    {"axis": "cols", "size": 4, "multicast": True},
                ],
            },
            {
                "name": "PE",
                "kind": "register",
                "holds": ["W", "I", "O"],
                "size_bytes": {"W": 256, "I": 32, "O": 64},
                "overlap": True,
                "fanout": [{"axis": "pair", "size": 2, "reduction": True}],
            },
        ],
        "dataflow": {"axes": flow},
    }


def area_of(per: str, **more: Any) -> float:
    """Area of a component of 1000 um2 each, in numbers of it."""
    hw = load_hardware(machine({"name": "part", "per": per, "area_um2": 1000} | more))
    return hw.area_breakdown_mm2()["part"] / 1e-3


def test_counts() -> None:
    plain = load_hardware(machine())
    assert area_of("chip") == pytest.approx(1)
    assert area_of("MAC") == pytest.approx(3 * 4 * 2)
    assert area_of("bank") == pytest.approx(4 + 12 * 1)  # the weights' 256 bytes are a macro, the rest is not
    pe, lanes = 8 * (32 + 64), 12 * (8 + 24) + 24 * 24  # operand where multicast, sum where reduced
    assert area_of("flipflop") == pytest.approx(12 * pe + lanes)
    assert area_of("port") == pytest.approx(8 * (16 + 16))  # those of registers are their own
    assert area_of("choice") == pytest.approx(12 * 2 * (8 + 8 + 24))  # `cols` may carry three dimensions
    assert area_of("mm2") == pytest.approx(plain.area_mm2)


def test_mm2_counts_other_components_too() -> None:
    block = {"name": "block", "area_um2": 5e5}
    fill = {"name": "fill", "per": "mm2", "area_um2": 250_000}
    for order in ((block, fill), (fill, block)):
        hw = load_hardware(machine(*order))
        plain = load_hardware(machine())
        assert hw.area_mm2 == pytest.approx((plain.area_mm2 + 0.5) * 1.25)
        assert hw.area_mm2 == pytest.approx(sum(hw.area_breakdown_mm2().values()))


def test_static_power_is_energy_over_time() -> None:
    plain = evaluate(machine(), LAYER)
    parts = (
        {"name": "clock", "per": "MAC", "pj_per_cycle": 0.5},
        {"name": "control", "leakage_mw": 2.0},
        {"name": "frame", "area_um2": 1e6},
    )
    hw = load_hardware(machine(*parts))
    cost = evaluate(hw, LAYER, plain.mapping)
    assert cost.latency_cycles == plain.latency_cycles
    split = cost.energy_split_pj
    assert split["clock"] == pytest.approx(24 * 0.5 * cost.latency_cycles)
    assert split["control"] == pytest.approx(2e-3 * cost.latency_s * 1e12)
    assert "frame" not in split
    assert cost.energy_pj == pytest.approx(plain.energy_pj + split["clock"] + split["control"])
    assert cost.energy_pj == pytest.approx(sum(cost.memory_energy_pj().values()))
    assert cost.edp_js == pytest.approx(cost.energy_pj * 1e-12 * cost.latency_s)
    assert pack_machine(hw).machine[L.LEAK_PJ] == pytest.approx(24 * 0.5 + 8 + hw.leakage_mw * 4)


def test_a_mapping_that_is_slower_draws_more() -> None:
    """What is drawn anyway moves the best mapping towards the faster one."""
    idle = machine({"name": "idle", "leakage_mw": 1e6})
    assert evaluate(idle, LAYER, objective="energy", mapper="genetic", budget=400).latency_cycles <= (
        evaluate(machine(), LAYER, objective="energy", mapper="genetic", budget=400).latency_cycles
    )


def test_overhead_of_an_inference_draws_static_power() -> None:
    data = machine({"name": "control", "leakage_mw": 2.0})
    fast = evaluate(data, "lenet5", mapper="template")
    slow = evaluate(data | {"network": {"overhead_us": 100}}, "lenet5", mapper="template")
    drawn = (2.0 + load_hardware(data).leakage_mw) * 100 * 1e3
    assert slow.energy_pj - fast.energy_pj == pytest.approx(drawn)
    assert slow.energy_pj == pytest.approx(sum(slow.memory_energy_pj.values()))


def test_choices_cost_area_and_energy() -> None:
    muxes = {"name": "muxes", "per": "choice"}
    pj, um2 = technology.multiplexer(45)
    few = load_hardware(machine(muxes, axes={"rows": ["C"], "cols": ["K"]}))
    more = load_hardware(machine(muxes, axes={"rows": ["C", "R"], "cols": ["K", "P", "Q", "G", "N"]}))
    plain = load_hardware(machine())
    assert few.area_mm2 == pytest.approx(plain.area_mm2)
    assert more.area_mm2 - few.area_mm2 == pytest.approx(12 * 5 * 40 * um2 * 1e-6)
    mapping = evaluate(few, LAYER).mapping
    costs = [evaluate(hw, LAYER, mapping) for hw in (few, more)]
    assert costs[1].energy_split_pj["array"] > costs[0].energy_split_pj["array"]
    wire = plain.costs.hop_pj_per_bit[1]
    assert few.costs.hop_pj_per_bit[1] == pytest.approx(wire)
    free = load_hardware(machine(muxes | {"area_um2": 0.0}, axes={"rows": ["C", "R"], "cols": list("KPQGN")}))
    assert free.costs.hop_pj_per_bit[1] == pytest.approx(
        [wire[0] + pj, wire[1] + math.ceil(math.log2(5)) * pj]
    )
    given = load_hardware(machine(muxes | {"area_um2": 0, "pj_per_bit": 7.0}))
    assert given.costs.hop_pj_per_bit[1] == pytest.approx([wire[0], wire[1] + 14.0])


def test_axes_on_the_same_lanes_choose_together() -> None:
    data = machine({"name": "part", "per": "choice", "area_um2": 1000})
    fan = data["memories"][1]["fanout"]
    fan.append({"axis": "sets", "size": 3, "shares": "rows"})
    data["dataflow"]["axes"]["buffer"] = {"rows": ["C"], "cols": ["K"], "sets": ["K", "P"]}
    assert load_hardware(data).area_breakdown_mm2()["part"] / 1e-3 == pytest.approx(12 * 2 * 40)


WIRES = {"name": "wires", "per": "routing"}


def buffer(size: int, banks: int, bandwidth: Any, *parts: dict[str, Any], **more: Any) -> Accelerator:
    """The machine with another buffer."""
    data = machine(*parts)
    data["memories"][1] |= {"size_bytes": size, "banks": banks, "bandwidth": bandwidth} | more
    return load_hardware(data)


def access(hw: Accelerator) -> float:
    """pJ per bit read from the buffer."""
    return hw.costs.access[1]["W"][0]


def test_banks_cost_wires() -> None:
    """A bank is cheaper to read than the whole, but there is a way to it; and each has its periphery."""
    one = {"read_write": 8}  # keeps a single bank busy
    whole = buffer(1 << 20, 1, one, WIRES)
    wired, bare = (buffer(1 << 20, 16, one, *parts) for parts in ((WIRES,), ()))
    assert access(bare) < access(wired) < access(whole) == access(buffer(1 << 20, 1, one))
    assert wired.area_mm2 == pytest.approx(bare.area_mm2)
    assert bare.area_mm2 > whole.area_mm2
    # The way itself: a square of four banks, whose side less that of a bank is one bank's side.
    wired, bare = buffer(65536, 4, one, WIRES), buffer(65536, 4, one)
    side = math.sqrt(bare.costs.memory_mm2[1] / 4)
    assert access(wired) - access(bare) == pytest.approx(side * technology.wire_pj_per_bit_mm(45))
    dear = buffer(65536, 4, one, WIRES | {"pj_per_bit": 3.0})
    assert access(dear) - access(bare) == pytest.approx(3 * side)


@pytest.mark.parametrize("banks", [1, 4])
def test_ports_cost_area_and_energy(banks: int) -> None:
    """Beyond one access a bank and cycle a wider port makes the memory, and so its lines, longer."""
    chips = [buffer(65536, banks, {"read_write": rate}, WIRES) for rate in (8, 32, 64, 256)]
    areas, energies = [hw.area_mm2 for hw in chips], [access(hw) for hw in chips]
    first = 1 if banks == 4 else 0  # four banks deliver 32 bytes
    assert len({*areas[: first + 1]}) == len({*energies[: first + 1]}) == 1
    for values in (areas[first:], energies[first:]):
        assert all(a < b for a, b in pairwise(values))


def test_given_energies_have_their_wires_in_them() -> None:
    energy = {"read_pj_per_bit": 0.5, "write_pj_per_bit": 0.6}
    wired = buffer(65536, 4, 16, WIRES, energy=energy)
    assert wired.costs.access[1]["W"] == (0.5, 0.6)
    assert resized(wired, {"memories.buffer.bandwidth": 128}).costs.access[1]["W"][0] > 0.5
    assert resized(buffer(65536, 4, 16, energy=energy), {"memories.buffer.bandwidth": 128}).costs.access[1][
        "W"
    ] == (0.5, 0.6)


def test_wires_follow_the_node() -> None:
    old = load_hardware(machine(WIRES | {"pj_per_bit": 3.0}))
    new = resized(old, {"technology_nm": 16})
    assert new.components[0].pj_per_bit == pytest.approx(
        3 * technology.wire_pj_per_bit_mm(16) / technology.wire_pj_per_bit_mm(45)
    )


def test_a_file_that_names_none_is_as_before() -> None:
    """Only what is named counts; an empty list is none."""
    data = machine()
    bare = copy.deepcopy(data)
    del bare["components"]
    assert load_hardware(bare) == load_hardware(data)
    assert load_hardware(bare).hash == load_hardware(data).hash
    assert "components" not in load_hardware(data).to_dict()
    assert list(load_hardware(bare).static_mw) == ["leakage"]


def test_components_follow_the_node() -> None:
    parts = ({"name": "control", "area_um2": 1e5, "pj_per_cycle": 3.0, "leakage_mw": 1.0},)
    old = load_hardware(machine(*parts, {"name": "fill", "per": "mm2", "area_um2": 3e5, "pj_per_cycle": 2.0}))
    new = resized(old, {"technology_nm": 28})
    (pj0, um0), (pj1, um1) = technology.flipflop(45), technology.flipflop(28)
    assert new.components[0].area_um2 == pytest.approx(1e5 * um1 / um0)
    assert new.components[0].pj_per_cycle == pytest.approx(3.0 * pj1 / pj0)
    assert new.components[0].leakage_mw < 1.0
    assert new.components[1].area_um2 == 3e5  # a share of the area is one at any node
    assert new.components[1].pj_per_cycle == pytest.approx(2.0 * pj1 / pj0 / (um1 / um0))
    assert resized(old, {"components.control.pj_per_cycle": 4}).components[0].pj_per_cycle == 4


def test_an_engine_draws_what_the_chip_draws() -> None:
    hw = machine({"name": "clock", "per": "MAC", "pj_per_cycle": 0.5}, {"name": "muxes", "per": "choice"})
    hw["components"].append(WIRES)
    hw["engines"] = [{"name": "unit", "runs": [{"kinds": ["pool"]}], "points_per_us": 100}]
    chip = load_hardware(hw)
    pool = Layer.pool(C=8, P=7, Q=7, R=2, S=2, stride=2)
    assert chip.for_layer(pool).static_mw == pytest.approx(chip.static_mw)
    assert chip.for_layer(pool).costs.access == chip.costs.access


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "PE"}, "components[0].name: must differ from memories, other components"),
        ({"name": "leakage"}, "components[0].name: must differ"),
        ({"name": "a", "per": "core"}, "components[0].per: must be 'chip', 'MAC', 'bank'"),
        ({"name": "a", "pj_per_bit": 1}, "components[0].pj_per_bit: has no effect unless"),
        ({"name": "a", "area_um2": -1}, "components[0].area_um2: must be a number from 0"),
        ({"name": "a", "area": 1}, "components[0].area: unknown key; did you mean 'area_um2'?"),
    ],
)
def test_bad_components(part: dict[str, Any], message: str) -> None:
    with pytest.raises(AccelsimError) as fault:
        load_hardware(machine(part))
    assert message in str(fault.value)


def test_reports_name_components(capsys) -> None:
    from tests.command import run

    words = ("evaluate", "nvdla_64", "--layer", "K=16 C=8 P=14 Q=14 R=3 S=3", "--mapper", "template")
    cost = evaluate("nvdla_64", LAYER, mapper="template")
    said = quantity(cost.energy_split_pj["control"] * 1e-12, "J")
    code, text, _ = run(capsys, *words, "--explain")
    assert code == 0
    assert any("control" in line and said in line for line in text.splitlines())
    code, text, _ = run(capsys, *words, "--json")
    assert json.loads(text)["energy_split_pj"]["control"] == cost.energy_split_pj["control"]
    code, text, _ = run(capsys, "check", "nvdla_64")
    assert "static  13.7 mW, drawn busy or not (leakage 0.11, control 11.9, pipeline 1.69)" in text
