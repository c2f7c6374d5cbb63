"""Searches priced by MAESTRO's model."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.model import price_layers
from tests.command import run

SETTINGS = {"networks": "lenet5", "model": "maestro", "evaluations": 16, "population": 8, "budget": 20}


def test_figures_are_those_of_the_model() -> None:
    result = accelsim.search("eyeriss", **SETTINGS)
    best = result.best
    assert best is not None
    chip, (network,), _ = result.design(best)
    found = price_layers(network.layers, [MaestroMachine.from_accelerator(chip)])
    assert best.metrics["latency"] == pytest.approx(found.latency_cycles.sum() / (chip.clock_mhz * 1e6))
    assert best.metrics["energy"] == pytest.approx(found.energy_pj.sum() * 1e-12)
    latency, energy = result.priced(best, chip)
    assert (latency, energy) == (best.metrics["latency"], best.metrics["energy"])
    ours = result.mappings(best)[0].cost
    assert ours.edp_js != best.metrics["edp"]


def test_any_number_of_workers() -> None:
    one, two = (accelsim.search("eyeriss", **SETTINGS, workers=workers) for workers in (1, 2))
    assert np.array_equal(one.values, two.values, equal_nan=True)


def test_report_shows_both_models(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["search", "eyeriss", "--network", "lenet5", "--model", "maestro", "--population", "8"]
    code, out, _ = run(capsys, *words, "--evaluations", "8")
    assert code == 0
    assert "priced by MAESTRO's model" in out
    assert "by accelsim's model" in out


def test_what_does_not_go_together() -> None:
    with pytest.raises(AccelsimError, match=r"model: must be one of accelsim, maestro, .*but got 'mastro'"):
        accelsim.search("eyeriss", **SETTINGS | {"model": "mastro"})
    with pytest.raises(AccelsimError, match="knows dataflows, not mapping genes"):
        accelsim.search("eyeriss", **SETTINGS, strategy="joint")
