"""`Region`: which elements of a tensor something reads, and `Axes`: how a view runs through them.

A view is affine: each of its axes is a list of (size, stride) factors, outermost first, over the row-major
positions of the tensor that holds the data. Transpositions permute axes, reshapes regroup factors, a
broadcast is a factor of stride 0, nearest-neighbour upsampling an inner one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Factor = tuple[int, int]
"""(size, stride)."""

Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]

_MOST_RUNS = 1 << 22


class Region(NamedTuple):
    """Elements `offset + sum(i_f * stride_f)` of a tensor, `i_f` below the size of factor f.

    Canonical: strides positive, descending, merged where they touch, so equal regions are equal. No element
    comes twice: each stride exceeds what the factors below it span.
    """

    offset: int
    factors: tuple[Factor, ...]

    @property
    def elements(self) -> int:
        """Distinct elements."""
        return prod(size for size, _ in self.factors)


def region(offset: int, factors: Iterable[Factor]) -> Region:
    """The elements that a view with these factors touches, broadcasts counted once."""
    kept = []
    for size, stride in factors:
        if stride < 0:
            offset, stride = offset + stride * (size - 1), -stride
        if size > 1 and stride:
            kept.append((size, stride))
    kept.sort(key=lambda f: (-f[1], f[0]))
    return Region(offset, merged(kept))


def whole(elements: int) -> Region:
    """All of a tensor."""
    return region(0, [(elements, 1)])


def distinct(regions: Iterable[Region]) -> int:
    """Elements in the union of regions of one tensor.

    Beyond 4 million runs of neighbours it is their sum, at most what spans from the first to the last.
    """
    several = set(regions)
    if len(several) == 1:
        return several.pop().elements
    if not several:
        return 0
    import numpy as np

    runs = [_runs(r) for r in several]
    first = min(r.offset for r in several)
    last = max(r.offset + sum((n - 1) * s for n, s in r.factors) for r in several)
    if any(r is None for r in runs):
        return min(sum(r.elements for r in several), last - first + 1)
    starts = np.concatenate([r[0] for r in runs if r is not None])
    ends = np.concatenate([r[1] for r in runs if r is not None])
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    return int(np.maximum(ends - np.maximum(starts, np.concatenate(([first], ends[:-1]))), 0).sum())


def _runs(one: Region) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """First and past-the-last positions of stretches of neighbours, or None if there are too many."""
    import numpy as np

    inner = next((n for n, s in one.factors if s == 1), 1)
    outer = [f for f in one.factors if f[1] != 1]
    if prod(n for n, _ in outer) > _MOST_RUNS:
        return None
    starts = np.array([one.offset], np.int64)
    for n, s in outer:
        starts = (starts[:, None] + np.arange(n, dtype=np.int64) * s).ravel()
    return starts, starts + inner


# -- axes of a view ------------------------------------------------------------------------------------


def contiguous(shape: Sequence[int]) -> Axes:
    """Axes of a whole tensor in row-major order."""
    axes: list[Axis] = []
    stride = 1
    for size in reversed(shape):
        axes.append(((size, stride),))
        stride *= size
    return tuple(reversed(axes))


def length(axis: Axis) -> int:
    """Size of an axis."""
    return prod(n for n, _ in axis)


def merged(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    """Without factors of size 1, neighbours joined where the outer one goes on where the inner one ends."""
    out: list[Factor] = []
    for n, s in factors:
        if n == 1:
            continue
        if out and out[-1][1] == n * s:
            out[-1] = (out[-1][0] * n, s)
        else:
            out.append((n, s))
    return tuple(out)


def regroup(factors: Iterable[Factor], sizes: Sequence[int]) -> Axes | None:
    """The same elements in the same order as axes of `sizes`; None if some axis would not be affine."""
    left = list(merged(factors))
    axes: list[Axis] = []
    for size in reversed(sizes):
        need, taken = size, []
        while need > 1:
            if not left:
                return None
            n, s = left.pop()
            if need % n == 0:
                taken.append((n, s))
                need //= n
            elif n % need == 0:
                taken.append((need, s))
                left.append((n // need, s * need))
                need = 1
            else:
                return None
        axes.append(merged(reversed(taken)))
    return None if left else tuple(reversed(axes))


def cut(axis: Axis, start: int, count: int, step: int = 1) -> tuple[int, Axis] | None:
    """(offset, axis) of positions start, start + step, ...; None where they are not affine."""
    if len(axis) <= 1:
        stride = axis[0][1] if axis else 0
        return start * stride, ((count, stride * step),) if count > 1 else ()
    (_, outer), inner = axis[0], axis[1:]
    block = length(inner)
    if step == 1 and start % block == 0 and count % block == 0:
        return start // block * outer, merged([(count // block, outer), *inner])
    first, last = sorted((start, start + (count - 1) * step))
    if first // block == last // block:
        found = cut(inner, start % block, count, step)
        return None if found is None else (found[0] + first // block * outer, found[1])
    return None


def refine(one: Axis, other: Axis) -> list[tuple[int, bool, bool]] | None:
    """Both axes cut into the same factors: (size, whether `one` varies, whether `other` varies)."""
    sizes = sorted({1, *_suffixes(one), *_suffixes(other)}, reverse=True)
    out = []
    for large, small in itertools.pairwise(sizes):
        if large % small:
            return None
        out.append((large // small, _varies(one, small), _varies(other, small)))
    return out


def _suffixes(axis: Axis) -> list[int]:
    return [length(axis[i:]) for i in range(len(axis) + 1)]


def _varies(axis: Axis, below: int) -> bool:
    """Whether the factor just above `below` inner positions has a stride."""
    for i in reversed(range(len(axis))):
        if length(axis[i:]) > below:
            return axis[i][1] != 0
    return False
