"""The journal of a sweep: finished points, so that an interrupted sweep goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError, nearest


class Journal:
    """A file of JSON lines beside the table to come: first what was asked, then a line a finished point.

    Points go by key. A last line that was cut off in the middle does not count.
    """

    def __init__(self, path: Path, question: dict[str, Any]) -> None:
        """Read what is there. Raises AccelsimError for a journal of another question."""
        self.path = path
        self.known: dict[str, Any] = {}
        lines = _lines(path)
        if lines and lines[0] != question:
            before = lines[0] if isinstance(lines[0], dict) else {}
            differ = [k for k in question if before.get(k) != question[k]]
            raise AccelsimError(
                f"{path} holds an unfinished sweep with another {' and '.join(differ)}; "
                "finish it with the old options, or give --fresh to start over"
            )
        for line in lines[1:]:
            if isinstance(line, dict) and set(line) == {"key", "value"}:
                self.known[line["key"]] = line["value"]
        self._write([question, *({"key": k, "value": v} for k, v in self.known.items())])

    def add(self, key: str, value: Any) -> None:
        """Note a finished point."""
        self.known[key] = value
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "value": value}) + "\n")
        except OSError as fault:
            raise AccelsimError(f"{self.path}: {fault.strerror or fault}") from None

    def remove(self) -> None:
        """Delete the file: the sweep is finished and its table written."""
        self.path.unlink(missing_ok=True)

    def _write(self, lines: list[Any]) -> None:
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def _lines(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as fault:
        raise AccelsimError(f"{path}: cannot be read: {fault}") from None
    out = []
    for line in text.splitlines():
        try:
            out.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return out


def check_suffix(path: Path, known: tuple[str, ...]) -> None:
    """Raise AccelsimError unless the path ends in one of the known suffixes and its folder exists."""
    suffix = path.suffix.lower()
    if suffix not in known:
        raise AccelsimError(f"{path}: the suffix must be one of {', '.join(known)}{nearest(suffix, known)}")
    if not path.parent.is_dir():
        raise AccelsimError(f"{path}: there is no folder {path.parent}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file all at once: a reader sees the old one or the new one."""
    import os

    part = path.with_name(path.name + ".new")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise AccelsimError(f"{path}: {fault.strerror or fault}") from None
