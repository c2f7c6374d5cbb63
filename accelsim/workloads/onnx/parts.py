"""Where the elements of an ONNX tensor really lie: views, slices and concatenations of what layers made.

A tensor is a list of parts. A part fills a box of it from one source, affinely (see `workloads.region`), or
is loose: its elements are known, but not where they stand. What no part fills is padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from accelsim.workloads.region import (
    Axes,
    Axis,
    Factor,
    Region,
    contiguous,
    cut,
    distinct,
    length,
    merged,
    region,
    regroup,
)
from accelsim.workloads.region import whole as whole_region

Shape = tuple[int, ...]

_MOST_PARTS = 64

WEIGHT = -2
"""Producer of what stands in the model file."""


class Origin(NamedTuple):
    """A tensor that holds data: made by a layer, an input of the model (`INPUT`), or in its file."""

    producer: int
    tensor: str
    shape: Shape


class Part(NamedTuple):
    """Elements of `source`. A loose part has no `axes`; `region` then holds its elements and maybe more.

    `bits` is the width that quantisation gives them, 0 where none does; `shown` the part of which a window
    reads only these.
    """

    source: Origin
    region: Region
    elements: int
    start: Shape = ()
    axes: Axes | None = None
    offset: int = 0
    bits: int = 0
    shown: Part | None = None

    @property
    def shape(self) -> Shape:
        """Sizes of the box."""
        return tuple(map(length, self.axes or ()))


Parts = tuple[Part, ...]


def made(source: Origin, bits: int = 0) -> Parts:
    """A whole tensor."""
    axes = contiguous(source.shape)
    n = prod(source.shape)
    return (Part(source, whole_region(n), n, (0,) * len(axes), axes, bits=bits),)


def stretch(source: Origin, at: int, shape: Shape, first: int, count: int, bits: int = 0) -> Parts:
    """Elements `at` and on of a source, as row-major positions `first` and on of a tensor of `shape`."""
    inner = prod(shape[1:])
    out: list[Part] = []
    while count > 0:
        row, skipped = divmod(first, inner)
        if len(shape) > 1 and (skipped or count < inner):  # a piece of one row
            n = min(inner - skipped, count)
            boxes = stretch(source, at, shape[1:], skipped, n, bits)
            out += [p._replace(start=(row, *p.start), axes=((), *(p.axes or ()))) for p in boxes]
        else:
            rows = count // inner
            n = rows * inner
            axes = contiguous((rows, *shape[1:]))
            box = Part(source, region(at, [(n, 1)]), n, (row, *(0,) * (len(shape) - 1)), axes, at, bits)
            out.append(box)
        at, first, count = at + n, first + n, count - n
    return tuple(out)


def loose(parts: Parts, elements: int | None = None) -> Parts:
    """The same elements in unknown places; given `elements`, that many of them, in even shares."""
    whole = sum(p.elements for p in parts)
    if elements is None or elements >= whole:
        return tuple(Part(p.source, p.region, p.elements, bits=p.bits) for p in parts)
    return tuple(Part(p.source, p.region, max(p.elements * elements // whole, 1), bits=p.bits) for p in parts)


def quantised(parts: Parts, bits: int) -> Parts:
    """The same elements in so many bits; 0 forgets their width."""
    return tuple(p._replace(bits=bits) for p in parts)


def _box(part: Part, start: Sequence[int], axes: Axes, offset: int) -> Part:
    touched = region(offset, (f for axis in axes for f in axis))
    return Part(part.source, touched, touched.elements, tuple(start), axes, offset, part.bits)


def transpose(parts: Parts, order: Sequence[int]) -> Parts:
    """Axis i of the result is axis `order[i]`."""
    out = []
    for p in parts:
        if p.axes is None:
            out.append(p)
        else:
            axes = p.axes
            out.append(p._replace(start=tuple(p.start[i] for i in order), axes=tuple(axes[i] for i in order)))
    return tuple(out)


def take(parts: Parts, shape: Shape, axis: int, first: int, count: int, step: int = 1) -> Parts:
    """Positions first, first + step, ... of an axis of a tensor of `shape`."""
    if (first, count, step) == (0, shape[axis], 1):
        return parts
    out: list[Part] = []
    for p in parts:
        if p.axes is None:
            return loose(parts, prod(shape) // max(shape[axis], 1) * count)
        begin, size = p.start[axis], length(p.axes[axis])
        hits = (
            [i for i in range(count) if begin <= first + i * step < begin + size]
            if step != 1
            else range(max(0, begin - first), min(count, begin + size - first))
        )
        if not len(hits):
            continue
        found = _cuts(p.axes[axis], first + hits[0] * step - begin, len(hits), step)
        if found is None:
            return loose(parts, prod(shape) // max(shape[axis], 1) * count)
        for at, more, new in found:
            start = (*p.start[:axis], hits[0] + at, *p.start[axis + 1 :])
            out.append(_box(p, start, (*p.axes[:axis], new, *p.axes[axis + 1 :]), p.offset + more))
    return tuple(out)


def _cuts(axis: Axis, first: int, count: int, step: int) -> list[tuple[int, int, Axis]] | None:
    """(position, offset, axis) of affine stretches that make up positions first, first + step, ...

    None where they are more than a few.
    """
    found = cut(axis, first, count, step)
    if found is not None:
        return [(0, *found)]
    out: list[tuple[int, int, Axis]] = []
    at = 0
    while at < count:
        position = first + at * step
        for i in range(1, len(axis) + 1):  # up to the end of the largest block that is affine
            block = length(axis[i:])
            edge = position // block * block + (block - 1 if step > 0 else 0)
            run = min((edge - position) // step + 1, count - at)
            part = cut(axis, position, run, step)
            if part is not None:
                break
        if part is None or len(out) >= _MOST_PARTS:
            return None
        out.append((at, *part))
        at += run
    return out


def touched(parts: Parts, shape: Shape, wanted: Mapping[int, Sequence[int]]) -> Parts:
    """Only the `wanted` positions, in ascending order, of some axes; each part is shown by what it was.

    The boxes no longer say where they lie.
    """
    out = list(parts)
    for axis, positions in wanted.items():
        if len(positions) == shape[axis]:
            continue
        cuts: list[Part] = []
        for p in out:
            found = _touched(p, axis, positions)
            if found is None:
                return loose(parts, prod(len(wanted.get(i, range(n))) for i, n in enumerate(shape)))
            cuts += found
        out = cuts
    return tuple(out)


def _touched(p: Part, axis: int, positions: Sequence[int]) -> list[Part] | None:
    """Boxes of the positions along an axis, None where they are not affine, or too many."""
    if p.axes is None:
        return None
    own = p.axes[axis]
    begin, size = p.start[axis], length(own)
    runs = _even([x - begin for x in positions if begin <= x < begin + size])
    if len(runs) > _MOST_PARTS:
        return None
    out = []
    for first, blocks, period, width in runs:
        if blocks > 1 and width > 1:
            if len(own) > 1:
                return None
            stride = own[0][1]
            found: list[tuple[int, int, Axis]] | None = [
                (0, first * stride, ((blocks, period * stride), (width, stride)))
            ]
        else:
            found = _cuts(own, first, blocks * width, period if width == 1 else 1)
        if found is None:
            return None
        for _, more, new in found:
            box = _box(p, p.start, (*p.axes[:axis], new, *p.axes[axis + 1 :]), p.offset + more)
            out.append(box._replace(shown=p.shown or p))
    return out


def _even(positions: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """(first, blocks, from one to the next, neighbours in each) of ascending positions."""
    blocks: list[tuple[int, int]] = []
    for x in positions:
        if blocks and sum(blocks[-1]) == x:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + 1)
        else:
            blocks.append((x, 1))
    out: list[tuple[int, int, int, int]] = []
    for first, width in blocks:
        if out and out[-1][3] == width:
            start, n, period, _ = out[-1]
            if n == 1 or start + n * period == first:
                out[-1] = (start, n + 1, first - start if n == 1 else period, width)
                continue
        out.append((first, 1, width, width))
    return out


def pad(parts: Parts, before: Sequence[int]) -> Parts:
    """The tensor begins `before` positions earlier along each axis; what comes in is padding."""
    return tuple(
        p if p.axes is None else p._replace(start=tuple(a + b for a, b in zip(p.start, before)))
        for p in parts
    )


def expand(parts: Parts, old: Shape, new: Shape) -> Parts:
    """NumPy's broadcast to `new`: leading axes and axes of size 1 repeat."""
    lead = len(new) - len(old)
    out = []
    for p in parts:
        if p.axes is None:
            out.append(p)
            continue
        axes: list[Axis] = [((n, 0),) if n > 1 else () for n in new[:lead]]
        for axis, was, now in zip(p.axes, old, new[lead:]):
            axes.append(((now, 0),) if was == 1 and now > 1 else axis)
        out.append(p._replace(start=(0,) * lead + p.start, axes=tuple(axes)))
    return tuple(out)


def diagonal(parts: Parts, shape: Shape, first: int, again: int) -> Parts:
    """Positions where two axes of one size agree; the later axis goes."""
    out = []
    for p in parts:
        known = p.axes is not None and len(p.axes[first]) <= 1 and len(p.axes[again]) <= 1
        if not known or p.shape[first] != shape[first] or p.shape[again] != shape[again]:
            return loose(parts, prod(shape) // max(shape[again], 1))
        assert p.axes is not None
        joint = ((shape[first], sum(s for axis in (p.axes[first], p.axes[again]) for _, s in axis)),)
        axes = [joint if i == first and shape[first] > 1 else axis for i, axis in enumerate(p.axes)]
        out.append(
            _box(p, p.start[:again] + p.start[again + 1 :], (*axes[:again], *axes[again + 1 :]), p.offset)
        )
    return tuple(out)


def tile(parts: Parts, shape: Shape, repeats: Sequence[int]) -> Parts:
    """Each axis several times over."""
    out = []
    for p in parts:
        if p.axes is None or any(r > 1 and n != size for r, n, size in zip(repeats, p.shape, shape)):
            return loose(parts)
        axes = tuple(merged(((r, 0), *axis)) if r > 1 else axis for r, axis in zip(repeats, p.axes))
        out.append(p._replace(axes=axes))
    return tuple(out)


def concat(several: Iterable[tuple[Parts, Shape]], axis: int) -> Parts:
    """One after the other along an axis."""
    out: list[Part] = []
    at = 0
    for parts, shape in several:
        out += pad(parts, [at if i == axis else 0 for i in range(len(shape))])
        at += shape[axis]
    return tuple(out)


def reshape(parts: Parts, old: Shape, new: Shape) -> Parts:
    """The same elements in row-major order under other sizes."""
    if old == new:
        return parts
    if not all(old) or not all(new):
        return ()
    groups = _groups(old, new)
    out = []
    for p in parts:
        found = None if p.axes is None else _reshaped(p, old, new, groups)
        if found is None:
            return loose(parts)
        out.append(found)
    return tuple(out)


def _groups(old: Shape, new: Shape) -> list[tuple[range, range]]:
    """Smallest runs of axes of both shapes that hold the same elements."""
    out, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        a, b = i, j
        n = m = 1
        while True:
            if n <= m and i < len(old) and (n < m or i == a):
                n *= old[i]
                i += 1
            elif (m < n and j < len(new)) or (j == b and j < len(new)):
                m *= new[j]
                j += 1
            else:
                break
            if n == m and j > b and i > a:
                break
        while i < len(old) and old[i] == 1 and j == len(new):
            i += 1
        while j < len(new) and new[j] == 1 and i == len(old):
            j += 1
        out.append((range(a, i), range(b, j)))
    return out


def _reshaped(p: Part, old: Shape, new: Shape, groups: list[tuple[range, range]]) -> Part | None:
    assert p.axes is not None
    axes: list[Axis] = []
    start: list[int] = []
    for a, b in groups:
        sizes = [new[j] for j in b]
        partial = [i for i in a if length(p.axes[i]) != old[i]]
        factors = [f for i in a for f in p.axes[i]]
        if not partial:
            found = regroup(factors, sizes)
            begin = [0] * len(sizes)
        else:
            # One axis is not full, before it the box is one position wide: a stretch of the group's elements.
            i = partial[-1]
            if any(length(p.axes[k]) != 1 for k in a if k < i):
                return None
            inner = [prod(old[k + 1 : a.stop]) for k in a]
            first = sum(p.start[k] * n for k, n in zip(a, inner) if k <= i)
            found, begin = _stretched(factors, first, length(p.axes[i]) * inner[i - a.start], sizes)
        if found is None:
            return None
        axes += found
        start += begin
    return p._replace(start=tuple(start), axes=tuple(axes))


def _stretched(
    factors: Iterable[Factor], first: int, count: int, sizes: Sequence[int]
) -> tuple[Axes | None, list[int]]:
    """(axes, where they begin) of a stretch of row-major positions as a box of axes of `sizes`."""
    for k, size in enumerate(sizes):
        below = prod(sizes[k + 1 :])
        row = size * below
        if first // row == (first + count - 1) // row and first % below == count % below == 0:
            begin = [first // prod(sizes[m + 1 :]) % n if m <= k else 0 for m, n in enumerate(sizes)]
            return regroup(factors, [*(1 for _ in sizes[:k]), count // below, *sizes[k + 1 :]]), begin
    return None, []


def elements(parts: Parts) -> int:
    """Distinct elements, over all sources."""
    return sum(n for *_, n in reads(parts))


def reads(parts: Parts, before: Parts = ()) -> list[tuple[Part, Origin, Region | None, int]]:
    """(part, source, region, elements) of what reading the tensor once takes, each element once.

    What `before` holds has been read already; a region may hold some of that too. It is None for all of the
    source, or where it is not known.
    """
    out: list[tuple[Part, Origin, Region | None, int]] = []
    seen: dict[Origin, list[Region]] = {}
    vague: dict[Origin, dict[Part, int]] = {}
    for p in before:
        if p.axes is not None or p.elements == p.region.elements:
            seen.setdefault(p.source, []).append(p.region)
    for p in parts:
        full = prod(p.source.shape)
        had = seen.setdefault(p.source, [])
        if p.axes is None and p.elements < p.region.elements:  # some elements, nobody knows which
            some = vague.setdefault(p.source, {})
            left = full - distinct(had) - sum(some.values())
            if left > 0 and p not in some:
                some[p] = min(p.elements, left)
                out.append((p, p.source, None, some[p]))
            continue
        if p.region in had:
            continue
        old = distinct(had)
        had.append(p.region)
        fresh = distinct(had) - old
        if fresh:
            out.append((p, p.source, p.region if fresh < full else None, fresh))
    return out


def padded(parts: Parts, shape: Shape) -> bool:
    """Whether boxes leave some of a tensor of `shape` to padding, or to constants beside the data."""
    return all(p.axes is not None for p in parts) and sum(prod(p.shape) for p in parts) < prod(shape)


def repeats(parts: Parts) -> bool:
    """Whether some element stands in several places."""
    return any(p.axes is not None and any(s == 0 and n > 1 for x in p.axes for n, s in x) for p in parts)
