"""What a chip's dataflow allows that another one's does not, and the other chip with that allowed.

A chip that a search found is better for its sizes and for its freedom. To tell the two apart, its base is
priced as it is, and with each freedom: its own array and memories, but axes that may carry more dimensions,
or loops in any order. What multiplexers this takes is part of its area and energy where its file names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.hardware.accelerator import Accelerator
from accelsim.hardware.fields import DIMENSIONS, MAX_TEXT, Dim
from accelsim.hardware.loader import load_hardware

REDUCED = ("C", "R", "S")
"""An axis that spreads one of these has partial sums to add up; one of the others has reads to share."""


@dataclass(frozen=True)
class Freedom:
    """Leave for axes to carry a dimension, or without `dim` for a memory's loops to run in any order, or for
    the layers of an engine to run on the array.

    places  (memory, axis) of each axis, or (memory, ""); none for an engine
    """  # fmt: skip

    dim: Dim | None
    places: tuple[tuple[str, str], ...]
    engine: str = ""

    def __str__(self) -> str:
        if self.engine:
            return f"layers of {self.engine} on the array"
        if self.dim is None:
            return "any loop order"
        return f"{self.dim} on {' and '.join(axis for _, axis in self.places)}"


def freedoms(base: Accelerator, chip: Accelerator, used: Sequence[str] = DIMENSIONS) -> tuple[Freedom, ...]:
    """What `chip` allows and `base` does not: dimensions in the order N G K C P Q R S, then loop orders, then
    layers that the base runs on an engine.

    used  dimensions that count, for instance those that the chip's mappings spread

    Axes of the same memory are taken for each other by name, else by the dimensions that both may carry, else
    by their place; dimensions of axes that the base has no match for are leave for all of its axes.
    """
    found: dict[Dim, list[tuple[str, str]]] = {}
    loops = []
    theirs = {memory.name: memory for memory in chip.memories}
    for memory in base.memories:
        other = theirs.get(memory.name)
        if other is None:
            continue
        own = {axis.axis: base.axis_dims(memory.name, axis.axis) for axis in memory.fanout}
        has = {axis.axis: chip.axis_dims(memory.name, axis.axis) for axis in other.fanout}
        for axis, names in _matched(own, has).items():
            for dim in DIMENSIONS:
                carried = any(dim in has[name] for name in names)
                if carried and dim in used and dim not in own[axis]:
                    found.setdefault(dim, []).append((memory.name, axis))
        allowed = base.orders(memory.name)
        if allowed and not set(chip.orders(memory.name) or ((),)) <= set(allowed):
            loops.append((memory.name, ""))
    spread = [Freedom(dim, tuple(found[dim])) for dim in DIMENSIONS if dim in found]
    units = {engine.name for engine in chip.engines}
    freed = [Freedom(None, (), x.name) for x in base.engines if x.name not in units]
    return (*spread, *([Freedom(None, tuple(loops))] if loops else []), *freed)


def with_freedoms(base: Accelerator, granted: Sequence[Freedom]) -> Accelerator:
    """The base with some freedoms: dimensions that an axis may carry come after its own, and so does what its
    wires must be able to do for them.
    """  # fmt: skip
    data = base.to_dict()
    flow = data.setdefault("dataflow", {})
    for freedom in granted:
        if freedom.engine:
            data["engines"] = [x for x in data["engines"] if x["name"] != freedom.engine]
        for memory, axis in freedom.places:
            if freedom.dim is None:
                flow.get("orders", {}).pop(memory, None)
                continue
            m = base.memory_index(memory)
            carried = flow.setdefault("axes", {}).setdefault(memory, {}).setdefault(axis, list(DIMENSIONS))
            if freedom.dim not in carried:
                carried.append(freedom.dim)
            wires = next(a for a in data["memories"][m]["fanout"] if a["axis"] == axis)
            wires["reduction" if freedom.dim in REDUCED else "multicast"] = True
    if granted:
        data["name"] = f"{base.name} with {', '.join(map(str, granted))}"[:MAX_TEXT]
    return load_hardware(data)


def _matched(own: dict[str, tuple[Dim, ...]], other: dict[str, tuple[Dim, ...]]) -> dict[str, list[str]]:
    """The axes of the other chip that each own axis is taken for."""
    out: dict[str, list[str]] = {axis: [axis] for axis in own if axis in other}
    left = [name for name in other if name not in out]
    free = [axis for axis in own if axis not in out]
    while left and free:
        pairs = [
            (len(set(own[a]) & set(other[b])), -i, -j) for i, a in enumerate(free) for j, b in enumerate(left)
        ]
        _, i, j = max(pairs)
        out[free.pop(-i)] = [left.pop(-j)]
    for axis in own:
        out.setdefault(axis, []).extend(left)
    return out
