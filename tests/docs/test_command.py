"""`accelsim docs` finds every page, in a checkout and in an installation."""

from __future__ import annotations

import tomllib
from pathlib import Path

from accelsim.cli import docs
from tests.command import run

ROOT = Path(__file__).resolve().parents[2]


def test_lists_and_prints_every_page(capsys) -> None:
    code, out, _ = run(capsys, "docs")
    assert code == 0
    names = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert {line.split()[0] for line in out.splitlines()} == names
    assert max(map(len, out.splitlines())) <= 80
    for word in ("hardware", "docs/hardware.md", "peers/timeloop"):
        code, out, _ = run(capsys, "docs", word)
        name = word.removeprefix("docs/").removesuffix(".md")
        assert (code, out) == (0, (ROOT / "docs" / f"{name}.md").read_text())


def test_an_unknown_page_names_the_nearest(capsys) -> None:
    code, _, err = run(capsys, "docs", "hardwear")
    assert code == 2
    assert "did you mean 'hardware'" in err


def test_the_wheel_brings_every_page() -> None:
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    packed = {path for patterns in files.values() for pattern in patterns for path in ROOT.glob(pattern)}
    assert packed == set((ROOT / "docs").rglob("*.md"))


def test_finds_what_an_installer_wrote(monkeypatch) -> None:
    page = "../../../share/accelsim/docs/peers/timeloop.md"
    monkeypatch.setattr(docs.metadata, "files", lambda _: [docs.metadata.PackagePath(page)])
    monkeypatch.setattr(docs.metadata.PackagePath, "locate", lambda self: Path("/env") / self.name)
    assert docs._installed() == {"peers/timeloop": Path("/env/timeloop.md")}


def test_a_section_is_printed_alone(capsys) -> None:
    code, out, _ = run(capsys, "docs", "hardware#searching-it")
    assert code == 0
    assert out.startswith("### Searching it\n")
    assert '"max_onchip_bytes"' in out
    assert "## Sources" not in out
    code, _, err = run(capsys, "docs", "hardware#searchingit")
    assert code == 2
    assert "did you mean 'searching-it'" in err


def test_a_machine_that_cannot_be_searched_is_told_where_to_read(capsys, tmp_path, monkeypatch) -> None:
    """The section that the message names is there."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "new", "mine", "--template", "systolic")[0] == 0
    code, _, err = run(capsys, "search", "mine.json", "--network", "lenet5")
    assert code == 2
    assert run(capsys, "docs", err.partition("accelsim docs ")[2].partition("`")[0])[0] == 0
