"""Schemas take every file that is shipped or written, refuse broken ones, and take whatever can be read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.cosearch.export import export
from accelsim.errors import AccelsimError
from accelsim.fusion.schedule import read_stacks, write_stacks
from accelsim.mapping.mapping import Mapping
from accelsim.schemas import SCHEMAS, schema
from accelsim.stacks import KEPT
from tests.command import run

FILES = Path(__file__).resolve().parents[1] / "formats" / "files"
CHECKS = {kind: jsonschema.Draft202012Validator(schema(kind)) for kind in SCHEMAS.home}


def fits(kind: str, data: Any) -> bool:
    """Whether a file, as JSON would carry it, fits."""
    return CHECKS[kind].is_valid(json.loads(json.dumps(data)))


def shipped(kind: str) -> Any:
    return json.loads((FILES / f"{kind}_1.json").read_text())


@pytest.fixture(scope="module")
def study() -> accelsim.SearchResult:
    return accelsim.load_study(FILES / "study_3.study")


@pytest.mark.parametrize("kind", CHECKS)
def test_is_a_schema(kind) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("kind", ["machine", "network", "mapping"])
def test_files_of_released_formats_fit(kind) -> None:
    CHECKS[kind].validate(shipped(kind))


@pytest.mark.parametrize("name", accelsim.network_names())
def test_networks_fit(name) -> None:
    CHECKS["network"].validate(accelsim.load_network(name).to_dict())


def test_mappings_fit() -> None:
    CHECKS["mapping"].validate(accelsim.map_network("eyeriss", "lenet5", "template").to_dict())
    network = accelsim.load_network("lenet5")
    piece = {"conv1": {"28x28": shipped("mapping")["layers"]["conv1"]}}
    stack = {"layers": ["conv1", "pool1"], "tile": {"P": 14, "Q": 14}, "weights": ["conv1"], "pieces": piece}
    CHECKS["mapping"].validate({"stacks": write_stacks(network, read_stacks(network, [stack]))})
    layer = accelsim.Layer.depthwise(C=8, P=7, Q=7)
    CHECKS["mapping"].validate(accelsim.map_layer("example", layer, "template").mapping.to_dict())


def test_tables_fit() -> None:
    vary = {"memories.PE.size_bytes": [1, 64], "clock_mhz": [500, 1000]}
    table = accelsim.sweep("shidiannao", ["lenet5"], vary, mapper="template")
    assert {row["status"] == "ok" for row in table} == {True, False}
    rows = json.loads(table.to_json())
    CHECKS["table"].validate(rows)
    assert not fits("table", [next(row for row in rows if row["status"] == "ok") | {"energy_pj": None}])
    assert not fits("table", [{key: value for key, value in rows[0].items() if key != "status"}])


def test_studies_fit(study, capsys) -> None:
    code, out, _ = run(capsys, "study", "show", str(FILES / "study_3.study"), "--json")
    assert code == 0
    told = json.loads(out)
    CHECKS["study"].validate(told)
    assert told["front"][0]["edp_js"] == study.best.metrics["edp"]
    assert not fits("study", told | {"candidates": -1})
    del told["front"][0]["candidate"]
    assert not fits("study", told)


def test_designs_fit(study, tmp_path) -> None:
    export(study, tmp_path, most=1)
    design = next(path for path in tmp_path.glob("design_*.json") if path.name.count(".") == 1)
    data = json.loads(design.read_text())
    CHECKS["design"].validate(data)
    assert not fits("design", data | {"hardware_hash": "none"})
    for entry in data["networks"]:
        CHECKS["network"].validate(json.loads((tmp_path / entry["network"]).read_text()))
        CHECKS["mapping"].validate(json.loads((tmp_path / entry["mapping"]).read_text()))
    CHECKS["hardware"].validate(json.loads((tmp_path / data["hardware"]).read_text()))


BROKEN = [
    ("machine", ("memories",), None),
    ("machine", ("memories", 0, "sise"), 3),
    ("network", ("layers", 0, "dims", "X"), 3),
    ("network", ("layers", 0, "dims", "K"), 0),
    ("network", ("layers", 0, "inputs", 0, "from"), None),
    ("network", ("version",), 2),
    ("mapping", ("layers", "conv1", "levels", 0, "tile", "K"), 0),
    ("mapping", ("layers", "conv1", "levels", 0, "order"), ["K", "K"]),
    ("mapping", ("layers", "conv1", "levels", 1, "spatial", "rows", "factor"), None),
    ("mapping", ("resident",), {"kept": "conv1"}),
]


@pytest.mark.parametrize(("kind", "place", "value"), BROKEN)
def test_a_broken_file_is_refused(kind, place, value) -> None:
    data = shipped(kind)
    put(data, place, value)
    assert not fits(kind, data)


def put(data: Any, place: tuple[Any, ...], value: Any) -> None:
    """Set a value; None takes the key away."""
    for step in place[:-1]:
        data = data[step]
    if value is None:
        del data[place[-1]]
    else:
        data[place[-1]] = value


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at] * bool(at) + [one for key, item in inner for one in places(item, (*at, key))]


WORDS = st.sampled_from(
    [None, 0, 1, 2, 8, -1, 1.5, True, "", "K", "x", "whole", "input", "conv1", [], {}, [2, 2]]
)


@pytest.mark.parametrize("kind", ["network", "mapping"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_what_can_be_read_fits(kind, data) -> None:
    """A schema that refuses a good file is wrong."""
    file = shipped(kind)
    if kind == "mapping":
        file = file["layers"]["conv1"]
    place = data.draw(st.sampled_from(places(file)))
    changed = copy.deepcopy(file)
    put(changed, place, data.draw(WORDS))
    try:
        accelsim.load_network(changed) if kind == "network" else Mapping.from_dict(changed)
    except AccelsimError:
        assume(False)
    assert fits(kind, changed)


def test_minimal_forms_fit() -> None:
    assert fits("network", {"layers": [{}]})
    assert fits("network", {"layers": [{"stride": 2, "bits": [4, None, 8]}]})
    assert fits("mapping", {"conv1": shipped("mapping")["layers"]["conv1"]})
    for kept in KEPT:
        assert fits("mapping", {"stacks": [{"layers": ["a", "b"], "kept": kept}]})
    assert not fits("mapping", {"stacks": [{"layers": ["a", "b"], "kept": "all"}]})


def test_command_prints_what_the_function_gives(capsys) -> None:
    for kind in SCHEMAS.home:
        assert json.loads(run(capsys, "schema", kind)[1]) == schema(kind)
    code, _, err = run(capsys, "schema", "mappings")
    assert code == 2
    assert "did you mean 'mapping'" in err
