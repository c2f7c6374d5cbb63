"""If, Loop and Scan: their inner operators in line, as often as constants say.

Where data decides, the dearer branch of an If and one trip of a Loop stand for it, if the caller allows that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import onnx

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.graph import Graph

TRIPS = 10_000
"""Most trips of a loop that are unrolled."""

DEPTH = 4
"""Ifs within each other of which both branches are looked at."""

ONNX_BOOL = int(onnx.TensorProto.BOOL)

Walk = Callable[[Any], None]


def branch(graph: Graph, node: Any, walk: Walk) -> bool:
    """An If; False where its condition is not known, and the dearer branch is taken."""
    known = graph.values.data(node.input[0])
    attributes = graph.attributes(node)
    branches = [attributes["then_branch"], attributes["else_branch"]]
    _check_condition(graph, node.input[:1])
    for key, inner in zip(("then_branch", "else_branch"), branches):
        _check_count(f"{key} makes", inner.output, len(node.output))
    decided = known is not None and known.size == 1
    if known is not None and decided:
        chosen = branches[0 if bool(known.ravel()[0]) else 1]
    else:
        chosen = _dearer(graph, branches, walk)
    take(graph, chosen, walk)
    for name, inner in zip(node.output, chosen.output):
        rename(graph, name, inner.name)
    return decided


def _dearer(graph: Graph, branches: list[Any], walk: Walk) -> Any:
    """The branch with most MACs, then with most elements made; beyond some depth simply the first."""
    costs = []
    for inner in branches:
        before = graph.mark()
        graph.depth += 1
        if graph.depth > DEPTH:
            return branches[0]
        first = len(graph.layers)
        take(graph, inner, walk)
        layers = graph.layers[first:]
        costs.append((sum(x.macs for x in layers), sum(x.output_elements for x in layers)))
        graph.restore(before)
    return branches[costs.index(max(costs))]


def take(graph: Graph, inner: Any, walk: Walk) -> None:
    """The operators of an inner graph."""
    for tensor in inner.initializer:
        graph.values.initializer(tensor)
        graph.weight(tensor.name)
    walk(inner.node)


def rename(graph: Graph, name: str, other: str) -> None:
    """The tensor `name` is the tensor `other`."""
    graph.values.alias(name, other)
    graph.constants.discard(name)
    graph.parts[name] = graph.read(other)
    if not graph.activation(other):
        graph.constants.add(name)


def loop(graph: Graph, node: Any, walk: Walk) -> bool:
    """A Loop; False where the number of trips or the condition is not known, and one trip is taken."""
    body = graph.attributes(node)["body"]
    trips = graph.values.ints(node.input[0]) if node.input[0] else [TRIPS + 1]
    start = graph.values.ints(node.input[1]) if len(node.input) > 1 and node.input[1] else [1]
    decided = trips is not None and start is not None
    trips, start = trips or [1], start or [1]
    state = list(node.input[2:])
    _check_condition(graph, node.input[1:2])
    _check_count("its body takes", body.input, 2 + len(state))
    _check_count("its body makes", body.output, 1 + len(node.output))
    names = [x.name for x in body.input]
    results = [x.name for x in body.output]
    gathered: list[list[str]] = [[] for _ in results[1 + len(state) :]]
    trip, go = 0, bool(start[0])
    while go and trip < trips[0]:
        if trip >= TRIPS:
            raise AccelsimError(f"more than {TRIPS} trips are too many to unroll")
        graph.values.hold(names[0], np.array(trip, np.int64))
        graph.values.hold(names[1], np.array(True))
        for name in names[:2]:
            graph.weight(name)
        for k, name in enumerate(state):
            rename(graph, f"{node.output[0]}:carried{k}", name)
        for k, name in enumerate(names[2:]):
            rename(graph, name, f"{node.output[0]}:carried{k}")
        take(graph, body, walk)
        known = graph.values.ints(results[0])
        if known is None:
            decided = False
        go = known is not None and bool(known[0])
        for k, one in enumerate(gathered):
            new = f"{node.output[0]}:scan{k}.{trip}"
            rename(graph, new, results[1 + len(state) + k])
            one.append(new)
        state = results[1 : 1 + len(state)]
        trip += 1
    for name, inner in zip(node.output, state):
        if name:
            rename(graph, name, inner)
    for name, several in zip(node.output[len(state) :], gathered):
        if name and several:
            stack(graph, name, several, 0)
    return decided


def scan(graph: Graph, node: Any, walk: Walk) -> bool:
    """A Scan over axis 0 or the stated ones."""
    attributes = graph.attributes(node)
    body, count = attributes["body"], attributes["num_scan_inputs"]
    state, sequences = list(node.input[: len(node.input) - count]), node.input[len(node.input) - count :]
    _check_count("its body takes", body.input, len(node.input))
    _check_count("its body makes", body.output, len(node.output))
    axes = attributes.get("scan_input_axes", [0] * count)
    ways = attributes.get("scan_input_directions", [0] * count)
    names = [x.name for x in body.input]
    results = [x.name for x in body.output]
    outs = len(results) - len(state)
    gathered: list[list[str]] = [[] for _ in range(outs)]
    steps = graph.shape(sequences[0])[axes[0]]
    if steps > TRIPS:
        raise AccelsimError(f"{steps} steps are too many to unroll; at most {TRIPS}")
    for t in range(steps):
        for k, name in enumerate(state):
            rename(graph, f"{node.output[0]}:carried{k}", name)
        for k in range(len(state)):
            rename(graph, names[k], f"{node.output[0]}:carried{k}")
        for k, name in enumerate(sequences):
            shape = graph.shape(name)
            axis = axes[k] % len(shape)
            cut = P.take(graph.read(name), shape, axis, steps - 1 - t if ways[k] else t, 1)
            rest = (*shape[:axis], *shape[axis + 1 :])
            inner = names[len(state) + k]
            graph.values.define(inner, rest, graph.values.kind(name))
            graph.constants.discard(inner)
            graph.parts[inner] = P.reshape(cut, (*shape[:axis], 1, *shape[axis + 1 :]), rest)
            if not graph.activation(name):
                graph.constants.add(inner)
        take(graph, body, walk)
        for k in range(outs):
            new = f"{node.output[0]}:scan{k}.{t}"
            rename(graph, new, results[len(state) + k])
            gathered[k].append(new)
        state = results[: len(state)]
    for name, inner in zip(node.output, state):
        if name:
            rename(graph, name, inner)
    axes = attributes.get("scan_output_axes", [0] * outs)
    ways = attributes.get("scan_output_directions", [0] * outs)
    for name, several, axis, way in zip(node.output[len(state) :], gathered, axes, ways):
        if name:
            stack(graph, name, several[::-1] if way else several, axis)
    return True


def _check_count(what: str, found: Sequence[Any], wanted: int) -> None:
    if len(found) != wanted:
        raise AccelsimError(f"{what} {len(found)} tensors, but the operator asks for {wanted}")


def _check_condition(graph: Graph, names: Iterable[str]) -> None:
    for name in filter(None, names):
        if graph.values.kind(name) not in (0, ONNX_BOOL):
            raise AccelsimError(f"its condition {name!r} must be of type BOOL")


def sequence_map(graph: Graph, node: Any, walk: Walk) -> bool:
    """A SequenceMap: its body for each member of a sequence whose members are known."""
    body = graph.attributes(node)["body"]
    members = graph.sequences.get(node.input[0])
    if members is None:
        raise AccelsimError(f"{node.input[0]!r} is no sequence whose members are known")
    made: list[list[str]] = [[] for _ in node.output]
    for k in range(len(members)):
        for inner, name in zip(body.input, node.input):
            rename(graph, inner.name, graph.sequences[name][k] if name in graph.sequences else name)
        take(graph, body, walk)
        for several, name, inner in zip(made, node.output, body.output):
            rename(graph, f"{name}:{k}", inner.name)
            several.append(f"{name}:{k}")
    graph.sequences.update(zip(node.output, made))
    return True


def stack(graph: Graph, name: str, several: list[str], axis: int) -> None:
    """Tensors of one shape along a new axis."""
    shape = graph.shape(several[0])
    axis %= len(shape) + 1
    one = (*shape[:axis], 1, *shape[axis:])
    graph.parts[name] = P.concat([(P.reshape(graph.read(x), shape, one), one) for x in several], axis)
    graph.values.define(name, (*shape[:axis], len(several), *shape[axis:]), graph.values.kind(several[0]))
