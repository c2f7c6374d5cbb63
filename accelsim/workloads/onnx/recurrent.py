"""LSTM, GRU and RNN, unrolled: one product of all inputs, then a product and the gates of each step.

The steps share their weights, which count once and stay or not like those of any layer. A first state that
is left out, or a constant, is read from nowhere; its product counts, as those of padding do.
"""

from __future__ import annotations

from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.convolve import weight_input
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.parts import Origin, Parts

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}

WAYS = {b"forward": 1, b"reverse": 1, b"bidirectional": 2}

STEPS = 10_000
"""Longest sequence that is unrolled."""


def recurrent(graph: Graph, node: Any) -> None:
    """All directions, forward and reverse alike."""
    x, w, r = node.input[0], weight_input(node, 1), weight_input(node, 2)
    kind = str(node.op_type).removeprefix("DynamicQuantize")
    gates, attributes = GATES[kind], graph.attributes(node)
    image, filters, back = graph.shape(x), graph.shape(w), graph.shape(r)
    if kind != node.op_type and len(filters) == len(back) == 3:  # stored the other way round
        filters, back = (filters[0], filters[2], filters[1]), (back[0], back[2], back[1])
    if len(image) != 3 or len(filters) != 3 or len(back) != 3:
        raise AccelsimError(
            f"X, W and R must have 3 axes, but have shapes {list(image)}, {list(filters)}, {list(back)}"
        )
    last = bool(attributes.get("layout", 0))
    steps, batch, width = (image[1], image[0], image[2]) if last else image
    ways, hidden = filters[0], back[2]
    if filters != (ways, gates * hidden, width) or back != (ways, gates * hidden, hidden):
        raise AccelsimError(
            f"W {list(filters)} and R {list(back)} do not fit {gates} gates of {hidden} and inputs of {width}"
        )
    if attributes.get("hidden_size", hidden) != hidden:
        raise AccelsimError(f"hidden_size is {attributes['hidden_size']}, but R has states of {hidden}")
    direction = attributes.get("direction", b"forward")
    if WAYS.get(direction) != ways:
        raise AccelsimError(
            f"direction must be forward or reverse, or bidirectional with two ways in W, but is "
            f"{direction.decode(errors='replace')!r} with {ways}"
        )
    if steps > STEPS:
        raise AccelsimError(f"a sequence of {steps} steps is too long to unroll; at most {STEPS}")
    params = graph.params(k for k in (w, r, *node.input[3:4], *node.input[7:8]) if k)
    states = [[_state(graph, node, k, d, last) for k in (5, 6)] for d in range(ways)]
    back_first = direction == b"reverse"
    outputs: list[list[int]] = []
    for d in range(ways):
        base = f".way{d}" if ways > 1 else ""
        layer = Layer(
            batch, 1, gates * hidden, width, steps, op="gemm", name=graph.name(node, f"{base}.inputs")
        )
        own = [P.take(graph.read(t), graph.shape(t), 0, d, 1) for t in (w, r)]
        lengths = graph.data(node.input[4:5]) if d == 0 else []
        i = graph.emit(layer, [x, *lengths], factors=[Operand(own[0])], params=params)
        params = 0
        ahead = P.made(Origin(i, "", (steps, batch, gates * hidden)))
        hid, cell = states[d]
        outputs.append([])
        for t in range(steps):
            one = Layer(batch, 1, gates * hidden, hidden, op="gemm", name=graph.name(node, f"{base}.step{t}"))
            j = graph.emit(one, [Operand(hid)], factors=[Operand(own[1])])
            made = P.made(Origin(j, "", (batch, gates * hidden)))
            at = steps - 1 - t if back_first or d else t
            mine = P.take(ahead, (steps, batch, gates * hidden), 0, at, 1)
            kept = cell if gates == 4 else hid if gates == 3 else ()
            joined = Layer(
                batch, hidden, 2 if gates == 4 else 1, 2 * gates + bool(kept), op="eltwise",
                name=graph.name(node, f"{base}.gates{t}"),
            )  # fmt: skip
            j = graph.emit(joined, [Operand(mine), Operand(made), Operand(kept)])
            hid, cell = (P.made(Origin(j, tensor, (batch, hidden))) for tensor in ("", "cell"))
            outputs[-1].append(j)
        if back_first or d:
            outputs[-1].reverse()
        states[d] = [hid, cell]
    _results(graph, node, outputs, states, (steps, ways, batch, hidden), last)


def _state(graph: Graph, node: Any, k: int, d: int, last: bool) -> Parts:
    """The first state of a direction, if data gives one."""
    name = node.input[k] if len(node.input) > k else ""
    return P.take(graph.read(name), graph.shape(name), int(last), d, 1) if graph.activation(name) else ()


def _results(
    graph: Graph, node: Any, outputs: list[list[int]], states: list[list[Parts]],
    sizes: tuple[int, int, int, int], last: bool,
) -> None:  # fmt: skip
    steps, ways, batch, hidden = sizes
    names = [*node.output, "", "", ""][:3]
    if names[0]:
        shape = (batch, steps, ways, hidden) if last else sizes
        graph.values.define(names[0], shape, graph.values.kind(node.input[0]))
        several: Parts = ()
        for d, made in enumerate(outputs):
            for t, j in enumerate(made):
                parts = P.made(Origin(j, "", (batch, hidden)))
                start = [0, t, d, 0] if last else [t, d, 0, 0]
                whole = P.reshape(parts, (batch, hidden), (batch, 1, 1, hidden))
                if not last:
                    whole = P.transpose(whole, (1, 2, 0, 3))
                several += P.pad(whole, start)
        graph.parts[names[0]] = tuple(several)
    for name, k in zip(names[1:], (0, 1)):
        if name:
            shape3 = (batch, ways, hidden) if last else (ways, batch, hidden)
            graph.values.define(name, shape3, graph.values.kind(node.input[0]))
            stacked = P.concat(
                (
                    (
                        P.reshape(s[k], (batch, hidden), (batch, 1, hidden) if last else (1, batch, hidden)),
                        (batch, 1, hidden) if last else (1, batch, hidden),
                    )
                    for s in states
                ),
                1 if last else 0,
            )
            graph.parts[name] = stacked
