"""`Tensor`: the shape of activations on their way through a `NetworkBuilder`, and its views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from accelsim.errors import AccelsimError

Sources = tuple[tuple[int, int], ...]


class Tensor(NamedTuple):
    """Shape of one image's activations and where they come from.

    `sources` lists (producing layer, elements of one image) in the order of the channels. Sequences of
    tokens are `channels` x `height` = tokens x `width` = 1.
    """

    channels: int
    height: int
    width: int
    sources: Sources

    @property
    def elements(self) -> int:
        """Elements of one image."""
        return self.channels * self.height * self.width


def concat(tensors: Sequence[Tensor]) -> Tensor:
    """Channels one after the other; heights and widths must agree."""
    x = tensors[0]
    for y in tensors:
        if (y.height, y.width) != (x.height, x.width):
            raise AccelsimError(
                f"cannot concatenate {shape(x)} and {shape(y)}; heights and widths must agree"
            )
    sources = tuple(s for y in tensors for s in y.sources)
    return Tensor(sum(y.channels for y in tensors), x.height, x.width, sources)


def split(x: Tensor, channels: Sequence[int]) -> list[Tensor]:
    """Consecutive groups of `channels` channels."""
    if sum(channels) != x.channels or min(channels) < 1:
        raise AccelsimError(f"cannot split {x.channels} channels into {list(channels)}")
    out, area, first = [], x.height * x.width, 0
    for count in channels:
        out.append(Tensor(count, x.height, x.width, part(x.sources, first * area, (first + count) * area)))
        first += count
    return out


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of each map."""
    if not (1 <= height <= x.height and 1 <= width <= x.width):
        raise AccelsimError(f"cannot crop {shape(x)} to {height}x{width}")
    area = x.height * x.width
    return Tensor(x.channels, height, width, tuple((i, n * height * width // area) for i, n in x.sources))


def flatten(x: Tensor) -> Tensor:
    """All elements as channels."""
    return Tensor(x.elements, 1, 1, x.sources)


def reshape(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """The same elements in another shape (or order: a transposition moves no data here)."""
    if channels * height * width != x.elements:
        raise AccelsimError(
            f"cannot reshape {shape(x)} to {channels}x{height}x{width}: "
            f"{x.elements} and {channels * height * width} elements"
        )
    return Tensor(channels, height, width, x.sources)


def part(sources: Sources, start: int, stop: int) -> Sources:
    """The sources of elements `start` to `stop` of a tensor."""
    out, at = [], 0
    for producer, elements in sources:
        share = min(stop, at + elements) - max(start, at)
        if share > 0:
            out.append((producer, share))
        at += elements
    return tuple(out)


def shape(x: Tensor) -> str:
    """`channels x height x width` for messages."""
    return f"{x.channels}x{x.height}x{x.width}"
