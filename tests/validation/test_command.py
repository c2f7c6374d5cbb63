"""`accelsim validate` and the page that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.validation import SOURCES
from accelsim.validation.page import page, write_page
from accelsim.validation.tables import listed
from tests.command import run

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_report(capsys) -> None:
    code, out, _ = run(capsys, "validate", "scalesim", "--data", str(DOCS))
    assert code == 0
    assert "1,102,080" in out
    assert "exact" in out
    assert "not compared, because reference/scalesim" in out.replace("\n", " ")


def test_json(capsys) -> None:
    code, out, _ = run(capsys, "validate", "scalesim", "timeloop", "scalesim", "--json", "--data", str(DOCS))
    assert code == 0
    scalesim, timeloop = json.loads(out)
    assert {case["verdict"] for case in scalesim["cases"]} == {"exact"}
    assert timeloop["source"] == "timeloop"


def test_page_is_written(capsys, tmp_path) -> None:
    target = tmp_path / "new" / "page.md"
    code, _, _ = run(capsys, "validate", "scalesim", "--data", str(DOCS), "--write", str(target))
    assert code == 0
    assert target.read_text(encoding="utf-8").startswith("# Validation")


@pytest.mark.parametrize("name", ["eyeriss", "devices", "maestro"])
def test_figures(shipped, tmp_path, name: str) -> None:
    write_page([shipped(name)], tmp_path / "page.md")
    image = tmp_path / "images" / f"validation_{name}.png"
    assert image.read_bytes().startswith(b"\x89PNG")
    assert f"(images/validation_{name}.png)" in (tmp_path / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiemloop"], "validate: must be one of eyeriss, timeloop, "),
        (["scalesim", "--data", "/nowhere"], "--data /nowhere: is not a folder"),
        (["scalesim", "--write", "/proc/nowhere/page.md"], "/proc/nowhere/images: cannot be written"),
    ],
)
def test_faults(capsys, words: list[str], message: str) -> None:
    code, out, error = run(capsys, "validate", *words)
    assert (code, out) == (2, "")
    assert error.startswith(f"accelsim: {message}")
    assert error.count("\n") == 1


def test_damaged_reference_data(capsys, tmp_path) -> None:
    file = tmp_path / "reference" / "timeloop" / "cases.json"
    file.parent.mkdir(parents=True)
    file.write_text("[{")
    code, _, error = run(capsys, "validate", "timeloop", "--data", str(tmp_path))
    assert code == 2
    assert str(file) in error


@pytest.mark.parametrize("name", ["eyeriss", "nvdla", "shidiannao"])
def test_the_page_shows_what_the_model_says_now(shipped, name: str) -> None:
    """Sources that ship whole: every line of their sections stands in docs/validation.md."""
    text = (DOCS / "validation.md").read_text(encoding="utf-8").splitlines()
    report = shipped(name)
    lines = [line for line in page([report], {}).splitlines() if line.startswith("|")]
    assert len(lines) > len(listed(report))
    known = {line.replace(report.title, "").replace(report.truth, "") for line in text}
    stale = [line for line in lines if line.replace(report.title, "").replace(report.truth, "") not in known]
    assert not stale, "run `accelsim validate --write docs/validation.md`"


def test_every_source_has_a_script() -> None:
    folder = DOCS.parent / "experiments" / "validation"
    assert sorted(file.stem for file in folder.glob("*.py")) == sorted(SOURCES)
