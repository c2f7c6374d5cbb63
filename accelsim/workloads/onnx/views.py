"""Operators that move no data: the same elements, or some of them, in another shape.

They work on constants too, so that parts of one weight tensor stay parts of it.
"""

from __future__ import annotations

from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.graph import Graph
from accelsim.workloads.onnx.widths import quantised_bits

_PLAIN = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")


def _said(graph: Graph, node: Any) -> None:
    if node.op_type not in _PLAIN and graph.activation(node.input[0]):
        graph.views[node.op_type] += 1


def reshape(graph: Graph, node: Any) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    x, y = node.input[0], node.output[0]
    old = graph.shape(x)
    stated = graph.attributes(node).get("shape")
    if stated is not None and graph.values.find(y) is None:  # an attribute, and no inference, before opset 5
        known = [old[i] if n == 0 else n for i, n in enumerate(stated)]
        rest = prod(old) // max(prod(n for n in known if n != -1), 1)
        graph.values.define(y, tuple(rest if n == -1 else n for n in known), graph.values.kind(x))
    new = graph.shape(y)
    if prod(old) != prod(new):
        raise AccelsimError(f"{prod(old)} elements of {list(old)} cannot fill {list(new)}")
    graph.parts[y] = P.reshape(graph.read(x), old, new)


def transpose(graph: Graph, node: Any) -> None:
    """Axes in another order; data is read in that order from where it lies."""
    x = node.input[0]
    rank = len(graph.shape(x))
    order = graph.attributes(node).get("perm", list(reversed(range(rank))))
    if sorted(order) != list(range(rank)):
        raise AccelsimError(f"perm {order} is no order of {rank} axes")
    _said(graph, node)
    graph.parts[node.output[0]] = P.transpose(graph.read(x), order)


def slices(graph: Graph, node: Any) -> None:
    """A stretch of some axes, in steps."""
    x, y = node.input[0], node.output[0]
    shape, parts = graph.shape(x), graph.read(x)
    made = graph.shape(y)
    _said(graph, node)
    attributes = graph.attributes(node)
    starts, ends, axes, steps = (
        attributes.get(key) if len(node.input) <= k or not node.input[k] else graph.values.ints(node.input[k])
        for k, key in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    del ends
    if starts is None:
        graph.parts[y] = P.loose(parts, prod(made))
        return
    for j, start in enumerate(starts):
        axis = (axes[j] if axes else j) % len(shape)
        step = steps[j] if steps else 1
        first = start + shape[axis] if start < 0 else start
        first = min(max(first, 0), shape[axis] - 1 if step < 0 else shape[axis])
        parts = P.take(parts, shape, axis, first, made[axis], step) if made[axis] else ()
        shape = (*shape[:axis], made[axis], *shape[axis + 1 :])
    graph.parts[y] = parts


def split(graph: Graph, node: Any) -> None:
    """Stretches one after the other."""
    x = node.input[0]
    shape, parts = graph.shape(x), graph.read(x)
    axis = graph.attributes(node).get("axis", 0) % len(shape)
    _said(graph, node)
    at = 0
    for y in node.output:
        if y:
            count = graph.shape(y)[axis]
            graph.parts[y] = P.take(parts, shape, axis, at, count)
            at += count
    if at != shape[axis] and all(node.output):
        raise AccelsimError(f"the parts have {at} of {shape[axis]} positions of axis {axis}")


def expand(graph: Graph, node: Any) -> None:
    """Broadcast: nothing is copied, repeated data is read once."""
    x, y = node.input[0], node.output[0]
    _said(graph, node)
    graph.parts[y] = P.expand(graph.read(x), graph.shape(x), graph.shape(y))


def tile(graph: Graph, node: Any) -> None:
    """Each axis several times over."""
    x, y = node.input[0], node.output[0]
    old, new = graph.shape(x), graph.shape(y)
    _said(graph, node)
    graph.parts[y] = P.tile(graph.read(x), old, [b // a if a else 1 for a, b in zip(old, new)])


def pad(graph: Graph, node: Any) -> None:
    """Zeros around a tensor (or copies of its border, which bring no new data)."""
    x, y = node.input[0], node.output[0]
    old, new = graph.shape(x), graph.shape(y)
    _said(graph, node)
    attributes = graph.attributes(node)
    pads = attributes.get("pads", attributes.get("paddings"))
    if len(node.input) > 1 and node.input[1]:
        pads = graph.values.ints(node.input[1])
    rank = len(old)
    axes = list(range(rank))
    if len(node.input) > 3 and node.input[3]:
        axes = graph.values.ints(node.input[3]) or axes
    if pads is None:
        graph.parts[y] = P.loose(graph.read(x), prod(new))
        return
    before = [0] * rank
    parts, shape = graph.read(x), old
    for j, axis in enumerate(axes):
        axis %= rank
        a, b = pads[j], pads[j + len(axes)]
        if a < 0 or b < 0:
            count = shape[axis] + min(a, 0) + min(b, 0)
            parts = P.take(parts, shape, axis, max(-a, 0), count)
            shape = (*shape[:axis], count, *shape[axis + 1 :])
        before[axis] = max(a, 0)
    graph.parts[y] = P.pad(parts, before)


def concat(graph: Graph, node: Any) -> None:
    """One after the other; constants (a class token) are parameters of the layer before, or of the next."""
    y = node.output[0]
    several = [(graph.read(x), graph.shape(x)) for x in node.input if x and graph.elements(x)]
    constant = all(not graph.activation(x) for x in node.input)
    rank = len(graph.shape(y))
    axis = graph.attributes(node).get("axis", 1) % max(rank, 1)
    parts = P.concat(several, axis)
    if not constant:
        data = tuple(p for p in parts if p.source.producer != P.WEIGHT)
        params = graph.params(x for x in node.input if x and not graph.activation(x))
        parts = data
        if params:
            graph.add_params(data, params)
    graph.parts[y] = parts


def depth_to_space(graph: Graph, node: Any) -> None:
    """Channels become a block of positions."""
    x, y = node.input[0], node.output[0]
    shape = graph.shape(x)
    attributes = graph.attributes(node)
    size = attributes["blocksize"]
    n, c, h, w = shape
    _said(graph, node)
    if attributes.get("mode", b"DCR") == b"CRD":
        apart, order = (n, c // size**2, size, size, h, w), (0, 1, 4, 2, 5, 3)
    else:
        apart, order = (n, size, size, c // size**2, h, w), (0, 3, 4, 1, 5, 2)
    parts = P.transpose(P.reshape(graph.read(x), shape, apart), order)
    graph.parts[y] = P.reshape(parts, tuple(apart[i] for i in order), graph.shape(y))


def space_to_depth(graph: Graph, node: Any) -> None:
    """Blocks of positions become channels."""
    x, y = node.input[0], node.output[0]
    n, c, h, w = shape = graph.shape(x)
    size = graph.attributes(node)["blocksize"]
    _said(graph, node)
    apart, order = (n, c, h // size, size, w // size, size), (0, 3, 5, 1, 2, 4)
    parts = P.transpose(P.reshape(graph.read(x), shape, apart), order)
    graph.parts[y] = P.reshape(parts, tuple(apart[i] for i in order), graph.shape(y))


def same(graph: Graph, node: Any) -> None:
    """The tensor itself (Trilu, Identity, casts and scales of constants)."""
    _said(graph, node)
    graph.parts[node.output[0]] = graph.read(node.input[0])


def quantise(graph: Graph, node: Any) -> None:
    """A constant in a quantised type, or back from it."""
    same(graph, node)
    narrow(graph, node)


def narrow(graph: Graph, node: Any) -> None:
    """The result is stored at the width of the quantised side of a QuantizeLinear or DequantizeLinear."""
    kinds = (graph.values.kind(x) for x in (node.output[0], node.input[0]))
    bits = next(filter(None, map(quantised_bits, kinds)), 0)
    if bits:
        y = node.output[0]
        graph.parts[y] = P.quantised(graph.read(y), bits)


def gather_constant(graph: Graph, node: Any) -> None:
    """Rows of a constant at known, even positions stay a part of it; else it is a tensor of its own."""
    table, indices = node.input[:2]
    y = node.output[0]
    shape, at = graph.shape(table), graph.values.data(indices)
    if at is None or not shape or not at.size:
        return
    axis = graph.attributes(node).get("axis", 0) % len(shape)
    positions = [int(v) % shape[axis] for v in at.ravel()]
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    if step and positions == list(range(positions[0], positions[0] + step * len(positions), step)):
        found = P.take(graph.read(table), shape, axis, positions[0], len(positions), step)
        graph.parts[y] = P.reshape(found, (*shape[:axis], len(positions), *shape[axis + 1 :]), graph.shape(y))
