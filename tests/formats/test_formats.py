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
    known = {"machine_1.json", "mapping_1.json", "network_1.json", "table_1.csv"}
    assert {path.name for path in FILES.iterdir()} == known | {f"{name}.study" for name in STUDIES}


@pytest.mark.parametrize("name", STUDIES)
def test_studies_open_with_the_values_in_them(name) -> None:
    result = accelsim.load_study(FILES / f"{name}.study")
    assert result.best.metrics["edp"] == STUDIES[name]
    assert len(result.to_rows()) == len(result)


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
