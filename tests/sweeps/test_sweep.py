"""Sweeps: the same figures as mapping each machine by itself, whatever the way there."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import accelsim
from accelsim.hardware.resize import resized
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.pairs import Machines, map_pairs
from accelsim.pack import pack_layer, pack_machine
from accelsim.sweeps.run import Interrupted
from tests.command import run

VARY = ["memories.GLB.size_bytes=1,4KiB,64KiB", "memories.GLB.fanout.cols.size=4,14"]
WORDS = [word for text in VARY for word in ("--vary", text)]


@pytest.fixture(scope="module")
def table():
    return accelsim.sweep("eyeriss", "lenet5", VARY, budget=60, workers=1)


@pytest.mark.parametrize("mapper", ["template", "random"])
def test_rows_agree_with_map_network(mapper) -> None:
    table = accelsim.sweep("eyeriss", "lenet5", VARY, mapper=mapper, budget=60)
    assert len(table) == 6
    for row in table:
        changes = {path: row[path] for path in ("memories.GLB.size_bytes", "memories.GLB.fanout.cols.size")}
        if changes["memories.GLB.size_bytes"] == 1:
            with pytest.raises(accelsim.AccelsimError) as fault:
                resized("eyeriss", changes)
            assert row["status"] in str(fault.value)
            assert row["edp_js"] is None
            continue
        cost = accelsim.map_network(resized("eyeriss", changes), "lenet5", mapper, budget=60).cost
        assert row["status"] == "ok"
        for name in ("latency_cycles", "latency_s", "energy_pj", "edp_js", "utilisation", "macs"):
            assert row[name] == pytest.approx(getattr(cost, name), rel=1e-12)
        plan = accelsim.memory_plan(cost.network, cost.hardware)
        assert (row["peak_memory_bytes"], row["flash_bytes"]) == (plan.peak, plan.flash)
        assert row["area_mm2"] == cost.hardware.area_mm2


def test_genetic_rows_are_sums_of_single_pairs() -> None:
    table = accelsim.sweep("eyeriss", "lenet5", ["clock_mhz=100,200"], budget=600, seed=3)
    hw = accelsim.load_hardware("eyeriss")
    machines = Machines.stack([pack_machine(hw)], [allowed_on(hw)])
    found = [
        map_pairs(pack_layer(x)[None], machines, np.zeros(1, int), 600, np.full(1, 3, np.uint64))
        for x in accelsim.load_network("lenet5").layers
    ]
    assert table.rows[1]["latency_cycles"] == pytest.approx(sum(x.latency[0] for x in found), rel=1e-12)
    assert table.rows[1]["energy_pj"] == pytest.approx(sum(x.energy[0] for x in found), rel=1e-12)
    assert table.rows[0]["edp_js"] > table.rows[1]["edp_js"]


def test_residency_gives_way_as_in_map_network() -> None:
    """Activations that stay on chip leave where tiles need the room, as in `map_network`."""
    changes = {"memories.NB.size_bytes": [2048, 8192, 65536]}
    table = accelsim.sweep("shidiannao", "lenet5", changes, mapper="template")
    for row in table:
        hw = resized("shidiannao", {"memories.NB.size_bytes": row["memories.NB.size_bytes"]})
        cost = accelsim.map_network(hw, "lenet5", "template").cost
        assert (row["latency_cycles"], row["energy_pj"]) == pytest.approx(
            (cost.latency_cycles, cost.energy_pj)
        )


def test_overhead_of_an_inference_counts() -> None:
    table = accelsim.sweep("example", "lenet5", ["network.overhead_us=0,10"], mapper="template")
    cycles = table.column("latency_cycles")
    assert cycles[1] - cycles[0] == pytest.approx(10 * 500)


def test_workers_do_not_matter(table) -> None:
    assert accelsim.sweep("eyeriss", "lenet5", VARY, budget=60, workers=3).rows == table.rows


def test_points_that_cannot_work_say_why() -> None:
    vary = {"memories.GLB.size_bytes": [1, 65536], "memories.spad.size_bytes.I": [2, 24]}
    table = accelsim.sweep("eyeriss", ["lenet5", "alexnet"], vary, mapper="template")
    assert [row["status"] == "ok" for row in table] == [False] * 4 + [True] * 4
    assert "must have room for one element of I and O" in table.rows[0]["status"]
    assert np.isnan(table.grid("energy_pj")).tolist() == [[True, True], [False, False]]
    assert table.best()["network"] == "lenet5"
    with pytest.raises(accelsim.AccelsimError, match=r"no point gives a machine: .*unknown key"):
        accelsim.sweep("eyeriss", "lenet5", ["memories.GLB.sise_bytes=3,4"])


def test_ranges_of_whole_figures_are_rounded() -> None:
    vary = ["memories.spad.size_bytes=400:600:x1.19", "memories.GLB.bandwidth=3:6:x1.5"]
    table = accelsim.sweep("eyeriss", "lenet5", vary, mapper="template")
    assert [axis.values for axis in table.axes] == [(400, 476, 566), (3, 4.5)]
    assert len(table.ok) == 6


def test_equal_machines_are_mapped_once(monkeypatch) -> None:
    from accelsim.sweeps import run as module

    asked = []
    known = module._solve
    monkeypatch.setattr(
        module, "_solve", lambda job, *a, **b: asked.append(job.hardware.hash) or known(job, *a, **b)
    )
    table = accelsim.sweep(
        "eyeriss", "lenet5", {"search.max_pes": [100, 168], "clock_mhz": [100, 200]}, mapper="template"
    )
    assert len(table) == 4
    assert len(asked) == len(set(asked)) == 2


def test_several_networks_and_objectives() -> None:
    nets = ["lenet5", accelsim.Network.from_layers("one", [accelsim.Layer.gemm(M=4, N=16, K=16)])]
    table = accelsim.sweep(
        "example", nets, ["clock_mhz=250,500"], objective=["energy", "latency"], mapper="template"
    )
    asked = [(r["network"], r["objective"]) for r in table if r["clock_mhz"] == 250]
    assert asked == [(n, o) for n in ("lenet5", "one") for o in ("energy", "latency")]
    assert table.networks == ("lenet5", "one")
    for network in table.networks:
        energy, latency = (table.where(network=network, objective=o) for o in ("energy", "latency"))
        assert (latency.column("latency_s") <= energy.column("latency_s") * (1 + 1e-12)).all()
        front = table.where(network=network).front()
        assert 1 <= len(front) <= 4
        for row in front:
            better = [
                r for r in table.where(network=network)
                if r["latency_s"] < row["latency_s"] and r["energy_pj"] < row["energy_pj"]
            ]  # fmt: skip
            assert not better


def test_an_interrupted_sweep_goes_on(tmp_path, table) -> None:
    out = tmp_path / "out.csv"
    seen = []

    def stop() -> bool:
        return len(seen) >= 2

    options = {"budget": 60, "workers": 1, "out": out}
    with pytest.raises(Interrupted, match=r"stopped after 2 of \d points; .*out.csv.part"):
        accelsim.sweep("eyeriss", "lenet5", VARY, cancel=stop, progress=lambda *x: seen.append(x), **options)
    assert not out.exists()
    part = tmp_path / "out.csv.part"
    part.write_text(part.read_text() + '{"key": "cut off')
    with pytest.raises(accelsim.AccelsimError, match=r"another seed; .* give --fresh"):
        accelsim.sweep("eyeriss", "lenet5", VARY, seed=1, **options)
    again = []
    done = accelsim.sweep("eyeriss", "lenet5", VARY, progress=lambda *x: again.append(x), **options)
    assert done.rows == table.rows
    assert again == [(3, 4), (4, 4)]
    assert not part.exists()
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [float(r["edp_js"]) if r["edp_js"] else None for r in rows] == [r["edp_js"] for r in table]


def test_files(tmp_path, table) -> None:
    table.write(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == list(table.rows)
    table.write(tmp_path / "a.parquet")
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist() == list(table.rows)
    for path, message in (("a.txt", "suffix must be one of .csv"), ("no/a.csv", "there is no folder")):
        with pytest.raises(accelsim.AccelsimError, match=message):
            table.write(tmp_path / path)


def test_command(capsys, tmp_path, table) -> None:
    out, plot = tmp_path / "out.csv", tmp_path / "out.svg"
    words = ("sweep", "eyeriss", "lenet5", *WORDS, "--budget", "60")
    code, text, _ = run(capsys, *words, "-o", str(out), "--plot", str(plot))
    assert code == 0
    assert "lenet5, mapped for edp: 4 of 6 points work" in text
    assert "2 cannot work: memories[1].size_bytes: must have room" in text
    assert out.read_text() == table.to_csv()
    assert "GLB size" in plot.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--vary", "memories.GBL.size_bytes=3"], "no memory is called 'GBL'"),
        (["--vary", "clock_mhz"], "write PATH="),
        ([*WORDS, "--value", "edp"], "did you mean 'edp_js'"),
        ([*WORDS, "--plot", "x.gif"], "suffix must be one of"),
        ([*WORDS, "-o", "x.xlsx"], "suffix must be one of"),
        ([*WORDS, "--workers", "0"], "workers"),
        ([*WORDS, "--objective", "speed"], "objective"),
        ([*WORDS, "--mapper", "magic"], "mapper"),
        (["--vary", "memories.GLB.size_bytes=1"], "no point gives a machine"),
    ],
)
def test_faults(capsys, words, message) -> None:
    code, out, err = run(capsys, "sweep", "eyeriss", "squeezenet1_1", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
