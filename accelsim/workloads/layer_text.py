"""Layers written on a command line: `K=64 C=3 P=112 Q=112 R=7 S=7 stride=2`, or a JSON object."""

from __future__ import annotations

import re
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.json_text import parse_json
from accelsim.workloads.layer import DIMS, Layer

_WORDS = (*DIMS, "stride", "dilation", "op", "name", "bits")


def parse_layer(text: str) -> Layer:
    """Read a layer. Raises AccelsimError naming the word that cannot be read."""
    if text.lstrip().startswith("{"):
        return Layer.from_dict(parse_json(text, "layer"))
    values: dict[str, Any] = {}
    for word in re.split(r"[\s,]+", text.strip()):
        match = re.fullmatch(r"([A-Za-z]+)=(.+)", word) or re.fullmatch(r"([NGKCPQRS])(\d+)", word)
        if match is None:
            raise AccelsimError(
                f"layer: cannot read {word!r}; write sizes as in 'K=64 C=3 P=112 Q=112 R=7 S=7 stride=2' "
                "(by rows and columns: stride=2x1)"
            )
        key, value = match.groups()
        if key not in _WORDS:
            raise AccelsimError(f"layer: unknown word {key!r}{nearest(key, _WORDS)}")
        if key in values:
            raise AccelsimError(f"layer: {key} is given twice")
        if key == "bits":
            values[key] = _bits(value)
        else:
            values[key] = value if key in ("op", "name") else _numbers(key, value)
    return Layer(**values)


def _bits(text: str) -> tuple[int | None, ...]:
    parts = text.split("x")
    if len(parts) != 3 or not all(part == "*" or re.fullmatch(r"\d{1,12}", part) for part in parts):
        raise AccelsimError(
            "layer: bits must be those of weights, inputs and outputs, as in 4x8x8, * for the machine's, "
            f"but got {text!r}"
        )
    return tuple(None if part == "*" else int(part) for part in parts)


def _numbers(key: str, text: str) -> int | tuple[int, ...]:
    parts = text.split("x")
    most, rule = (1, "a whole number") if key in DIMS else (2, "a whole number, or two as in 2x1")
    if len(parts) > most or not all(re.fullmatch(r"-?\d{1,12}", part) for part in parts):
        raise AccelsimError(f"layer: {key} must be {rule}, but got {text!r}")
    return int(parts[0]) if len(parts) == 1 else tuple(int(part) for part in parts)
