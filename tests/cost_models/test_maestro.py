"""MAESTRO's model: the kernel against the oracle, and against numbers that the tool prints."""

from __future__ import annotations

import csv
import os
import random
from collections import Counter

import numpy as np
import pytest

from accelsim.mapping.maestro import MaestroError, MaestroLayer, MaestroMachine, to_mapping
from accelsim.mapping.maestro.levels import resolve
from accelsim.mapping.maestro.model import evaluate_layer
from accelsim.mapping.maestro.pricing import Flows, count, pack_dataflows, pack_layers, pack_machines, price
from cost_models.maestro import layout as L
from tests.cost_models.maestro_facts import FACTS, layer, machine
from tests.cost_models.maestro_programs import expected, kernel, oracle, program
from tests.oracle.maestro import Refused

CASES = int(os.environ.get("ACCELSIM_MAESTRO_CASES", "500"))


@pytest.mark.parametrize("compat", [True, False])
def test_kernel_and_oracle_agree(compat: bool) -> None:
    rng = random.Random(0)
    seen: Counter[str] = Counter()
    for number in range(CASES):
        shape, chip = program(rng)
        status, counts = kernel(shape, chip, compat)
        try:
            found = oracle(shape, chip, compat)
        except Refused:
            assert status in (L.STUCK, L.NO_WORK), f"case {number}: {status}\n{shape.text()}"
            seen["refused"] += 1
            continue
        if status == L.NO_WORK:
            seen["no work"] += 1
            continue
        assert status == L.OK, f"case {number}: {status}\n{shape.text()}"
        wrong = {i: (counts[i], v) for i, v in expected(found).items() if counts[i] != pytest.approx(v)}
        assert not wrong, f"case {number}: {wrong}\n{shape.text()}\n{chip}"
        seen[f"{len(resolve_levels(shape))} levels"] += 1
        seen["strided"] += shape.stride != (1, 1)
        seen[shape.type] += 1
    assert min(seen[k] for k in ("1 levels", "2 levels", "3 levels", "4 levels", "strided", "GEMM")) >= 20


def resolve_levels(shape: MaestroLayer) -> tuple[object, ...]:
    assert shape.dataflow is not None
    return shape.dataflow.levels


@pytest.mark.parametrize("number", range(len(FACTS)))
def test_numbers_of_the_tool(number: int) -> None:
    fact = FACTS[number]
    shape, chip = layer(fact.type, fact.sizes, fact.stride, fact.flow), machine(fact.machine)
    status, counts = kernel(shape, chip, True)
    assert status == L.OK
    assert counts[L.MACS] == fact.macs
    assert counts[L.LATENCY] == fact.cycles
    assert counts[L.ACTIVE] == pytest.approx(fact.active, rel=6e-6)
    assert counts[L.ENERGY] == pytest.approx(fact.energy, abs=0.006)
    for column, value in (
        (L.L2_READ, fact.l2_read),
        (L.L2_WRITE, fact.l2_write),
        (L.L1_WRITE, fact.l1_write),
        (L.L1_READ, (fact.macs, fact.macs, fact.l1_write[2])),
        (L.L2_NEED, fact.l2_need),
        (L.L1_NEED, fact.l1_need),
    ):
        assert tuple(counts[column : column + 3]) == value


@pytest.mark.parametrize("number", range(len(FACTS)))
def test_by_default_every_multiply_accumulate_counts_once(number: int) -> None:
    fact = FACTS[number]
    shape = layer(fact.type, fact.sizes, fact.stride, fact.flow)
    cost = evaluate_layer(shape, machine(fact.machine))
    whole = shape.to_layer()
    assert cost.macs == whole.macs
    reads, writes = cost.accesses(L.L2_READ), cost.accesses(L.L2_WRITE)
    assert reads["O"] == whole.output_elements + int(cost.counts[L.PSUM_READ])
    assert writes["I"] == whole.input_elements
    # What is drained beyond the outputs was there before, up to the tool's overlapping edges.
    assert cost.counts[L.PSUM_READ] <= writes["O"]


def test_all_rows_of_the_reference(shared_dir) -> None:
    """Every row but the six that the tool itself cannot price, to the last digit; by default all rows."""
    trouble: Counter[str] = Counter()
    for name in ("micro", "networks"):
        with (shared_dir / "reference" / "maestro" / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        shapes = [
            layer(
                row["type"],
                tuple(int(row[d]) for d in "KCRSYX"),
                int(row["stride"]),
                row["mapping"].replace("|cluster ", "|"),
            )
            for row in rows
        ]
        keys = ("num_pes", "simd_lanes", "noc_bw", "noc_latency", "offchip_bw")
        chips = [machine(tuple(int(row[k]) for k in keys)) for row in rows]
        flows = pack_dataflows([shape.dataflow for shape in shapes if shape.dataflow])
        pick = np.repeat(np.arange(len(rows), dtype=np.int32)[:, None], 3, axis=1)
        tables = (pack_layers(shapes), pack_machines(chips), flows, pick)
        status, counts = count(*tables, compat=True)
        fine, mended = count(*tables)
        assert (fine == L.OK).all()
        assert mended[:, L.MACS].tolist() == [float(row["true_macs"]) for row in rows]
        for row, code, values in zip(rows, status, counts):
            if code != L.OK:
                trouble[row["status"]] += 1
                continue
            want = {L.MACS: row["num_macs"], L.LATENCY: row["runtime_cycles"]}
            for column, word in (
                (L.L2_READ, "l2_read"),
                (L.L2_WRITE, "l2_write"),
                (L.L1_READ, "l1_read"),
                (L.L1_WRITE, "l1_write"),
                (L.L2_NEED, "l2_req"),
                (L.L1_NEED, "l1_req"),
            ):
                want |= {column + t: row[f"{x}_{word}"] for t, x in enumerate(("input", "filter", "output"))}
            assert {i: int(values[i]) for i in want} == {i: int(v) for i, v in want.items()}, row["case_id"]
            assert values[L.ACTIVE] == pytest.approx(float(row["avg_active_pes"]), rel=6e-6)
            assert values[L.ENERGY] == pytest.approx(float(row["energy_mac_units"]), rel=1e-9, abs=0.006)
    assert trouble == {"crash_255": 1, "degenerate": 5}


def test_worked_by_hand() -> None:
    """VGG16's first layer, weights stationary, a unit a column: figures that follow with pencil and paper."""
    flow = "T K 1/1;T C 1/1;T Y 3/1;S X 3/1;T R 3/3;T S 3/3"
    shape = layer("CONV", (64, 3, 3, 3, 226, 226), 1, flow)
    status, counts = kernel(shape, machine((256, 1, 32, 1, 1_000_000)), True)
    assert status == L.OK
    # First step 9 + 64 cycles, 128 times a new channel at 22, all others hidden behind 9 of compute.
    assert counts[L.LATENCY] == 73 + 128 * 22 + 42_879 * 9
    assert counts[L.L2_READ] == 2016 + 128 * 675 + 223 * 192 * 225


def test_a_dataflow_array_serves_every_layer_and_machine() -> None:
    flows = pack_dataflows([layer("CONV", f.sizes, 1, "S K 1/1;T C 1/1").dataflow for f in FACTS[:1]])  # type: ignore[misc]
    shapes = [layer("CONV", (k, 3, 3, 3, 9, 9), 1, "S K 1/1;T C 1/1") for k in (4, 8)]
    chips = [MaestroMachine(pes) for pes in (1, 2, 64)]
    grid = np.array([(i, j, 0) for i in range(2) for j in range(3)], np.int32)
    status, latency, energy = price(pack_layers(shapes), pack_machines(chips), flows, grid)
    assert (status == L.OK).all()
    for (i, j, _), cycles, pj in zip(grid, latency, energy):
        one = evaluate_layer(shapes[i], chips[j])
        assert (cycles, pj) == (one.latency_cycles, one.energy_pj)


def test_statuses() -> None:
    shape = layer("CONV", (4, 4, 3, 3, 9, 9), 1, "S K 1/1;T C 1/1|8|S C 1/1")
    assert kernel(shape, MaestroMachine(4), True)[0] == L.TOO_FEW_PES
    with pytest.raises(MaestroError, match="group 8 PEs, but there are 4"):
        evaluate_layer(shape, MaestroMachine(4))
    assert kernel(layer("CONV", (4, 4, 3, 3, 9, 9), 1, "T K 1/1"), MaestroMachine(4), True)[0] == L.NO_SPLIT
    assert kernel(layer("CONV", (4, 4, 3, 3, 9, 9), 1, "S Y' 1/1"), MaestroMachine(4), True)[0] == L.NO_KERNEL
    assert kernel(layer("DSCONV", (1, 4, 3, 3, 9, 9), 1, "S K 1/1"), MaestroMachine(4), True)[0] == L.BAD_DIM
    # Of a tile wider than the layer the tool keeps one column, less than a window.
    wide = layer("CONV", (4, 4, 3, 3, 9, 9), 1, "T K 1/1;S Y 3/1;T X 10/8;T R 3/3;T S 3/3|8|S X 3/1")
    assert kernel(wide, MaestroMachine(64), True)[0] == L.NO_WORK
    assert evaluate_layer(wide, MaestroMachine(64)).macs == wide.to_layer().macs


def test_what_equals_a_loop_nest_counts_every_multiply_accumulate_once() -> None:
    rng = random.Random(1)
    met = 0
    for _ in range(CASES):
        shape, chip = program(rng)
        try:
            to_mapping(shape, chip.pes)
        except MaestroError:
            continue
        assert evaluate_layer(shape, chip).macs == shape.to_layer().macs, shape.text()
        met += 1
    assert met > CASES // 10


def test_pick_is_checked() -> None:
    shape, chip = layer("CONV", (4, 4, 3, 3, 9, 9), 1, "S K 1/1"), MaestroMachine(4)
    tables = pack_layers([shape]), pack_machines([chip]), Flows.empty(1)
    for pick in ([[0, 0, 1]], [[-1, 0, 0]], [[0, 0]]):
        with pytest.raises(MaestroError, match="rows below"):
            price(*tables, np.array(pick, np.int32))


def test_resolve_and_kernel_know_the_same_levels() -> None:
    shape = layer("CONV", (4, 4, 3, 3, 9, 9), 1, "S K 2/2;T C 1/1;T R 3/3;T S 3/3|2|S Y' 1/1;T R 3/3")
    levels = resolve(shape)
    assert levels.units(7) == (3, 2)
    assert [loop.dim for loop in levels.loops[0]] == ["K", "C", "R", "S", "Y", "X"]
    assert [loop.dim for loop in levels.loops[1]] == ["X", "S", "C", "K", "Y", "R"]
