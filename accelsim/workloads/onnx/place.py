"""Which rows and columns of a layer a view of its result shows: windows between views and layers."""

from __future__ import annotations

from math import prod

from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx.parts import Part
from accelsim.workloads.onnx.values import Shape
from accelsim.workloads.reach import Reads, RowWindow, Shift, View, Whole, Window
from accelsim.workloads.region import Axis as Factors
from accelsim.workloads.region import Factor

PLANES = {3: (1, None), 4: (2, 3)}
"""Axes of rows and columns by rank."""


def plane(shape: Shape) -> tuple[int, int]:
    """Rows and columns of a tensor: one row of tokens a position, or a map."""
    if len(shape) == 3:
        return shape[1], 1
    return prod(shape[2:3]), prod(shape[3:])


def own(layer: Layer, shape: Shape) -> View | Whole:
    """Where the rows and columns of a layer's result of `shape` lie in the layer's P x Q."""
    shifts = []
    for size, made in zip(plane(shape), (layer.P, layer.Q)):
        if size == made:
            shifts.append(Shift())
        elif made == 1 or (size % made == 0 and layer.op == "eltwise" and layer.K > 1):
            shifts.append(Shift(size // made))
        else:
            return Whole(f"its results do not lie on the {layer.P}x{layer.Q} of its nest")
    return View(shifts[0], shifts[1])


def default(layer: Layer, shape: Shape | None) -> Reads:
    """What a piece of a layer reads of an operand, position by position where the sizes agree."""
    if shape is None:
        return Whole("where its elements lie is not known")
    axes = []
    for size, made in zip(plane(shape), (layer.P, layer.Q)):
        if size == made:
            axes.append(RowWindow())
        elif made == 1:
            axes.append(RowWindow(kernel=size))
        else:
            rows, cols = plane(shape)
            one = (rows, cols) == (1, 1)
            return Whole("one value a channel" if one else f"a map of {rows}x{cols} is read by others")
    return Window(axes[0], axes[1])


def view(part: Part, shape: Shape | None, base: View | Whole, last: bool) -> View | Whole:
    """Where the rows and columns of a tensor of `shape` lie in the layer behind one of its parts.

    base  the same of the whole tensor that the layer made
    last  that tensor has its channels last
    """
    if isinstance(base, Whole):
        return base
    if part.axes is None or shape is None:
        return Whole("where its elements lie is not known")
    source = part.source.shape
    at = (1, 2) if last else PLANES.get(len(source), (None, None))
    shown = PLANES.get(len(shape), (None, None))
    if len(source) > 4 or len(shape) > 4:
        return Whole("a tensor of more than four axes has no rows and columns")
    shifts = []
    for i, below, along in ((0, at[0], shown[0]), (1, at[1], shown[1])):
        size = 1 if below is None else source[below]
        unit = 1 if below is None else prod(source[below + 1 :])
        for k, axis in enumerate(part.axes):
            if k != along and any(_steps(f, unit, size) != 0 for f in axis):
                other = shown[1 - i]
                if k == other:
                    return Whole("rows and columns lie in another order")
                return Whole("the map is flattened" if len(shape) < 3 else "the map is reshaped")
        first = part.offset // unit % size
        start = 0 if along is None else part.start[along]
        shift = _shift(() if along is None else part.axes[along], unit, size, first, start)
        if shift is None:
            return Whole("rows or columns are repeated, skipped or reversed")
        shifts.append(shift)
    return View(*(_after(a, b) for a, b in zip(shifts, base)))


def _steps(factor: Factor, unit: int, size: int) -> int | None:
    """Rows between neighbours of a factor, 0 if it stays in its row, None if it does neither."""
    n, s = factor
    if n == 1 or s % (unit * size) == 0 or size == 1:
        return 0
    if s > 0 and (n - 1) * s < unit:
        return 0
    if s > 0 and s % unit == 0 and s // unit * (n - 1) < size:
        return s // unit
    return None


def _shift(axis: Factors, unit: int, size: int, first: int, start: int) -> Shift | None:
    steps = [_steps(f, unit, size) for f in axis]
    moving = [k for k, step in enumerate(steps) if step != 0]
    if not moving:
        total = prod(n for n, _ in axis)
        return Shift(total, total * first - start)
    if moving != [0] or steps[0] != 1:
        return None
    up = prod(n for n, _ in axis[1:])
    return Shift(up, up * first - start)


def _after(one: Shift, then: Shift) -> Shift:
    """Row v is row ((v + a) // u + b) // w of the layer."""
    return Shift(one.upsample * then.upsample, one.offset + then.offset * one.upsample)
