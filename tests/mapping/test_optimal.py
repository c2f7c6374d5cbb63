"""The exact mapper against enumeration of every mapping with dividing tiles, in every loop order."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from accelsim import load_hardware
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.optimal import optimal, optimal_front
from accelsim.mapping.optimal_space import divisors
from accelsim.mapping.template import Objective, template
from accelsim.pack import Batch, pack_layer, pack_machine, price
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L

OBJECTIVES: tuple[Objective, ...] = ("edp", "latency", "energy")
MAX_MAPPINGS = 6_000
MAX_CHOICES = 100_000
"""Ways to fill the axes, of which most split no dimension evenly."""


def ports(chance: random.Random, holds: list[str]) -> dict[str, Any]:
    """Ports shared in any way, whose transfers may take time to start and move bursts."""
    users = chance.sample([f"{way} {t}" for way in ("read", "write") for t in holds], len(holds))
    shared = {"ports": [{"bytes_per_cycle": 0.5, "users": users}]}
    out = {"bandwidth": chance.choice((None, 0.25, 1, 4, 4, {"read_write": 1}, shared))}
    if chance.random() < 0.15:
        out |= {"start_cycles": chance.choice((0, 3, 50)), "burst_bytes": chance.choice((None, 4, 32))}
    return out


def machine(chance: random.Random) -> dict[str, Any]:
    """A small random machine: 2 to 6 memories, bypass, up to 6 axes, tight capacities, any capability; layers
    that take time to start, MACs of several cycles or that skip zeros.
    """  # fmt: skip
    count = chance.choice((2, 3, 3, 3, 4, 6))
    memories: list[dict[str, Any]] = []
    axes: dict[str, dict[str, list[str]]] = {}
    orders: dict[str, list[list[str]]] = {}
    for m in range(count):
        name = "DRAM" if m == 0 else f"L{m}"
        holds = list("WIO") if m == 0 else sorted(chance.sample("WIO", chance.choice((1, 2, 3, 3))))
        memory: dict[str, Any] = {"name": name, "holds": holds}
        if m == 0:
            memory["size_bytes"] = None
        elif chance.random() < 0.4:
            memory["size_bytes"] = {t: chance.choice((8, 24, 80, 400)) for t in holds}
        else:
            memory["size_bytes"] = chance.choice((24, 64, 200, 2000))
        if m > 0:
            memory["double_buffered"] = chance.random() < 0.4
            if not memory["double_buffered"] and chance.random() < 0.4:
                memory["overlap"] = chance.random() < 0.5
        if m > 0 and chance.random() < 0.15:
            memory["serial_folds"] = chance.choice(holds)
        memory |= ports(chance, holds)
        read, write = chance.choice((1, 5, 40)), chance.choice((1, 5, 40))
        memory["energy"] = {
            "read_pj_per_bit": read / (m + 1),
            "write_pj_per_bit": write / (m + 1),
            "leakage_mw": chance.choice((0, 0, 3)),
        }
        if chance.random() < 0.25:
            memory["precision_bits"] = {
                "weight": chance.choice((4, 8)),
                "output": 4,
                "psum": chance.choice((8, 32)),
            }
        memory["fanout"] = []
        for a in range(chance.choice((0, 0, 1, 2, 6) if m else (0, 0, 0, 1))):
            axis: dict[str, Any] = {"axis": f"{name.lower()}{a}", "size": chance.choice((2, 3, 4, 6))}
            axis["multicast"] = chance.random() < 0.6
            axis["reduction"] = chance.random() < 0.5
            axis["forwarding"] = axis["multicast"] and chance.random() < 0.5
            axis["hop_pj_per_bit"] = chance.choice((0, 0.5))
            axis["by_distance"] = chance.random() < 0.3
            if a == 1 and chance.random() < 0.3:
                axis["shares"] = f"{name.lower()}0"
                axis["size"] = memory["fanout"][0]["size"]
            memory["fanout"].append(axis)
            if chance.random() < 0.5:
                axes.setdefault(name, {})[axis["axis"]] = sorted(chance.sample(DIMS, 3))
        if chance.random() < 0.3:
            orders[name] = [chance.sample(DIMS, 8) for _ in range(chance.choice((1, 2)))]
        memories.append(memory)
    bits = chance.choice((8, 16))
    return {
        "version": 1,
        "name": "random",
        "source": "chance",
        "technology_nm": 28,
        "clock_mhz": 500,
        "precision_bits": {"weight": bits, "input": 8, "output": 8, "psum": chance.choice((8, 16, 32))},
        "layer_cycles": chance.choice((0, 0, 20)),
        "mac": {"cycles": chance.choice((1, 1, 3)), "on_zero": {"I": chance.choice(("nothing", "time"))}},
        "density": {"I": chance.choice((1, 0.5))},
        "memories": memories,
        "dataflow": {"axes": axes, "orders": orders} if chance.random() < 0.8 else {},
    }


def problem(chance: random.Random) -> Layer:
    """A small random layer: two to four dimensions, halo, strides, dilation; some are pooling or sums."""
    op = chance.choice(("conv", "conv", "pool", "eltwise", "broadcast"))
    if op in ("eltwise", "broadcast"):
        dims = "NGCPQ" if op == "eltwise" else "NGKPQ"
        return Layer(**{d: chance.choice((2, 3, 4, 6)) for d in chance.sample(dims, 3)}, op=op)
    window = chance.choice(("", "PR", "QS", "PRQS"))
    sizes: dict[str, int] = {}
    for d in chance.sample(DIMS, chance.choice((1, 2, 3))):
        sizes[d] = chance.choice((2, 3, 4, 6))
    for d in window:
        sizes[d] = chance.choice((2, 3, 4) if len(window) == 2 else (2, 3))
    stride = (chance.choice((1, 1, 2)), chance.choice((1, 1, 2, 3)))
    dilation = (chance.choice((1, 1, 2)), chance.choice((1, 1, 3)))
    return Layer(**sizes, stride=stride, dilation=dilation, op=op)  # type: ignore[arg-type]


def chains(size: int, steps: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `size` as a product of `steps` numbers in order."""
    if steps == 1:
        yield (size,)
        return
    for n in range(1, size + 1):
        if size % n == 0:
            for rest in chains(size // n, steps - 1):
                yield (n, *rest)


def everything(hardware: Accelerator, layer: Layer) -> Batch | None:
    """All mappings with dividing tiles, loops in all orders; None if there are too many to price."""
    M = len(hardware.memories)
    sizes = [getattr(layer, d) for d in DIMS]
    slots = [(m, a) for m, memory in enumerate(hardware.memories) for a in range(len(memory.fanout))]
    options = []
    for m, a in slots:
        memory = hardware.memories[m]
        allowed = hardware.axis_dims(memory.name, memory.fanout[a].axis)
        top = memory.fanout[a].size
        uses = [(DIMS.index(d), f) for d in allowed for f in range(2, top + 1)]
        options.append([(0, 0), *(use for use in uses if sizes[use[0]] % use[1] == 0)])
    if math.prod(map(len, options)) > MAX_CHOICES:
        return None
    rows: list[tuple[Any, Any, Any, Any]] = []
    orders_of: dict[tuple[int, frozenset[int]], list[list[int]]] = {}
    for choice in product(*options):
        whole = [1] * 8
        for d, f in choice:
            whole[d] *= max(f, 1)
        if any(sizes[d] % whole[d] for d in range(8)):  # most: nothing is made for them
            continue
        dims, factors = np.zeros((M, L.MAX_AXES), np.int8), np.zeros((M, L.MAX_AXES), np.int32)
        split = np.ones((M, 8), np.int64)
        for (m, a), (d, f) in zip(slots, choice, strict=True):
            dims[m, a], factors[m, a] = d, f
            split[m, d] *= max(f, 1)
        for trips in product(*(chains(sizes[d] // whole[d], M) for d in range(8))):
            left = np.array(sizes)
            tile = np.empty((M, 8), np.int32)
            for m in range(M):
                tile[m] = left // [trips[d][m] for d in range(8)]
                left = tile[m] // split[m]
            assert (left == 1).all()
            choices = []
            for m in range(M - 1):
                loops = frozenset(d for d in range(8) if trips[d][m] > 1)
                if (m, loops) not in orders_of:
                    named = hardware.orders(hardware.memories[m].name)
                    idle = [d for d in range(8) if d not in loops]
                    free = [[*idle, *p] for p in permutations(sorted(loops))]
                    orders_of[m, loops] = [[DIMS.index(d) for d in o] for o in named] or free
                choices.append(orders_of[m, loops])
            for order in product(*choices, [list(range(8))]):
                rows.append((tile, order, dims, factors))
                if len(rows) > MAX_MAPPINGS:
                    return None
    kinds = (np.int32, np.int8, np.int8, np.int32)
    return Batch(*(np.array(x, kind) for x, kind in zip(zip(*rows, strict=True), kinds, strict=True)))


def cases(seed: int, count: int) -> Iterator[tuple[Accelerator, Layer, Batch, str]]:
    """Random problems small enough to enumerate."""
    chance = random.Random(seed)
    while count:
        data, layer = machine(chance), problem(chance)
        hardware = load_hardware(data).for_layer(layer)
        resident = chance.choice(("", "", "", "W", "I", "O", "IO"))
        batch = everything(hardware, layer)
        if batch is not None:
            count -= 1
            yield hardware, layer, batch, resident


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_enumeration_bit_for_bit(seed: int) -> None:
    """The least value of every objective over all mappings, or that none fits."""
    for hardware, layer, batch, resident in cases(seed, 12):
        _, latency, energy = price(pack_layer(layer, resident), pack_machine(hardware), batch)
        values = {"edp": latency * energy, "latency": latency, "energy": energy}
        for objective in OBJECTIVES:
            best = values[objective].min()
            found = optimal(
                hardware, layer, objective=objective, resident=resident, tiles="divisors", start="none"
            )
            if not np.isfinite(best):
                assert found is None
                continue
            assert found is not None
            assert found.cost == best, (hardware.to_dict(), layer, resident, objective)
            assert found.certificate.complete
            assert found.certificate.gap == 0.0


def test_two_axes_that_carry_one_dimension() -> None:
    """Their factors multiply in the smallest tile that every bound begins with."""
    data = machine(random.Random(0))
    data["memories"] = [data["memories"][0], {"name": "L1", "holds": list("WIO"), "size_bytes": 400}]
    data["memories"][0]["fanout"] = []
    data["memories"][1]["fanout"] = [{"axis": x, "size": 2, "multicast": True} for x in "xyz"]
    data["dataflow"] = {}
    hardware, layer = load_hardware(data), Layer(S=4, Q=3, G=2, op="pool")
    batch = everything(hardware, layer)
    assert batch is not None
    _, latency, energy = price(pack_layer(layer), pack_machine(hardware), batch)
    for objective, values in (("latency", latency), ("energy", energy), ("edp", latency * energy)):
        found = optimal(hardware, layer, objective=objective, tiles="divisors", start="none")  # type: ignore[arg-type]
        assert found is not None
        assert found.cost == values.min()


def test_starts_from_the_template_and_is_never_worse() -> None:
    """The template's tiles need not divide, so that it can even be better than all that do."""
    for hardware, layer, batch, resident in cases(100, 12):
        problem, machine = pack_layer(layer, resident), pack_machine(hardware)
        _, latency, energy = price(problem, machine, batch)
        best = (latency * energy).min()
        given = template(hardware, layer, resident=resident)
        if given is not None:
            _, latency, energy = price(problem, machine, given[0])
            best = min(best, (latency * energy)[0])
        found = optimal(hardware, layer, resident=resident, tiles="divisors")
        assert (np.inf if found is None else found.cost) == best


def test_stopped_early_bounds_what_is_left() -> None:
    """The best so far and the lower bound enclose the optimum, at any number of nodes."""
    gaps = []
    layer = Layer(K=32, C=24, P=14, Q=14, R=3, S=3)
    hardware = load_hardware("eyeriss")
    optimum = optimal(hardware, layer)
    assert optimum is not None
    assert optimum.certificate.nodes > 4000
    for nodes in range(500, 4000, 500):
        found = optimal(hardware, layer, max_nodes=nodes)
        assert found is not None
        certificate = found.certificate
        assert nodes <= certificate.nodes < nodes + 100  # whole boxes, cut in each place
        assert not certificate.complete
        assert certificate.lower_bound <= optimum.cost <= found.cost
        assert certificate.gap == found.cost / certificate.lower_bound - 1.0
        gaps.append(certificate.gap)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.0


def test_stops_on_request_and_without_time() -> None:
    layer, hardware = Layer(K=32, C=24, P=14, Q=14, R=3, S=3), load_hardware("eyeriss")
    for found in (optimal(hardware, layer, cancel=lambda: True), optimal(hardware, layer, budget_s=0.0)):
        assert found is not None
        assert found.certificate.nodes == 0
        assert not found.certificate.complete
        assert found.certificate.gap >= 0.0
    with pytest.raises(AccelsimError, match="before it met one that fits"):
        optimal(hardware, layer, start="none", max_nodes=0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_mapping_costs_what_the_certificate_says(objective: Objective) -> None:
    """So does its object form; and the same call gives the same answer."""
    layer, hardware = Layer(K=32, C=24, P=14, Q=14, R=3, S=3), load_hardware("nvdla_256")
    first = optimal(hardware, layer, objective=objective)
    again = optimal(hardware, layer, objective=objective)
    assert first is not None
    assert again is not None
    assert first.mapping == again.mapping
    assert first.certificate.nodes == again.certificate.nodes
    cost = price_mapping(hardware, layer, first.mapping)
    edp = cost.latency_cycles * cost.energy_pj
    assert {"edp": edp, "latency": cost.latency_cycles, "energy": cost.energy_pj}[objective] == first.cost


def test_counts_the_space() -> None:
    """Tilings of all spatial choices, counted by hand: K = 4 on one axis of 2, two memories."""
    data = machine(random.Random(0))
    data["memories"] = [data["memories"][0], {"name": "L1", "holds": list("WIO"), "size_bytes": 1000}]
    data["memories"][0]["fanout"] = []
    data["memories"][1]["fanout"] = [{"axis": "x", "size": 2}]
    data["dataflow"] = {"orders": {"DRAM": [list("NGKCPQRS")]}}
    found = optimal(load_hardware(data), Layer(K=4), tiles="divisors")
    assert found is not None
    # Without the axis 4 x 1, 2 x 2, 1 x 4; with it 2 x 1, 1 x 2.
    assert found.certificate.space_size == 5


@pytest.mark.parametrize("size", [1, 12, 97, 360, 4096])
def test_divisors(size: int) -> None:
    assert divisors(size) == [v for v in range(1, size + 1) if size % v == 0]


def test_refuses_other_words() -> None:
    hardware = load_hardware("eyeriss")
    with pytest.raises(AccelsimError, match="objective: must be one of edp, latency, energy"):
        optimal(hardware, Layer(K=4), objective="area")  # type: ignore[arg-type]
    with pytest.raises(AccelsimError, match="tiles: must be one of divisors, all, legal, but got 'some'"):
        optimal(hardware, Layer(K=4), tiles="some")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chip", "layer"),
    [
        ("dpu_zcu102", Layer(G=96, P=7, Q=7, R=3, S=3)),  # runs on an engine of its own
        ("dpu_zcu102", Layer(G=96, P=7, Q=7, R=3, S=3, op="pool")),
        ("eyeriss", Layer.conv2d(K=16, C=16, P=7, Q=7, R=3, S=3, bits={"weight": 4, "input": 4})),
    ],
)
def test_a_layer_is_proved_on_the_machine_that_it_runs_on(chip: str, layer: Layer) -> None:
    """What is said to be the optimum is what `evaluate` and the mapper say."""
    hardware = load_hardware(chip)
    found = optimal(hardware, layer, tiles="divisors", start="none")
    assert found is not None
    cost = price_mapping(hardware, layer, found.mapping)
    assert found.cost == pytest.approx(cost.latency_cycles * cost.energy_pj, rel=1e-12)
    assert found.mapping in found.certificate.space
    point = optimal_front(hardware, layer, tiles="divisors", start="none").points[0]
    assert point.latency_cycles == price_mapping(hardware, layer, point.mapping).latency_cycles
    start = template(hardware, layer)
    assert start is not None
    price_mapping(hardware, layer, Mapping.from_arrays(hardware, layer, start[0]))  # it is legal there
