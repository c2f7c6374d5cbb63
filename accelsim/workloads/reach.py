"""Which rows and columns of its producer a piece of a layer reads: the window of an edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from accelsim.workloads.layer import Layer


class RowWindow(NamedTuple):
    """Rows (or columns) of a producer that the rows of a consumer read.

    Consumer row `a` reads rows `a * stride - pad + i * dilation`, i below `kernel`, of a map that shows
    every producer row `upsample` times (nearest-neighbour resizing, depth to space). A negative `pad` skips
    rows at the start, as a crop does.
    """

    stride: int = 1
    dilation: int = 1
    kernel: int = 1
    pad: int = 0
    upsample: int = 1

    def reads(self, first: int, end: int, size: int) -> tuple[int, int]:
        """Producer rows [lo, hi) that consumer rows [first, end) read of `size`; (0, 0) for none."""
        if first >= end:
            return 0, 0
        lo = max(0, first * self.stride - self.pad) // self.upsample
        last = (end - 1) * self.stride - self.pad + (self.kernel - 1) * self.dilation
        hi = min(size * self.upsample - 1, last) // self.upsample + 1
        return (lo, hi) if lo < hi else (0, 0)


@lru_cache(1 << 14)
def rows_read(axis: RowWindow, count: int, size: int) -> int:
    """Distinct producer rows of `size` that the first `count` consumer rows read."""
    if axis.dilation == 1 and axis.kernel >= axis.stride:
        first, end = axis.reads(0, count, size)
        return end - first
    starts = range(-axis.pad, count * axis.stride - axis.pad, axis.stride)
    rows = {(start + i * axis.dilation) // axis.upsample for start in starts for i in range(axis.kernel)}
    return sum(0 <= x < size for x in rows)


class Window(NamedTuple):
    """Rows and columns, each by itself."""

    rows: RowWindow = RowWindow()
    cols: RowWindow = RowWindow()


@dataclass(frozen=True, slots=True)
class Whole:
    """Every piece reads all of its producer; `why` says what makes it so, or what is not known."""

    why: str = field(compare=False)


class Shift(NamedTuple):
    """Row `v` of a tensor is row `(v + offset) // upsample` of the layer that made it."""

    upsample: int = 1
    offset: int = 0


class View(NamedTuple):
    """Where a tensor's rows and columns lie in the result of the layer that made it."""

    rows: Shift = Shift()
    cols: Shift = Shift()


Reads = Window | Whole

FACTOR = Whole("the second factor of a product is read by every row")
UNKNOWN = Whole("its window is not stated")
SAME = Window()
"""Element-wise operators: each position reads itself."""
PLAIN = View()


def seen(window: Reads, view: View | Whole) -> Reads:
    """The window on the producer, of a window on a view of its result."""
    if isinstance(window, Whole):
        return window
    if isinstance(view, Whole):
        return view
    return window if view == PLAIN else Window(*map(_seen, window, view))


def _seen(axis: RowWindow, shift: Shift) -> RowWindow:
    pad = axis.pad - shift.offset * axis.upsample
    return axis._replace(pad=pad, upsample=axis.upsample * shift.upsample)


def all_of(size: int) -> RowWindow:
    """Every row reads all `size` rows (each output row, at most `size` of them)."""
    return RowWindow(kernel=2 * size - 1, pad=size - 1)


def upsampled(kernel: int, stride: int, pad: int) -> RowWindow:
    """Transposed convolution: inputs behind the `stride` output rows that its sub-pixel nest calls one."""
    before = (kernel - 1 - pad) // stride
    return RowWindow(kernel=(stride - 1 + pad) // stride + before + 1, pad=before)


def derived(layer: Layer, size: tuple[int, int], operand: str = "I") -> Reads:
    """The window of an edge that states none, from the consumer's nest and the producer's rows and columns.

    Convolutions and pooling take the padding that "same" gives, else the smallest equal on both sides with
    which the sizes agree; other operators read their own position. `Whole` where that does not fit.
    """
    if operand == "W":
        return FACTOR
    if layer.op == "gemm" or layer.elementwise:
        fits = size == (layer.P, layer.Q)
        return SAME if fits else Whole(f"{layer.P}x{layer.Q} results do not lie on a map of {_x(size)}")
    axes = [
        _padded(out, rows, k, s, d)
        for out, rows, k, s, d in zip(
            (layer.P, layer.Q), size, (layer.R, layer.S), layer.stride, layer.dilation
        )
    ]
    if axes[0] is None or axes[1] is None:
        return Whole(f"no even padding makes {layer.P}x{layer.Q} results of a map of {_x(size)}")
    return Window(axes[0], axes[1])


def _padded(out: int, size: int, kernel: int, stride: int, dilation: int) -> RowWindow | None:
    span = (kernel - 1) * dilation + 1
    for pad in ((span - 1) // 2, *range(span)):
        if size + 2 * pad >= span and (size + 2 * pad - span) // stride + 1 == out:
            return RowWindow(stride, dilation, kernel, pad)
    return None


def _x(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
