"""Every command that the README and docs show runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from accelsim.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.S | re.M):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.name, line) for line in lines if line.startswith("accelsim ")]
    return found


def test_pages_show_commands() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize(("page", "command"), commands())
def test_command_runs(page: str, command: str, tmp_path, monkeypatch, capsys) -> None:
    """Commands run in an empty folder; `> file` redirects as a shell would."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command, comments=True)
    target = None
    if ">" in words:
        at = words.index(">")
        words, target = words[:at], words[at + 1]
    with pytest.raises(SystemExit) as stop:
        main(words[1:])
    assert stop.value.code == 0, f"{page}: {command}"
    out = capsys.readouterr().out
    assert out.strip()
    if target:
        Path(target).write_text(out)


def test_python_blocks_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0
    for page in PAGES:
        names: dict[str, object] = {}
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M):
            exec(compile(block, str(page), "exec"), names)
            ran += 1
    assert ran >= 1
