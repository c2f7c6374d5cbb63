"""What memories hold may be left to the mapper: every way is tried, by every mapper, and proved."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError, Layer, Mapping, MappingError, MapSpace
from accelsim.hardware.holding import ways_for
from accelsim.mapping.mapper import load_mapper, mapper_names
from accelsim.mapping.optimal import OptimalMapper, optimal, optimal_front
from accelsim.mapping.task import Task
from accelsim.pack import TENSORS, Machine, pack_layer, pack_machine, price
from tests.mapping.invented import OPEN
from tests.mapping.test_optimal import OBJECTIVES, everything, machine

KINDS = ("conv", "depthwise", "gemm", "pool", "eltwise", "broadcast")


def opened(data: dict[str, Any], *choices: str) -> dict[str, Any]:
    """A machine whose memories below the outermost leave these tensors."""
    data = json.loads(json.dumps(data))
    for item, choice in zip(data["memories"][1:], choices, strict=False):
        item["holds_choice"] = [t for t in choice if t in item["holds"] and t != item.get("serial_folds")]
    return data


def small(chance: random.Random, kind: str) -> Layer:
    """A layer of a kind, few enough mappings to list."""

    def size() -> int:
        return chance.choice((1, 2, 3, 4))

    if kind == "conv":
        return Layer.conv2d(
            K=size(), C=size(), P=2, Q=1, R=chance.choice((1, 2)), S=1, stride=chance.choice((1, 2))
        )
    if kind == "depthwise":
        return Layer.depthwise(C=size(), P=2, Q=1, R=2, S=1)
    if kind == "gemm":
        return Layer.gemm(M=size(), N=size(), K=size())
    if kind == "pool":
        return Layer.pool(C=size(), P=2, Q=1, R=2, S=chance.choice((1, 2)))
    if kind == "broadcast":
        return Layer(G=size(), K=size(), Q=size(), op="broadcast")
    return Layer(N=1, G=size(), C=size(), Q=size(), op="eltwise")


def first_homes(holds: np.ndarray[Any, Any]) -> list[int]:
    """The first memory below the outermost that holds each tensor, or 0."""
    return [next((m for m in range(1, len(holds)) if holds[m, t]), 0) for t in range(3)]


def by_hand(data: dict[str, Any], layer: Layer, resident: str) -> Iterator[Machine]:
    """Kernel arrays of each way to hold: those of the machine, with entries of `holds` cleared."""
    plain = pack_machine(accelsim.load_hardware(opened(data, "", "", "", "")).for_layer(layer))
    homes = first_homes(plain.holds)
    open_ = [(m, t) for m, x in enumerate(data["memories"]) for t in x.get("holds_choice", [])]
    for gone in chain.from_iterable(combinations(open_, n) for n in range(len(open_) + 1)):
        holds = plain.holds.copy()
        for m, t in gone:
            holds[m, TENSORS.index(t)] = 0
        if all(first_homes(holds)[TENSORS.index(t)] == homes[TENSORS.index(t)] for t in resident):
            yield plain._replace(holds=holds)


def cases(seed: int, count: int) -> Iterator[tuple[dict[str, Any], Layer, str, Any, Any]]:
    """Open machines and small layers, with latency and energy of every mapping on every way to hold."""
    chance = random.Random(seed)
    while count:
        data = opened(
            machine(chance), *("".join(chance.sample("WIO", chance.choice((0, 1, 2, 3)))) for _ in range(4))
        )
        layer = small(chance, KINDS[count % len(KINDS)])
        resident = chance.choice(("", "", "I", "WO"))
        if 2 ** sum(len(x.get("holds_choice", [])) for x in data["memories"]) > 64:
            continue
        batch = everything(accelsim.load_hardware(data), layer)
        if batch is not None and any(x.get("holds_choice") for x in data["memories"]):
            count -= 1
            ways = by_hand(data, layer, resident)
            priced = [price(pack_layer(layer, resident), way, batch)[1:] for way in ways]
            yield data, layer, resident, *(np.concatenate(x) for x in zip(*priced, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_the_proof_agrees_with_enumeration_of_all_ways(seed: int) -> None:
    """Bit for bit, for each objective and the front, over every kind of layer."""
    pruned = chosen = 0
    for data, layer, resident, latency, energy in cases(seed, 10):
        hw = accelsim.load_hardware(data)
        values = {"edp": latency * energy, "latency": latency, "energy": energy}
        for objective in OBJECTIVES:
            best = values[objective].min()
            found = optimal(hw, layer, objective=objective, resident=resident, tiles="divisors", start="none")
            assert (np.inf if found is None else found.cost) == best, (data, layer, resident, objective)
            if found is None:
                continue
            sure = found.certificate
            assert sure.complete
            assert sure.gap == 0.0
            assert found.mapping in sure.space
            assert sure.ways == len(ways_for(hw, layer, resident))
            pruned += sure.pruned.get("ways to hold", 0)
            chosen += found.mapping.machine(hw, resident).memories != hw.ways[0].memories
        points = optimal_front(hw, layer, resident=resident, tiles="divisors", start="none").points
        front: list[tuple[float, float]] = []
        for point in sorted(zip(latency.tolist(), energy.tolist(), strict=True)):
            if np.isfinite(point[0]) and (not front or point[1] < front[-1][1]):
                front.append(point)
        assert [(p.latency_cycles, p.energy_pj) for p in points] == front
    assert pruned > 0
    assert chosen > 5


@pytest.mark.parametrize("mapper", [name for name in mapper_names() if name != "cmaes"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_more_choice_is_never_worse(mapper: str, objective: str) -> None:
    """With the same budget; what is found is a mapping that costs the same when it is given."""
    better = 0
    for layer in (
        Layer.conv2d(K=24, C=12, P=7, Q=7, R=3, S=3),
        Layer.depthwise(C=16, P=9, Q=9, R=3, S=3),
        Layer.gemm(M=4, N=48, K=32),
        Layer.pool(C=8, P=4, Q=4, R=2, S=2),
    ):
        values = []
        for choices in ((), ("W",), ("WI",), ("WI", "WO")):
            hw = accelsim.load_hardware(opened(OPEN, *(choices or ("",)), *[""] * (2 - len(choices))))
            options = {"tiles": "divisors"} if mapper == "optimal" else {}
            found = accelsim.map_layer(hw, layer, mapper, objective, 900, 1, **options)  # type: ignore[arg-type]
            values.append(found.value)
            written = json.loads(json.dumps(found.mapping.to_dict()))
            again = accelsim.evaluate(hw, layer, written)
            assert (again.latency_cycles, again.energy_pj) == (
                found.cost.latency_cycles,
                found.cost.energy_pj,
            )
            assert ["holds" in level for level in written["levels"]] == [
                bool(m.holds_choice) for m in hw.memories
            ]
        assert values == sorted(values, reverse=True), layer
        better += values[-1] < values[0]
    assert better >= 2


@pytest.mark.parametrize("mapper", ["template", "genetic", "random", "genetic_index", "optimal"])
def test_many_layers_at_once_give_the_same(mapper: str) -> None:
    """Also where tensors are resident, and budgets count every way."""
    hw, chosen = accelsim.load_hardware(OPEN), load_mapper(mapper)
    layers = [small(random.Random(7), kind) for kind in KINDS]
    tasks = [
        Task(hw, layer, budget=700, seed=3, resident=r, tiles="divisors")
        for layer in layers
        for r in ("", "IO")
    ]
    for row, task in zip(chosen.batch_ways(tasks), tasks, strict=True):
        one = chosen.map_ways(task)
        assert one is not None
        assert row.tolist() == [
            one.cost.latency_cycles,
            one.cost.energy_pj,
            one.evaluations + one.start_evaluations,
        ]
        each = [chosen.map(way) for way in task.ways]
        assert one.value == min(way.value for way in each if way)
        if mapper != "optimal":
            assert row[2] == sum(way.evaluations + way.start_evaluations for way in each if way)
            assert row[2] <= len(task.ways) * max(700, 1000)


def test_ways_that_do_not_differ_are_tried_once() -> None:
    """Weights of a layer without any, and tensors that must stay."""
    hw = accelsim.load_hardware(OPEN)
    conv, pool = Layer.conv2d(K=4, C=4, P=4, Q=4), Layer.pool(C=4, P=4, Q=4, R=2, S=2)
    assert len(hw.ways) == len(ways_for(hw, conv)) == 16
    assert len(ways_for(hw, pool)) == 4
    assert len(ways_for(hw, conv, "I")) == 8
    assert len(ways_for(hw, conv, "WI")) == 4
    assert [m.holds for m in hw.ways[0].memories] == [tuple(m["holds"]) for m in OPEN["memories"]]
    assert ways_for(accelsim.load_hardware("example"), conv) == (accelsim.load_hardware("example"),)


def test_it_is_the_same_silicon() -> None:
    """Passing by changes neither area, leakage nor a figure of what is still held."""
    hw = accelsim.load_hardware(OPEN)
    for way in hw.ways:
        assert (way.area_mm2, way.leakage_mw, way.costs) == (hw.area_mm2, hw.leakage_mw, hw.costs)
        assert way.ways == (way,)
    assert len({hw.hash, *(way.hash for way in hw.ways)}) == 17
    layer = Layer.conv2d(K=8, C=8, P=6, Q=6, R=3, S=3)
    for way in (hw.ways[3], hw.ways[9]):
        held = [m.holds for m in way.memories]
        # The same machine written down by hand, its figures given.
        data = json.loads(json.dumps(opened(OPEN, "", "")))
        for m, item in enumerate(data["memories"]):
            energy = hw.resolved_energy(m)
            item["holds"] = list(held[m])
            item["energy"] = {
                "read_pj_per_bit": {t: energy[t][0] for t in held[m]},
                "write_pj_per_bit": {t: energy[t][1] for t in held[m]},
                "leakage_mw": hw.costs.memory_leakage_mw[m],
            }
            for a, wire in enumerate(item.get("fanout", [])):
                wire["hop_pj_per_bit"] = hw.costs.hop_pj_per_bit[m][a]
        found = accelsim.map_layer(way, layer)
        given = {
            "levels": [
                {k: v for k, v in x.items() if k != "holds"} for x in found.mapping.to_dict()["levels"]
            ]
        }
        plain = accelsim.evaluate(data, layer, given)
        assert plain.latency_cycles == found.cost.latency_cycles
        assert plain.energy_pj == pytest.approx(found.cost.energy_pj, rel=1e-12)


def test_stopped_early_bounds_all_ways() -> None:
    hw, layer = accelsim.load_hardware(OPEN), Layer.conv2d(K=16, C=8, P=4, Q=4)
    full = accelsim.map_layer(hw, layer, "optimal", "energy")
    assert (full.status, full.certificate.gap) == ("optimal", 0.0)
    for limit in ({"seconds": 0.0}, {"budget": 0}, {"cancel": lambda: True}):
        found = accelsim.map_layer(hw, layer, "optimal", "energy", **limit)  # type: ignore[arg-type]
        assert found.status == ("cancelled" if "cancel" in limit else "budget")
        assert found.certificate.lower_bound <= full.certificate.optimum <= found.certificate.optimum
        assert found.certificate.gap > 0


def test_a_space_of_several_ways() -> None:
    hw, layer = accelsim.load_hardware(OPEN), Layer(K=4)
    space = MapSpace(hw, layer)
    assert space.size == 16 * MapSpace(accelsim.load_hardware(opened(OPEN, "", "")), layer).size
    one = space.ways[5]
    mapping = Mapping.from_arrays(one.hardware, layer, one.sample(1))
    assert mapping in space
    assert mapping in one
    assert mapping not in space.ways[4]
    for verb, arguments in (("sample", (1,)), ("decode", (np.zeros((1, 172)),))):
        with pytest.raises(
            AccelsimError, match=f"{verb}: open leaves open what its memories hold; .* 16 `ways`"
        ):
            getattr(space, verb)(*arguments)
    with pytest.raises(AccelsimError, match="enumerate: open leaves"):
        next(space.enumerate())


BAD = [
    (["I"], "mapping.levels[1].holds: L2 holds W I O, of which a mapping may leave out W I (holds_choice in"),
    (
        "W",
        'mapping.levels[1].holds: must be a list of tensors, each of W, I, O once, like ["W", "O"], but got',
    ),
    (["W", "W"], "mapping.levels[1].holds: must be a list of tensors"),
    (["X"], "mapping.levels[1].holds: must be a list of tensors"),
    ([[]], "mapping.levels[1].holds: must be a list of tensors"),
    (7, "mapping.levels[1].holds: must be a list of tensors"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_bad_choices_are_explained(value: Any, message: str) -> None:
    layer = Layer.gemm(M=4, N=4, K=4)
    data = accelsim.map_layer(OPEN, layer, "template").mapping.to_dict()
    data["levels"][1]["holds"] = value
    with pytest.raises(MappingError) as fault:
        accelsim.evaluate(OPEN, layer, data)
    assert message in str(fault.value)


def test_without_a_choice_a_mapping_may_only_say_what_is_so() -> None:
    layer, closed = Layer.gemm(M=4, N=4, K=4), opened(OPEN, "", "")
    data = accelsim.map_layer(closed, layer, "template").mapping.to_dict()
    before = accelsim.evaluate(closed, layer, data).energy_pj
    data["levels"][1]["holds"] = ["O", "I", "W"]
    assert accelsim.evaluate(closed, layer, data).energy_pj == before
    data["levels"][1]["holds"] = ["I", "O"]
    with pytest.raises(
        MappingError, match=r"may leave out none \(holds_choice in the hardware\), but got I O"
    ):
        accelsim.evaluate(closed, layer, data)


def test_what_lies_on_chip_cannot_pass_by() -> None:
    """A network's results stay where they are kept, whatever a layer would choose."""
    data = OPEN | {"network": {"activations": "on_chip_if_fit"}}
    hw = accelsim.load_hardware(data)
    net = accelsim.load_network("lenet5")
    found = accelsim.map_network(hw, net, "template")
    assert found.kept
    written = found.to_dict()
    again = accelsim.evaluate(hw, net, written)
    assert (again.latency_cycles, again.energy_pj) == (found.cost.latency_cycles, found.cost.energy_pj)
    reader = net.names[net.names.index(found.kept[0]) + 1]
    written["layers"][reader]["levels"][1]["holds"] = ["W", "O"]
    with pytest.raises(MappingError, match=r"levels\[1\].holds: must name I, which lies on chip there"):
        accelsim.evaluate(hw, net, written)


def test_each_way_has_the_whole_budget_of_a_proof() -> None:
    """What the start took on sixteen ways is not taken from the budget of one."""
    hw = accelsim.load_hardware(OPEN)
    layer = Layer.conv2d(K=16, C=8, P=14, Q=14, R=3, S=3)
    found = accelsim.map_layer(hw, layer, "optimal", budget=2500)
    assert found.certificate.ways == 16
    assert (found.status, found.certificate.gap) == ("optimal", 0)


def test_a_budget_leaves_the_patience_as_it_is() -> None:
    """Boxes are bounded by their number, however few of them hold a mapping to be priced."""
    layer = Layer.conv2d(K=64, C=64, P=14, Q=14, R=3, S=3)
    few = OptimalMapper(patience=50)
    for budget in (None, 10**9):
        found = accelsim.map_layer("eyeriss", layer, few, "energy", budget)
        assert found.status == "budget"
        assert found.certificate.nodes < 1000
