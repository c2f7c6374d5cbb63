"""Transposed convolution as ordinary convolutions: the phases of its stride, axis by axis.

Output y gathers input x over tap k where `y = x * stride - pad + k * dilation`. With g = gcd(stride,
dilation), outputs with the same (y + pad) mod stride share their taps, every (stride/g)-th one: a phase, a
convolution of stride 1 and dilation dilation/g with its own share of the kernel. Phases partition taps and
outputs. Where a phase has no more outputs than there are inputs, its zeros at the borders count as data, as
those of a convolution do; where it has more, its borders are pieces of their own without any zeros. So the
taps done never exceed inputs x taps, the count of a machine that scatters, and equal it without cropping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import gcd, prod
from typing import NamedTuple

from accelsim.workloads.region import Region, region


class Taps(NamedTuple):
    """Every `step`-th tap of a kernel from `first`, `number` of them."""

    first: int
    step: int
    number: int


class AxisPiece(NamedTuple):
    """Along one axis: `outputs` rows gather `taps` rows each, spaced `dilation`.

    `members` are the shares of the kernel that do so alike; `rows` the input rows that they read.
    """

    outputs: int
    taps: int
    dilation: int
    members: tuple[Taps, ...]
    rows: frozenset[int]


def pieces(size: int, kernel: int, stride: int, dilation: int, pad: int, outputs: int) -> list[AxisPiece]:
    """The pieces of one axis of `size` inputs and `outputs` outputs, alike ones together.

    Alike are whole phases with the same sizes, and border pieces that also read the same rows.
    """
    found: dict[tuple[int, int, int, frozenset[int] | None], list[tuple[Taps, frozenset[int]]]] = {}
    for count, taps, first, zeros in _single(size, kernel, stride, dilation, pad, outputs):
        step = dilation // gcd(stride, dilation)
        rows = frozenset(
            x for j in range(count) for t in range(taps.number) if 0 <= (x := first + j - t * step) < size
        )
        if not rows:  # outputs that nothing but padding reaches
            continue
        key = (count, taps.number, step, None if zeros else rows)
        found.setdefault(key, []).append((taps, rows))
    return [
        AxisPiece(
            count, width, step, tuple(t for t, _ in several), frozenset().union(*(r for _, r in several))
        )
        for (count, width, step, _), several in found.items()
    ]


def kernel_share(filters: Sequence[int], members: Iterable[Taps]) -> Region:
    """Elements of filters [..., kernel] that the taps of a piece use, one `Taps` an axis of the kernel."""
    taps = list(members)
    rank = len(filters) - len(taps)
    strides = [prod(filters[i + 1 :]) for i in range(rank, len(filters))]
    factors = [(t.number, t.step * s) for t, s in zip(taps, strides)]
    offset = sum(t.first * s for t, s in zip(taps, strides))
    return region(offset, [(prod(filters[:rank]), prod(filters[rank:])), *factors])


def _single(
    size: int, kernel: int, stride: int, dilation: int, pad: int, outputs: int
) -> Iterator[tuple[int, Taps, int, bool]]:
    """(outputs, taps, input row of the first output and tap, whether zeros are among the data)."""
    g = gcd(stride, dilation)
    every = stride // g
    step = dilation // g
    for phase, k0 in sorted((k * dilation % stride, k) for k in range(min(every, kernel))):
        width = -(-(kernel - k0) // every)
        first = (phase - pad) % stride
        count = -(-(outputs - first) // stride)
        if count < 1:
            continue
        x0 = (first + pad - k0 * dilation) // stride
        if count <= size:
            yield count, Taps(k0, every, width), x0, True
            continue
        run: tuple[int, int, int] | None = None  # first output, taps from, taps to
        for j in range(count + 1):
            x = x0 + j
            low, high = max(0, -(-(x - size + 1) // step)), min(width - 1, x // step)
            now = (low, high) if j < count and low <= high else None
            if run is not None and now != run[1:]:
                taps = Taps(k0 + run[1] * every, every, run[2] - run[1] + 1)
                yield j - run[0], taps, x0 + run[0] - run[1] * step, False
                run = None
            if run is None and now is not None:
                run = (j, *now)
