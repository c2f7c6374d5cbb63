"""A file of every released format opens for ever; values that a file holds come out as they stand in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import accelsim
from accelsim.explorer import load

FILES = Path(__file__).parent / "files"
STUDIES = {
    "study_1": 2.7914454914189214e-11,
    "study_2": 3.198094947725222e-11,
    "study_3": 3.1722823840637564e-11,
}


def test_no_file_is_forgotten() -> None:
    known = {"machine_0.json", "mapping_0.json"}  # before ports had users
    known |= {"machine_1.json", "mapping_1.json", "network_1.json", "table_1.csv"}
    assert {path.name for path in FILES.iterdir()} == known | {f"{name}.study" for name in STUDIES}


@pytest.mark.parametrize("name", STUDIES)
def test_studies_open_with_the_values_in_them(name) -> None:
    result = accelsim.load_study(FILES / f"{name}.study")
    assert result.best.metrics["edp"] == STUDIES[name]
    assert len(result.to_rows()) == len(result)


def test_a_machine_whose_bandwidth_is_a_number_costs_what_it_did(caplog) -> None:
    """Reads and writes have a port each; registers without any are as fast as the MACs, which is said."""
    layer = accelsim.Layer.conv2d(K=32, C=16, P=14, Q=14, R=3, S=3)
    mapping = json.loads((FILES / "mapping_0.json").read_text())
    cost = accelsim.evaluate(str(FILES / "machine_0.json"), layer, mapping)
    assert cost.latency_cycles == 4331.25
    assert cost.energy_pj == pytest.approx(2261879.722680343, rel=1e-12)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "memories[2].bandwidth: PE has none for this, taken as read W 1, read I 1, read O 8" in said


def test_a_machine_a_network_and_a_mapping_price() -> None:
    machine, network, mapping = (
        json.loads((FILES / f"{name}_1.json").read_text()) for name in ("machine", "network", "mapping")
    )
    cost = accelsim.evaluate(machine, network, mapping)
    assert isinstance(cost, accelsim.NetworkCost)
    assert cost.macs == 416520
    for one in cost.layers:  # as given, not mapped anew
        assert one.mapping.to_dict() == mapping["layers"][one.layer.name]


def test_a_table_opens() -> None:
    page = load(FILES / "table_1.csv")
    assert page["axes"] == ["memories.NB.size_bytes"]
    assert [row[0] for row in page["rows"]] == [131072, 262144]
