"""The product's time and energy against the oracle's, on machines with any ports, starts and bursts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from accelsim.pack import TENSORS, USERS, Machine, bare_machine, case_batch, count, pack_layer
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L
from cost_models.loopnest.roofline import bound_allowed, bound_batch
from tests.oracle.clock import priced
from tests.oracle.features import features
from tests.oracle.generate import seeded

CASES = 1200


def price_list(chance: random.Random, memories: list[dict[str, Any]]) -> dict[str, Any]:
    """Ports shared in any way; some machines have starts and bursts, and layers without weights."""
    starts = chance.random() < 0.5
    bits = {"W": 8, "I": chance.choice((4, 8)), "O": 8, "psum": chance.choice((8, 24))}
    prices = []
    for memory in memories:
        users = [u for u in USERS if u[-1] in memory["holds"]]
        which = [chance.randrange(chance.choice((1, 2, 6))) for _ in users]
        ports = [
            {
                "rate": chance.choice((0.5, 3.0, 16.0, 64.0)),
                "users": [u for u, w in zip(users, which) if w == i],
            }
            for i in range(6)
        ]
        prices.append(
            {
                "ports": [port for port in ports if port["users"]],
                "overlaps": chance.random() < 0.6,
                "start": chance.choice((0.0, 5.0)) if starts else 0.0,
                "burst": chance.choice((0, 64, 48)) if starts else 0,
                "bits": bits if chance.random() < 0.5 else {t: chance.choice((3, 8, 32)) for t in bits},
                "pj": {u: chance.choice((0.0, 0.25, 1.0)) for u in users},
            }
        )
    return {
        "memories": prices,
        "bits": bits,
        "mac_pj": 0.5,
        "leak": 0.125,
        "layer": chance.choice((0.0, 100.0)),
        "unit": chance.choice((0.0, 0.0, 0.0, 2.5)),
        "slow": chance.choice((0, 0, 3, -0.75)),
        **operator(chance.random()),
    }


def operator(chance: float) -> dict[str, Any]:
    """Products, products' like without multiplications (`broadcast`), or what has no weights."""
    return {"tensors": "IO" if chance >= 0.85 else "WIO", "macs": chance < 0.7}


def arrays(memories: list[dict[str, Any]], prices: dict[str, Any]) -> Machine:
    """The price list as the kernel has it."""
    machine = bare_machine(memories)
    bits = prices["bits"]
    machine.machine[:] = [
        *(bits[t] for t in "WIO"),
        bits["psum"],
        prices["mac_pj"],
        prices["leak"],
        prices["layer"],
        prices["unit"],
        prices["slow"],
    ]
    for m, price in enumerate(prices["memories"]):
        row = machine.memory[m]
        row[L.OVERLAPS] = price["overlaps"]
        if price["bits"] != bits:
            row[L.WIDTH : L.WIDTH + 4] = [price["bits"][t] for t in (*"WIO", "psum")]
        row[L.START_CYCLES], row[L.BURST_BITS] = price["start"], price["burst"]
        for i, port in enumerate(price["ports"]):
            for user in port["users"]:
                row[L.READ_PORT + USERS.index(user)] = i
                row[L.READ_CPB + USERS.index(user)] = 1.0 / port["rate"]
                row[L.READ_PJ + USERS.index(user)] = price["pj"][user]
    return machine


def both(case: dict[str, Any], prices: dict[str, Any]) -> tuple[dict[str, float], Any, Any, Machine]:
    layer = case["layer"]
    shape = Layer(**layer["dims"], stride=tuple(layer["stride"]), dilation=tuple(layer["dilation"]))
    problem = pack_layer(shape)
    problem[L.HAS_WEIGHTS], problem[L.HAS_MACS] = "W" in prices["tensors"], prices["macs"]
    machine = arrays(case["memories"], prices)
    counts = count(problem, machine, case_batch(shape, case["memories"], case["mapping"]))
    return priced(case, prices), counts, problem, machine


def agree(case: dict[str, Any], told: Any, true: dict[str, float], leak: float) -> None:
    """Equal but for the ramps, and these too where every instance is full."""
    ramps = told[L.RAMP_UP] + told[L.RAMP_DOWN]
    if not features(case, {"idle-instance", "edge-spatial"}):
        assert ramps == pytest.approx(true["ramps"], rel=1e-12), case
    shift = ramps - true["ramps"]
    assert told[L.LATENCY] - shift == pytest.approx(true["latency"], rel=1e-12), case
    assert told[L.ENERGY] - leak * shift == pytest.approx(true["energy"], rel=1e-12), case


def test_time_and_energy_agree() -> None:
    chance = random.Random(5)
    bound, closer = np.empty((2, 1)), np.empty((2, 1))
    for number, case in enumerate(seeded(11, CASES)):
        prices = price_list(chance, case["memories"])
        true, counts, problem, machine = both(case, prices)
        told = counts.summary[0]
        agree(case, told, true, prices["leak"])
        bound_batch(problem[None], machine, *bound)
        bound_allowed(problem[None], machine, carried(case, machine), *closer)
        assert (bound <= closer).all(), (number, case, prices)
        assert closer[0, 0] <= told[L.LATENCY] * (1 + 1e-12), (number, case, prices)
        assert closer[1, 0] <= told[L.ENERGY] * (1 + 1e-12), (number, case, prices)


def carried(case: dict[str, Any], machine: Machine) -> Any:
    """What each axis of a mapping carries and no more, a bit a dimension: the closest bounds it obeys."""
    layer = case["layer"]
    shape = Layer(**layer["dims"], stride=tuple(layer["stride"]), dilation=tuple(layer["dilation"]))
    batch = case_batch(shape, case["memories"], case["mapping"])
    used = (batch.axis_factor[0] > 1) & (machine.fan[:, :, L.AXIS_SIZE] > 0)
    return np.where(used, 1 << batch.axis_dim[0].astype(np.int64), 0)


@pytest.mark.parametrize("rule", ["ports", "start", "burst", "layer", "overlaps", "bits"])
def test_each_rule_changes_an_answer(rule: str) -> None:
    chance = random.Random(6)
    changed = 0
    for case in seeded(12, 40):
        prices = price_list(chance, case["memories"])
        prices |= operator(0.0)
        before = both(case, prices)[1].summary[0, L.LATENCY]
        for price in prices["memories"]:
            if rule == "ports":
                everyone = [u for port in price["ports"] for u in port["users"]]
                price["ports"] = [{"rate": 0.5, "users": everyone}]
            elif rule == "overlaps":
                price["overlaps"] = not price["overlaps"]
            elif rule != "layer":
                price[rule] = {"start": 40.0, "burst": 4096, "bits": dict.fromkeys((*"WIO", "psum"), 64)}[
                    rule
                ]
        prices["layer"] += rule == "layer"
        true, counts, _, _ = both(case, prices)
        agree(case, counts.summary[0], true, prices["leak"])
        changed += before != counts.summary[0, L.LATENCY]
    assert changed > 20


def test_half_duplex_by_hand() -> None:
    # 8 words of each of three tensors, 8 bits each, over a bus of one byte a cycle: an element-wise product
    # of the first two moves 24 bytes. With a bus for each direction the outputs hide behind the inputs.
    case = {
        "layer": {"dims": {"G": 8}, "stride": [1, 1], "dilation": [1, 1]},
        "memories": [{"name": "DRAM", "holds": list("WIO"), "fanout": []}],
        "mapping": {
            "version": 1,
            "levels": [{"tile": dict.fromkeys("NGKCPQRS", 1), "order": ["G"], "spatial": {}}],
        },
    }
    prices = price_list(random.Random(0), case["memories"])
    prices |= {
        "bits": dict.fromkeys((*TENSORS, "psum"), 8),
        "layer": 0.0,
        "unit": 0.0,
        "slow": 0,
        **operator(0.0),
    }
    prices["memories"][0] |= {"start": 0.0, "burst": 0, "overlaps": True, "bits": prices["bits"]}
    for ports, cycles in (
        ([{"rate": 8.0, "users": list(USERS)}], 24.0),
        ([{"rate": 8.0, "users": list(USERS[:3])}, {"rate": 8.0, "users": list(USERS[3:])}], 16.0),
        ([{"rate": 8.0, "users": [user]} for user in USERS], 8.0),
    ):
        prices["memories"][0]["ports"] = ports
        true, counts, _, _ = both(case, prices)
        assert counts.summary[0, L.LATENCY] == true["latency"] == cycles
