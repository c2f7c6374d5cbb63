"""Cycles between serial folds: the kernel against the walk of every step, and the hardware option."""

from __future__ import annotations

import random

import pytest

import accelsim
from accelsim import pack
from accelsim.hardware import load_hardware
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L
from tests.command import run
from tests.oracle.generate import seeded
from tests.oracle.walk import walk

NAMES = {"W": 0, "I": 1, "O": 2}


def cycles_of(case: dict, memory: int, tensor: str, each: float) -> float:
    """Compute cycles of the kernel, with `each` cycles a fold of `tensor` in `memory`."""
    layer = Layer(
        **case["layer"]["dims"],
        stride=tuple(case["layer"]["stride"]),
        dilation=tuple(case["layer"]["dilation"]),
    )
    machine = pack.bare_machine(case["memories"])
    machine.memory[memory, L.FOLD_CYCLES] = each
    machine.memory[memory, L.FOLD_TENSOR] = NAMES[tensor]
    batch = pack.Batch.empty(1, len(case["memories"]))
    inner = [getattr(layer, d) for d in DIMS]
    for m, (level, spec) in enumerate(zip(case["mapping"]["levels"], case["memories"], strict=True)):
        for d, name in enumerate(DIMS):
            batch.tile[0, m, d] = inner[d] = level["tile"].get(name, inner[d])
        said = [DIMS.index(d) for d in level["order"]]
        batch.order[0, m] = [d for d in range(L.NDIM) if d not in said] + said
        for a, axis in enumerate(spec["fanout"]):
            if axis["axis"] in level["spatial"]:
                use = level["spatial"][axis["axis"]]
                d = DIMS.index(use["dim"])
                batch.axis_dim[0, m, a], batch.axis_factor[0, m, a] = d, use["factor"]
                inner[d] = -(-inner[d] // use["factor"])
    counts = pack.count(pack.pack_layer(layer), machine, batch)
    assert counts.status[0] == L.OK
    return float(counts.summary[0, L.CYCLES])


def test_folds_are_the_fills_that_the_walk_sees() -> None:
    chance = random.Random(0)
    seen = 0
    for case in seeded(7, 200):
        names = [memory["name"] for memory in case["memories"]]
        rows = [row for row in walk(**case)["traffic"] if row["child"] != "MAC"]
        if not rows:
            continue
        row = chance.choice(rows)
        memory = names.index(row["child"])
        steps = cycles_of(case, 0, "W", 0.0)
        assert cycles_of(case, memory, row["tensor"], 7.0) == steps + 7.0 * row["fills"], case
        seen += row["fills"] > 1
    assert seen > 50


def systolic(tensor: str | None, **extra: object) -> dict:
    inner = {"name": "PE", "kind": "register", "size_bytes": 4, "holds": ["W", "O"], "overlap": True}
    if tensor:
        inner["serial_folds"] = tensor
    return {
        "version": 1, "name": "systolic", "source": "a test", "technology_nm": 28, "clock_mhz": 1000,
        "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 16},
        "memories": [
            {"name": "SRAM", "holds": ["W", "I", "O"], "fanout": [
                {"axis": "rows", "size": 5, "multicast": True, "reduction": True},
                {"axis": "cols", "size": 3, "multicast": True},
                {"axis": "also", "size": 2, "multicast": True, "shares": "cols"},
            ]},
            inner | extra,
        ],
    }  # fmt: skip


def test_cycles_of_a_fold_come_from_the_array() -> None:
    assert load_hardware(systolic("W")).fold_cycles(1) == 4 + 2 + 5
    assert load_hardware(systolic("O")).fold_cycles(1) == 4 + 2
    assert load_hardware(systolic(None)).fold_cycles(1) == 0


def test_pooling_has_no_folds() -> None:
    layer = Layer(G=4, P=4, Q=4, R=2, S=2, stride=(2, 2), op="pool")
    with_folds, without = (accelsim.evaluate(systolic(t), layer).compute_cycles for t in ("O", None))
    assert with_folds == without


@pytest.mark.parametrize("tensor", ["I", "X"])
def test_folds_of_a_tensor_that_is_not_here(tensor: str) -> None:
    with pytest.raises(accelsim.AccelsimError, match=r"memories\[1\].serial_folds"):
        load_hardware(systolic(tensor))


def test_outermost_memory_has_no_folds() -> None:
    data = systolic(None)
    data["memories"][0]["serial_folds"] = "W"
    with pytest.raises(accelsim.AccelsimError, match=r"memories\[0\].serial_folds.*outermost"):
        load_hardware(data)


def test_folds_count_in_the_hash() -> None:
    assert load_hardware(systolic("W")).hash != load_hardware(systolic(None)).hash


def test_overhead_of_an_inference() -> None:
    data = load_hardware("example").to_dict()
    plain = accelsim.evaluate(data, "lenet5")
    data["network"] = data.get("network", {}) | {"overhead_us": 12.5}
    slow = accelsim.evaluate(data, "lenet5")
    assert slow.latency_cycles == plain.latency_cycles + 12.5 * data["clock_mhz"]
    assert slow.overhead_cycles == 12.5 * data["clock_mhz"]
    leaked = slow.overhead_cycles * load_hardware(data).static_pj_per_cycle
    assert slow.energy_pj == pytest.approx(plain.energy_pj + leaked, rel=1e-14)
    assert leaked > 0
    assert slow.to_dict()["overhead_cycles"] == slow.overhead_cycles


def test_overhead_stands_in_the_report(capsys) -> None:
    code, out, _ = run(capsys, "evaluate", "edgetpu", "lenet5")
    assert code == 0
    assert "of which 1.96 ms an inference beyond its layers" in out
    assert "beyond its layers" not in run(capsys, "evaluate", "example", "lenet5")[1]
