"""`read_text`, `read_bytes`: the one door for files from outside, which bounds what it reads of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from accelsim.errors import AccelsimError

MOST_BYTES = 64 * 2**20
"""Of a text file; a network of 20,000 layers takes about 5 MiB."""


def read_bytes(
    path: str | Path, most: int, where: str = "", kind: type[AccelsimError] = AccelsimError
) -> bytes:
    """Content of a file of at most `most` bytes; messages begin with `where`, by default the path.

    A pipe is read to its end, and is empty where nobody has it open to write. Raises `kind` for a device, and
    for a file that cannot be read or is longer.
    """
    where = where or str(path)
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            mode = status.st_mode
            if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
                raise kind(f"{where}: cannot be read: it is a device")
            parts = [file.read(min(status.st_size, most) + 1)]  # memory for as much is taken at once
            while parts[-1] and sum(map(len, parts)) <= most:
                parts.append(file.read(2**20))
    except AccelsimError:
        raise
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise kind(f"{where}: cannot be read: {reason}") from None
    content = parts[0] if not parts[1:] or not parts[1] else b"".join(parts)
    if len(content) > most:
        size = f"{most >> 20} MiB" if most >> 20 else f"{most} bytes"
        raise kind(f"{where}: a file of its kind may have at most {size}, but this one has more")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, where a pipe would have to be opened by somebody else first."""
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(number, True)
    return number


def read_text(path: str | Path, where: str = "", kind: type[AccelsimError] = AccelsimError) -> str:
    """Content of a file of UTF-8 text; messages begin with `where`, by default the path.

    Raises `kind` for a file that cannot be read, is longer than MOST_BYTES, or is no such text.
    """
    where = where or str(path)
    content = read_bytes(path, MOST_BYTES, where, kind)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise kind(f"{where}: not UTF-8 text ({fault.reason} at byte {fault.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
