"""Ways to damage bytes, JSON and text; the seed decides."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from accelsim import AccelsimError

INPUTS = int(os.environ.get("ACCELSIM_FUZZ_INPUTS", "250"))
"""Of each kind."""

VALUES = (None, True, -1, 0, 2**31, 2**63, 1e308, -0.5, "", "x", "[/red]", "\0", [], {}, [[]], "é" * 300)


def damaged_bytes(content: bytes, random: Random) -> bytes:
    """A bit flipped, a piece lost, doubled or filled with noise."""
    at = random.randrange(len(content))
    end = min(len(content), at + random.choice((1, 4, 64)))
    return random.choice(
        (
            content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :],
            content[:at] + content[end:],
            content[:end] + content[at:],
            content[:at] + random.randbytes(end - at) + content[end:],
            content[:at],
        )
    )


def damaged_json(data: object, random: Random) -> str:
    """One value replaced, removed, or put under another name."""
    data = json.loads(json.dumps(data))
    places: list[tuple[object, object]] = []
    waiting = [data]
    while waiting:
        item = waiting.pop()
        keys = item if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in list(keys):
            places.append((item, key))
            waiting.append(item[key])
    inside, key = random.choice(places)
    kind = random.randrange(3)
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[random.choice(("x", "", "\0", "name"))] = inside.pop(key)
    else:
        inside[key] = random.choice(VALUES)
    return json.dumps(data)


def text_of(random: Random, word: str) -> str:
    return damaged_bytes(word.encode(), random).decode(errors="replace")


WORDS = (
    "9" * 30,
    "0",
    "-1",
    "{",
    "}",
    "'",
    "\0",
    "1e9",
    "²",
    "٣",
    ",,,",
    ": ",
    "&a ",
    "*a ",
    "!!int ",
    "//",
    "/*",
    "Sz(R)",
)


def damaged_text(text: str, random: Random) -> bytes:
    """A word put in or over another, or the bytes damaged."""
    content = text.encode()
    if random.random() < 0.5:
        return damaged_bytes(content, random)
    at = random.randrange(len(content))
    return content[:at] + random.choice(WORDS).encode() + content[at + random.choice((0, 1, 3)) :]


def try_all(read: Callable[[Path, Random], None], path: Path) -> int:
    """Damaged files of a kind load or end in one message fit to print; returns how many do not load."""
    refused = 0
    for seed in range(INPUTS):
        try:
            read(path, Random(seed))
        except AccelsimError as fault:
            refused += 1
            message = str(fault)
            if "\x1b" in message or "\0" in message or len(message) > 4200:
                pytest.fail(f"input {seed}: a message unfit to print")
        except Exception as fault:
            pytest.fail(f"input {seed}: {type(fault).__name__}: {fault}")
    return refused
