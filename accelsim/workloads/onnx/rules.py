"""Rules that the standard has in words only: its inference of shapes does not check them.

By operator, what its values must be like. A file that breaks one runs nowhere, so it is refused, not priced.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx.rule import OnnxOperator, axis_of, fits, spreads
from accelsim.workloads.onnx.values import Shape, Values

_REDUCTIONS = ("none", "add", "mul", "max", "min")

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "BitShift": {"direction": ("LEFT", "RIGHT")},
    "DepthToSpace": {"mode": ("DCR", "CRD")},
    "Gelu": {"approximate": ("none", "tanh")},
    "GridSample": {
        "mode": ("linear", "bilinear", "nearest", "cubic", "bicubic"),
        "padding_mode": ("zeros", "border", "reflection"),
    },
    "Pad": {"mode": ("constant", "reflect", "edge", "wrap")},
    "Resize": {
        "mode": ("nearest", "linear", "cubic"),
        "coordinate_transformation_mode": (
            "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
            "tf_crop_and_resize", "tf_half_pixel_for_nn",
        ),
        "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"),
        "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    },
    "RoiAlign": {"mode": ("avg", "max")},
    "ScatterElements": {"reduction": _REDUCTIONS},
    "ScatterND": {"reduction": _REDUCTIONS},
    "Upsample": {"mode": ("nearest", "linear", "bilinear")},
}  # fmt: skip
"""Attributes that are one of few words."""


def check(values: Values, node: Any, attributes: dict[str, Any]) -> None:
    """Raise AccelsimError where an operator of the standard breaks a rule, as far as its values are known."""
    one = OnnxOperator(values, node, attributes)
    for key, known in WORDS.get(one.kind, {}).items():
        one.word(key, known)
    if one.kind in RULES:
        RULES[one.kind](one)


# -- by operator -----------------------------------------------------------------------------------------


def _conv(op: OnnxOperator, weight: int = 1, bias: int = 2) -> None:
    filters = op.shape(weight)
    if filters:
        fits("the bias", op.shape(bias), [(filters[0],)])


def _conv_transpose(op: OnnxOperator) -> None:
    filters = op.shape(1)
    if filters and len(filters) > 1:
        fits("the bias", op.shape(2), [(filters[1] * op.attributes.get("group", 1),)])


def _gemm(op: OnnxOperator) -> None:
    a, b = op.shape(0), op.shape(1)
    if a and b and len(a) == len(b) == 2 and not op.attributes.get("broadcast"):
        rows = a[1 if op.attributes.get("transA") else 0]
        columns = b[0 if op.attributes.get("transB") else 1]
        spreads("the bias", op.shape(2), (rows, columns))


def _per_channel(op: OnnxOperator) -> None:
    """Scales of QuantizeLinear and DequantizeLinear: one, one a position of an axis, or one a block."""
    shape, scale = op.shape(0), op.shape(1)
    if shape is None or scale is None:
        return
    zero = op.shape(2)
    if zero is not None and (prod(zero), prod(scale)) != (1, 1):
        fits("the zero point", zero, [scale])
    if prod(scale) == 1 and len(scale) < 2:
        return
    axis = axis_of(op.attributes.get("axis", 1), len(shape))
    block = op.attributes.get("block_size", 0)
    if block and len(scale) == len(shape):
        fits("the scale", scale, [(*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])])
    else:
        fits(f"the scale along axis {axis} of {list(shape)}", scale, [(shape[axis],)])


def _positions(op: OnnxOperator) -> None:
    """Indices of a look-up along an axis."""
    shape, at = op.shape(0), op.data(1)
    if shape is None:
        return
    axis = axis_of(op.attributes.get("axis", 0), len(shape))
    for i in at or ():
        _check_index(i, axis, shape)


def _elements(op: OnnxOperator) -> None:
    """Look-ups by element: indices have the axes of the tensor, updates the shape of the indices."""
    _positions(op)
    shape, at = op.shape(0), op.shape(1)
    if shape is not None and at is not None and len(shape) != len(at):
        raise AccelsimError(f"indices of shape {list(at)} must have as many axes as {list(shape)}")
    if op.kind != "GatherElements" and at is not None:
        fits("updates", op.shape(2), [at])


def _scatter_nd(op: OnnxOperator) -> None:
    _positions_nd(op)
    shape, at = op.shape(0), op.shape(1)
    if shape is not None and at and at[-1] <= len(shape):
        fits("updates", op.shape(2), [(*at[:-1], *shape[at[-1] :])])


def _positions_nd(op: OnnxOperator) -> None:
    """Indices of a look-up along several axes at once."""
    shape, at, over = op.shape(0), op.data(1), op.shape(1)
    if shape is None or not at or not over:
        return
    first = op.attributes.get("batch_dims", 0)
    for k, i in enumerate(at):
        axis = first + k % over[-1]
        if axis < len(shape):
            _check_index(i, axis, shape)


def _check_index(i: int, axis: int, shape: Shape) -> None:
    if not -shape[axis] <= i < shape[axis]:
        raise AccelsimError(
            f"index {i} is out of range: axis {axis} of {list(shape)} has {shape[axis]} positions"
        )


def _range(op: OnnxOperator) -> None:
    if op.data(2) == [0]:
        raise AccelsimError("delta is 0, so it would never reach its limit")


def _resize(op: OnnxOperator, scales: int, sizes: int | None = None) -> None:
    known = op.data(scales)
    known = op.attributes.get("scales") if known is None and op.kind == "Upsample" else known
    if any(not isfinite(x) or x <= 0 for x in known or ()):
        raise AccelsimError(f"scales must be finite and more than 0, but got {known!r:.80}")
    wanted = op.data(sizes) if sizes is not None else None
    if any(n < 1 for n in wanted or ()):
        raise AccelsimError(f"sizes must be at least 1, but got {wanted!r:.80}")


def _split(op: OnnxOperator) -> None:
    parts = op.data(1) or op.attributes.get("split")
    if any(n < 0 for n in parts or ()):
        raise AccelsimError(f"split must have sizes of at least 0, but got {parts!r:.80}")


def _one_axis(op: OnnxOperator) -> None:
    if op.shape(1) is not None and len(op.shape(1) or ()) != 1:
        raise AccelsimError(f"input 2 must have one axis, but has shape {list(op.shape(1) or ())}")


def _expand(op: OnnxOperator) -> None:
    _one_axis(op)
    wanted = op.data(1)
    if any(n < 0 for n in wanted or ()):
        raise AccelsimError(f"shape must have sizes of at least 0, but got {wanted!r:.80}")


def _pad(op: OnnxOperator) -> None:
    shape, pads = op.shape(0), op.data(1) or op.attributes.get("pads")
    axes = op.data(3) if op.shape(3) else None
    if shape is None or pads is None:
        return
    axes = list(range(len(shape))) if axes is None else axes
    for j, axis in enumerate(axes):
        n = shape[axis_of(axis, len(shape), "axes")]
        before, after = pads[j], pads[j + len(axes)]
        if n + before + after < 0 or min(before, after) < -n:
            raise AccelsimError(f"pads {before} and {after} leave less than nothing of {n} positions")
        if op.attributes.get("mode") == b"reflect" and max(before, after) >= n:
            raise AccelsimError(f"pads {before} and {after} cannot reflect an axis of {n} positions")


def _blocks(op: OnnxOperator) -> None:
    shape, size = op.shape(0), op.attributes.get("blocksize", 1)
    if shape is None or len(shape) != 4 or size < 1:
        return  # inference says so
    if op.kind == "DepthToSpace":
        if shape[1] % size**2:
            raise AccelsimError(f"{shape[1]} channels do not make blocks of {size}x{size}")
    elif shape[2] % size or shape[3] % size:
        raise AccelsimError(f"{shape[2]}x{shape[3]} positions do not split into blocks of {size}x{size}")


def _topk(op: OnnxOperator) -> None:
    known = op.data(1) or [op.attributes.get("k", 1)]
    if known[0] < 0:
        raise AccelsimError(f"K must be at least 0, but is {known[0]}")


def _along(op: OnnxOperator) -> None:
    shape = op.shape(0)
    if shape is not None:
        axis_of(op.attributes.get("axis", -1), len(shape))


def _layer_norm(op: OnnxOperator) -> None:
    _along(op)
    shape = op.shape(0)
    if shape is not None:
        axis = op.attributes.get("axis", -1) % max(len(shape), 1)
        for k, what in ((1, "the scale"), (2, "the bias")):
            spreads(what, op.shape(k), shape[axis:])


def _instance_norm(op: OnnxOperator) -> None:
    shape = op.shape(0)
    if shape is not None and len(shape) > 1:
        for k, what in ((1, "the scale"), (2, "the bias")):
            fits(what, op.shape(k), [(shape[1],)])


def _group_norm(op: OnnxOperator) -> None:
    shape, groups = op.shape(0), op.attributes.get("num_groups", 1)
    if shape is None or len(shape) < 2:
        return
    if groups < 1 or shape[1] % groups:
        raise AccelsimError(f"{shape[1]} channels do not split into {groups} groups")
    for k, what in ((1, "the scale"), (2, "the bias")):
        fits(what, op.shape(k), [(shape[1],), (groups,)])  # a value a group before opset 21


def _prelu(op: OnnxOperator) -> None:
    shape, slope = op.shape(0), op.shape(1)
    if shape is not None and len(shape) > 1 and slope != (shape[1],):  # a value a channel before opset 7
        spreads("the slope", slope, shape)


def _lrn(op: OnnxOperator) -> None:
    if op.attributes.get("size", 1) < 1:
        raise AccelsimError(f"size must be at least 1, but is {op.attributes['size']}")


def _cumulative(op: OnnxOperator) -> None:
    shape, axis = op.shape(0), op.data(1)
    if shape is not None and axis:
        axis_of(axis[0], len(shape))


def _recurrent(op: OnnxOperator, gates: int) -> None:
    weights = op.shape(2)
    if weights and len(weights) == 3:
        ways, hidden = weights[0], weights[2]
        fits("the bias", op.shape(3), [(ways, 2 * gates * hidden)])
        x = op.shape(0)
        if x is None or len(x) != 3:
            return
        last = op.attributes.get("layout", 0)
        batch = x[0 if last else 1]
        fits("sequence_lens", op.shape(4), [(batch,)])
        for k, what in ((5, "initial_h"), (6, "initial_c")):
            fits(what, op.shape(k), [(batch, ways, hidden) if last else (ways, batch, hidden)])
        fits("P, the peepholes,", op.shape(7), [(ways, 3 * hidden)])


def _lengths(op: OnnxOperator) -> None:
    shape = op.shape(0)
    if shape is not None and len(shape) > 1:
        batch = axis_of(op.attributes.get("batch_axis", 1), len(shape), "batch_axis")
        axis_of(op.attributes.get("time_axis", 0), len(shape), "time_axis")
        fits("sequence_lens", op.shape(1), [(shape[batch],)])


def _unpool(op: OnnxOperator) -> None:
    shape = op.shape(0)
    if shape is not None:
        fits("I, the positions,", op.shape(1), [shape])


def _deform(op: OnnxOperator) -> None:
    x, filters, offset = op.shape(0), op.shape(1), op.shape(2)
    if x and filters and offset and len(x) == len(filters) == len(offset):
        groups = op.attributes.get("offset_group", 1)
        channels = groups * prod(filters[2:]) * (len(x) - 2)
        fits("offset without its map", offset[:2], [(x[0], channels)])


def _boxes(op: OnnxOperator) -> None:
    boxes, scores = op.shape(0), op.shape(1)
    if boxes is None or scores is None:
        return
    if len(boxes) != 3 or boxes[2] != 4:
        raise AccelsimError(f"boxes must have shape [batches, boxes, 4], but have {list(boxes)}")
    if len(scores) != 3 or (scores[0], scores[2]) != boxes[:2]:
        raise AccelsimError(
            f"scores must have shape [{boxes[0]}, classes, {boxes[1]}], but have {list(scores)}"
        )


def _regions(op: OnnxOperator) -> None:
    for key in ("output_height", "output_width"):
        if op.attributes.get(key, 1) < 1:
            raise AccelsimError(f"{key} must be at least 1, but is {op.attributes[key]}")


RULES: dict[str, Callable[[OnnxOperator], None]] = {
    "Conv": _conv, "QLinearConv": lambda op: _conv(op, 3, 8),
    "ConvTranspose": _conv_transpose, "Gemm": _gemm,
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _per_channel),
    "Gather": _positions, **dict.fromkeys(("GatherElements", "ScatterElements", "Scatter"), _elements),
    "GatherND": _positions_nd, "ScatterND": _scatter_nd,
    "Range": _range, "Resize": lambda op: _resize(op, 2, 3), "Upsample": lambda op: _resize(op, 1),
    "Split": _split, "Expand": _expand, "Reshape": _one_axis, "Tile": _one_axis, "Pad": _pad, "TopK": _topk,
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _blocks),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _layer_norm),
    "InstanceNormalization": _instance_norm, "GroupNormalization": _group_norm, "PRelu": _prelu, "LRN": _lrn,
    **dict.fromkeys(("CumSum", "CumProd"), _cumulative),
    "LpNormalization": _along, "ReverseSequence": _lengths, "MaxUnpool": _unpool, "DeformConv": _deform,
    "LSTM": lambda op: _recurrent(op, 4), "GRU": lambda op: _recurrent(op, 3),
    "RNN": lambda op: _recurrent(op, 1), "NonMaxSuppression": _boxes, "RoiAlign": _regions,
}  # fmt: skip
