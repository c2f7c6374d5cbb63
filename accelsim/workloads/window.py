"""Sliding windows: how kernel, stride, padding and dilation turn an input size into an output size."""

from __future__ import annotations

from functools import lru_cache

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import check_size

Size = int | tuple[int, int]
"""One number for rows and columns, or (rows, columns)."""

Padding = int | tuple[int, int] | tuple[int, int, int, int]
"""One number, (rows, columns), or (top, left, bottom, right)."""


def pair(value: Size) -> tuple[int, int]:
    """(rows, columns)."""
    return (value, value) if isinstance(value, int) else value


def pads(value: Padding) -> tuple[int, int, int, int]:
    """(top, left, bottom, right)."""
    if isinstance(value, int):
        return (value, value, value, value)
    return value if len(value) == 4 else (value[0], value[1], value[0], value[1])


def before(kernel: Size, padding: Padding | None, dilation: Size = 1) -> tuple[int, int]:
    """Padding above and to the left; `padding` as in `output`."""
    if padding is None:
        (r, s), d = pair(kernel), pair(dilation)
        return (r - 1) * d[0] // 2, (s - 1) * d[1] // 2
    return pads(padding)[:2]


def output(
    name: str, height: int, width: int, kernel: Size, stride: Size, padding: Padding | None,
    dilation: Size = 1, ceil_mode: bool = False,
) -> tuple[int, int, tuple[int, int]]:  # fmt: skip
    """Output rows, output columns, and the kernel as a pair.

    With `ceil_mode` a window that starts inside the input (or its leading padding) counts though it hangs
    over the end, PyTorch's rule. Raises AccelsimError, with the smallest input that works, if none fits.
    """
    try:
        return _output(height, width, kernel, stride, padding, dilation, ceil_mode)
    except AccelsimError as fault:
        raise AccelsimError(f"layer {name!r}: {fault}") from None


@lru_cache(4096)  # networks repeat few shapes, and a search builds networks by the thousand
def _output(
    height: int,
    width: int,
    kernel: Size,
    stride: Size,
    padding: Padding | None,
    dilation: Size,
    ceil_mode: bool,
) -> tuple[int, int, tuple[int, int]]:
    k, s, d = pair(kernel), pair(stride), pair(dilation)
    for values, what in ((k, "kernel"), (s, "stride"), (d, "dilation")):
        for value in values:
            check_size(value, what, 1)
    span = tuple(d[axis] * (k[axis] - 1) + 1 for axis in (0, 1))
    if padding is None:
        padding = ((span[0] - 1) // 2, (span[1] - 1) // 2)
    top, left, bottom, right = pads(padding)
    for value in (top, left, bottom, right):
        check_size(value, "padding", 0)
    hang = tuple(s[axis] - 1 if ceil_mode else 0 for axis in (0, 1))
    sizes = []
    for axis, size, before, after in ((0, height, top, bottom), (1, width, left, right)):
        count = (size + before + after - span[axis] + hang[axis]) // s[axis] + 1
        if ceil_mode and count > 1 and (count - 1) * s[axis] >= size + before:
            count -= 1
        sizes.append(count)
    if min(sizes) < 1:
        least_h = max(1, span[0] - top - bottom - hang[0])
        least_w = max(1, span[1] - left - right - hang[1])
        pad = f"{top}x{left}" if (top, left) == (bottom, right) else f"{(top, left, bottom, right)}"
        spread = f", dilation {d[0]}x{d[1]}" if d != (1, 1) else ""
        raise AccelsimError(
            f"input {height}x{width} is too small for kernel {k[0]}x{k[1]}, stride {s[0]}x{s[1]}, "
            f"padding {pad}{spread}; the smallest input that works is {least_h}x{least_w}"
        )
    return sizes[0], sizes[1], k
