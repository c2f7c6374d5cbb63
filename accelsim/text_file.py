"""`read_text`: the one door for text files from outside, which bounds their size before it reads them."""

from __future__ import annotations

from pathlib import Path

from accelsim.errors import AccelsimError

MOST_BYTES = 64 * 2**20
"""Of a text file; a network of 20,000 layers takes about 5 MiB."""


def read_text(path: str | Path, where: str = "", kind: type[AccelsimError] = AccelsimError) -> str:
    """Content of a file of UTF-8 text; messages begin with `where`, by default the path.

    Raises `kind` for a file that cannot be read, is longer than MOST_BYTES, or is no such text.
    """
    where = where or str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise kind(f"{where}: cannot be read: {reason}") from None
    if len(content) > MOST_BYTES:
        raise kind(f"{where}: a text file may have at most {MOST_BYTES >> 20} MiB, but this one has more")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise kind(f"{where}: not UTF-8 text ({fault.reason} at byte {fault.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
