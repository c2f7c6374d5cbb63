"""The one place that sets Numba's options.

Numba's disk cache is keyed on the file of the kernel alone, so an edited helper in another file would go
unnoticed. The cache directory therefore carries a hash of every kernel source in this package.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit, types

from cost_models._steps import StepCompiler


def _cache_dir() -> Path:
    """Folder for compiled kernels: `ACCELSIM_CACHE_DIR`, else the user's cache folder."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    root = os.environ.get("ACCELSIM_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "accelsim" / digest.hexdigest()[:16]


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(_cache_dir())  # type: ignore[attr-defined]


def _without_blas() -> None:
    """Spare a process of the command line Numba's search for BLAS, which imports all of SciPy's algebra.

    No kernel multiplies matrices. Other processes may have kernels of their own that do.
    """
    if "accelsim.cli" in sys.modules and "scipy" not in sys.modules:
        sys.modules["scipy"] = None  # type: ignore[assignment]
        try:
            import numba.np.arraymath  # noqa: F401
        finally:
            del sys.modules["scipy"]


_without_blas()


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on first call.

    No `fastmath`: it deletes the checks for NaN and infinity. No `parallel`: batches are split by the
    caller, and OpenMP does not survive a fork. `nogil` lets threads run batches side by side.
    """
    return njit(nogil=True, error_model="numpy", **options)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of entry points: may allocate arrays; their machine code is kept on disk."""
    return _compile(function, cache=True)


def step(function: Callable[..., Any], forceinline: bool = False) -> Any:
    """Decorator of what kernels call per mapping: may neither allocate nor slice arrays; only for kernels.

    Without Numba's reference counts, whose atomic updates for every array and call cost more than the work.
    """
    options = {
        "_nrt": False,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "forceinline": forceinline,
        "pipeline_class": StepCompiler,
    }
    dispatcher = _compile(function, **options)
    if not hasattr(dispatcher, "get_call_template"):  # NUMBA_DISABLE_JIT
        return dispatcher
    resolve = dispatcher.get_call_template

    def any_value(args: Any, kws: Any) -> Any:
        """Compile once per type, where Numba would once more per combination of constant arguments."""
        return resolve(tuple(map(types.unliteral, args)), {k: types.unliteral(v) for k, v in kws.items()})

    dispatcher.get_call_template = any_value
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Decorator of small steps: a call passes each array as seven arguments, which costs more."""
    return step(function, forceinline=True)
