"""Every command that the README and docs show runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.cosearch import finish
from tests.cosearch.small import short_local_search

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[str]:
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.S | re.M):
        lines = block.replace("\\\n", " ").splitlines()
        found += [line for line in lines if line.startswith("accelsim ")]
    return found


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """Searches are shown to run; what finishing is worth is asserted in tests/cosearch."""
    designs = finish._designs
    with short_local_search(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish, "LEAST", 1)
        patch.setattr(finish, "PATIENCE", 10)
        patch.setattr(finish, "_designs", lambda *asked: islice(designs(*asked), 4))
        yield


SHOWING = [page for page in PAGES if commands(page)]


def test_pages_show_commands() -> None:
    assert len(SHOWING) >= 5


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.name)
def test_commands_run(page: Path, tmp_path, monkeypatch, capsys) -> None:
    """Commands of a page run one after another in an empty folder; `> file` redirects as a shell would."""
    monkeypatch.chdir(tmp_path)
    for command in commands(page):
        words = shlex.split(command, comments=True)
        target = None
        if ">" in words:
            at = words.index(">")
            words, target = words[:at], words[at + 1]
        with pytest.raises(SystemExit) as stop:
            main(words[1:])
        out = capsys.readouterr()
        assert stop.value.code == 0, f"{page.name}: {command}\n{out.err}"
        assert out.out.strip(), command
        if target:
            Path(target).write_text(out.out)


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)


PROGRAMS = [page for page in PAGES if blocks(page)]


def test_pages_show_programs() -> None:
    assert len(PROGRAMS) >= 5


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path, monkeypatch) -> None:
    """Blocks of a page run one after another, with the names of those before."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)
