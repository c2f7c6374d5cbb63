"""CONTRIBUTING says where a new thing goes: the places are there, and so are the registries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from accelsim.mapping.mapper import MAPPERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = {
    kind: (write, line)
    for kind, write, line in re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE)
    if kind not in ("to add", "---")
}


def paths(text: str) -> list[str]:
    return re.findall(r"`([\w/.]+/[\w.]*)`", text)


@pytest.mark.parametrize("kind", ROWS)
def test_a_new_thing_has_a_place(kind) -> None:
    write, line = ROWS[kind]
    (place,) = paths(write)
    home = (ROOT / place).parent if "NAME" in place else ROOT / place
    assert home.exists(), place
    for registry in re.findall(r"`([A-Z]+)`", line):
        file = home / "base.py" if "`base.py`" in line else ROOT / [*paths(line), place][0]
        assert f"\n{registry} = Registry(" in file.read_text(encoding="utf-8"), file
    for path in paths(line):
        assert (ROOT / path).is_file(), path


def test_the_table_has_all_that_is_added() -> None:
    assert len(ROWS) == 8
    assert f"(`{MAPPERS.group}` and so on)" in TEXT
