"""Engines: which layers run beside the array, and that every way of pricing agrees on them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.hardware.engines import engine_of
from accelsim.hardware.resize import resized
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.layer import Layer
from tests.command import run
from tests.mapping.invented import INVENTED, invented

conv = Layer.conv2d(K=16, C=16, P=14, Q=14, R=3, S=3)
depthwise = Layer.depthwise(C=96, P=56, Q=56, R=3, S=3)
small, large = (Layer.pool(C=64, P=2, Q=2, R=n, S=n, stride=n) for n in (8, 9))


def one_array() -> dict[str, Any]:
    """The DPU without its other engines."""
    data = load_hardware("dpu_zcu102").to_dict()
    del data["engines"]
    return data


def test_which_layer_runs_where() -> None:
    hw = load_hardware("dpu_zcu102")
    names = [getattr(engine_of(hw, layer), "name", None) for layer in (conv, depthwise, small, large)]
    assert names == [None, "ALU", "ALU", "Arm"]
    assert hw.for_layer(conv) is hw
    assert hw.for_layer(depthwise).num_pes == 4 * 16
    assert hw.for_layer(depthwise).leakage_mw == pytest.approx(hw.leakage_mw)


@pytest.mark.parametrize("size", [1024, 64 * 1024 * 1024])
def test_static_power_is_the_chips_whatever_an_engine_changes(size: int) -> None:
    """A buffer seen larger, or smaller, is the same silicon: leakage of all memories and MACs stays."""
    data = load_hardware("example").to_dict()
    changes = {"memories.buffer.size_bytes": size, "memories.buffer.fanout.rows.size": 4}
    data["engines"] = [{"name": "unit", "runs": [{"kinds": ["depthwise"]}], "changes": changes}]
    hw = load_hardware(data)
    engine = hw.for_layer(depthwise)
    assert engine.memories[1].size_bytes == size
    assert engine.static_mw == pytest.approx(hw.static_mw)
    assert engine.costs.memory_leakage_mw[1] == hw.costs.memory_leakage_mw[1]


KINDS = {
    "conv": conv,
    "depthwise": depthwise,
    "gemm": Layer.gemm(M=8, N=48, K=40),
    "pool": small,
    "eltwise": Layer(G=32, C=2, P=7, Q=7, op="eltwise"),
}


@pytest.mark.parametrize("name", ["example", "eyeriss", "dpu_zcu102", "five", "vector"])
def test_an_engine_that_changes_nothing_costs_what_the_array_does(name: str) -> None:
    """Whatever a chip has, an engine beside the array gets none of it for nothing, nor pays twice."""
    plain = (invented(name) if name in INVENTED else load_hardware(name)).to_dict()
    plain.pop("engines", None)
    kinds = ["conv", "depthwise", "gemm", "pool", "eltwise"]
    beside = load_hardware(plain | {"engines": [{"name": "unit", "runs": [{"kinds": kinds}]}]})
    array = load_hardware(plain)
    for kind, layer in KINDS.items():
        assert engine_of(beside, layer) is not None, kind
        costs = [accelsim.evaluate(hw, layer, mapper="template") for hw in (array, beside)]
        figures = [(c.latency_cycles, c.energy_pj, c.energy_split_pj) for c in costs]
        assert figures[0] == figures[1], kind


def test_a_bit_passes_as_many_multiplexers_on_an_engine() -> None:
    """Its hops cost what those of the chip do, also where components are called as those it adds."""
    data = load_hardware("example").to_dict()
    data["components"] = [
        {"name": "passed-0", "per": "choice", "pj_per_bit": 0.5},
        {"name": "more", "per": "choice"},
    ]
    data["engines"] = [{"name": "unit", "runs": [{"kinds": ["depthwise"]}]}]
    hw = load_hardware(data)
    engine = hw.for_layer(depthwise)
    assert engine.costs.hop_pj_per_bit == hw.costs.hop_pj_per_bit
    assert max(hw.costs.hop_pj_per_bit[1]) > 0.5
    assert engine.static_mw == pytest.approx(hw.static_mw)


def test_engines_change_what_they_run_and_nothing_else() -> None:
    plain = load_hardware(one_array())
    hw = load_hardware("dpu_zcu102")
    same = [accelsim.evaluate(x, conv, mapper="template") for x in (hw, plain)]
    assert same[0].latency_cycles == same[1].latency_cycles
    slower = [accelsim.evaluate(x, depthwise, mapper="template") for x in (hw, plain)]
    assert slower[0].compute_cycles == 2 * slower[1].compute_cycles
    assert slower[0].hardware.name.endswith(": ALU")
    on_arm = accelsim.evaluate(hw, large)
    assert on_arm.compute_cycles == math.ceil(64 * 4 * 81 / (1200 / 281))


def test_a_processor_reads_and_writes_the_outermost_memory() -> None:
    net = accelsim.load_network("mobilenet_v2")
    cost = accelsim.evaluate("dpu_zcu102", net, mapper="template")
    pooled = [layer for layer in cost.layers if layer.layer.op == "pool"]
    assert [layer.layer.R for layer in pooled] == [7]  # on the ALU
    assert "I" in pooled[0].resident
    data = load_hardware("dpu_zcu102").to_dict()
    data["engines"][0]["runs"] = [{"kinds": ["pool"]}]
    cost = accelsim.evaluate(data, net, mapper="template")
    assert [layer.resident for layer in cost.layers if layer.layer.op == "pool"] == [""]


def test_all_ways_of_pricing_agree() -> None:
    hw = load_hardware("dpu_zcu102")
    net = accelsim.load_network("squeezenet1_1")
    cost = accelsim.evaluate(hw, net, mapper="template")
    found = NetworkPricer(LoopNest(Way.of("template", "edp"))).price([Run(hw, net)])
    assert found.latency_cycles[0] == pytest.approx(cost.latency_cycles, rel=1e-12)
    assert found.energy_pj[0] == pytest.approx(cost.energy_pj, rel=1e-12)
    assert cost.latency_cycles == sum(accelsim_one(hw, layer) for layer in cost.layers)


def accelsim_one(hw: Any, cost: Any) -> float:
    """The layer's mapping priced by itself, on the whole chip's file."""
    from accelsim.mapping.cost import price_mapping

    return price_mapping(hw, cost.layer, cost.mapping, resident=cost.resident).latency_cycles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"memories.bank.size_bytes": 1},
            "engines[1].changes: memories.bank.size_bytes: no memory is called 'bank'",
        ),
        ({"memories.banks.size_bytes": 0}, "engines[1].changes"),
    ],
)
def test_faulty_changes(changes: dict[str, Any], message: str) -> None:
    data = load_hardware("dpu_zcu102").to_dict()
    data["engines"][1]["changes"] = changes
    with pytest.raises(AccelsimError) as fault:
        load_hardware(data)
    assert message in str(fault.value)


def test_two_engines_of_one_name() -> None:
    data = load_hardware("dpu_zcu102").to_dict()
    data["engines"][1]["name"] = "Arm"
    with pytest.raises(AccelsimError, match="'Arm' comes twice"):
        load_hardware(data)


def test_multiply_accumulates_of_several_cycles(capsys, tmp_path) -> None:
    data = load_hardware("example").to_dict()
    once = accelsim.evaluate(data, conv)
    data["mac"] = {"cycles": 3}
    thrice = accelsim.evaluate(data, conv, once.mapping.to_dict())
    assert thrice.compute_cycles == 3 * once.compute_cycles
    assert load_hardware(data).peak_macs_per_cycle == 256 / 3
    assert thrice.utilisation_spatial == once.utilisation_spatial
    net = accelsim.load_network("lenet5")
    one, three = (accelsim.evaluate(x, net, mapper="template") for x in (load_hardware("example"), data))
    assert three.utilisation * three.latency_cycles == pytest.approx(3 * one.utilisation * one.latency_cycles)
    (row,) = accelsim.sweep(data, net, ["clock_mhz=500"], mapper="template")
    assert row["utilisation"] == pytest.approx(three.utilisation)
    file = tmp_path / "slow.json"
    file.write_text(json.dumps(data))
    code, out, _ = run(capsys, "check", str(file))
    assert code == 0
    assert "85.3 MACs a cycle, 42.7 GMAC/s" in out
    assert " pJ, 3 cycles" in out


@pytest.mark.parametrize("bits", [LayerBits(16, 16, 16), LayerBits(16, 8, 16)])
def test_engines_of_a_machine_at_other_widths(bits: LayerBits) -> None:
    """Whichever comes first, the widths or the engine, the machine is the same, the MACs' energy included."""
    hw = load_hardware("dpu_zcu102")
    layer = Layer(G=64, P=8, Q=8, R=3, S=3, bits=bits)
    one, other = hw.for_layer(layer), hw.at_bits(bits).for_layer(layer)
    assert engine_of(hw, layer) is not None
    assert one.costs == other.costs
    assert one.costs.mac.energy_pj != hw.for_layer(Layer(G=64, P=8, Q=8, R=3, S=3)).costs.mac.energy_pj
    assert (one.mac, one.precision_bits) == (other.mac, other.precision_bits)


def with_unit(**changes: Any) -> dict[str, Any]:
    """The example with a unit for depthwise layers."""
    data = load_hardware("example").to_dict()
    data["engines"] = [{"name": "unit", "runs": [{"kinds": ["depthwise"]}], "changes": changes}]
    return data


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"clock_mhz": 3}, ["clock_mhz: must be a figure of memories"]),
        ({"network.overhead_us": 3}, ["network.overhead_us: must be a figure of memories"]),
        ({"engines[0].points_per_us": 3}, ["engines[0].points_per_us: must be a figure of memories"]),
        (
            {"memories.buffer.fanout.rows.size": 0},
            ["memories[1].fanout[0].size: must be a whole number >= 1"],
        ),
        (
            {"memories.buffer.fanout.rows.size": 0, "memories.buffer.size_bytes": 0},
            ["memories[1].size_bytes: must be", "memories[1].fanout[0].size: must be"],
        ),
    ],
)
def test_changes_that_cannot_be(changes: dict[str, Any], faults: list[str]) -> None:
    """What a chip has once is no engine's; each fault of the changed machine is one, at its place."""
    with pytest.raises(AccelsimError) as fault:
        load_hardware(with_unit(**changes))
    lines = str(fault.value).splitlines()[1:]
    assert len(lines) == len(faults)
    for line, expected in zip(lines, faults, strict=True):
        assert line.startswith(f"  engines[0].changes: {expected}")


def test_engines_may_have_a_source() -> None:
    """At the file's top, too, where it stands for all of them."""
    data = with_unit(**{"memories.buffer.fanout.rows.size": 4})
    data["sources"] = data.get("sources", {}) | {"engines": "D: a guess"}
    assert load_hardware(data).for_layer(depthwise).num_pes == 4 * 16


def test_a_sweep_names_engines() -> None:
    data = with_unit()
    data["engines"][0]["points_per_us"] = 100
    data["engines"].append({"name": "wide", "runs": [{"kinds": ["pool"]}]})
    data["engines"][1]["changes"] = {"memories.buffer.fanout.rows.size": 4}
    slow, fast = (resized(data, {"engines.unit.points_per_us": rate}) for rate in (1, 100))
    cycles = [accelsim.evaluate(hw, depthwise, mapper="template").latency_cycles for hw in (slow, fast)]
    assert cycles[0] > 10 * cycles[1]
    assert slow.provenance()["engines[0].points_per_us"] == "D: varied, was 100.0"
    with pytest.raises(AccelsimError, match=r"no engine is called 'unti'; did you mean 'unit'\?"):
        resized(data, {"engines.unti.points_per_us": 1})
