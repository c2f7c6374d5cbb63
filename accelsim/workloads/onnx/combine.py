"""Sums, products and other element-wise functions of several tensors, broadcast or not."""

from __future__ import annotations

from math import prod
from typing import Any

from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.move import move
from accelsim.workloads.onnx.parts import Parts
from accelsim.workloads.onnx.roles import varying
from accelsim.workloads.onnx.values import Shape
from accelsim.workloads.onnx.window import check_broadcast


def combine(graph: Graph, node: Any) -> None:
    """Sum, product and their like.

    Fused into the layer before: constants of one value a channel, single values, and a tensor with itself
    (x * sigmoid(x)). An operand that lacks dimensions of the result takes the place of weights.
    """
    inputs = [x for x in node.input if x]
    axis = None
    if not graph.attributes(node).get("broadcast"):  # before opset 7 it aligns the shapes at another axis
        check_broadcast(graph.shape(x) for x in inputs)
        rank = max(len(graph.shape(x)) for x in inputs)
        padded = [(1,) * (rank - len(s)) + s for s in map(graph.shape, inputs)]
        graph.agree(node.output[0], tuple(0 if 0 in sizes else max(sizes) for sizes in zip(*padded)))
    else:
        axis = graph.attributes(node).get("axis")
        graph.agree(node.output[0], graph.shape(inputs[0]))
    constants = [x for x in inputs if not graph.activation(x)]
    large = [x for x in dict.fromkeys(constants) if sum(n > 1 for n in graph.shape(x)) > 1]
    params = graph.params(constants)
    data = graph.data(inputs)
    wide = [x for x in data if graph.elements(x) > 1] or data
    if (
        not large
        and len({P.quantised(graph.read(x), 0) for x in wide}) == 1
        and graph.elements(wide[0]) == graph.elements(node.output[0])
    ):
        graph.fuse(node, wide[0], params)
        return
    join(graph, node, data, large, params, axis)


def join(
    graph: Graph, node: Any, data: list[str], large: list[str], params: int, axis: int | None = None,
    suffix: str = "",
) -> None:  # fmt: skip
    """The layers of activations `data` and constants `large`, `axis` where an old operator aligns them.

    Together they read each element once: one layer where their number allows it, else two.
    """
    y = node.output[0]
    shape = graph.shape(y)
    size = prod(shape)
    wide = [x for x in data if graph.elements(x) > 1] or data
    operands = {x: _expanded(graph, x, shape, axis) for x in (*wide, *large)}
    read = P.elements(tuple(p for parts in operands.values() for p in parts))
    gaps = any(P.padded(parts, shape) for parts in operands.values())  # padding is data of a nest
    full = [x for x in dict.fromkeys(wide) if graph.elements(x) == size and not P.repeats(graph.read(x))]
    found = _apart(operands, wide, read) if len(full) < 2 else None
    if found is not None:
        one, other = found
        layer = broadcast(shape, operands[one], operands[other], graph.name(node, suffix))
        if gaps or layer.input_elements + layer.weight_elements == read:
            left = [one, *(x for x in data if x not in operands)]  # others hold nothing else
            i = graph.emit(layer, left, factors=[Operand(operands[other])], params=params)
            graph.make(y, i)
            return
    if read and read % size and size % read and not gaps:
        graph.add_params((), params)
        params = 0
        if read < size:
            move(graph, node, [*wide, *large], read, [y], suffix)
            return
        _in_two(graph, node, list(operands.values()), read, suffix)
        return
    several = (0 if gaps else read // size) or len(full) + sum(graph.elements(x) == size for x in large)
    layer = graph.elementwise(node, max(several, 1), suffix=suffix)
    if read and read < size and size % read == 0 and not gaps:  # all repeat: each makes several results
        layer = Layer(G=read, K=size // read, op="eltwise", name=layer.name)
    graph.make(y, graph.emit(layer, data, params=params))


def _in_two(graph: Graph, node: Any, operands: list[Parts], read: int, suffix: str) -> None:
    """Two layers, of which the first reads an element more for each of its results.

    The first reads what its results need, the second what is left; the first all, where views hide that.
    """
    shape = graph.shape(node.output[0])
    size = prod(shape)
    each, more = divmod(read, size)
    flat = [P.reshape(parts, shape, (size,)) for parts in operands]
    first, rest = (
        tuple(p for parts in flat for p in P.take(parts, (size,), 0, at, count))
        for at, count in ((0, more), (more, size - more))
    )
    if any(p.axes is None for p in (*first, *rest)):
        first, rest = tuple(p for parts in operands for p in parts), ()
    i = graph.emit(
        Layer(G=more, C=each + 1, op="eltwise", name=graph.name(node, f"{suffix}.part0")), [Operand(first)]
    )
    j = graph.emit(
        Layer(G=size - more, C=each, op="eltwise", name=graph.name(node, f"{suffix}.part1")),
        [Operand(rest)], before=first,
    )  # fmt: skip
    graph.join(node.output[:1], i, j)


def _expanded(graph: Graph, name: str, shape: Shape, axis: int | None) -> Parts:
    own = graph.shape(name)
    if axis is not None and len(own) < len(shape):
        at = axis % len(shape)
        own = (*own, *(1,) * (len(shape) - at - len(own)))
    return P.expand(P.reshape(graph.read(name), graph.shape(name), own), own, shape)


def _apart(operands: dict[str, Parts], data: list[str], read: int) -> tuple[str, str] | None:
    """The operand that is read as inputs and the one that takes the place of weights, if they are all.

    The largest activation, and another that shares nothing with it; not where a third holds more.
    """
    elements = {x: P.elements(parts) for x, parts in operands.items()}
    first = max(data, key=lambda x: elements[x])
    for second in operands:
        both = P.elements(operands[first] + operands[second])
        if second != first and read == both == elements[first] + elements[second]:
            return first, second
    return None


def broadcast(shape: Shape, one: Parts, other: Parts, name: str) -> Layer:
    """Each axis by the operands that vary along it: both G, the first N, P or Q, the second K."""
    size = dict.fromkeys("NGKPQ", 1)
    places = {3: "NPG"}.get(len(shape), "NGPQ")
    labels = [str(i) for i in range(len(shape))]
    for i, (label, n) in enumerate(zip(labels, shape)):
        for count, first, second in varying(label, n, (labels, shape, one), (labels, shape, other)):
            place = places[min(i, len(places) - 1)]
            alone = place if place in "PQ" else "N"
            size["G" if first and second else alone if first else "K"] *= count
    return Layer(size["N"], size["G"], size["K"], 1, size["P"], size["Q"], op="broadcast", name=name)
