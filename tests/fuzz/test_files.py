"""Damaged files of every kind end in one message, or load; never in anything else.

ACCELSIM_FUZZ_INPUTS=100000 tries as many of each kind; the seed is fixed, so that a finding comes again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.accuracy.torch_file import load_tensors
from accelsim.sweeps.axes import parse_axis
from accelsim.sweeps.journal import Journal
from accelsim.workloads.layer_text import parse_layer

INPUTS = int(os.environ.get("ACCELSIM_FUZZ_INPUTS", "250"))
FIXTURES = Path(__file__).parents[1]
TORCH = FIXTURES / "accuracy" / "data" / "mbv3_legacy.pth"
STUDY = FIXTURES / "formats" / "files" / "study_1.study"
JOURNAL = FIXTURES / "sweeps" / "fixtures" / "format1.csv.part"
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


def hardware(path: Path, random: Random) -> None:
    path.write_text(damaged_json(accelsim.load_hardware("eyeriss").to_dict(), random))
    accelsim.load_hardware(str(path))


def network(path: Path, random: Random) -> None:
    path.write_text(damaged_json(accelsim.load_network("lenet5").to_dict(), random))
    accelsim.load_network(str(path))


def json_bytes(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(json.dumps(accelsim.load_network("lenet5").to_dict()).encode(), random))
    accelsim.load_network(str(path))


def checkpoint(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(TORCH.read_bytes()[:3000], random))
    load_tensors(path)


def study(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(STUDY.read_bytes(), random))
    accelsim.load_study(path)


def journal(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(JOURNAL.read_bytes(), random))
    question = {"version": "0.1.0", "mapper": "template"}
    Journal(path, question).close()


def axis(_path: Path, random: Random) -> None:
    parse_axis(text_of(random, "memories.GLB.size_bytes=16KiB:512KiB:x2"))


def layer(_path: Path, random: Random) -> None:
    parse_layer(text_of(random, "K=64 C=3 P=112 Q=112 R=7 S=7 stride=2 dilation=1"))


@pytest.mark.parametrize(
    "read", [hardware, network, json_bytes, checkpoint, study, journal, axis, layer], ids=lambda f: f.__name__
)
def test_one_message_or_it_loads(read: Callable[[Path, Random], None], tmp_path) -> None:
    path = tmp_path / "file.json"
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
    assert refused > INPUTS // 20
