"""Where kernels are kept: an edit compiles anew all that it may change, and nothing else."""

from __future__ import annotations

import ast

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


@pytest.mark.skipif(not _jit._CACHE or _jit._folder is None, reason="kernels are kept elsewhere, or not")
@pytest.mark.parametrize("kernel", [loopnest.price_batch, exact.search, maestro.price_batch])
def test_a_kernel_lies_in_the_folder_of_its_package(kernel) -> None:
    if not hasattr(kernel, "py_func"):
        pytest.skip("interpreted")
    package = kernel.py_func.__module__.split(".")[1]
    assert f"/{_jit._digest(package)}" in kernel._cache.cache_path
