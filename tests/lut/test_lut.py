"""Tables of blocks: sums are whole subnets, exactly where nothing stays on chip between blocks."""

from __future__ import annotations

import json

import numpy as np
import pytest

import accelsim
from accelsim.lut import BlockTable, build_table
from accelsim.workloads.spaces import load_space
from tests.command import run


@pytest.fixture(scope="module")
def table():
    return build_table("eyeriss", "ofa_mbv3", resolutions=(64, 96), subnets=50)


def test_sums_are_whole_subnets(table) -> None:
    """Against `evaluate`, which knows nothing of blocks."""
    genomes = table.space.sample(np.random.default_rng(7), 3)
    latency, energy = table.price(genomes)
    for i, genome in enumerate(genomes):
        cost = accelsim.evaluate("eyeriss", table.space.to_network(genome))
        assert latency[i] == pytest.approx(cost.latency_cycles, rel=1e-12)
        assert energy[i] == pytest.approx(cost.energy_pj, rel=1e-12)
        assert table.latency_s(genome)[0] == pytest.approx(cost.latency_s, rel=1e-12)
    for name in ("latency", "energy"):
        assert table.check[name]["largest_relative_error"] < 1e-12
        assert table.check[name]["kendall_tau"] == 1.0


def test_overhead_counts_once() -> None:
    chip = accelsim.load_hardware("example").to_dict() | {"network": {"overhead_us": 250}}
    table = build_table(chip, "nasbench_macro", subnets=0)
    genome = table.space.largest()
    whole = accelsim.evaluate(chip, table.space.to_network(genome))
    assert table.overhead_cycles == 250 * 500
    assert table.price(genome)[0][0] == pytest.approx(whole.latency_cycles, rel=1e-12)


def test_json_reads_back(table, tmp_path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(table.to_dict()))
    again = BlockTable.load(file)
    assert again.space.resolutions == (64, 96)
    assert again.to_dict() == table.to_dict()
    genomes = table.space.sample(np.random.default_rng(1), 20)
    assert np.array_equal(again.price(genomes), table.price(genomes))
    parts = {part["part"]: part for part in table.to_dict()["parts"]}
    assert parts["stage1.1"]["genes"] == ["resolution", "kernel1.1", "expand1.1"]
    assert len(parts["stage1.1"]["values"]) == 2 * 9
    values = parts["stage1.1"]["values"]
    cycles = dict(zip(map(tuple, values), parts["stage1.1"]["latency_cycles"]))
    assert cycles[96, 7, 6] > cycles[64, 3, 3]


def test_workers_do_not_matter(table) -> None:
    again = build_table("eyeriss", load_space("ofa_mbv3"), resolutions=(64, 96), subnets=50, workers=3)
    assert again.to_dict() == table.to_dict()


@pytest.mark.parametrize("hardware", ["edgetpu", "shidiannao"])
def test_blocks_in_place_where_something_stays_on_chip(hardware) -> None:
    """Close to whole subnets, where blocks by themselves miss by factors; skipped slots cost nothing."""
    table = build_table(hardware, "nasbench_macro", subnets=20)
    for name in ("latency", "energy"):
        assert table.check[name]["largest_relative_error"] < 0.1
        assert table.check[name]["kendall_tau"] > 0.9
    parts = {part["part"]: part for part in table.to_dict()["parts"]}
    skipped = [v for v, c in zip(parts["slot1.2"]["values"], parts["slot1.2"]["latency_cycles"]) if c == 0]
    assert skipped == [[32, 0]]


def test_command(capsys, tmp_path) -> None:
    file = tmp_path / "t.json"
    words = ("lut", "example", "--space", "nasbench_macro", "--check", "10", "-o", str(file))
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "26 blocks of nasbench_macro on Example" in out
    assert "Kendall's tau 1.0000" in out
    assert BlockTable.load(file).check["subnets"] == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "ofa_mbv4", "-o", "t.json"], "did you mean 'ofa_mbv3'"),
        (["--space", "ofa_mbv3", "-o", "t.csv"], "suffix must be one of .json"),
        (["--space", "ofa_mbv3", "-o", "no/t.json"], "there is no folder no"),
        (["--space", "ofa_mbv3", "-o", "t.json", "--resolution", "3"], "resolution"),
        (["--space", "ofa_mbv3", "-o", "t.json", "--workers", "0"], "workers"),
    ],
)
def test_faults(capsys, words, message) -> None:
    code, out, err = run(capsys, "lut", "example", *words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("change", [{"version": 2}, {"parts": []}, {"space": None}, {"parts": 3}])
def test_broken_tables(table, change) -> None:
    with pytest.raises(accelsim.AccelsimError):
        BlockTable.from_dict(table.to_dict() | change)
    with pytest.raises(accelsim.AccelsimError):
        BlockTable.from_dict([])
