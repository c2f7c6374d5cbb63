"""Fused and quantised operators of the domain com.microsoft, whose shapes no inference tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Selection
from accelsim.workloads.onnx import convolve as W
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx import views as V
from accelsim.workloads.onnx.combine import join
from accelsim.workloads.onnx.contract import check_inner, product_of
from accelsim.workloads.onnx.graph import Graph
from accelsim.workloads.onnx.move import move
from accelsim.workloads.onnx.rule import fits
from accelsim.workloads.onnx.widths import width
from accelsim.workloads.onnx.window import SlidingWindow, check_broadcast, pool_window, weighted_window
from accelsim.workloads.region import whole


def deform_conv(graph: Graph, node: Any) -> None:
    """Deformable convolution: a pass that samples each tap, with offsets and mask, then a 1x1 convolution."""
    x, w = node.input[0], W.weight_input(node)
    attributes = graph.attributes(node)
    image, filters = graph.shape(x), graph.shape(w)
    window = weighted_window(attributes, image, filters)
    groups = attributes.get("group", 1)
    W.check_channels(image[1], filters[1] * groups, filters[0], groups)
    made = window.outputs(image[2:])
    graph.agree(node.output[0], (image[0], filters[0], *made))
    taps, sampled = filters[1] * prod(window.kernel), f"{node.output[0]}:sampled"
    graph.values.define(sampled, (image[0], groups * taps, *made), graph.values.kind(x))
    read = graph.data([x, node.input[2], *node.input[4:5]])
    move(graph, node, read, P.elements(tuple(p for t in read for p in graph.read(t))), [sampled], ".sampled")
    ones = (1,) * len(made)
    layer = W.nested(
        image[0], groups, filters[0] // groups, taps, made, SlidingWindow(ones, ones, ones, None), "conv",
        graph.name(node),
    )  # fmt: skip
    W.weighted(graph, node, layer, sampled, w, node.input[3:4], node.output[0])


def fused_matmul(graph: Graph, node: Any) -> None:
    """Matrix product with factors turned on the way."""
    attributes = graph.attributes(node)
    i = product_of(
        graph, node, node.input[0], W.weight_input(node), node.output[0],
        bool(attributes.get("transA")), bool(attributes.get("transB")),
    )  # fmt: skip
    graph.make(node.output[0], i)


def matmul_nbits(graph: Graph, node: Any) -> None:
    """Product with weights of a few bits, packed into bytes: [N, K] elements, whatever bytes they take."""
    attributes = graph.attributes(node)
    inner, out = attributes["K"], attributes["N"]
    x, w = node.input[0], W.weight_input(node)
    shape = graph.shape(x)
    check_inner(shape[-1], inner)
    graph.agree(node.output[0], (*shape[:-1], out))
    n, p = (shape[0], prod(shape[1:-1])) if len(shape) > 2 else (1, prod(shape[:-1]))
    bits, block = attributes.get("bits", 4), attributes["block_size"]
    if not 2 <= bits <= 8 or block < 1 or inner < 1:
        raise AccelsimError(f"bits must be 2 to 8 and block_size at least 1, but are {bits} and {block}")
    if graph.elements(w) * width(graph.values.kind(w)) < out * inner * bits:
        raise AccelsimError(
            f"weights of shape {list(graph.shape(w))} do not hold {out} x {inner} elements of {bits} bits"
        )
    layer = Layer(n, 1, out, inner, p, op="gemm", name=graph.name(node))
    held = [Selection(w, whole(inner * out))]
    i = graph.emit(
        layer, [x], weights=held, weight_elements=inner * out, weight_bits=bits, params=inner * out
    )
    graph.make(node.output[0], i)


def quantised(handler: Callable[[Graph, Any], None]) -> Callable[[Graph, Any], None]:
    """The handler of an operator whose result has the type of its first input, which no inference tells."""

    def handle(graph: Graph, node: Any) -> None:
        handler(graph, node)
        x, y = node.input[0], node.output[0]
        graph.values.define(y, graph.shape(y), graph.values.kind(x))
        V.narrow(graph, node)

    return handle


def qlinear_combine(graph: Graph, node: Any) -> None:
    """Sum or product of two quantised tensors: inputs 0 and 3."""
    pair = [node.input[0], node.input[3]]
    check_broadcast(graph.shape(x) for x in pair)
    shapes = [graph.shape(x) for x in pair]
    rank = max(map(len, shapes))
    shape = tuple(max(n) for n in zip(*((1,) * (rank - len(s)) + s for s in shapes)))
    graph.agree(node.output[0], shape)
    constants = [x for x in dict.fromkeys(pair) if not graph.activation(x)]
    large = [x for x in constants if graph.elements(x) > 1]
    join(graph, node, graph.data(pair), large, graph.params(constants))


def fused(graph: Graph, node: Any) -> None:
    """Function of single values; a bias is a parameter."""
    x, y = node.input[0], node.output[0]
    graph.values.define(y, graph.shape(x), graph.values.kind(x))
    bias = node.input[1:2] if node.op_type in ("BiasGelu", "FastGelu") else ()
    graph.fuse(node, x, graph.params(b for b in bias if b and not graph.activation(b)))


def qlinear_conv(graph: Graph, node: Any) -> None:
    """Quantised convolution, channels first or last."""
    last = bool(graph.attributes(node).get("channels_last"))
    W.conv(graph, node, weight=3, bias=8, last=last)


def qlinear_global_pool(graph: Graph, node: Any) -> None:
    """Global pooling, channels first or last."""
    W.global_pool(graph, node, bool(graph.attributes(node).get("channels_last")))


def qlinear_pool(graph: Graph, node: Any) -> None:
    """Pooling, channels first or last."""
    attributes = graph.attributes(node)
    last = bool(attributes.get("channels_last"))
    image = graph.shape(node.input[0])
    if last:
        image = W.channels_first(image)
    window = pool_window(attributes, image)
    made = window.outputs(image[2:], bool(attributes.get("ceil_mode")))
    graph.agree(node.output[0], (image[0], *made, image[1]) if last else (*image[:2], *made))
    layer = W.nested(image[0], image[1], 1, 1, made, window, "pool", graph.name(node))
    seen = W.windowed(graph, node.input[0], window, made, last)
    graph.make(node.output[0], graph.emit(layer, [seen], reads=W.slides(window, image[2:])))


def qlinear_concat(graph: Graph, node: Any) -> None:
    """Tensors with a scale and a zero point each, after those of the result."""
    names = list(node.input[2::3])
    shapes = [graph.shape(x) for x in names]
    axis = graph.attributes(node)["axis"] % len(shapes[0])
    shape = list(shapes[0])
    shape[axis] = sum(s[axis] for s in shapes)
    graph.values.define(node.output[0], tuple(shape), graph.values.kind(names[0]))
    graph.parts[node.output[0]] = P.concat([(graph.read(x), graph.shape(x)) for x in names], axis)


def skip_norm(graph: Graph, node: Any) -> None:
    """Sum of two tensors and its normalisation; the sum may be a result too."""
    grouped = node.op_type == "SkipGroupNorm"  # which has the factors before the other summand
    x, skip = node.input[0], node.input[3 if grouped else 1]
    sums = (0, 1 if grouped else 3)
    shape = graph.shape(x)
    for k, y in enumerate(node.output):
        if y and k in sums:
            graph.values.define(y, shape, graph.values.kind(x))
    if graph.elements(skip) not in (prod(shape), prod(shape[1:])):
        raise AccelsimError(f"shapes {list(shape)} and {list(graph.shape(skip))} do not add up")
    factors = [t for t in node.input[1:] if t and t != skip]
    for t in factors:
        fits(f"{t!r}", graph.shape(t), [shape[-1:], shape[1:2]])  # a value a feature, or a channel
    operands = sum(graph.elements(t) == prod(shape) for t in (x, skip))
    params = graph.params(t for t in factors if not graph.activation(t))
    outputs = [y for k, y in enumerate(node.output) if y and k in sums]
    layer = replace(graph.elementwise(node, operands), K=len(outputs))
    i = graph.emit(layer, graph.data(node.input), params=params)
    for k, y in enumerate(outputs):
        graph.make(y, i, part=k)


def embed_norm(graph: Graph, node: Any) -> None:
    """Sum of two or three embeddings and its normalisation."""
    ids, table = node.input[0], node.input[2]
    shape = (*graph.shape(ids), graph.shape(table)[1])
    graph.values.define(node.output[0], shape)
    several = [t for t in node.input[2:5] if t]
    params = graph.params(t for t in node.input[2:7] if t)
    layer = graph.elementwise(node, len(several))
    i = graph.emit(layer, graph.data(node.input[:2]), params=params)
    graph.make(node.output[0], i)
    for k, y in enumerate(node.output[1:], 1):
        if y:
            graph.values.define(y, shape if k == 2 else (shape[0],), 1 if k == 2 else 6)
            graph.make(y, i, part=k)
