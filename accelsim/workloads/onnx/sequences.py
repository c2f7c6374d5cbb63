"""Sequences and optional tensors: lists of tensors whose length is known move no data."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.control import rename, stack
from accelsim.workloads.onnx.graph import Graph


def _members(graph: Graph, name: str) -> list[str]:
    if name not in graph.sequences:
        raise AccelsimError(f"{name!r} is no sequence whose members are known")
    return graph.sequences[name]


def _position(graph: Graph, node: Any, k: int, size: int) -> int:
    """Input `k` as a position of a sequence, its end by default."""
    if len(node.input) <= k or not node.input[k]:
        return size
    known = graph.values.ints(node.input[k])
    if known is None:
        raise AccelsimError("a position in its sequence depends on data")
    return known[0] + size if known[0] < 0 else known[0]


def sequence(graph: Graph, node: Any) -> None:
    """SequenceConstruct, SequenceEmpty, SequenceInsert, SequenceErase, Optional of a sequence or tensor."""
    members: list[str] = []
    if node.op_type == "SequenceConstruct":
        members = list(node.input)
    elif node.op_type == "SequenceInsert":
        members = list(_members(graph, node.input[0]))
        members.insert(_position(graph, node, 2, len(members)), node.input[1])
    elif node.op_type == "SequenceErase":
        members = list(_members(graph, node.input[0]))
        at = _position(graph, node, 1, len(members) - 1)
        if not 0 <= at < len(members):
            raise AccelsimError(f"position {at} lies outside a sequence of {len(members)}")
        del members[at]
    graph.sequences[node.output[0]] = members


def at(graph: Graph, node: Any) -> None:
    """SequenceAt: one member."""
    members = _members(graph, node.input[0])
    k = _position(graph, node, 1, len(members))
    if not 0 <= k < len(members):
        raise AccelsimError(f"position {k} lies outside a sequence of {len(members)}")
    rename(graph, node.output[0], members[k])


def length(graph: Graph, node: Any) -> None:
    """SequenceLength: a constant."""
    graph.values.hold(node.output[0], np.array(len(_members(graph, node.input[0])), np.int64))
    graph.weight(node.output[0])


def split(graph: Graph, node: Any) -> None:
    """SplitToSequence: stretches of an axis; one position each, without its axis, if no split is given."""
    x, attributes = node.input[0], graph.attributes(node)
    shape, parts = graph.shape(x), graph.read(x)
    axis = attributes.get("axis", 0) % len(shape)
    sizes, keep = [1] * shape[axis], attributes.get("keepdims", 1)
    if len(node.input) > 1 and node.input[1]:
        known, keep = graph.values.ints(node.input[1]), 1
        if known is None:
            raise AccelsimError("how it splits depends on data")
        sizes = known
        if not graph.shape(node.input[1]):  # pieces of one size, the last perhaps smaller
            sizes = [min(known[0], shape[axis] - i) for i in range(0, shape[axis], known[0])]
    members, first = [], 0
    for k, size in enumerate(sizes):
        name = f"{node.output[0]}:{k}"
        cut = (*shape[:axis], size, *shape[axis + 1 :])
        made = cut if keep else (*shape[:axis], *shape[axis + 1 :])
        graph.values.define(name, made, graph.values.kind(x))
        graph.parts[name] = P.reshape(P.take(parts, shape, axis, first, size), cut, made)
        members.append(name)
        first += size
    if first != shape[axis]:
        raise AccelsimError(f"the parts have {first} of {shape[axis]} positions of axis {axis}")
    graph.sequences[node.output[0]] = members


def join(graph: Graph, node: Any) -> None:
    """ConcatFromSequence: one after the other, or along a new axis."""
    members, attributes = _members(graph, node.input[0]), graph.attributes(node)
    y, axis = node.output[0], attributes["axis"]
    if not members:
        raise AccelsimError("an empty sequence has nothing to join")
    if attributes.get("new_axis"):
        stack(graph, y, members, axis)
        return
    shapes = [graph.shape(x) for x in members]
    axis %= len(shapes[0])
    made = (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])
    graph.values.define(y, made, graph.values.kind(members[0]))
    graph.parts[y] = P.concat([(graph.read(x), s) for x, s in zip(members, shapes)], axis)


def optional(graph: Graph, node: Any) -> None:
    """Optional and OptionalGetElement: the tensor or sequence itself."""
    if not node.input or not node.input[0]:
        raise AccelsimError("an optional value without content is not priced")
    x, y = node.input[0], node.output[0]
    if x in graph.sequences:
        graph.sequences[y] = graph.sequences[x]
    else:
        rename(graph, y, x)


def has(graph: Graph, node: Any) -> None:
    """OptionalHasElement: a constant."""
    x = node.input[0] if node.input else ""
    graph.values.hold(node.output[0], np.array(bool(x)))
    graph.weight(node.output[0])
