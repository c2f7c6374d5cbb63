"""Windows and shapes of ONNX operators, checked before they are believed.

Shape inference stays silent where an operator contradicts itself: it leaves the result's shape out, or takes
the attributes' word for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads import reach

AUTO_PAD = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


class Window(NamedTuple):
    """Rows and columns of a sliding window."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]


def weighted_window(attributes: dict[str, Any], image: tuple[int, ...], weights: tuple[int, ...]) -> Window:
    """Window of a convolution over a map of shape `image`; its kernel is in the weights' shape.

    Raises AccelsimError naming the attribute, also where `kernel_shape` says something else.
    """
    if len(weights) != len(image) or len(weights) < 3:
        raise AccelsimError(f"weights of shape {list(weights)} do not fit an input of shape {list(image)}")
    kernel = pair(weights[2:])
    stated = attributes.get("kernel_shape")
    if stated is not None and stated != list(weights[2:]):
        raise AccelsimError(
            f"kernel_shape is {stated!r:.80}, but the weights of shape {list(weights)} have a kernel of "
            f"{list(weights[2:])}"
        )
    return _window(attributes, kernel, len(weights) - 2)


def pool_window(attributes: dict[str, Any], image: tuple[int, ...]) -> Window:
    """Window of a pooling over a map of shape `image`. Raises AccelsimError naming the attribute."""
    axes = max(len(image) - 2, 1)
    if "kernel_shape" not in attributes:
        raise AccelsimError("kernel_shape is missing")
    return _window(attributes, pair(_sizes(attributes, "kernel_shape", axes)), axes)


def _window(attributes: dict[str, Any], kernel: tuple[int, int], axes: int) -> Window:
    auto = attributes.get("auto_pad", b"NOTSET")
    word = auto.decode(errors="replace") if isinstance(auto, bytes) else str(auto)
    if word not in AUTO_PAD:
        raise AccelsimError(f"auto_pad: unknown word {word!r:.80}{nearest(word, AUTO_PAD)}")
    if "pads" in attributes:
        _sizes(attributes, "pads", 2 * axes, least=0)
    stride, dilation = (pair(_sizes(attributes, key, axes)) for key in ("strides", "dilations"))
    return Window(kernel, stride, dilation)


def slides(
    attributes: dict[str, Any], window: Window, size: tuple[int, ...], out: tuple[int, ...]
) -> reach.Window:
    """What a piece of a sliding window reads of a map of `size`, with the padding before that is meant."""
    auto = attributes.get("auto_pad", b"NOTSET")
    stated = attributes.get("pads", (0, 0, 0, 0))
    pads = (*stated[: len(stated) // 2], 0)[:2]
    axes = []
    for k, s, d, pad, rows, made in zip(*window, pads, size, out):
        if auto in (b"SAME_UPPER", b"SAME_LOWER"):
            total = max((made - 1) * s + (k - 1) * d + 1 - rows, 0)
            pad = (total + (auto == b"SAME_LOWER")) // 2
        axes.append(reach.Axis(s, d, k, 0 if auto == b"VALID" else pad))
    return reach.Window(axes[0], axes[1])


def _sizes(attributes: dict[str, Any], key: str, count: int, least: int = 1) -> list[int]:
    values = attributes.get(key, [1] * count)
    if not isinstance(values, list) or len(values) != count or not all(_is_size(v, least) for v in values):
        raise AccelsimError(
            f"{key} must be {count} whole numbers of at least {least}, but got {values!r:.80}"
        )
    return values


def _is_size(value: Any, least: int) -> bool:
    return isinstance(value, int) and value >= least


def pair(values: Any) -> tuple[int, int]:
    """Rows and columns of an attribute; with one axis the columns are 1."""
    sizes = tuple(values)
    if len(sizes) > 2:
        raise AccelsimError(f"only one or two spatial axes are supported, but got {list(sizes)}")
    return (sizes[0], 1) if len(sizes) == 1 else (sizes[0], sizes[1])


def check_broadcast(shapes: Iterable[tuple[int, ...]]) -> None:
    """Raises AccelsimError unless the shapes, aligned at their last axes, agree but for sizes of 1."""
    shapes = list(shapes)
    for sizes in zip_longest(*(s[::-1] for s in shapes), fillvalue=1):
        if len(set(sizes) - {1}) > 1:
            raise AccelsimError(f"shapes {' and '.join(str(list(s)) for s in shapes)} do not broadcast")
