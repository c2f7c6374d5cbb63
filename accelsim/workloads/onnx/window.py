"""Windows and shapes of ONNX operators, checked before they are believed.

Shape inference stays silent where an operator contradicts itself: it leaves the result's shape out, or takes
the attributes' word for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError, nearest

Shape = tuple[int, ...]

AUTO_PAD = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


class SlidingWindow(NamedTuple):
    """A sliding window, one number an axis; `pads` (before, after), None where the sizes decide ("same")."""

    kernel: Shape
    stride: Shape
    dilation: Shape
    pads: tuple[tuple[int, int], ...] | None
    lower: bool = False

    def padding(self, size: Shape) -> tuple[tuple[int, int], ...]:
        """(before, after) of each axis over a map of `size`."""
        if self.pads is not None:
            return self.pads
        out = []
        for n, k, s, d in zip(size, self.kernel, self.stride, self.dilation):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            small, large = total // 2, total - total // 2
            out.append((large, small) if self.lower else (small, large))
        return tuple(out)

    def touches(self, size: Shape, made: Shape) -> tuple[Sequence[int], ...]:
        """Rows of each axis of a map of `size` that `made` positions read, padding left out."""
        out: list[Sequence[int]] = []
        for n, p, k, s, d, (before, _) in zip(
            size, made, self.kernel, self.stride, self.dilation, self.padding(size)
        ):
            if d == 1 and k >= s:
                out.append(range(max(-before, 0), max(min((p - 1) * s + k - before, n), 0)))
                continue
            rows = {a * s + i * d - before for a in range(p) for i in range(k)}
            out.append(sorted(x for x in rows if 0 <= x < n))
        return tuple(out)

    def outputs(self, size: Shape, ceil_mode: bool = False) -> Shape:
        """Positions of the window along each axis. Raises AccelsimError where it does not fit."""
        out = []
        for n, k, s, d, (before, after) in zip(
            size, self.kernel, self.stride, self.dilation, self.padding(size)
        ):
            room = n + before + after - (k - 1) * d - 1
            count = (room + (s - 1 if ceil_mode else 0)) // s + 1
            if ceil_mode and count > 1 and (count - 1) * s >= n + before:
                count -= 1
            if room < 0 and count < 1:
                raise AccelsimError(
                    f"input {'x'.join(map(str, size))} is too small for kernel "
                    f"{'x'.join(map(str, self.kernel))}"
                )
            out.append(count)
        return tuple(out)


def weighted_window(attributes: dict[str, Any], image: Shape, weights: Shape) -> SlidingWindow:
    """Window of a convolution over a map of shape `image`; its kernel is in the weights' shape.

    Raises AccelsimError naming the attribute, also where `kernel_shape` says something else.
    """
    if len(weights) != len(image) or len(weights) < 3:
        raise AccelsimError(f"weights of shape {list(weights)} do not fit an input of shape {list(image)}")
    stated = attributes.get("kernel_shape")
    if stated is not None and stated != list(weights[2:]):
        raise AccelsimError(
            f"kernel_shape is {stated!r:.80}, but the weights of shape {list(weights)} have a kernel of "
            f"{list(weights[2:])}"
        )
    return _window(attributes, tuple(weights[2:]), len(weights) - 2)


def pool_window(attributes: dict[str, Any], image: Shape) -> SlidingWindow:
    """Window of a pooling over a map of shape `image`. Raises AccelsimError naming the attribute."""
    axes = max(len(image) - 2, 1)
    if "kernel_shape" not in attributes:
        raise AccelsimError("kernel_shape is missing")
    return _window(attributes, tuple(_sizes(attributes, "kernel_shape", axes)), axes)


def transposed_output(attributes: dict[str, Any], window: SlidingWindow, size: Shape) -> tuple[Shape, Shape]:
    """(padding before, output size) of a transposed convolution over a map of `size`, by ONNX's rule."""
    axes = len(size)
    extra = _sizes(attributes, "output_padding", axes, least=0, default=0)
    full = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, k, s, d, e in zip(size, window.kernel, window.stride, window.dilation, extra)
    ]
    stated = attributes.get("output_shape")
    _check_extra(extra, window, "output_padding")
    if stated is None and window.pads is not None:
        made = tuple(n - a - b for n, (a, b) in zip(full, window.pads))
        before = tuple(a for a, _ in window.pads)
    else:
        if stated is None:
            made = tuple(n * s for n, s in zip(size, window.stride))
        else:
            made = tuple(_sizes(attributes, "output_shape", axes))
        total = [n - m for n, m in zip(full, made)]
        if stated is not None:
            beyond = [max(e - t, 0) for e, t in zip(extra, total)]
            _check_extra(beyond, window, f"output_shape {stated!r:.80} means output_padding, which")
        same_upper = window.pads is None and not window.lower
        before = tuple(max(t, 0) // 2 if same_upper else max(t, 0) - max(t, 0) // 2 for t in total)
    if min(made) < 1:
        raise AccelsimError(
            f"input {'x'.join(map(str, size))} is too small: the output would be {list(made)}"
        )
    return before, made


def _check_extra(extra: Iterable[int], window: SlidingWindow, what: str) -> None:
    """Raise AccelsimError unless what is added to an output is less than its stride or dilation."""
    most = [max(s, d) - 1 for s, d in zip(window.stride, window.dilation)]
    if any(e > m for e, m in zip(extra, most)):
        raise AccelsimError(
            f"{what} must be less than stride or dilation, at most {most}, but is {list(extra)}"
        )


def word_of(attributes: dict[str, Any], key: str, known: Sequence[str]) -> str:
    """A word, by default the first. Raises AccelsimError unless it is one that the standard has."""
    said = attributes.get(key, known[0])
    word = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if word not in known:
        raise AccelsimError(f"{key}: unknown word {word!r:.80}{nearest(word, known)}")
    return word


def _window(attributes: dict[str, Any], kernel: Shape, axes: int) -> SlidingWindow:
    word = word_of(attributes, "auto_pad", AUTO_PAD)
    sizes = _sizes(attributes, "pads", 2 * axes, least=0, default=0)
    pads: tuple[tuple[int, int], ...] | None = tuple(zip(sizes[:axes], sizes[axes:]))
    if word != "NOTSET" and any(sizes):
        raise AccelsimError(
            f"auto_pad {word} and pads {sizes!r:.80} contradict each other; state one of them"
        )
    if word == "VALID":
        pads = ((0, 0),) * axes
    if word.startswith("SAME"):
        pads = None
    stride, dilation = (tuple(_sizes(attributes, key, axes)) for key in ("strides", "dilations"))
    return SlidingWindow(kernel, stride, dilation, pads, word == "SAME_LOWER")


def _sizes(attributes: dict[str, Any], key: str, count: int, least: int = 1, default: int = 1) -> list[int]:
    values = attributes.get(key, [default] * count)
    if not isinstance(values, list) or len(values) != count or not all(_is_size(v, least) for v in values):
        raise AccelsimError(
            f"{key} must be {count} whole numbers of at least {least}, but got {values!r:.80}"
        )
    return values


def _is_size(value: Any, least: int) -> bool:
    return isinstance(value, int) and value >= least


def check_broadcast(shapes: Iterable[Shape]) -> None:
    """Raises AccelsimError unless the shapes, aligned at their last axes, agree but for sizes of 1."""
    shapes = list(shapes)
    for sizes in zip_longest(*(s[::-1] for s in shapes), fillvalue=1):
        if len(set(sizes) - {1}) > 1:
            raise AccelsimError(f"shapes {' and '.join(str(list(s)) for s in shapes)} do not broadcast")
