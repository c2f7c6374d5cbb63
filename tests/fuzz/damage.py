"""Ways to damage bytes, JSON and text; the seed decides."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from accelsim import AccelsimError

INPUTS = int(os.environ.get("ACCELSIM_FUZZ_INPUTS", "250"))
"""Of each kind."""

FIRST = int(os.environ.get("ACCELSIM_FUZZ_FIRST", "0"))
"""The seed of the first; others follow."""

HUNG = 120
"""Seconds of CPU after which an input counts as one that has no end."""

VALUES = (
    *(None, True, False, -1, 0, 1, 3, 2**31, 2**53 + 1, 2**63, -(2**64), 10**400),
    *(1e308, -0.5, 1e-320, float("nan"), float("inf"), float("-inf")),
    *("", "x", "[/red]", "\0", "a\nb", "\ud800", "=1+1", "../x", "é" * 300, [], {}, [[]]),
)


def _times(random: Random) -> int:
    """How often an input is damaged: mostly once, so that the rest of it is still understood."""
    return random.choice((1, 1, 1, 2, 4))


def damaged_bytes(content: bytes, random: Random) -> bytes:
    """Some bit flipped, some piece lost, doubled or filled with noise."""
    for _ in range(_times(random)):
        content = _damaged_once(content, random) or content
    return content


def _damaged_once(content: bytes, random: Random) -> bytes:
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
    """Some value replaced, removed, scaled, doubled, said twice, or put under another name or elsewhere."""
    data = json.loads(json.dumps(data))
    for _ in range(_times(random)):
        places = _places(data)
        if places:
            _damage_one(*random.choice(places), random.choice(places), random)
    text = json.dumps(data)
    if random.random() < 0.02:
        key = json.dumps(random.choice([key for _, key in _places(data) if isinstance(key, str)] or ["x"]))
        text = text.replace(f"{key}: ", f"{key}: 1, {key}: ", 1)
    return text


def _places(data: object) -> list[tuple[Any, Any]]:
    """(list or object, index or key) of every value."""
    places: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        item = waiting.pop()
        keys = item if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            places.append((item, key))
            waiting.append(item[key])
    return places


def _damage_one(inside: Any, key: Any, other: tuple[Any, Any], random: Random) -> None:
    kind, value = random.randrange(6), inside[key]
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[random.choice(("x", "", "\0", "name", "\ud800"))] = inside.pop(key)
    elif kind == 2 and type(value) in (int, float):
        inside[key] = value * 2 ** random.randrange(-40, 70)
    elif kind == 3 and isinstance(inside, list):
        inside.insert(key, json.loads(json.dumps(value)))
    elif kind == 4:
        inside[key] = json.loads(json.dumps(other[0][other[1]]))
    else:
        inside[key] = random.choice(VALUES)


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
    """Some word put in or over another, or the bytes damaged."""
    content = text.encode()
    if random.random() < 0.5:
        return damaged_bytes(content, random)
    for _ in range(_times(random)):
        at = random.randrange(len(content))
        content = content[:at] + random.choice(WORDS).encode() + content[at + random.choice((0, 1, 3)) :]
    return content


def _too_long(*_: object) -> None:
    raise TimeoutError(f"no end after {HUNG} s of CPU")


def try_all(read: Callable[[Path, Random], None], path: Path) -> int:
    """Damaged files of a kind load or end in one message fit to print; returns how many do not load.

    Prints how many were tried and what took longest; findings of one kind are said once.
    """
    refused, slowest, found = 0, (0.0, 0), dict[str, str]()
    before = signal.signal(signal.SIGPROF, _too_long)
    try:
        for seed in range(FIRST, FIRST + INPUTS):
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, HUNG)
            try:
                read(path, Random(seed))
            except AccelsimError as fault:
                refused += 1
                message = str(fault)
                if "\x1b" in message or "\0" in message or len(message) > 4200:
                    found.setdefault("message", f"input {seed}: a message unfit to print")
            except Exception as fault:
                place = traceback.extract_tb(fault.__traceback__)[-1]
                kind = f"{type(fault).__name__} at {Path(place.filename).name}:{place.lineno}"
                found.setdefault(kind, f"input {seed}: {kind}: {str(fault)[:500]}")
            slowest = max(slowest, (time.process_time() - began, seed))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    print(f"{INPUTS:,} inputs, {refused:,} refused; input {slowest[1]} took {slowest[0]:.1f} s of CPU")
    if found:
        pytest.fail("\n".join(found.values()))
    return refused
