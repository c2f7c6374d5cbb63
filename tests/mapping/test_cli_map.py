"""`accelsim map`: reports, saved mappings that `evaluate` prices alike, and one message for each fault."""

from __future__ import annotations

import json

import pytest

import accelsim
from tests.command import run

LAYER = "K=8 C=4 P=6 Q=6 R=3 S=3"


@pytest.mark.parametrize("hardware", ["example", "edgetpu"])
def test_saved_network_mapping_prices_alike(capsys, tmp_path, hardware) -> None:
    file = tmp_path / "mapping.json"
    code, out, _ = run(capsys, "map", hardware, "lenet5", "--budget", "100", "--save", str(file))
    assert code == 0
    assert "multiply-accumulate" in out
    assert "mapper genetic, objective edp" in out
    expected = accelsim.map_network(hardware, "lenet5", budget=100).cost
    code, out, _ = run(capsys, "evaluate", hardware, "lenet5", "--mapping", str(file), "--json")
    assert code == 0
    data = json.loads(out)
    assert (data["latency_cycles"], data["energy_pj"]) == (expected.latency_cycles, expected.energy_pj)


def test_saved_layer_mapping_prices_alike(capsys, tmp_path) -> None:
    file = tmp_path / "mapping.json"
    words = ("--objective", "energy", "--seed", "3", "--budget", "100")
    code, out, _ = run(capsys, "map", "eyeriss", "--layer", LAYER, *words, "--save", str(file))
    assert code == 0
    assert "objective energy, seed 3" in out
    layer = accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3)
    expected = accelsim.map_layer("eyeriss", layer, objective="energy", seed=3, budget=100)
    code, out, _ = run(capsys, "evaluate", "eyeriss", "--layer", LAYER, "--mapping", str(file), "--json")
    assert json.loads(out)["energy_pj"] == expected.cost.energy_pj


def test_workers_do_not_change_the_report(capsys) -> None:
    words = ("map", "example", "lenet5", "--budget", "100")
    assert run(capsys, *words) == run(capsys, *words, "--workers", "2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("example",), "either a network or --layer"),
        (("example", "lenet5", "--layer", LAYER), "either a network or --layer"),
        (("exampel", "lenet5"), "example"),
        (("example", "lenet5", "--mapper", "genetics"), "genetic"),
        (("example", "lenet5", "--objective", "edpp"), "edp"),
        (("example", "lenet5", "--budget", "-1"), "budget"),
        (("example", "lenet5", "--seed", "-1"), "seed"),
        (("example", "lenet5", "--workers", "0"), "workers"),
        (("example", "--layer", LAYER, "--budget", "9", "--save", "/nowhere/at/all.json"), "--save"),
    ],
)
def test_faults(capsys, words, said) -> None:
    code, out, err = run(capsys, "map", *words)
    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1
