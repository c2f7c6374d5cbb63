"""Where kernels are kept: an edit compiles anew all that it may change, and nothing else."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys

import pytest

from cost_models import _jit
from cost_models.exact import search as exact
from cost_models.loopnest import price as loopnest
from cost_models.maestro import price as maestro


def calls() -> dict[str, set[str]]:
    """Package (or module beside them) -> those that its files import, as Python's grammar reads them."""
    found: dict[str, set[str]] = {}
    for file in _jit._HERE.rglob("*.py"):
        mine = found.setdefault(file.relative_to(_jit._HERE).parts[0].removesuffix(".py"), set())
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert not [one.name for one in node.names if one.name.startswith("cost_models")], file
            if isinstance(node, ast.ImportFrom) and node.module == "cost_models":
                mine.update(one.name for one in node.names)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cost_models."):
                mine.add(str(node.module).split(".")[1])
    return found


def reached(name: str, by: dict[str, set[str]]) -> set[str]:
    found, wanted = set[str](), [name]
    while wanted:
        if (one := wanted.pop()) not in found:
            found.add(one)
            wanted += by[one]
    return found


def test_the_hash_of_a_package_is_that_of_all_it_calls(monkeypatch) -> None:
    by, sources = calls(), _jit._sources()
    assert {"loopnest", "lanes", "mappers", "exact", "maestro", "stacks"} < set(by)
    assert "maestro" not in reached("mappers", by)
    before = {name: _jit._digest(name) for name in by}
    for edited in by:
        monkeypatch.setattr(
            _jit, "_sources", lambda edited=edited: sources | {edited: sources[edited] + b"#"}
        )
        for name, digest in before.items():
            changed = _jit._digest.__wrapped__(name) != digest
            assert changed == (edited in reached(name, by)), (edited, name)
        assert _jit._digest.__wrapped__() != _jit._digest()


def test_kernels_with_bounds_checks_are_others(monkeypatch) -> None:
    monkeypatch.setattr("numba.config.BOUNDSCHECK", 0)
    plain = _jit._digest.__wrapped__("loopnest")
    monkeypatch.setattr("numba.config.BOUNDSCHECK", 1)
    assert _jit._digest.__wrapped__("loopnest") != plain


@pytest.mark.skipif(not _jit._CACHE or _jit._folder is None, reason="kernels are kept elsewhere, or not")
@pytest.mark.parametrize("kernel", [loopnest.price_batch, exact.search, maestro.price_batch])
def test_a_kernel_lies_in_the_folder_of_its_package(kernel) -> None:
    if not hasattr(kernel, "py_func"):
        pytest.skip("interpreted")
    package = kernel.py_func.__module__.split(".")[1]
    assert f"/{_jit._digest(package)}" in kernel._cache.cache_path


ASK = """
import numpy as np
import cost_models
from cost_models.stacks import READ_COLS, axis_steps
made = axis_steps(np.array([3]), np.zeros((0, READ_COLS), np.int64), np.zeros(2, np.int64), 2, False)
print(cost_models.__path__[0], made.tolist(), sum(axis_steps.stats.cache_hits.values()))
"""


@pytest.mark.skipif(not _jit._CACHE or _jit._folder is None, reason="kernels are kept elsewhere, or not")
def test_copies_of_the_sources_share_what_was_compiled(tmp_path) -> None:
    """As another checkout or an installed package would; one that was edited does not."""
    cache = os.environ | {"ACCELSIM_CACHE_DIR": str(tmp_path / "cache")}
    for name, hits in (("first", 0), ("second", 1), ("edited", 0)):
        copy = tmp_path / name / "cost_models"
        shutil.copytree(_jit._HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if name == "edited":
            (copy / "stacks.py").write_text((copy / "stacks.py").read_text() + "# another\n")
        told = subprocess.run(
            [sys.executable, "-c", ASK], env=cache | {"PYTHONPATH": str(copy.parent)}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert told.stdout.split("\n")[0] == f"{copy} [[[2], [1]], [[2], [1]]] {hits}", name
