"""Layers in precisions of their own: the same silicon, narrower words, and what the MACs make of it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import accelsim
from accelsim import AccelsimError, Layer
from accelsim.hardware.precision import part
from accelsim.pricing.residency import plan
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.layer_text import parse_layer
from tests.mapping.invented import INVENTED, OPEN
from tests.mapping.test_holding import KINDS, small
from tests.pricing.nets import every_kind
from tests.pricing.test_verbs import VERBS

CONV = Layer.conv2d(K=16, C=8, P=7, Q=7, R=3, S=3)


def with_bits(layer: Layer, *bits: int | None) -> Layer:
    return Layer(**layer.dims, stride=layer.stride, op=layer.op, bits=LayerBits(*bits))


def by_hand(hw: accelsim.Accelerator, bits: tuple[int, int, int]) -> dict[str, Any]:
    """The machine written down at these widths, every figure and port as the old one has it."""
    data: dict[str, Any] = json.loads(json.dumps(hw.to_dict()))
    old = hw.precision_bits
    data["precision_bits"] = dict(zip(("weight", "input", "output"), bits)) | {"psum": max(old.psum, bits[2])}
    passes = -(-bits[0] // old.weight) * -(-bits[1] // old.input)
    mac = hw.costs.mac
    data["mac"] = {
        "energy_pj": mac.energy_pj * passes, "area_um2": mac.area_um2, "leakage_mw": mac.leakage_mw,
        "cycles": hw.mac.cycles * passes,
    }  # fmt: skip
    for m, item in enumerate(data["memories"]):
        energy = hw.resolved_energy(m)
        item["energy"] = {
            "read_pj_per_bit": {t: pair[0] for t, pair in energy.items()},
            "write_pj_per_bit": {t: pair[1] for t, pair in energy.items()},
            "leakage_mw": hw.costs.memory_leakage_mw[m],
        }
        item["area_mm2"] = hw.costs.memory_mm2[m]
        item["bandwidth"] = {
            "ports": [{"bytes_per_cycle": p.rate, "users": list(p.users)} for p in hw.ports(m)]
        }
        for a, wire in enumerate(item.get("fanout", [])):
            wire["hop_pj_per_bit"] = hw.costs.hop_pj_per_bit[m][a]
    return data


@pytest.mark.parametrize("name", [*INVENTED, "example"])
def test_it_costs_what_the_machine_written_at_these_widths_does(name: str) -> None:
    chance = random.Random(name)
    hw = accelsim.load_hardware(INVENTED.get(name, name))
    for kind in KINDS:
        wide = name != "tiny"  # whose registers have a byte for an operand
        bits = (
            chance.choice((2, 4, 8, 8 + 8 * wide)),
            chance.choice((4, 8, 8 + 4 * wide)),
            chance.choice((4, 8, 32)),
        )
        layer = small(chance, kind)
        cost = accelsim.evaluate(hw, with_bits(layer, *bits), mapper="template")
        plain = accelsim.evaluate(by_hand(hw, bits), layer, cost.mapping)
        assert plain.latency_cycles == pytest.approx(cost.latency_cycles, rel=1e-12)
        assert plain.energy_pj == pytest.approx(cost.energy_pj, rel=1e-12)
        assert cost.hardware.area_mm2 == hw.area_mm2
        assert cost.hardware.leakage_mw == hw.leakage_mw


def fused(unit: str = "fused") -> accelsim.Accelerator:
    data = accelsim.load_hardware("example").to_dict()
    data["mac"] = {"precision": unit, "energy_pj": 1.0}
    return accelsim.load_hardware(data)


@pytest.mark.parametrize(
    ("bits", "fixed", "side_by_side"),
    [((8, 8), 1, 1), ((4, 4), 1, 4), ((2, 8), 1, 4), ((2, 2), 1, 16), ((1, 1), 1, 16), ((3, 5), 1, 2),
     ((16, 8), 2, 1), ((16, 16), 4, 1), ((16, 4), 2, 2), ((9, 8), 2, 1)],
)  # fmt: skip
def test_time_and_energy_of_the_macs(bits: tuple[int, int], fixed: int, side_by_side: int) -> None:
    """Passes for wide operands; in a fused unit, parts side by side for narrow ones (Bit Fusion)."""
    layer = with_bits(CONV, *bits, 8)
    plain = accelsim.evaluate(fused("fixed"), layer, mapper="template")
    assert plain.compute_cycles == plain.compute_steps * fixed
    assert plain.energy_split_pj["mac"] == CONV.macs * fixed
    lanes = CONV.macs / (plain.compute_steps * fused().num_pes)
    assert plain.utilisation_spatial == pytest.approx(lanes)
    cost = accelsim.evaluate(fused(), layer, plain.mapping)
    assert cost.compute_cycles == plain.compute_steps * fixed / side_by_side
    each = cost.energy_split_pj["mac"] / CONV.macs
    assert (each < fixed) == (side_by_side > 1)
    if side_by_side > 1:
        assert each > fixed / side_by_side  # the adder stays as wide
    assert cost.utilisation_spatial == pytest.approx(lanes)
    assert cost.traffic == plain.traffic


def test_parts_of_a_unit() -> None:
    assert [part(8, n) for n in (1, 2, 3, 4, 5, 8, 9)] == [2, 2, 4, 4, 8, 8, 8]
    assert part(12, 5) == 6
    assert part(9, 1) == 9


def test_narrower_words_need_less_room_time_and_energy() -> None:
    hw = accelsim.load_hardware("eyeriss")
    layer = Layer.gemm(M=1, N=512, K=512)
    values = [
        accelsim.map_layer(hw, with_bits(layer, w, 16, 16), "optimal", "energy").value for w in (16, 8, 4)
    ]
    assert values[0] > values[1] > values[2]
    used = [
        {row["tensor"]: row["used_bits"] for row in cost.capacity if row["memory"] == "spad"}
        for bits in (16, 4)
        for cost in [
            accelsim.evaluate(hw, with_bits(CONV, bits, 16, 16), accelsim.map_layer(hw, CONV).mapping)
        ]
    ]
    assert used[0]["W"] == 4 * used[1]["W"]
    assert used[0]["I"] == used[1]["I"]


def test_where_it_does_not_fit_the_reason_is_that() -> None:
    layer = with_bits(CONV, 8, 12, 8)
    with pytest.raises(AccelsimError, match=r"in reg the I tile takes 12 bits, but it has 8; "):
        accelsim.map_layer(INVENTED["tiny"], layer)


def test_a_memory_of_its_own_width_keeps_it() -> None:
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][0]["precision_bits"] = {"weight": 8}
    hw = accelsim.load_hardware(data)
    costs = [accelsim.evaluate(hw, with_bits(CONV, w, 8, 8), mapper="template") for w in (8, 4)]
    dram, buffer = (
        [
            next(r["bits"] / r["words"] for r in c.accesses if (r["memory"], r["tensor"]) == (m, "W"))
            for c in costs
        ]
        for m in ("DRAM", "buffer")
    )
    assert dram == [8, 8]
    assert buffer == [8, 4]


def test_with_a_choice_of_what_is_held() -> None:
    hw = accelsim.load_hardware(OPEN)
    narrow = with_bits(CONV, 4, 4, 8)
    found = accelsim.map_layer(hw, narrow, "genetic", "energy")
    assert found.value < accelsim.map_layer(hw, CONV, "genetic", "energy").value
    again = accelsim.evaluate(hw, narrow, found.mapping.to_dict())
    assert again.energy_pj == found.cost.energy_pj
    assert {way.ports(1)[0].rate for way in hw.at_bits(narrow.bits).ways if way.ports(1)} == {16.0}
    assert len({hw.hash, hw.at_bits(narrow.bits).hash, *(w.hash for w in hw.at_bits(narrow.bits).ways)}) == 18


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_counts_them(verb: str) -> None:
    hw, net = accelsim.load_hardware("example"), every_kind()
    some = net.with_bits(4, 4, 4, layers=[x.name for x in net.layers if x.has_weights])
    one, other = (VERBS[verb](hw, x, mapper="template") for x in (net, some))
    assert other[1] < one[1]
    assert VERBS["evaluate"](hw, some, mapper="template") == pytest.approx(other, rel=1e-12)


def test_networks_carry_them() -> None:
    """Builder, JSON, and the same layer in other precisions is another layer."""
    builder = accelsim.NetworkBuilder("mixed", 3, 8, 8)
    x = builder.conv(builder.input, 8, 3)
    builder.precision(weight=4, input=4)
    x = builder.conv(x, 8, 3)
    builder.precision()
    net = builder.build(builder.conv(x, 8, 3))
    assert [layer.bits for layer in net.layers] == [LayerBits(), LayerBits(4, 4, None), LayerBits()]
    assert net.layers[1] != net.layers[2]
    data = json.loads(json.dumps(net.to_dict()))
    assert data["layers"][1]["bits"] == {"weight": 4, "input": 4}
    assert "bits" not in data["layers"][0]
    assert accelsim.load_network(data) == net
    layer = parse_layer("K=8 C=8 P=8 Q=8 R=3 S=3 bits=4x4x*")
    assert layer == net.layers[1]
    assert "bits 4x4x*" in str(layer)


def test_what_stays_on_chip_counts_the_widest() -> None:
    data = accelsim.load_hardware("example").to_dict()
    data["network"] = {"activations": "on_chip_if_fit", "weights": "resident_if_fit"}
    hw = accelsim.load_hardware(data)
    net = accelsim.load_network("lenet5")
    kept = [plan(hw, net.with_bits(*bits)) for bits in ((8, 8, 8), (8, 32, 32), (64, 8, 8))]
    sizes = [
        sum(net.layers[i].output_elements for i in p.kept) + sum(net.weights_of[i] for i in p.weights)
        for p in kept
    ]
    assert sizes[0] > sizes[2]
    found = accelsim.map_network(hw, net.with_bits(4, 8, 8), "template")
    again = accelsim.evaluate(hw, net.with_bits(4, 8, 8), found.to_dict())
    assert again.energy_pj == found.cost.energy_pj


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(K=2, bits={"weights": 4}), "bits.weights: unknown key; did you mean 'weight'?"),
        (lambda: Layer(K=2, bits=(4, 0, 8)), "bits.input must be a whole number from 1 to 64, but got 0"),
        (lambda: Layer(K=2, bits=4), "bits must be an object like"),
        (
            lambda: Layer.from_dict({"bits": {"output": True}}),
            "layer: bits.output must be a whole number from 1",
        ),
        (
            lambda: parse_layer("K=2 bits=4"),
            "layer: bits must be those of weights, inputs and outputs, as in 4x8x8",
        ),
        (lambda: every_kind().with_bits(4, layers=["conv9"]), "bits: every has no layer 'conv9'"),
        (
            lambda: accelsim.NetworkBuilder("n", 1, 4, 4).precision(weight=99),
            "network 'n': precision.weight must",
        ),
    ],
)
def test_bad_bits_are_explained(make: Any, message: str) -> None:
    with pytest.raises(AccelsimError) as fault:
        make()
    assert message in str(fault.value)


def test_stacks_take_such_layers() -> None:
    hw = accelsim.load_hardware("example")
    narrow, wide = (accelsim.load_network("lenet5").with_bits(bits, 8, 8) for bits in (4, 8))
    fused, apart = (accelsim.evaluate(hw, narrow, mapper="template", fuse=fuse) for fuse in ("auto", "none"))
    assert fused.stacks
    assert fused.edp_js < apart.edp_js
    assert fused.energy_pj < accelsim.evaluate(hw, wide, mapper="template", fuse="auto").energy_pj
