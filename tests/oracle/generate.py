"""Small awkward legal problems for the oracle: one recipe, and chance from a seed or from hypothesis.

A case is a dict with `layer`, `memories` and `mapping` in the JSON forms, as `walk` takes them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from tests.oracle.walk import DIMS

Pick = Callable[[int, int], int]
"""`pick(low, high)`: a whole number between the two, both included. Low means plain."""

MAX_POINTS = 4000


def seeded(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield `count` cases; the same seed gives the same cases."""
    chance = random.Random(seed)
    for _ in range(count):
        yield make(chance.randint)


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Strategy for one case, shrinking towards few memories, small sizes and no axes."""
    return make(lambda low, high: draw(st.integers(low, high)))


def make(pick: Pick) -> dict[str, Any]:
    """Make one case out of whole numbers. Two in three lean towards sliding windows: few other sizes, short
    strides, loops and axes on the window; what happens to halo would be rare otherwise.
    """
    lean = _of(pick, ("", "PR", "QS"))
    sizes = _sizes(pick, lean)
    count = _of(pick, (3, 2, 4, 5, 6))
    memories: list[dict[str, Any]] = []
    levels: list[dict[str, Any]] = []
    tile = dict(sizes)
    for m in range(count):
        name = "DRAM" if m == 0 else f"L{count - m}"
        union, splits = (_inner_split if m < count - 1 else _last_split)(pick, tile, lean)
        memories.append({"name": name, "holds": _holds(pick, m), "fanout": []})
        levels.append({"memory": name, "order": _order(pick, lean), "tile": union, "spatial": {}})
        for dim, factor in splits:
            axis = f"{name}.{len(memories[m]['fanout'])}"
            memories[m]["fanout"].append(_axis(pick, axis, max(1, factor) + pick(0, 1)))
            if factor >= 2:
                levels[m]["spatial"][axis] = {"dim": dim, "factor": factor}
        if pick(0, 1):  # the fan-out orders the axes, not the mapping
            levels[m]["spatial"] = dict(reversed(levels[m]["spatial"].items()))
        before = tile
        tile = handed(before, levels[m], memories[m])
        for d in DIMS:  # a dimension left out of `tile` is not split there
            if union[d] == before[d] and pick(0, 1):
                del union[d]
    stride = [_of(pick, (1, 1, 2) if lean else (1, 1, 2, 2, 3)) for _ in range(2)]
    dilation = [_of(pick, (1, 1, 1, 2, 3)) for _ in range(2)]
    layer = {"dims": {d: n for d, n in sizes.items() if n > 1}, "stride": stride, "dilation": dilation}
    return {"layer": layer, "memories": memories, "mapping": {"version": 1, "levels": levels}}


def handed(tile: dict[str, int], level: dict[str, Any], memory: dict[str, Any]) -> dict[str, int]:
    """Return the nominal instance tile below a memory whose own is `tile`."""
    below = {d: level["tile"].get(d, tile[d]) for d in DIMS}
    for axis in memory["fanout"]:
        if axis["axis"] in level["spatial"]:
            use = level["spatial"][axis["axis"]]
            below[use["dim"]] = -(-below[use["dim"]] // use["factor"])
    return below


def _of(pick: Pick, choices: tuple[Any, ...]) -> Any:
    return choices[pick(0, len(choices) - 1)]


def _sizes(pick: Pick, lean: str) -> dict[str, int]:
    """Eight sizes, up to six above 1, whose product stays within the bound."""
    limit = _of(pick, (30, 60, 120, 200) if lean else (40, 100, 250, 250, 600, 1500, MAX_POINTS))
    shape = lean or _of(pick, ("", "PR", "QS", "PQRS", "GK"))
    first = list(shape)
    rest = [d for d in DIMS if d not in shape]
    while rest and len(first) < (4 if lean else 6):
        first.append(rest.pop(pick(0, len(rest) - 1)))
    sizes, points = dict.fromkeys(DIMS, 1), 1
    for d in first:
        highest = min(limit // points, 4 if d in "RS" else 9)
        sizes[d] = pick(min(2, highest) if d in shape else 1, highest)
        points *= sizes[d]
    return sizes


def _holds(pick: Pick, memory: int) -> list[str]:
    return [t for t in "WIO" if memory == 0 or pick(0, 2) < 2]


def _order(pick: Pick, lean: str) -> list[str]:
    """Return some order of the dimensions; some may be left out, or a window loop comes innermost."""
    left = list(DIMS)
    order = [left.pop(pick(0, len(left) - 1)) for _ in DIMS]
    if lean and pick(0, 2):
        inner = _of(pick, tuple(lean))
        return [d for d in order if d != inner] + [inner]
    return order if pick(0, 3) else order[pick(0, 4) :]


def _axis(pick: Pick, name: str, size: int) -> dict[str, Any]:
    """Return an axis with random capabilities, each more often there than not."""
    multicast = pick(0, 3) < 3
    return {
        "axis": name,
        "size": size,
        "multicast": multicast,
        "reduction": pick(0, 3) < 3,
        "forwarding": multicast and pick(0, 3) > 0,
    }


Split = tuple[dict[str, int], list[tuple[str, int]]]
"""The union tile, and (dimension, factor) per axis of the fan-out, factor 0 for an axis not in use."""


def _inner_split(pick: Pick, tile: dict[str, int], lean: str) -> Split:
    """Split a tile, or pass it on whole, with none to six axes."""
    whole = pick(0, 3) == 3
    union = {d: n if whole or pick(0, 1) == 0 else pick(1, n) for d, n in tile.items()}
    left, splits = dict(union), []
    again = pick(0, 3) == 3  # all axes on one dimension, be it more than it has left
    for _ in range(_of(pick, (0, 0, 0, 1, 1, 2, 3, 6))):
        wide = [d for d in DIMS if left[d] >= 2]
        if again and splits and splits[0][0]:
            wide = [splits[0][0]]
        dim = _wide(pick, wide, lean)
        factor = pick(2, min((union if again else left)[dim], 4)) if dim else 0
        if dim:
            left[dim] = -(-left[dim] // factor)
        splits.append((dim, factor))
    return union, splits


def _last_split(pick: Pick, tile: dict[str, int], lean: str) -> Split:
    """Split the tile of the last memory, where the axes have to bring every dimension down to 1."""
    union, splits = dict.fromkeys(DIMS, 1), []
    axes = _of(pick, (0, 0, 1, 1, 2, 3, 6))
    while axes > 0:
        dim = _wide(pick, [d for d in DIMS if tile[d] >= 2 and union[d] == 1], lean)
        if not dim:
            splits.append(("", 0))
            axes -= 1
            continue
        union[dim] = left = pick(2, min(tile[dim], 7))
        for n in range(
            axes if pick(0, 2) == 2 else 1, 0, -1
        ):  # the last axis of a dimension takes what is left
            if left > 1:
                factor = left if n == 1 else pick(2, left)
                left = -(-left // factor)
                splits.append((dim, factor))
                axes -= 1
    return union, splits


def _wide(pick: Pick, wide: list[str], lean: str) -> str:
    """Return a dimension for an axis, if any is wide enough, or none."""
    if not wide or pick(0, 7) == 7:
        return ""
    window = [d for d in wide if d in lean]
    return _of(pick, tuple(window if window and pick(0, 1) else wide))
