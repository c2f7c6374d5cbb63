"""Measured accuracies on disk, so that no subnet is measured twice: a line each, added at the end."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_LINE = re.compile(r"(\S+) (\d+) of (\d+)")


class KeptCounts:
    """Subnet -> images that it has right, of `total`.

    In `accelsim/accuracy` of the cache folder, one file for each `key` (a hash of all that decides the
    answer). A line that a killed process left half written is passed over; without a folder to write to,
    answers last as long as this object.
    """

    def __init__(self, key: str, total: int) -> None:
        self.total = total
        given = os.environ.get("ACCELSIM_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
        root = Path(given or os.path.expanduser("~/.cache"))
        # Somebody without a home has none to keep it in, and no folder ~ is made where the program runs.
        homeless = str(root).startswith("~") or not (given or root.is_absolute())
        self.path = None if homeless else root / "accelsim" / "accuracy" / f"{key[:32]}.txt"
        self._known: dict[str, int] = {}
        if self.path is None:
            return
        with suppress(OSError, ValueError):
            for line in self.path.read_text(encoding="ascii").splitlines():
                found = _LINE.fullmatch(line)
                if found and int(found[3]) == total and int(found[2]) <= total:
                    self._known[found[1]] = int(found[2])

    def get(self, subnet: str) -> int | None:
        """What was kept."""
        return self._known.get(subnet)

    def put(self, subnet: str, right: int) -> None:
        """Keep it; a line feed before it ends what a killed process may have left."""
        self._known[subnet] = right
        if self.path is None:
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(f"\n{subnet} {right} of {self.total}\n".encode("ascii"))
