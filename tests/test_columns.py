"""Tables on narrow terminals: no wider than these, and no number cut."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from tests.command import run

CUT = re.compile(r"(?<![\w.()x-])[-+]?[\d.,]*\d[\d.,]*…")
"""A number that an ellipsis ends."""


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize(
    "words",
    [
        "validate gemmini",
        "evaluate edgetpu mobilenet_v2 --mapper template",
        "evaluate eyeriss alexnet --mapper template --explain",
        "evaluate shidiannao lenet5 --model maestro",
        "compare shidiannao nvdla_64 lenet5 --mapper template",
        "map eyeriss lenet5 --mapper template",
        "sweep shidiannao lenet5 --mapper template --vary clock_mhz=500,1000 "
        "--vary memories.NB.size_bytes=64KiB,128KiB",
        "space ofa_mbv3 --sample 3",
        "bench --seconds 0.1",
        "nacos front --chip nvdla_64",
        "memory lenet5",
    ],
)
def test_tables_fit_and_numbers_are_whole(capsys, monkeypatch, words, width) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = run(capsys, *words.split())
    assert code == 0
    assert [line for line in out.splitlines() if cell_len(line.rstrip()) > width] == []
    assert [line for line in out.splitlines() if CUT.search(line)] == []


@pytest.mark.parametrize("width", [80, 60])
def test_tables_of_check_fit(capsys, monkeypatch, width) -> None:
    """Its sentences wrap where the terminal's lines end."""
    monkeypatch.setenv("COLUMNS", str(width))
    out = run(capsys, "check", "edgetpu")[1]
    table = out.partition("Capacity of one instance")[2].partition("Worth a second look")[0].splitlines()
    rows = [line for line in table if "  " in line.strip()]
    assert len(rows) >= 9
    assert all(cell_len(line.rstrip()) <= width for line in rows)
    assert not any(CUT.search(line) for line in rows)


def test_wide_shows_all(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    words = ("compare", "shidiannao", "nvdla_64", "lenet5", "--mapper", "template")
    assert "not shown for want of room" in run(capsys, *words)[1]
    assert "not shown" not in run(capsys, *words, "--wide")[1]


def test_a_pipe_without_a_width_gets_140(capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    out = run(capsys, "compare", "shidiannao", "nvdla_64", "lenet5", "--mapper", "template")[1]
    assert "not shown" not in out
