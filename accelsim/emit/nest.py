"""The loops of a mapping, outermost first, as every writer needs them."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.mapping.mapping import Mapping
from accelsim.workloads.layer import DIMS, Layer

REDUCED = "CRS"
"""Dimensions that the output is summed over."""


class ForLoop(NamedTuple):
    """Steps of `step` through a tile of `size`; the last one is cut where it does not divide.

    place  the memory whose loop it is; for the axis of an array, the axis; "" for what no level splits
    lanes  0 in time, else the instances along the axis
    """

    dim: str
    size: int
    step: int
    place: str
    lanes: int = 0

    @property
    def steps(self) -> int:
        """How often it runs on a whole tile."""
        return -(-self.size // self.step)


class Block(NamedTuple):
    """The loops of one memory, those of its array's axes last."""

    memory: str
    holds: dict[str, int]
    loops: tuple[ForLoop, ...]


def blocks(mapping: Mapping, layer: Layer) -> list[Block]:
    """A block a memory, and one without a name for what the innermost memory does not split.

    Loops that run once are left out. Inside the last loop every dimension is a single point.
    """
    inside = layer.dims
    out = []
    for level in mapping.levels:
        holds = {d: n for d, n in inside.items() if n > 1}
        loops = []
        for dim in (*(d for d in DIMS if d not in level.order), *level.order):
            step = level.tile.get(dim, inside[dim])
            if step < inside[dim]:
                loops.append(ForLoop(dim, inside[dim], step, level.memory))
                inside[dim] = step
        for axis, (dim, factor) in level.spatial.items():
            step = -(-inside[dim] // factor)
            if step < inside[dim]:
                loops.append(ForLoop(dim, inside[dim], step, axis, factor))
                inside[dim] = step
        out.append(Block(level.memory, holds, tuple(loops)))
    rest = tuple(ForLoop(d, n, 1, "") for d, n in inside.items() if n > 1)
    return [*out, Block("", {}, rest)] if rest else out


def span(layer: Layer, axis: int) -> int:
    """Rows (axis 0) or columns (1) of the input that the windows span, padding included."""
    outputs, taps = ((layer.P, layer.R), (layer.Q, layer.S))[axis]
    return (outputs - 1) * layer.stride[axis] + (taps - 1) * layer.dilation[axis] + 1


def words(sizes: dict[str, int]) -> str:
    """Sizes in a line."""
    return " ".join(f"{d}{n}" for d, n in sizes.items()) or "one point"
