"""The command line: reports, output that agrees with Python, and one clear message for each fault."""

from __future__ import annotations

import csv
import io
import json

import pytest

import accelsim
from tests.command import run

LAYER = "K=8 C=4 P=6 Q=6 R=3 S=3"


def test_network_report(capsys) -> None:
    code, out, _ = run(capsys, "evaluate", "eyeriss", "lenet5")
    assert code == 0
    assert "inferences/s" in out
    assert "bound by" in out


def test_same_numbers_everywhere(capsys) -> None:
    cost = accelsim.evaluate("example", "lenet5")
    code, out, _ = run(capsys, "evaluate", "example", "lenet5", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["latency_cycles"], data["energy_pj"]) == (cost.latency_cycles, cost.energy_pj)
    code, out, _ = run(capsys, "evaluate", "example", "lenet5", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sum(float(row["latency_cycles"]) for row in rows) == pytest.approx(cost.latency_cycles)
    assert sum(float(row["energy_pj"]) for row in rows) == pytest.approx(cost.energy_pj)
    assert [row["layer"] for row in rows] == [layer.layer.name for layer in cost.layers]


def test_layer_with_mapping_file(capsys, tmp_path) -> None:
    code, out, _ = run(capsys, "evaluate", "example", "--layer", LAYER, "--json")
    assert code == 0
    first = json.loads(out)
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps(first["mapping"]))
    code, out, _ = run(capsys, "evaluate", "example", "--layer", LAYER, "--mapping", str(file), "--json")
    assert code == 0
    assert json.loads(out) == first


def test_explain_shows_all_traffic(capsys) -> None:
    code, out, _ = run(capsys, "evaluate", "example", "--layer", LAYER, "--explain")
    assert code == 0
    for word in ("Traffic", "Accesses", "Capacity", "psum reads", "Loop nest"):
        assert word in out


def test_schema_is_json(capsys) -> None:
    code, out, _ = run(capsys, "schema")
    assert code == 0
    assert json.loads(out)["type"] == "object"


def test_version_and_list(capsys) -> None:
    assert accelsim.__version__ in run(capsys, "--version")[1]
    out = run(capsys, "list")[1]
    assert "eyeriss" in out
    assert "resnet50" in out


BAD = [
    (["evaluate", "eyeris", "lenet5"], "did you mean 'eyeriss'?"),
    (["evaluate", "eyeriss", "lenet6"], "did you mean 'lenet'"),
    (["evaluate", "eyeriss"], "give either a network or --layer"),
    (["evaluate", "eyeriss", "lenet5", "--layer", LAYER], "give either a network or --layer"),
    (["evaluate", "eyeriss", "lenet5", "--json", "--csv"], "either --json or --csv"),
    (["evaluate", "eyeriss", "--layer", "K=0"], "K must be a whole number from 1"),
    (["evaluate", "eyeriss", "--layer", "K=-3"], "K must be a whole number from 1"),
    (["evaluate", "eyeriss", "--layer", "K=1.5"], "K must be a whole number"),
    (["evaluate", "eyeriss", "--layer", "K=99999999999"], "K must be a whole number from 1"),
    (["evaluate", "eyeriss", "--layer", "Kay=3"], "unknown word 'Kay'"),
    (["evaluate", "eyeriss", "--layer", "K=3 K=4"], "K is given twice"),
    (["evaluate", "eyeriss", "--layer", "hello"], "cannot read 'hello'"),
    (["evaluate", "eyeriss", "--layer", "K=4 stride=2,3"], "(by rows and columns: stride=2x1)"),
    (["evaluate", "eyeriss", "--layer", "K=3 stride=2x2x2"], "stride must be"),
    (["evaluate", "eyeriss", "--layer", "{bad"], "not JSON"),
    (["evaluate", "eyeriss", "--layer", "K=3", "--batch", "2"], "--batch: for networks"),
    (
        ["evaluate", "eyeriss", "lenet5", "--mapping", "nowhere.json"],
        "nowhere.json: cannot be read: No such file",
    ),
    (["evaluate", "eyeriss", "lenet5", "--batch", "0"], "batch"),
    (["evaluate", "eyeriss", "lenet5", "--resolution", "3"], "resolution"),
    (["evaluate", "nowhere/chip.json", "lenet5"], "nowhere/chip.json"),
    (["evaluate", "eyeriss", "nowhere.onnx"], "nowhere.onnx"),
    (["evaluate", "eyeriss", "--layer", '{"dims":{"K":3},"dims":{"K":4}}'], "key 'dims' comes twice"),
    (["evaluate", "eyeriss", "--layer", '{"dims":{"K":' + 5000 * "9" + "}}"], "too many digits"),
    (["evaluate", "eyeriss", "--layer", '{"dims":' + 50_000 * "["], "nested too deeply"),
    (["schema", "software"], "must be one of hardware"),
    (["space", "ofa_mbv4"], "ofa_mbv3"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_fault_is_one_message_and_exit_code_2(capsys, words: list[str], message: str) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "file.json:1:2: not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1, 2]", "must hold an object"),
        (b"null", "must hold an object, but holds None"),
        (b'{"version": 1, "version": 1}', "key 'version' comes twice"),
        (b'{"version": ' + 5000 * b"9" + b"}", "too many digits"),
        (b'{"layers": {}, "version": 3}', "mapping.version: must be 1, but got 3"),
        (b'{"layers": {}, "bogus": 1}', "mapping.bogus: unknown key"),
        (b'{"layers": {"conv9": {}}}', "has no such layer"),
        (b'{"layers": {"conv1": {"levels": 3}}}', "mapping.layers.conv1"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_mapping_file(capsys, tmp_path, content: bytes, message: str) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    code, out, err = run(capsys, "evaluate", "example", "lenet5", "--mapping", str(file))
    assert (code, out) == (2, "")
    assert message in err
