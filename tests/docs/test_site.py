"""The documentation site builds without a network, its links lead somewhere, and it fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import accelsim

for name in ("mkdocs", "material", "mkdocstrings", "jupytext"):
    pytest.importorskip(name, reason="needs pip install 'accelsim[docs]'")

ROOT = Path(__file__).resolve().parents[2]
QUIET = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}


def build(source: Path, to: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(source / "mkdocs.yml")]
    return subprocess.run([*words, "-d", str(to)], capture_output=True, text=True, env=QUIET, cwd=source)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("site")
    made = build(ROOT, to)
    assert made.returncode == 0, made.stderr
    return to


def test_every_page_is_there(site) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages |= {
        path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.ipynb")
    }
    assert pages <= {path.relative_to(site) for path in site.rglob("*.html")}
    assert "A tour" in (site / "index.html").read_text()


def test_the_reference_names_all_that_is_public(site) -> None:
    text = (site / "api.html").read_text()
    for name in accelsim.__all__:
        assert name == "__version__" or re.search(rf'id="accelsim\.[\w.]*\b{name}"', text), name


def test_nothing_is_fetched_from_elsewhere(site) -> None:
    for page in site.rglob("*.html"):
        found = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]*", page.read_text()
        )
        assert not found, page


def test_a_broken_link_stops_the_build(tmp_path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](absent.md) and [no place](#absent)\n")
    rules = (ROOT / "mkdocs.yml").read_text()
    kept = rules[rules.index("validation:") : rules.index("nav:\n")]
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nstrict: true\n{kept}")
    made = build(tmp_path, tmp_path / "out")
    assert made.returncode != 0
    assert "absent.md" in made.stderr
    assert "#absent" in made.stderr
