"""The one place that sets Numba's options.

Numba's disk cache is keyed on the file of the kernel alone, so an edited helper in another file would go
unnoticed. The folder that keeps a kernel therefore carries a hash of all sources of its package and of the
packages that this one calls: an edit compiles anew what it may change, and no more. Copies of the same
sources, as a checkout and an installed package, share what was compiled.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit, types
from numba.core import caching
from numba.core.ccallback import CFunc

from cost_models._steps import StepCompiler

_HERE = Path(__file__).parent


@cache
def _sources() -> dict[str, bytes]:
    """Source text of each package of kernels, and of each module that stands beside them."""
    made: dict[str, bytes] = {}
    for file in sorted(_HERE.rglob("*.py")):
        name = file.relative_to(_HERE).parts[0].removesuffix(".py")
        made[name] = made.get(name, b"") + file.read_bytes()
    return made


@cache
def _digest(package: str = "") -> str:
    """Hash of what compiles, and of a package with all that it calls; without one, of all kernels."""
    sources = _sources()
    wanted, found = [package] if package in sources else list(sources), set[str]()
    while wanted:
        if (name := wanted.pop()) in sources and name not in found:
            found.add(name)
            wanted += [called.decode() for called in _CALLED.findall(sources[name])]
    checked = " bounds checked" if numba.config.BOUNDSCHECK else ""  # type: ignore[attr-defined]
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}{checked}".encode())
    for name in sorted(found):
        digest.update(sources[name])
    return digest.hexdigest()[:16]


_CALLED = re.compile(rb"from cost_models(?:\.| import )(\w+)")


def _cache_dir() -> Path | None:
    """Folder for compiled kernels: in `ACCELSIM_CACHE_DIR`, else in the user's cache folder.

    Where neither can be written, a folder that is this user's alone among the temporary files; None without.
    """
    name = _digest()
    given = os.environ.get("ACCELSIM_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    for root in (given, os.path.expanduser("~/.cache")):
        if root and not root.startswith("~") and _usable(path := Path(root) / "accelsim" / name):
            return path
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    with suppress(OSError):  # what lies there is run: it must not be anybody else's
        mine = Path(tempfile.gettempdir()) / f"accelsim-{user}"
        mine.mkdir(mode=0o700, exist_ok=True)
        status = mine.lstat()
        private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
        if private and status.st_uid in (user, 0) and _usable(mine / name):
            return mine / name
    return None


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):
        return False


_CACHE = True
_folder: Path | None = None
if not os.environ.get("NUMBA_CACHE_DIR"):
    _folder = _cache_dir()
    _CACHE = _folder is not None
    if _folder is not None:
        numba.config.CACHE_DIR = str(_folder)  # type: ignore[attr-defined]


def is_compiled() -> bool:
    """Whether kernels of this version were compiled before, and kept."""
    kept = Path(numba.config.CACHE_DIR or ".") if _folder is None else _folder.with_name(_digest("loopnest"))  # type: ignore[attr-defined]
    with suppress(OSError):  # the folder may have become another user's
        return bool(_CACHE) and any(kept.rglob("*.nbi"))
    return False


def _without_blas() -> None:
    """Spare a process of the command line Numba's search for BLAS, which imports all of SciPy's algebra.

    No kernel multiplies matrices. Other processes may have kernels of their own that do.
    """
    if "accelsim.cli" in sys.modules and "scipy.linalg" not in sys.modules:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
        try:
            import numba.np.arraymath  # noqa: F401
        finally:
            del sys.modules["scipy.linalg"]


_without_blas()


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on first call.

    No `fastmath`: it deletes the checks for NaN and infinity. No `parallel`: batches are split by the
    caller, and OpenMP does not survive a fork. `nogil` lets threads run batches side by side.
    """
    return njit(nogil=True, error_model="numpy", **options)(function)


_LOCATOR: Any = getattr(caching, "_CacheLocator", type)
_SUBFOLDER = "get_suitable_cache_subpath"
"""Of a class of Numba's own, which names a kernel's folder by where its source lies."""


@contextmanager
def _kept_in(function: Callable[..., Any]) -> Iterator[None]:
    """The folder of a kernel of ours; anybody else's, which may call all of ours, stays where it is."""
    whole, subfolder = numba.config.CACHE_DIR, vars(_LOCATOR).get(_SUBFOLDER)  # type: ignore[attr-defined]
    home, _, rest = function.__module__.partition(".")
    if _folder is not None and home == __package__ and whole == str(_folder):
        numba.config.CACHE_DIR = str(_folder.with_name(_digest(rest.partition(".")[0])))  # type: ignore[attr-defined]
        if subfolder is not None:
            setattr(_LOCATOR, _SUBFOLDER, staticmethod(lambda file: Path(file).parent.name))
    try:
        yield
    finally:
        numba.config.CACHE_DIR = whole  # type: ignore[attr-defined]
        if subfolder is not None:
            setattr(_LOCATOR, _SUBFOLDER, subfolder)


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator of entry points: may allocate arrays; their machine code is kept on disk."""
    if not _CACHE:
        return _compile(function)
    try:
        with _kept_in(function):
            made = _compile(function, cache=True)
    except RuntimeError:  # NUMBA_CACHE_DIR, or the folder of a frozen program, cannot be written
        return _compile(function)
    _forgive(made)
    return made


class Callback:
    """A function that compiled code calls by its address: compiled, or loaded, when that is first asked for.

    `signature` is a Numba signature, of numbers and pointers alone. For what a kernel can do without, and
    should not compile with it.
    """

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        arguments = signature.args, signature.return_type
        self._made: Any = CFunc(function, arguments, {}, {"nogil": True, "error_model": "numpy"})
        self._lock = threading.Lock()
        if _CACHE:
            with _kept_in(function), suppress(RuntimeError):
                self._made.enable_caching()
                _forgive(self._made)

    def is_kept(self) -> bool:
        """Whether it is compiled already, here or on disk."""
        file = getattr(self._made._cache, "_cache_file", None)
        return self._made.address is not None or (file is not None and os.path.exists(file._index_path))

    @property
    def address(self) -> int:
        """Where its machine code begins."""
        with self._lock:
            if self._made.address is None:
                self._made.compile()
        return int(self._made.address)


def callback(signature: Any) -> Callable[[Callable[..., Any]], Callback]:
    """Decorator that makes a `Callback`."""
    return lambda function: Callback(function, signature)


def _forgive(made: Any) -> None:
    """Make the cache of a compiled function bear a full disk and damaged files."""
    cache = getattr(made, "_cache", None)
    if cache is not None:
        cache.load_overload = _forgiving(cache.load_overload)
        cache.save_overload = _forgiving(cache.save_overload, cache.flush)


def _forgiving(access: Callable[..., Any], renew: Callable[[], Any] | None = None) -> Callable[..., Any]:
    """A full disk, or a damaged file, which may raise anything, costs another compilation and no more."""

    def tried(*arguments: Any) -> Any:
        try:
            return access(*arguments)
        except Exception:
            if renew is not None:
                with suppress(Exception):
                    renew()
                    return access(*arguments)
            return None

    return tried


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
