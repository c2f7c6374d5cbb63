"""`accelsim nacos`: what it prints, and how it refuses."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import pytest

from accelsim.nacos.nets import Nets
from tests.command import run


def test_query_and_its_forms(capsys, bench) -> None:
    words = ("nacos", "query", "12012012", "nvdla_256")
    row = json.loads(run(capsys, *words, "--json")[1])
    assert row == bench.query_by_index(bench.query_index_by_arch("12012012"), "nvdla_256")
    first = next(csv.DictReader(io.StringIO(run(capsys, *words, "--csv")[1])))
    assert float(first["edp_js"]) == row["edp_js"]
    assert "accuracy_kind        absent" in run(capsys, *words)[1]
    live = json.loads(run(capsys, *words, "--live", "--json")[1])
    assert live["live_energy_pj"] == pytest.approx(row["energy_pj"], rel=1e-12)
    other = json.loads(run(capsys, *words, "--objective", "latency", "--json")[1])
    assert other["latency_s"] <= row["latency_s"]
    template = json.loads(run(capsys, *words, "--schedule", "template", "--json")[1])
    assert template["edp_js"] > row["edp_js"]


def test_front_and_its_forms(capsys, bench, tmp_path) -> None:
    words = ("nacos", "front", "--chip", "nvdla_64", "--objectives", "latency,params")
    rows = json.loads(run(capsys, *words, "--json")[1])
    assert rows == bench.true_front("nvdla_64", ("latency", "params"))
    table = list(csv.DictReader(io.StringIO(run(capsys, *words, "--csv")[1])))
    assert [row["arch"] for row in table] == [row["arch"] for row in rows]
    assert "accuracy: absent" in run(capsys, *words)[1]
    lines = [f"{bench.arch(i)},{i % 97}" for i in range(len(bench))]
    (tmp_path / "a.csv").write_text("encoding,top1\n" + "\n".join(lines) + "\n")
    out = run(capsys, "nacos", "front", "--chip", "nvdla_64", "--accuracy", f"table:{tmp_path / 'a.csv'}")[1]
    assert "96.00" in out


def test_verify_exits_with_2_on_a_fault(capsys, monkeypatch) -> None:
    words = ("nacos", "verify", "--rows", "3", "--pairs", "0")
    code, out, _ = run(capsys, *words)
    assert (code, "3 rows priced and 0 fronts proved again: 0 differ" in out) == (0, True)
    monkeypatch.setattr("accelsim.nacos.verify._reprice", lambda *_: "is wrong")
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "is wrong" in err


def test_build_writes_what_create_reads(capsys, tmp_path, monkeypatch) -> None:
    nets = SimpleNamespace(name="macro", layers=Nets("macro").layers[-3:])  # few, so that it is quick
    monkeypatch.setattr("accelsim.nacos.build.Nets", lambda _: nets)
    out = tmp_path / "tables"
    code, text, _ = run(capsys, "nacos", "build", "-o", str(out), "--chips", "1", "--draws", "3", "--json")
    assert code == 0
    assert json.loads(text)["pairs"] == 3
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "tables.npz"]
    code, text, _ = run(capsys, "nacos", "build", "-o", str(out), "--chips", "1", "--draws", "3")
    assert code == 0
    assert "3 pairs of a layer and a chip" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("query", "00000000", "nvdla_65"), "did you mean 'nvdla_64'"),
        (("query", "0000", "nvdla_64"), "8 digits"),
        (("query", "00000000", "nvdla_64", "--json", "--csv"), "either --json or --csv"),
        (("query", "00000000", "nvdla_64", "--tables", "nowhere"), "no folder of tables"),
        (("front", "--objectives", "edp,speed"), "no 'speed'"),
        (("front", "--accuracy", "table:nowhere.csv"), "nowhere.csv"),
        (("verify", "--space", "mcro"), "did you mean 'macro'"),
    ],
)
def test_bad_input_is_one_message(capsys, tmp_path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "nacos", *words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
