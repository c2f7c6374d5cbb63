"""Which of two operands an index selects: the role that decides its dimension in a nest."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.workloads.onnx.parts import Parts
from accelsim.workloads.onnx.values import Shape
from accelsim.workloads.region import Axis, length, refine


def varying(
    label: str, size: int, *operands: tuple[Sequence[str], Shape, Parts]
) -> list[tuple[int, bool, bool]]:
    """The index in factors: (size, whether it selects the left operand, whether the right one)."""
    found = []
    for labels, _, parts in operands:
        found.append(_pattern(parts, labels.index(label), size) if label in labels else ((size, 0),))
    return refine(found[0], found[1]) or [
        (size, label in operands[0][0] and found[0] != ((size, 0),),
         label in operands[1][0] and found[1] != ((size, 0),))
    ]  # fmt: skip


def _pattern(parts: Parts, axis: int, size: int) -> Axis:
    """Factors of an axis with stride 0 where every part only repeats itself, else 1."""
    known = [p.axes[axis] for p in parts if p.axes is not None]
    if len(known) < len(parts) or not known:
        return ((size, 1),)
    pattern = known[0]
    for other in known[1:]:
        joint = refine(pattern, other) if length(other) == length(pattern) else None
        if joint is None:
            return ((size, 0),) if all(s == 0 for x in known for n, s in x if n > 1) else ((size, 1),)
        pattern = tuple((n, int(a or b)) for n, a, b in joint)
    if length(pattern) != size:  # a box shorter than the axis: something else fills the rest
        return ((size, 1),)
    return pattern
