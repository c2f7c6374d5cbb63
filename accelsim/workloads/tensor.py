"""`Tensor`: the shape of activations on their way through a `NetworkBuilder`, and its views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from accelsim.errors import AccelsimError
from accelsim.workloads.reach import PLAIN, Shift, View, Whole


class Source(NamedTuple):
    """Elements of a tensor that one layer made, and where its rows and columns lie in that layer's result."""

    producer: int
    elements: int
    view: View | Whole = PLAIN


Sources = tuple[Source, ...]


class Tensor(NamedTuple):
    """Shape of one image's activations and where they come from.

    `sources` lists who made it (elements of one image) in the order of the channels. Sequences of
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
    top, left = (x.height - height) // 2, (x.width - width) // 2
    sources = (Source(i, n * height * width // area, _shifted(view, top, left)) for i, n, view in x.sources)
    return Tensor(x.channels, height, width, tuple(sources))


def _shifted(view: View | Whole, top: int, left: int) -> View | Whole:
    if isinstance(view, Whole):
        return view
    (up, above), (along, before) = view
    return View(Shift(up, above + top), Shift(along, before + left))


def scattered(sources: Sources, why: str) -> Sources:
    """The same elements, but nobody knows in which rows and columns of their makers they lie."""
    return tuple(Source(i, n, Whole(why)) for i, n, _ in sources)


def flatten(x: Tensor) -> Tensor:
    """All elements as channels."""
    flat = x.sources if (x.height, x.width) == (1, 1) else scattered(x.sources, "the map is flattened")
    return Tensor(x.elements, 1, 1, flat)


def reshape(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """The same elements in another shape (or order: a transposition moves no data here)."""
    if channels * height * width != x.elements:
        raise AccelsimError(
            f"cannot reshape {shape(x)} to {channels}x{height}x{width}: "
            f"{x.elements} and {channels * height * width} elements"
        )
    kept = (channels, height, width) == x[:3]
    return Tensor(channels, height, width, x.sources if kept else scattered(x.sources, "the map is reshaped"))


def part(sources: Sources, start: int, stop: int) -> Sources:
    """The sources of elements `start` to `stop` of a tensor."""
    out, at = [], 0
    for producer, elements, view in sources:
        share = min(stop, at + elements) - max(start, at)
        if share > 0:
            out.append(Source(producer, share, view))
        at += elements
    return tuple(out)


def shape(x: Tensor) -> str:
    """`channels x height x width` for messages."""
    return f"{x.channels}x{x.height}x{x.width}"
