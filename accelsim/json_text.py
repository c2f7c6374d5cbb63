"""JSON from people: every fault of the text is one message with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError


def parse_json(text: str, where: str) -> Any:
    """Read JSON; raise AccelsimError with `where`, line and column for what is malformed or said twice."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as fault:
        raise AccelsimError(f"{where}:{fault.lineno}:{fault.colno}: not JSON: {fault.msg}") from None
    except RecursionError:
        raise AccelsimError(f"{where}: not JSON: nested too deeply") from None
    except AccelsimError as fault:
        raise AccelsimError(f"{where}: {fault}") from None
    except ValueError:
        raise AccelsimError(f"{where}: not JSON: a number has too many digits") from None


def read_json(path: Path, what: str = "") -> Any:
    """Content of a JSON file; `what` says in messages which file it is. Raises AccelsimError."""
    where = f"{what} {path}".strip()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise AccelsimError(f"{where}: not UTF-8 text ({fault.reason} at byte {fault.start})") from None
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise AccelsimError(f"{where}: cannot be read: {reason}") from None
    return parse_json(text, where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise AccelsimError(f"key {key!r} comes twice in one object")
        out[key] = value
    return out
