"""Bad files and words for verbs with files of their own: one message, code 2, nothing written."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

import accelsim
from tests.command import run

FILES = {
    "broken.json": '{"a":[}',
    "list.json": "[]",
    "noise.study": "no database",
    "kept.json": '{"layers": {}, "stacks": [{"layers": ["conv1", "pool1"], "kept": {}}]}',
    "cost.json": '{"network": "a", "hardware": "b", "latency_s": "x"}',
    "row.json": '[{"network": "a"}]',
}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("report noise.study -o new.html", "study noise.study: file is not a database"),
        ("report broken.json -o new.html", "report broken.json:1:7: not JSON"),
        ("report list.json -o new.html", "a page shows a study, the table of a sweep, or the cost"),
        ("report none.study -o new.html", "none.study: there is no such file"),
        ("report noise.study --live", "file is not a database"),
        ("report noise.study -o none/new.html", "there is no folder none"),
        ("report noise.study -o new.txt", "the suffix must be one of .html"),
        ("report cost.json -o new.html", "latency_s: Input should be a valid number"),
        ("report row.json -o new.html", "is no table of a sweep: it lacks objective"),
        (
            "evaluate eyeriss lenet5 --fuse kept.json",
            "stacks[0].kept: must be one of none, columns, both",
        ),
        ("map eyeriss lenet5 --mapper template --seconds 3", "--seconds: for --mapper optimal"),
        ("map eyeriss lenet5 --tiles legal", "--tiles: for --mapper optimal, but the mapper is genetic"),
        ("map eyeriss --layer K=8 --workers 2 --nests", "--workers, --nests: for networks, not a single"),
        ("evaluate eyeriss --layer K=8 --engine processes", "--engine: for networks, not a single"),
        ("evaluate eyeriss lenet5 --model maestro --fuse auto", "takes --dataflow, and no --fuse"),
        ("evaluate eyeriss lenet5 --model maestro --seed 0", "takes --dataflow, and no --seed"),
        ("evaluate mcu_f746 lenet5 --mapper optimal", "--mapper: for machines with mappings"),
        ("evaluate mcu_f746 lenet5 --workers 0", "--workers: for machines with mappings"),
        ("evaluate eyeriss lenet5 --plot a.svg --plot-stacks ./a.svg", "are both a.svg; give each its own"),
        (
            "evaluate eyeriss lenet5 --mapper template --plot a.svg --plot-stacks b.svg",
            "no layers are fused here",
        ),
        ("compare eyeriss", "at least two machines and a network"),
        ("compare list.json list.json lenet5", "at least two machines and a network"),
        ("compare eyeriss nvdla_64 nonet", "no network 'nonet'; did you mean 'unet'?"),
        ("evaluate eyeriss lenet5 --fuse list.json", "fuse list.json: must hold an object"),
        ("evaluate eyeriss lenet5 --fuse broken.json", "fuse broken.json:1:7: not JSON"),
        (
            "sweep eyeriss lenet5 --vary clock_mhz=100 --fuse list.json -o new.csv",
            "fuse list.json: must hold an",
        ),
        (
            "search eyeriss --network lenet5 --fuse list.json --study new.study",
            "fuse list.json: must hold an",
        ),
        ("evaluate eyeriss lenet5 --mapping list.json", "--mapping list.json: must hold an object"),
        ("map eyeriss lenet5 --mapper template --emit nope -o new.c", "emit: must be one of"),
        ("map eyeriss lenet5 --mapper template --emit c -o none/new.c", "there is no folder none"),
        ("search eyeriss --network lenet5 --objectives nope --study new.study", "but got 'nope'"),
        ("search eyeriss --network lenet5 --objectives a.b:C --study new.study", "cannot import 'a.b:C'"),
        ("search eyeriss --network lenet5 --objectives , --study new.study", "objectives"),
    ],
)
def test_one_message_and_nothing_written(words, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    code, out, fault = run(capsys, *words.split())
    assert (code, out) == (2, "")
    assert fault.startswith("accelsim: ")
    assert message in fault
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == FILES


ODD = "a\n\u202e\x1b[31m\x07 \u6f22*/"
"""Ends a line, turns the reading direction, colours and rings at a terminal, ends a comment of C."""


def odd_files(folder) -> None:
    hardware, network = (
        accelsim.load_hardware("eyeriss").to_dict(),
        accelsim.load_network("lenet5").to_dict(),
    )
    (folder / "h.json").write_text(json.dumps({**hardware, "name": ODD}))
    (folder / "n.json").write_text(json.dumps({**network, "name": ODD}).replace('"conv1"', json.dumps(ODD)))


@pytest.mark.parametrize("language", ["c", "mlir", "tvm", "timeloop"])
def test_emitted_text_obeys_no_name(language, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    odd_files(tmp_path)
    code, out, _ = run(capsys, *f"map h.json n.json --mapper template --emit {language}".split())
    assert code == 0
    assert "x1b[31m" in out  # C gets a slash before it
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


@pytest.mark.parametrize("words", ["evaluate h.json n.json", "sweep h.json n.json --vary clock_mhz=100,200"])
def test_figures_obey_no_name(words, tmp_path, monkeypatch, recwarn, capsys) -> None:
    """An SVG with such characters is none; letters that no font has are no reason for a warning."""
    monkeypatch.chdir(tmp_path)
    odd_files(tmp_path)
    assert run(capsys, *f"{words} --mapper template --plot p.svg".split())[0] == 0
    ElementTree.parse(tmp_path / "p.svg")
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
