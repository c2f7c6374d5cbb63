"""The notebooks of the docs run from top to bottom, and are kept without outputs."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FIGURES = {"price_and_map": 2, "search_and_explore": 1, "sweep_and_draw": 3}


def test_each_notebook_is_known_and_shown() -> None:
    readme = (ROOT / "README.md").read_text()
    assert {path.stem for path in NOTEBOOKS} == set(FIGURES)
    for path in NOTEBOOKS:
        assert path.relative_to(ROOT).as_posix() in readme


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_kept_without_outputs(path) -> None:
    """What they print depends on versions of matplotlib and pandas; a diff shows what a person changed."""
    book = nbformat.read(path, 4)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, tmp_path) -> None:
    from nbclient import NotebookClient

    book = nbformat.read(path, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's client, not ours
        NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert not [out.text for out in outputs if out.output_type == "stream" and out.name == "stderr"]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == FIGURES[path.stem]
    nbformat.write(book, tmp_path / path.name)
