"""Importing the package and asking for help are quick: heavy libraries stay out."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAVY = ("numba", "pymoo", "networkx", "matplotlib", "pydantic", "scipy", "onnx")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(m for m in {HEAVY!r} if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_import_is_light() -> None:
    assert loaded_after("import accelsim") == set()


def test_help_is_light() -> None:
    statement = "from accelsim.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert loaded_after(statement) == set()


def test_public_names_resolve() -> None:
    import accelsim

    for name in accelsim.__all__:
        assert getattr(accelsim, name) is not None


def test_no_two_classes_share_a_name() -> None:
    """A reader who meets a class knows which; the kernels' types and the package's alike."""
    where: dict[str, list[str]] = {}
    for folder in ("accelsim", "cost_models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    where.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_a_command_that_prices_leaves_linear_algebra_out() -> None:
    """Numba looks for BLAS when it loads a kernel, which takes a third of a warm `evaluate`."""
    code = (
        "import sys\n"
        "from accelsim.cli import main\n"
        "try: main(['evaluate', 'example', '--layer', 'K=4 C=4', '--mapper', 'template'])\n"
        "except SystemExit: pass\n"
        "assert 'numba' in sys.modules and 'scipy.linalg' not in sys.modules\n"
        "import scipy.linalg\n"  # it is there for who wants it
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
