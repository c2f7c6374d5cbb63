"""Hardware files with everything at once, from the JSON to latency and energy, against the oracle.

Ports of any form, start costs, bursts, widths of memories and of layers, engines and a processor, components,
hops by distance, MACs of several cycles, zeros, up to six memories and axes, every kind of layer. The price
list is written from the file by the words of docs/hardware.md, not by the product. ACCELSIM_FILES sets how
many cases are compared (150), ACCELSIM_FILES_SEED which (0).
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from math import prod
from typing import Any

import numba
import numpy as np
import pytest

import accelsim
from accelsim import pack
from accelsim.hardware import technology
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network
from cost_models.loopnest.roofline import bound_batch
from tests.cost_models.test_lanes import agree as lanes_agree
from tests.cost_models.test_lanes import batch_of
from tests.oracle.clock import moves, priced
from tests.oracle.features import features
from tests.oracle.generate import seeded
from tests.oracle.walk import Flow, Problem, walk

CASES = int(os.environ.get("ACCELSIM_FILES", "150"))
SEED = int(os.environ.get("ACCELSIM_FILES_SEED", "0"))
WIDTHS = {"W": "weight", "I": "input", "O": "output", "psum": "psum"}
KINDS = ("conv", "gemm", "pool", "eltwise", "broadcast")


def bandwidth(chance: random.Random, holds: list[str]) -> tuple[Any, list[dict[str, Any]]]:
    """A `bandwidth` in one of its five forms, and the ports that it says: bits a cycle, users."""
    rate = lambda: chance.choice((0.25, 1.0, 3.0, 16.0))  # noqa: E731
    reads, writes = ([f"{way} {t}" for t in holds] for way in ("read", "write"))
    one, two = rate(), rate()
    form = chance.randrange(5)
    if form == 0:
        return one, [{"rate": 8 * one, "users": users} for users in (reads, writes)]
    if form == 1:
        return {"read": one, "write": two}, [
            {"rate": 8 * one, "users": reads}, {"rate": 8 * two, "users": writes},
        ]  # fmt: skip
    if form == 2:
        return {"read_write": one}, [{"rate": 8 * one, "users": reads + writes}]
    if form == 3:
        each = {t: {"read": rate(), "write": rate()} for t in holds}
        ports = [{"rate": 8 * each[t][way], "users": [f"{way} {t}"]} for t in holds for way in each[t]]
        return {"ports": each}, ports
    users = reads + writes
    chance.shuffle(users)
    cut = chance.randint(1, len(users))
    parts = [(rate(), part) for part in (users[:cut], users[cut:]) if part]
    return (
        {"ports": [{"bytes_per_cycle": speed, "users": part} for speed, part in parts]},
        [{"rate": 8 * speed, "users": part} for speed, part in parts],
    )


def file_of(case: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], list[Any]]:
    """A hardware file around the arrays of a case, and the ports of each memory."""
    some = lambda value, share=0.5: value if chance.random() < share else None  # noqa: E731
    memories, ports = [], []
    for m, plain in enumerate(case["memories"]):
        holds = list(plain["holds"])
        speed, here = bandwidth(chance, holds) if holds else (8, [])
        ports.append(here)
        own = {key: some(chance.choice((3, 8, 20)), 0.3) for key in ("weight", "input", "output")}
        own["psum"] = some(chance.choice((32, 40)), 0.3) if own["output"] is None else 48
        energy = {"leakage_mw": chance.choice((0.0, 0.5))}
        for way in ("read", "write"):
            pj = {t: chance.choice((0.0, 0.25, 2.0)) for t in holds}
            energy[f"{way}_pj_per_bit"] = pj if holds and chance.random() < 0.7 else 0.5
        memories.append({
            "name": plain["name"], "holds": holds, "kind": "sram" if m else "dram", "area_mm2": 0.5,
            "size_bytes": 2**20 if m else None, "bandwidth": speed, "energy": energy,
            "double_buffered": chance.random() < 0.3, "overlap": some(True, 0.3),
            "start_cycles": some(chance.choice((0.0, 5.0)), 0.3),
            "burst_bytes": some(chance.choice((6, 8)), 0.3),
            "precision_bits": {k: v for k, v in own.items() if v} if m or own["psum"] else None,
            "fanout": [
                axis | {"hop_pj_per_bit": chance.choice((0.0, 0.5)), "by_distance": chance.random() < 0.5}
                for axis in plain["fanout"]
            ],
        })  # fmt: skip
        memories[-1] = {k: v for k, v in memories[-1].items() if v not in (None, {})}
    inner = memories[-1]["name"]
    engine: dict[str, Any] = {"name": "unit", "runs": [{"kinds": [chance.choice(KINDS[:4])]}]}
    if chance.random() < 0.4:
        engine["points_per_us"] = 250.0
    else:
        engine["changes"] = {"mac.cycles": 5, f"memories.{inner}.energy.leakage_mw": 0.25}
    data = {
        "version": 1, "name": "all", "source": "invented", "technology_nm": 28, "clock_mhz": 100,
        "precision_bits": {"weight": 8, "input": chance.choice((4, 8)), "output": 8, "psum": 24},
        "mac": {"energy_pj": 0.5, "leakage_mw": 0.125, "area_um2": 100.0, "cycles": chance.choice((1, 1, 4)),
                "precision": chance.choice(("fixed", "fused")),
                "on_zero": {t: chance.choice(("nothing", "energy", "time")) for t in "WI"}},
        "density": {"W": chance.choice((1.0, 0.5)), "I": chance.choice((1.0, 0.25))},
        "layer_cycles": chance.choice((0.0, 100.0)),
        "components": [{"name": "control", "per": "chip", "pj_per_cycle": 0.75, "leakage_mw": 0.5}],
        "engines": [engine] if chance.random() < 0.4 else [],
        "memories": memories,
    }  # fmt: skip
    return data, ports


def takes(engine: dict[str, Any], layer: Layer) -> bool:
    depthwise = layer.op == "conv" and layer.G > 1 and layer.K == layer.C == 1
    kind = "depthwise" if depthwise else "eltwise" if layer.op == "broadcast" else layer.op
    return kind in engine["runs"][0]["kinds"]


def halved(unit: int, wanted: int) -> int:
    """The narrowest half, quarter, .. of a unit, of 2 bits at least, that takes an operand."""
    sizes = [unit >> n for n in range(8) if unit % (1 << n) == 0 and unit >> n >= 2]
    return min((size for size in sizes if size >= wanted), default=unit)


def price_list(data: dict[str, Any], ports: list[Any], layer: Layer) -> dict[str, Any]:
    """The file as the oracle takes it, in the precisions of the layer, on the engine that runs it."""
    mac, density = data["mac"], data["density"]
    engine = next((e for e in data["engines"] if takes(e, layer)), {})
    unit = engine.get("points_per_us", 0.0) / data["clock_mhz"]
    own = {t: data["precision_bits"][key] for t, key in WIDTHS.items()}
    bits = {t: told or own[t] for t, told in zip("WIO", layer.bits, strict=True)}
    bits["psum"] = max(own["psum"], bits["O"])
    cycles = engine.get("changes", {}).get("mac.cycles", mac["cycles"])
    passes = -(-bits["W"] // own["W"]) * -(-bits["I"] // own["I"])
    cycles, energy = cycles * passes, mac["energy_pj"] * passes
    if mac["precision"] == "fused":
        w, i = halved(own["W"], bits["W"]), halved(own["I"], bits["I"])
        cycles /= (own["W"] // w) * (own["I"] // i)
        fit = lambda a, b: technology.mac(a, b, own["psum"], data["technology_nm"]).energy_pj  # noqa: E731
        energy *= fit(w, i) / fit(own["W"], own["I"])
    for t in "WI":
        energy *= density[t] if mac["on_zero"][t] != "nothing" else 1.0
        cycles *= density[t] if mac["on_zero"][t] == "time" else 1.0
    lanes = prod(axis["size"] for memory in data["memories"] for axis in memory["fanout"])
    instances, leak, prices = 1, mac["leakage_mw"] * lanes + 0.5, []
    last = max(m for m, memory in enumerate(data["memories"]) if "W" in memory["holds"])
    for m, memory in enumerate(data["memories"]):
        leak += memory["energy"]["leakage_mw"] * instances
        alone = instances == lanes
        instances *= prod(axis["size"] for axis in memory["fanout"])
        kept = memory.get("precision_bits", {})
        pj = {}
        for way in ("read", "write"):
            told = memory["energy"][f"{way}_pj_per_bit"]
            for t in memory["holds"]:
                pj[f"{way} {t}"] = told[t] if isinstance(told, dict) else told
        if alone and m == last and layer.multiplies and mac["on_zero"]["I"] != "nothing":
            pj["read W"] *= density["I"]
        prices.append({
            "ports": ports[m], "overlaps": memory.get("double_buffered", False) or "overlap" in memory,
            "start": memory.get("start_cycles", 0.0), "burst": 8 * memory.get("burst_bytes", 0),
            "bits": {t: kept.get(key, bits[t]) for t, key in WIDTHS.items()}, "pj": pj,
        })  # fmt: skip
    return {
        "memories": prices, "bits": bits, "mac_pj": energy, "layer": data["layer_cycles"], "unit": unit,
        "leak": leak * 1e3 / data["clock_mhz"] + 0.75, "slow": cycles - 1,
        "tensors": "IO" if layer.op in ("pool", "eltwise") else "WIO", "macs": layer.op in ("conv", "gemm"),
    }  # fmt: skip


def hops(case: dict[str, Any], data: dict[str, Any], machine: dict[str, Any]) -> float:
    """pJ of the wires: what reaches or leaves a child pays for each axis in use on its way."""
    flows: list[Flow] = []

    class Kept(Flow):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            flows.append(self)

    result = walk(**case, flow=Kept, tensors=machine["tensors"])
    problem: Problem = flows[0].problem
    M, total = len(data["memories"]), 0.0
    wires = {axis["axis"]: axis for memory in data["memories"] for axis in memory["fanout"]}
    prices = [{"bits": machine["bits"]} for _ in range(M + 1)]
    for flow, row in zip(flows, result["traffic"], strict=True):
        each = 0.0
        for name, axis in named(case, problem, flow.parent, flow.child):
            wire = wires[name]
            far = (axis.factor + 1) / 2 if wire["by_distance"] else 1.0
            each += wire["hop_pj_per_bit"] * far
        moved = [bits for m, _, bits, _ in moves(flow, row, problem, prices, M + 1) if m == flow.child]
        total += each * sum(moved)
    return total


def named(case: dict[str, Any], problem: Problem, parent: int, child: int) -> list[tuple[str, Any]]:
    """Axes in use between two memories, by name."""
    found = problem.axes_between(parent, child)
    names = [
        axis["axis"]
        for m in range(parent, child)
        for axis in case["memories"][m]["fanout"]
        if axis["axis"] in case["mapping"]["levels"][m]["spatial"]
    ]
    return list(zip(names, [axis for _, axis in found], strict=True))


def test_everything_at_once() -> None:
    chance, rng = random.Random(SEED), np.random.default_rng(SEED)
    seen: Counter[str] = Counter()
    bound = np.empty((2, 1))
    for number, dotted in enumerate(seeded(1000 + SEED, CASES)):
        case = json.loads(json.dumps(dotted).replace(".", "_"))
        if not all(memory["holds"] for memory in case["memories"]):
            continue  # which a file may not say
        data, ports = file_of(case, chance)
        bits = {k: chance.choice((None, 2, 4, 8, 16)) for k in ("weight", "input", "output")}
        shape = case["layer"]
        kind = chance.choice(KINDS)
        told = {k: v for k, v in bits.items() if v} if chance.random() < 0.5 else {}
        windows = {key: tuple(shape[key]) for key in ("stride", "dilation")}
        layer = Layer(**shape["dims"], **windows, op=kind, bits=told)
        hw = accelsim.load_hardware(data)
        net = Network.from_layers("one", [layer])
        cost = accelsim.evaluate(hw, net, {net.names[0]: case["mapping"]}).layers[0]
        machine = price_list(data, ports, layer)
        true = priced(case, machine)
        shift = cost.latency_split["ramp-up"] + cost.latency_split["ramp-down"] - true["ramps"]
        if not features(case, {"idle-instance", "edge-spatial"}):
            assert shift == pytest.approx(0, abs=1e-9 * max(1, true["ramps"])), number
        assert cost.latency_cycles - shift == pytest.approx(true["latency"], rel=1e-11), number
        wires = hops(case, data, machine)
        energy = cost.energy_pj - machine["leak"] * shift
        assert energy == pytest.approx(true["energy"] + wires, rel=1e-11), number
        seen.update([kind, f"{len(data['memories'])} memories"])
        seen["engine"] += any(takes(engine, layer) for engine in data["engines"])
        seen["wires"] += wires > 0
        part, problem = pack.pack_machine(hw.for_layer(layer)), pack.pack_layer(layer)
        bound_batch(problem[None], part, *bound)
        assert bound[0, 0] <= cost.latency_cycles * (1 + 1e-12), number
        assert bound[1, 0] <= cost.energy_pj * (1 + 1e-12), number
        if not numba.config.DISABLE_JIT:
            seen["lanes"] += lanes_agree(problem, part, batch_of(problem, part, rng, bool(number % 2), 32))
    met = [*KINDS, "engine", "wires", *(f"{n} memories" for n in (2, 3, 4, 5, 6))]
    assert min(seen[k] for k in met) > CASES / 40
    assert numba.config.DISABLE_JIT or seen["lanes"] > 2 * CASES
