"""The journal of a sweep: finished points, so that an interrupted sweep goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.files import Lock, settle, write_whole

FORMAT = 2
"""Of the first line. The first format had neither this number nor digests."""

MOST_BYTES = 2**30
"""Of a journal that is read; a point takes some 200 bytes."""


class Journal:
    """A file of JSON lines beside the table to come: first what was asked, then a line a finished point.

    Points go by key; each line carries a digest of itself and of the question. A point whose line is cut off
    or damaged does not count, and is priced again. One process writes at a time.
    """

    def __init__(self, path: Path, question: dict[str, Any], results: int = 1, fresh: bool = False) -> None:
        """Read what is there, unless `fresh`; a point has so many `results`.

        Raises AccelsimError for a journal of another question, and where another process writes to it.
        """
        self.path = path
        self.known: dict[str, Any] = {}
        self._results = results
        self._settled = time.monotonic()
        self._lock = Lock(path.with_name(path.name + ".lock"), f"{path}")
        try:
            self._salt = _digest("", question)
            if not fresh:
                self._read(question)
            head = {"journal": FORMAT, "question": question, "digest": self._salt}
            lines = [head, *(self._line(k, v) for k, v in self.known.items())]
            write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))
        except BaseException:
            self.close()
            raise

    def add(self, key: str, value: Any) -> None:
        """Note a finished point. A killed process loses none, a power failure those of the last second."""
        self.known[key] = value
        try:
            with self.path.open("ab") as file:
                file.write((json.dumps(self._line(key, value)) + "\n").encode())
                if time.monotonic() - self._settled > 1.0:
                    settle(file)
                    self._settled = time.monotonic()
        except OSError as fault:
            raise AccelsimError(f"{self.path}: cannot be written: {fault.strerror or fault}") from None

    def remove(self) -> None:
        """Delete the file: the sweep is finished and its table written."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others write."""
        self._lock.free()

    def _line(self, key: str, value: Any) -> dict[str, Any]:
        return {"key": key, "value": value, "digest": _digest(self._salt, [key, value])}

    def _read(self, question: dict[str, Any]) -> None:
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
            if size > MOST_BYTES:
                raise AccelsimError(
                    f"{self.path}: a sweep's journal may have at most {MOST_BYTES >> 30} GiB, but this one "
                    f"has {size / 2**30:.1f}; give --fresh to start over"
                )
            content = self.path.read_bytes() if size else b""
        except OSError as fault:
            raise AccelsimError(f"{self.path}: cannot be read: {fault.strerror or fault}") from None
        if not content:
            return
        head, *lines = (_parsed(line) for line in content.split(b"\n"))
        old = isinstance(head, dict) and "journal" not in head and set(head) >= {"version", "mapper"}
        before = {"model": "accelsim"} | head if old else self._asked(head)
        differ = [name for name in question if before.get(name) != question[name]]
        if differ:
            raise AccelsimError(
                f"{self.path} holds an unfinished sweep with another {' and '.join(differ)}; "
                "finish it with the old options, or give --fresh to start over"
            )
        for line in lines:
            if not isinstance(line, dict) or not {"key", "value"} <= set(line):
                continue
            key, value = line["key"], line["value"]
            right = old or line.get("digest") == _digest(self._salt, [key, value])
            if right and isinstance(key, str) and self._is_result(value):
                self.known[key] = value

    def _asked(self, head: Any) -> dict[str, Any]:
        """The question of a first line. Raises AccelsimError where it is no such line, or damaged."""
        if isinstance(head, dict) and isinstance(head.get("journal"), int) and head["journal"] > FORMAT:
            raise AccelsimError(
                f"{self.path}: was written by a newer accelsim; upgrade it, or give --fresh to start over"
            )
        asked = head.get("question") if isinstance(head, dict) else None
        if not isinstance(asked, dict) or head.get("digest") != _digest("", asked):
            raise AccelsimError(
                f"{self.path}: is damaged, or not the journal of a sweep; give --fresh to start over"
            )
        return asked

    def _is_result(self, value: Any) -> bool:
        """A reason, or latency and energy, for each network."""
        return isinstance(value, list) and len(value) == self._results and all(map(_is_price, value))


def _is_price(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(x) in (int, float) and 0 < x < math.inf for x in value)
    )


def _digest(salt: str, value: Any) -> str:
    return hashlib.sha256((salt + json.dumps(value, sort_keys=True)).encode()).hexdigest()[:32]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # cut off, or damaged
        return None
