"""What a user waits for: the first result of a fresh installation, and candidates of a joint search."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

FIRST = ("evaluate", "eyeriss", "resnet50")
"""The command whose first result is timed."""

CANDIDATES = 96


@dataclass(frozen=True)
class Waits:
    """CPU seconds of FIRST on an empty and on a filled cache, and a search's candidates per CPU second."""

    cold_s: float
    warm_s: float
    candidates_per_second: float

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return asdict(self)


def _child(folder: str) -> float:
    """CPU seconds of FIRST in a process of its own, with kernels in `folder`."""
    code = f"from accelsim.cli import main; main({list(FIRST)!r})"
    before = os.times()
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL,
        env=os.environ | {"ACCELSIM_CACHE_DIR": folder},
    )  # fmt: skip
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def whole(search: Callable[[int], object]) -> Waits:
    """Measure; compiles the kernels anew, which takes most of the time. `search` tries so many candidates."""
    with tempfile.TemporaryDirectory() as folder:
        cold = _child(folder)
        warm = min(_child(folder) for _ in range(3))

    def candidates(count: int) -> float:
        start = time.process_time()
        search(count)
        return time.process_time() - start

    candidates(min(16, CANDIDATES))  # compiles, or loads
    return Waits(cold, warm, CANDIDATES / candidates(CANDIDATES))
