"""JSON from people: every fault of the text is one message with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.text_file import read_text

MOST_DIGITS = 300
"""Of a whole number; one of 309 and more is no float."""

Pairs = Callable[[list[tuple[str, Any]]], Any]


def parse_json(text: str, where: str, pairs: Pairs | None = None) -> Any:
    """Read JSON; raise AccelsimError with `where`, line and column for what is malformed.

    `pairs` makes an object of its keys and values; by default one with a key said twice is refused.
    """
    try:
        return json.loads(text, object_pairs_hook=pairs or _once, parse_int=_whole)
    except json.JSONDecodeError as fault:
        raise AccelsimError(f"{where}:{fault.lineno}:{fault.colno}: not JSON: {fault.msg}") from None
    except RecursionError:
        raise AccelsimError(f"{where}: not JSON: nested too deeply") from None
    except AccelsimError as fault:
        raise AccelsimError(f"{where}: {fault}") from None


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise AccelsimError(f"not JSON: a number has too many digits, {len(digits)}; at most {MOST_DIGITS}")
    return int(digits)


def read_json(path: Path, what: str = "") -> Any:
    """Content of a JSON file; `what` says in messages which file it is. Raises AccelsimError."""
    where = f"{what} {path}".strip()
    text = read_text(path, where)
    return parse_json(text, where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise AccelsimError(f"key {key!r} comes twice in one object")
        out[key] = value
    return out


def format_json(value: Any, width: int = 100) -> str:
    """JSON text, indented by 2, with every list and object that fits the width on one line."""
    return _format(value, "", width) + "\n"


def _format(value: Any, indent: str, width: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(line) <= width:
        return line
    inside = indent + "  "
    if isinstance(value, list):
        items = [inside + _format(item, inside, width) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    items = [f"{inside}{json.dumps(k)}: {_format(v, inside, width)}" for k, v in value.items()]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
