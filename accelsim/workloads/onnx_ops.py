"""What each ONNX operator becomes: a layer, a part of the layer before, or a view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx_graph import Graph, nest
from accelsim.workloads.onnx_window import check_broadcast, pool_window, slides, weighted_window
from accelsim.workloads.reach import SAME, Axis, Reads, Whole, Window, all_of, upsampled
from accelsim.workloads.tensor import scattered

Handler = Callable[[Graph, Any], None]


def constants(nodes: Iterable[Any], initializers: set[str]) -> set[str]:
    """Tensors that no activation reaches: the initializers, and all arithmetic on them and on shapes.

    Raises AccelsimError naming the first node that works on activations and is not in `HANDLERS`.
    """
    found = set(initializers)
    for node in nodes:
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise AccelsimError(f"{place(node)}: operators with inner graphs are not supported")
        if node.op_type in SHAPES or all(not x or x in found for x in node.input):
            found.update(node.output)
        elif node.domain not in ("", "ai.onnx"):
            raise AccelsimError(f"{place(node)}: operator of domain {node.domain!r} not supported")
        elif node.op_type not in HANDLERS:
            close = get_close_matches(str(node.op_type), HANDLERS, n=1)  # the whole list would fill a screen
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise AccelsimError(f"{place(node)}: operator not supported{hint}")
    return found


def import_node(graph: Graph, node: Any) -> None:
    """Add one operator on activations to the network. Raises AccelsimError naming the node."""
    try:
        HANDLERS[node.op_type](graph, node)
    except AccelsimError as fault:
        raise AccelsimError(f"{place(node)}: {fault}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        raise AccelsimError(f"{place(node)}: malformed operator: {type(fault).__name__}: {fault}") from None


def place(node: Any) -> str:
    """The node, for messages."""
    return f"node {node.name or (node.output[0] if node.output else '?')!r} ({node.op_type})"


# -- layers with weights -----------------------------------------------------------------------------


def conv(graph: Graph, node: Any, weight: int = 1, bias: int = 2) -> None:
    """Convolution; `weight` and `bias` are positions among the inputs."""
    x, w = node.input[0], _weight(node, weight)
    attributes = graph.attributes(node)
    window = weighted_window(attributes, graph.shape(x), graph.shape(w))
    (r, s), stride, dilation = window
    out, per_group = graph.shape(w)[:2]
    groups = attributes.get("group", 1)
    _check_channels(graph.shape(x)[1], per_group * groups, out, groups)
    n, _, p, q = planes(graph.shape(node.output[0]))
    layer = Layer(n, groups, out // groups, per_group, p, q, r, s, stride, dilation, "conv", graph.name(node))
    reads = slides(attributes, window, planes(graph.shape(x))[2:], (p, q))
    _weighted(graph, node, layer, x, w, node.input[bias:][:1], reads)


def conv_transpose(graph: Graph, node: Any) -> None:
    """Transposed convolution, as the equal convolution on sub-pixels."""
    x, w = node.input[0], _weight(node)
    attributes = graph.attributes(node)
    (r, s), stride, _ = weighted_window(attributes, graph.shape(x), graph.shape(w))
    channels, per_group = graph.shape(w)[:2]
    groups = attributes.get("group", 1)
    _check_channels(graph.shape(x)[1], channels, per_group * groups, groups)
    n, _, p, q = planes(graph.shape(x))
    layer = Layer.transposed(
        K=per_group, C=channels // groups, P_in=p, Q_in=q, R=r, S=s, N=n, G=groups,
        stride=stride, name=graph.name(node),
    )  # fmt: skip
    top, left = (*attributes.get("pads", (0, 0)), 0)[:2]
    reads: Reads = Window(upsampled(r, stride[0], top), upsampled(s, stride[1], left))
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or "output_shape" in attributes:
        reads = Whole("the padding of the transposed convolution is not stated")
    _weighted(graph, node, layer, x, w, node.input[2:3], reads)


def gemm(graph: Graph, node: Any) -> None:
    """Fully connected: rows are the batch."""
    x, w = node.input[0], _weight(node)
    attributes = graph.attributes(node)
    a, b = graph.shape(x), graph.shape(w)
    rows, inner = a[::-1] if attributes.get("transA") else a
    other, out = b[::-1] if attributes.get("transB") else b
    _check_inner(inner, other)
    if not graph.activation(x):
        x, w, rows, out = w, x, out, rows
    n, p = _rows(graph, rows)
    _weighted(
        graph, node, Layer(n, 1, out, inner, p, op="gemm", name=graph.name(node)), x, w, node.input[2:3]
    )


def matmul(graph: Graph, node: Any, right: int = 1) -> None:
    """Product with constant weights, or of two activations, one product a pair of matrices."""
    x, w = node.input[0], _weight(node, right)
    a, b = graph.shape(x), graph.shape(w)
    a, b = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    _check_inner(a[-1], b[-2])
    if not graph.activation(x):  # weights on the left: the transposed product
        x, w, a, b = w, x, (*b[:-2], b[-1], b[-2]), (*a[:-2], a[-1], a[-2])
    rows, inner, out = a[-2], a[-1], b[-1]
    if prod(b[:-2]) == 1 and not graph.activation(w):
        n, p = (a[0], prod(a[1:-1])) if len(a) > 2 else _rows(graph, rows)
        layer = Layer(n, 1, out, inner, p, op="gemm", name=graph.name(node))
    else:
        pairs = graph.elements(node.output[0]) // (rows * out)
        layer = Layer.gemm(M=rows, N=out, K=inner, batch=pairs, name=graph.name(node))
    _weighted(graph, node, layer, x, w, ())


def _weighted(
    graph: Graph, node: Any, layer: Layer, x: str, w: str, bias: Any, reads: Reads | None = None
) -> None:
    if graph.activation(w):
        extra = [b for b in bias if graph.activation(b)]
        graph.emit(node, layer, [x, *extra], 0, graph.params(bias), [w], reads)
    else:
        graph.emit(node, layer, [x], graph.elements(w), graph.params([w, *bias]), reads=reads)


# -- layers that move data ---------------------------------------------------------------------------


def pool(graph: Graph, node: Any) -> None:
    """Pooling window."""
    attributes = graph.attributes(node)
    window = pool_window(attributes, graph.shape(node.input[0]))
    (r, s), stride, dilation = window
    n, c, p, q = planes(graph.shape(node.output[0]))
    layer = Layer(n, c, 1, 1, p, q, r, s, stride, dilation, "pool", graph.name(node))
    reads = slides(attributes, window, planes(graph.shape(node.input[0]))[2:], (p, q))
    graph.emit(node, layer, node.input[:1], reads=reads)


def reduce(graph: Graph, node: Any) -> None:
    """Reduction over some axes; over the plane of a map it is global pooling."""
    shape, made = graph.shape(node.input[0]), graph.elements(node.output[0])
    if len(shape) == 4 and made == shape[0] * shape[1]:
        n, c, r, s = shape
        layer = Layer(n, c, 1, 1, 1, 1, r, s, op="pool", name=graph.name(node))
    else:
        layer = Layer(G=made, R=prod(shape) // made, op="pool", name=graph.name(node))
    graph.emit(node, layer, node.input[:1], reads=Whole("a reduction over whole axes"))


def one_pass(graph: Graph, node: Any) -> None:
    """Softmax, normalisations, resizing: each output element read and written once."""
    layer, params = graph.elementwise(node, 1), graph.params(node.input[1:])
    graph.emit(node, layer, node.input[:1], params=params, reads=_pass(graph, node))


def _pass(graph: Graph, node: Any) -> Reads:
    """What a position of a pass reads: itself, whole axes, or the pixel that resizing repeats."""
    attributes, shape = graph.attributes(node), graph.shape(node.input[0])
    if node.op_type in ("Resize", "Upsample"):
        return _resized(attributes, planes(shape)[2:], planes(graph.shape(node.output[0]))[2:])
    if node.op_type in (
        "LRN",
        "LpNormalization",
        "RMSNormalization",
        "LayerNormalization",
        "Softmax",
        "LogSoftmax",
    ):
        if node.op_type == "LRN":
            return SAME
        axis = attributes.get("axis", -1) % len(shape)
        across = {2: (1,), 3: (2,)}.get(len(shape), (1,))  # the axes of channels: rank 3 is tokens
        several = node.op_type.endswith("Normalization") and node.op_type != "LpNormalization"
        axes = set(range(axis, len(shape))) if several else {axis}
        if axes <= set(across):
            return SAME
        if len(shape) == 4 and axes <= {1, 3}:
            return Window(Axis(), all_of(shape[3]))
    return Whole(f"{node.op_type} takes its statistics over the whole map")


def _resized(attributes: dict[str, Any], before: tuple[int, ...], after: tuple[int, ...]) -> Reads:
    (ups, left), mode = (
        zip(*(divmod(b, a) for a, b in zip(before, after))),
        attributes.get("mode", b"nearest"),
    )
    if any(left) or min(ups) < 1 or mode != b"nearest":
        return Whole("resizing by no whole factor, or with more than the nearest pixel")
    return Window(Axis(upsample=ups[0]), Axis(upsample=ups[1]))


def combine(graph: Graph, node: Any) -> None:
    """Sum, product and their like. With constants of one value a channel, or with itself (x * sigmoid(x)), it
    is fused; smaller activations (squeeze-excite) ride along without a place in the loop nest.
    """  # fmt: skip
    if not graph.attributes(node).get("broadcast"):  # before opset 7 it aligns the shapes at another axis
        check_broadcast(graph.shape(x) for x in node.input if x)
    shape = graph.shape(node.output[0])
    size = prod(shape)
    data = [x for x in node.input if graph.activation(x)]
    constants = [x for x in node.input if x in graph.constants]
    large = [x for x in constants if _varies(graph.shape(x)) and graph.elements(x) * shape[0] >= size]
    params = graph.params(constants)
    if not large and len({graph.read(x) for x in data}) == 1 and graph.elements(data[0]) == size:
        graph.fuse(node, data[0], params)
        return
    operands = sum(graph.elements(x) == size for x in data) + len(large)
    graph.emit(node, graph.elementwise(node, max(operands, 1)), data, params=params)


def gather(graph: Graph, node: Any) -> None:
    """Look-up in a constant table (an embedding) is a pass over the rows found; in an activation, a view."""
    table, indices = node.input[:2]
    if graph.activation(table):
        view(graph, node)
    else:
        why = Whole("rows are looked up in a table")
        graph.emit(node, graph.elementwise(node, 1), [indices], params=graph.params([table]), reads=why)


# -- no layer ----------------------------------------------------------------------------------------


def fused(graph: Graph, node: Any) -> None:
    """Function of single values, done on the way by the layer before."""
    graph.fuse(node, node.input[0], graph.params(node.input[1:]) if node.op_type == "PRelu" else 0)


def batch_norm(graph: Graph, node: Any) -> None:
    """Scale and shift are parameters; the running statistics are not."""
    graph.fuse(node, node.input[0], graph.params(node.input[1:3]))


def view(graph: Graph, node: Any) -> None:
    """The same data, or a part, in another shape."""
    if node.op_type not in ("Flatten", "Reshape", "Squeeze", "Unsqueeze"):
        graph.views[node.op_type] += 1
    for output in node.output:
        if output:
            graph.view(node, node.input[0], output)


def concat(graph: Graph, node: Any) -> None:
    """Sources one after the other; constants (a class token) are parameters of the next source."""
    data = [x for x in node.input if graph.activation(x)]
    params = graph.params(node.input)
    sources = tuple(s for x in data for s in graph.read(x))
    planes = {nest(graph.shape(x))[2:] for x in (*data, node.output[0])}
    if len(planes) > 1:  # rows or columns one after the other
        sources = scattered(sources, "Concat joins rows or columns")
    graph.sources[node.output[0]] = sources
    layers = [i for i, *_ in graph.sources[node.output[0]] if i >= 0]
    if params and layers:
        graph.net.params[layers[-1]] += params


# -- helpers -----------------------------------------------------------------------------------------


def _weight(node: Any, position: int = 1) -> str:
    if len(node.input) <= position or not node.input[position]:
        raise AccelsimError("the weight input is missing")
    return str(node.input[position])


def planes(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Batch, channels, rows, columns of a map."""
    if not 3 <= len(shape) <= 4:
        raise AccelsimError(f"only one or two spatial axes are supported, but the map is {list(shape)}")
    return shape[0], shape[1], shape[2], shape[3] if len(shape) == 4 else 1


def _rows(graph: Graph, rows: int) -> tuple[int, int]:
    batch = graph.net.batch
    return (batch, rows // batch) if rows % batch == 0 else (1, rows)


def _varies(shape: tuple[int, ...]) -> bool:
    return sum(size > 1 for size in shape) > 1


def _check_channels(got: int, wanted: int, out: int, groups: int) -> None:
    if got != wanted or groups < 1 or out % groups or wanted % groups:
        raise AccelsimError(
            f"{got} input channels do not fit weights for {wanted} input and {out} output channels "
            f"in {groups} groups"
        )


def _check_inner(left: int, right: int) -> None:
    if left != right:
        raise AccelsimError(f"inner sizes must agree, but got {left} and {right}")


def _qlinear_conv(graph: Graph, node: Any) -> None:
    conv(graph, node, weight=3, bias=8)


def _qlinear_matmul(graph: Graph, node: Any) -> None:
    matmul(graph, node, right=3)


SHAPES = frozenset({"Constant", "Shape", "Size"})
"""Their results are constants whatever they read."""

HANDLERS: dict[str, Handler] = {
    "Conv": conv, "ConvInteger": conv, "QLinearConv": _qlinear_conv, "ConvTranspose": conv_transpose,
    "Gemm": gemm, "MatMul": matmul, "MatMulInteger": matmul, "QLinearMatMul": _qlinear_matmul,
    "BatchNormalization": batch_norm, "Concat": concat, "Gather": gather,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys((
        "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "ReduceMean", "ReduceSum", "ReduceMax",
        "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ArgMax",
        "ArgMin",
    ), reduce),
    **dict.fromkeys((
        "Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
        "MeanVarianceNormalization", "RMSNormalization", "LpNormalization", "LRN", "Resize", "Upsample",
    ), one_pass),
    **dict.fromkeys((
        "Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Where", "Mod", "And", "Or", "Xor",
        "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
    ), combine),
    **dict.fromkeys((
        "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Tanh",
        "Elu", "Selu", "Celu", "Gelu", "Erf", "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Abs",
        "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Not",
        "IsNaN", "Cast", "CastLike", "Identity", "Dropout", "QuantizeLinear", "DequantizeLinear",
    ), fused),
    **dict.fromkeys((
        "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Expand", "Tile", "Pad",
        "DepthToSpace", "SpaceToDepth", "Trilu",
    ), view),
}  # fmt: skip
"""Operators of the standard domain, and what they become."""
