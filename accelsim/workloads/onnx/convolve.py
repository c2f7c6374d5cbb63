"""Convolutions, transposed convolutions and pooling with any number of spatial axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads import phases
from accelsim.workloads.layer import Layer, touched
from accelsim.workloads.network import Selection
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.combine import join
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.values import Shape
from accelsim.workloads.onnx.window import SlidingWindow, pool_window, transposed_output, weighted_window
from accelsim.workloads.reach import Reads, RowWindow, Shift, View, Whole, upsampled
from accelsim.workloads.reach import Window as Rows


def conv(graph: Graph, node: Any, weight: int = 1, bias: int = 2, last: bool = False) -> None:
    """Convolution; `weight` and `bias` are positions among the inputs; `last`: channels stand last."""
    x, w = node.input[0], weight_input(node, weight)
    attributes = graph.attributes(node)
    image, filters = graph.shape(x), graph.shape(w)
    if last:
        image, filters = channels_first(image), channels_first(filters)
    window = weighted_window(attributes, image, filters)
    out, per_group = filters[:2]
    groups = attributes.get("group", 1)
    check_channels(image[1], per_group * groups, out, groups)
    made = window.outputs(image[2:])
    y = node.output[0]
    shape = (image[0], out, *made)
    if last:
        shape = (image[0], *made, out)
    graph.agree(node.output[0], shape)
    layer = nested(image[0], groups, out // groups, per_group, made, window, "conv", graph.name(node))
    said_if_folded(graph, made, window)
    reads = slides(window, image[2:])
    seen = windowed(graph, x, window, made, last)
    beside = node.input[bias : bias + (2 if node.op_type == "FusedConv" else 1)]  # a residual may follow
    weighted(graph, node, layer, x, w, beside, y, reads, seen)


def weighted(
    graph: Graph, node: Any, layer: Layer, x: str, w: str, bias: Sequence[str], y: str,
    reads: Reads | None = None, seen: Operand | None = None,
) -> None:  # fmt: skip
    """A layer with one weight operand, constant or not, and a bias; `seen` is what it reads of `x`."""
    constant = [b for b in (w, *bias) if b and not graph.activation(b)]
    i = graph.emit(
        layer, [x if seen is None else seen], factors=[w], params=graph.params(constant), reads=reads
    )
    with_bias(graph, node, i, bias, y)


def with_bias(graph: Graph, node: Any, i: int, bias: Iterable[str], y: str) -> None:
    """The result of layer `i`, to which a bias that is data is added as any tensor is."""
    extra = [b for b in bias if b and graph.activation(b) and graph.elements(b) > 1]
    if not extra:
        graph.make(y, i)
        return
    shape, before = graph.shape(y), f"{y}:product"
    graph.values.define(before, shape, graph.values.kind(y))
    graph.make(before, i)
    operands = [before]
    for b in extra:
        own = graph.shape(b)
        if len(own) == 1 and len(shape) > 2 and own[0] == shape[1] and node.op_type != "MatMul":
            new, wide = f"{y}:{b}", (*own, *(1,) * (len(shape) - 2))  # one value a channel
            graph.values.define(new, wide, graph.values.kind(b))
            graph.parts[new] = P.reshape(graph.read(b), own, wide)
            b = new
        operands.append(b)
    join(graph, node, operands, [], 0, suffix=".bias")


def windowed(graph: Graph, x: str, window: SlidingWindow, made: Shape, last: bool = False) -> Operand:
    """The rows and columns of a map that a window reads; a stride may skip some."""
    shape = graph.shape(x)
    first = 1 if last else 2
    rows = window.touches(shape[first : first + len(made)], made)
    return Operand(P.touched(graph.read(x), shape, dict(enumerate(rows, first))), shape)


def slides(window: SlidingWindow, size: Shape) -> Reads:
    """What a piece of a sliding window reads of a map of `size`."""
    if len(size) > 2:
        return Whole("windows over three axes")
    axes = [
        RowWindow(s, d, k, before)
        for k, s, d, (before, _) in zip(window.kernel, window.stride, window.dilation, window.padding(size))
    ]
    return Rows(*[*axes, RowWindow(), RowWindow()][:2])


def conv_transpose(graph: Graph, node: Any) -> None:
    """Transposed convolution, by the phases of its stride."""
    x, w = node.input[0], weight_input(node)
    attributes = graph.attributes(node)
    image, filters = graph.shape(x), graph.shape(w)
    window = weighted_window(attributes, image, filters)
    channels, per_group = filters[:2]
    groups = attributes.get("group", 1)
    check_channels(image[1], channels, per_group * groups, groups)
    before, made = transposed_output(attributes, window, image[2:])
    graph.agree(node.output[0], (image[0], per_group * groups, *made))
    axes = [
        phases.pieces(*sizes)
        for sizes in zip(image[2:], window.kernel, window.stride, window.dilation, before, made)
    ]
    if not all(axes):
        raise AccelsimError("the kernel reaches no output")
    several = list(product(*axes))
    params = graph.params([b for b in (w, *node.input[2:3]) if not graph.activation(b)])
    out = []
    reads = _subpixel_window(window, before, len(several))
    for j, piece in enumerate(several):
        suffix = f".phase{j}" if len(several) > 1 else ""
        members = prod(len(a.members) for a in piece)
        layer = nested(
            image[0], groups, per_group * members, channels // groups, tuple(a.outputs for a in piece),
            SlidingWindow(
                tuple(a.taps for a in piece), (1,) * len(piece), tuple(a.dilation for a in piece),
                ((0, 0),) * len(piece),
            ),
            "conv", graph.name(node, suffix),
        )  # fmt: skip
        inputs = [_rows(graph, x, piece)]
        if graph.activation(w):
            i = graph.emit(layer, inputs, factors=[w], params=params, reads=reads)
        else:
            shares = product(*(a.members for a in piece))
            held = [Selection(w, phases.kernel_share(filters, one)) for one in shares]
            i = graph.emit(
                layer, inputs, params=params, weights=held, weight_elements=layer.weight_elements,
                weight_bits=graph.read(w)[0].bits, reads=reads,
            )  # fmt: skip
        params = 0
        out.append(i)
    y = node.output[0]
    apart = graph.elements(y) - sum(graph.layers[i].output_elements for i in out)
    if apart > 0:
        graph.note(f"the kernel of {y!r} does not reach {apart:,} of its elements; they count nowhere")
    graph.make(y, *out, base=_subpixels(window, image[2:], made, reads), gaps=apart > 0)


def _rows(graph: Graph, x: str, piece: tuple[phases.AxisPiece, ...]) -> str | Operand:
    """The rows of the input that a piece reads."""
    parts, shape = graph.read(x), graph.shape(x)
    if all(len(a.rows) == n for a, n in zip(piece, shape[2:])):
        return x
    wanted = {axis: sorted(one.rows) for axis, one in enumerate(piece, 2)}
    return Operand(P.touched(parts, shape, wanted))


def _subpixel_window(window: SlidingWindow, before: Shape, several: int) -> Reads:
    """What a piece of the one convolution on sub-pixels reads."""
    if several > 1 or len(before) > 2 or max(window.dilation) > 1:
        return Whole("its phases are convolutions of their own")
    axes = [upsampled(k, s, pad) for k, s, pad in zip(window.kernel, window.stride, before)]
    return Rows(*[*axes, RowWindow()][:2])


def _subpixels(window: SlidingWindow, size: Shape, made: Shape, reads: Reads) -> View | Whole:
    """Where the rows and columns of the result lie in that convolution."""
    if isinstance(reads, Whole):
        return Whole("its phases lie between each other")
    if any(m > n * s for m, n, s in zip(made, size, window.stride)):
        return Whole("the last rows of the transposed convolution lie outside its sub-pixels")
    shifts = [Shift(s) for s in window.stride]
    return View(*[*shifts, Shift()][:2])


def pool(graph: Graph, node: Any, last: bool = False) -> None:
    """Pooling window."""
    image = graph.shape(node.input[0])
    if last:
        image = channels_first(image)
    attributes = graph.attributes(node)
    window = pool_window(attributes, image)
    made = window.outputs(image[2:], bool(attributes.get("ceil_mode")))
    said = graph.values.find(node.output[0])
    if attributes.get("ceil_mode") and said is not None and len(said) == len(image):
        made = said[1:-1] if last else said[2:]  # whether the last window counts differs between opsets
    graph.agree(node.output[0], (image[0], *made, image[1]) if last else (image[0], image[1], *made))
    layer = nested(image[0], image[1], 1, 1, made, window, "pool", graph.name(node))
    said_if_folded(graph, made, window)
    outputs = [y for y in node.output if y]
    if len(outputs) > 1:  # the positions of the largest
        layer = replace(layer, K=len(outputs))
    seen = windowed(graph, node.input[0], window, made, last)
    i = graph.emit(layer, [seen], reads=slides(window, image[2:]))
    for k, y in enumerate(outputs):
        graph.make(y, i, part=k)


def global_pool(graph: Graph, node: Any, last: bool = False) -> None:
    """Pooling over the whole map."""
    image = graph.shape(node.input[0])
    if last:
        image = channels_first(image)
    if len(image) < 3:
        raise AccelsimError(f"it pools a map of at least three axes, but its input has shape {list(image)}")
    ones = (1,) * (len(image) - 2)
    graph.agree(node.output[0], (image[0], *ones, image[1]) if last else (*image[:2], *ones))
    window = SlidingWindow(image[2:], ones, ones, ((0, 0),) * len(ones))
    layer = nested(image[0], image[1], 1, 1, ones, window, "pool", graph.name(node))
    reads = Whole("pooling over the whole map")
    graph.make(node.output[0], graph.emit(layer, node.input[:1], reads=reads))


def nested(
    n: int, groups: int, k: int, c: int, made: Shape, window: SlidingWindow, op: str, name: str
) -> Layer:
    """The loop nest of a window over one, two, or more axes.

    Two axes slide. Of more, the ones whose neighbouring windows share most do; the others become separate
    images (N) with their kernel among the channels (C), which reads what such windows share again.
    """
    axes = list(zip(made, window.kernel, window.stride, window.dilation))
    while len(axes) > 2:
        again = [_again(*axis) for axis in axes]
        p, r, _, _ = axes.pop(again.index(min(again)))
        n *= p
        c *= r
    if not axes:
        axes = [(1, 1, 1, 1)]
    if len(axes) == 1:
        axes.append((1, 1, 1, 1))
    (p, r, sh, dh), (q, s, sw, dw) = axes
    return Layer(n, groups, k, c, p, q, r, s, (sh, sw), (dh, dw), op, name)


def _again(p: int, r: int, stride: int, dilation: int) -> float:
    """How often an axis of `p` windows of `r` reads each row that it touches, if it does not slide."""
    return p * r / touched(p, r, stride, dilation)


def said_if_folded(graph: Graph, made: Shape, window: SlidingWindow) -> None:
    """Note where windows over three axes all overlap, so that one axis reads again what they share."""
    several = zip(made, window.kernel, window.stride, window.dilation)
    if len(made) > 2 and min(_again(*axis) for axis in several) > 1:
        graph.note("windows over three axes slide along two; along the third what they share is read again")


def weight_input(node: Any, position: int = 1) -> str:
    """The name of the weight operand."""
    if len(node.input) <= position or not node.input[position]:
        raise AccelsimError("the weight input is missing")
    return str(node.input[position])


def channels_first(shape: Shape) -> Shape:
    """[N, ..., C] as [N, C, ...]."""
    return (shape[0], shape[-1], *shape[1:-1])


def check_channels(got: int, wanted: int, out: int, groups: int) -> None:
    """Raises AccelsimError unless the channels of a map and of filters agree."""
    if got != wanted or groups < 1 or out % groups or wanted % groups:
        raise AccelsimError(
            f"{got} input channels do not fit weights for {wanted} input and {out} output channels "
            f"in {groups} groups"
        )
