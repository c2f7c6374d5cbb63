"""Machines to start from: each works on every kind of layer, and keeps in place what its name says."""

from __future__ import annotations

import json

import pytest

import accelsim
from accelsim import AccelsimError, Layer
from accelsim.hardware.templates import template, template_names
from tests.command import run

STAYS = {"systolic": "W", "weight_stationary": "W", "output_stationary": "O", "row_stationary": "W"}
CONV = Layer.conv2d(K=64, C=64, P=28, Q=28, R=3, S=3)


@pytest.mark.parametrize("name", template_names())
def test_what_stays_moves_least(name) -> None:
    cost = accelsim.evaluate(template(name), CONV, mapper="template")
    words: dict[str, int] = {}
    for row in cost.traffic:
        if row["parent"] == "buffer":
            words[row["tensor"]] = words.get(row["tensor"], 0) + row["parent_words"]
    assert min(words, key=words.__getitem__) == STAYS[name]
    assert cost.utilisation > 0.7


@pytest.mark.parametrize("name", template_names())
def test_every_kind_of_layer_runs(name) -> None:
    for layer in (
        Layer.depthwise(C=16, P=7, Q=7), Layer.gemm(M=4, N=9, K=8), Layer.eltwise(C=8, P=7, Q=7),
        Layer.pool(C=8, P=4, Q=4, R=2, S=2, stride=2),
        Layer.conv2d(K=5, C=3, P=7, Q=7, R=7, S=7, G=2, stride=2, dilation=2),
    ):  # fmt: skip
        assert accelsim.evaluate(template(name), layer, mapper="template").latency_cycles > 0


def test_a_systolic_array_pays_for_its_folds() -> None:
    chip = template("systolic")
    slow = accelsim.evaluate(chip, CONV, mapper="template")
    del chip["memories"][-1]["serial_folds"]
    assert accelsim.evaluate(chip, CONV, mapper="template").compute_cycles < slow.compute_cycles


@pytest.mark.parametrize("name", template_names())
def test_new_writes_it(name, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "new", "mine", "--template", name)[0] == 0
    data = json.loads((tmp_path / "mine.json").read_text())
    assert data["name"] == "mine"
    assert run(capsys, "check", "mine.json")[0] == 0
    sources = accelsim.load_hardware(data).provenance()
    assert all(source for source in sources.values())


def test_faults(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "new", "mine", "--template", "sistolic")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "did you mean 'systolic'" in err
    assert run(capsys, "new", "mine", "--template", "systolic", "--like", "eyeriss")[0] == 2
    with pytest.raises(AccelsimError, match="template must be one of"):
        template("none")
