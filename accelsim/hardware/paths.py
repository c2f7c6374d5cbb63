"""JSON paths of a hardware file, memories and axes by name: `memories.GLB.fanout.rows.size`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError, nearest
from accelsim.hardware.accelerator import Accelerator
from accelsim.hardware.faults import join
from accelsim.hardware.fields import is_number

_NAMED = {"memories": "name", "fanout": "axis", "components": "name", "engines": "name"}
"""Lists whose entries go by name, and the key that holds it."""

_SOURCED = ("precision_bits", "mac", "energy", "dataflow", "search")
"""Objects that may have `sources`, beside the whole and the entries of lists."""


def value_at(hardware: Accelerator, path: str) -> Any:
    """What stands at a path, as `resized` understands it; None where it is left out."""
    place = find(hardware.to_dict(), path, hardware)
    return place.holder.get(place.key)


def numeric_paths(hardware: Accelerator) -> tuple[str, ...]:
    """Paths of all numbers of the machine, memories and axes by name."""
    data = hardware.to_dict()
    del data["version"]
    data.pop("search", None)
    data.pop("engines", None)
    return tuple(_numbers(data, ""))


class Place(NamedTuple):
    """Where a value stands: the object that holds it, its key, its place in the file, and who sources it."""

    holder: dict[str, Any]
    key: str
    path: str
    owner: dict[str, Any]
    entry: str


def find(data: dict[str, Any], path: str, hw: Accelerator) -> Place:
    """The place that a path leads to. Objects on the way that the file leaves out are made."""
    steps = re.sub(r"\[(\d+)\]", r".\1", path).split(".")
    at: Any = data
    where = ""
    owner, entry = data, steps[0]
    for i, step in enumerate(steps):
        if isinstance(at, list):
            index = _index(at, step, steps[i - 1], path)
            at, where = at[index], join(where, index)
            if steps[i - 1] in _NAMED:
                owner, entry = at, steps[i + 1] if i + 1 < len(steps) else ""
            continue
        if not isinstance(at, dict) or not step:
            raise _nowhere(path, hw)
        where = join(where, step)
        if i + 1 == len(steps):
            return Place(at, step, where, owner, entry)
        at = at.setdefault(step, {})
        if step in _SOURCED and isinstance(at, dict):
            owner, entry = at, steps[i + 1]
    raise _nowhere(path, hw)


def _index(items: list[Any], step: str, listed: str, path: str) -> int:
    key = _NAMED.get(listed, "")
    names = [item.get(key) if isinstance(item, dict) else None for item in items]
    if step in names:
        return names.index(step)
    if step.isdigit() and int(step) < len(items):
        return int(step)
    known = [name for name in names if name is not None]
    hint = nearest(step, known) if known else f"; it has {len(items)}"
    what = {"memories": "memory", "fanout": "axis", "components": "component", "engines": "engine"}
    raise AccelsimError(f"{path}: no {what.get(listed, 'entry')} is called {step!r}{hint}")


def _nowhere(path: str, hw: Accelerator) -> AccelsimError:
    return AccelsimError(f"{path}: no number of {hw.name} stands there{nearest(path, numeric_paths(hw))}")


def _numbers(value: Any, path: str, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "sources":
                yield from _numbers(item, f"{path}.{key}" if path else key, key)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            called = item.get(_NAMED.get(name, ""), i) if isinstance(item, dict) else i
            yield from _numbers(item, f"{path}.{called}", name)
    elif is_number(value):
        yield path


def leaves(value: dict[str, Any], path: str) -> Iterator[Place]:
    """Places of all numbers inside an object that stands at `path`."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield from leaves(item, join(path, key))
        elif isinstance(item, list):
            for i, one in enumerate(item):
                if isinstance(one, dict):
                    yield from leaves(one, join(path, key, i))
        elif is_number(item):
            yield Place(value, key, join(path, key), value, key)
