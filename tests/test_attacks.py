"""Bad files and words for verbs with files of their own: one message, code 2, nothing written."""

from __future__ import annotations

import pytest

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
