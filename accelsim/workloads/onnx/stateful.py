"""CausalConvWithState and LinearAttention: operators that carry a state from token to token."""

from __future__ import annotations

from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.attention import headed
from accelsim.workloads.onnx.convolve import check_channels, weight_input
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.parts import Origin, Parts
from accelsim.workloads.onnx.recurrent import STEPS
from accelsim.workloads.onnx.values import Shape
from accelsim.workloads.reach import RowWindow, Whole, Window


def causal_conv(graph: Graph, node: Any) -> None:
    """A depthwise convolution over the last positions; the state holds those before the first."""
    x, w = node.input[0], weight_input(node)
    bias, past = ([*node.input, "", ""][k] for k in (2, 3))
    (n, channels, length), filters = graph.shape(x), graph.shape(w)
    taps = filters[2]
    check_channels(channels, filters[0], filters[0], filters[0])
    joined = (n, channels, length + taps - 1)
    reads: Window | Whole = Window(RowWindow(kernel=taps, pad=taps - 1))
    parts = P.pad(graph.read(x), (0, 0, taps - 1))
    if past and taps > 1:
        reads = Whole("its first positions lie in the state")
        parts = P.concat([(graph.read(past), graph.shape(past)), (graph.read(x), graph.shape(x))], 2)
    graph.agree(node.output[0], (n, channels, length))
    layer = Layer(n, channels, 1, 1, length, 1, taps, op="conv", name=graph.name(node))
    params = graph.params(k for k in (w, bias) if k and not graph.activation(k))
    i = graph.emit(layer, [Operand(parts, joined)], factors=[w], params=params, reads=reads)
    graph.make(node.output[0], i)
    for y in node.output[1:]:
        if y:
            graph.values.define(y, (n, channels, taps - 1), graph.values.kind(x))
            graph.parts[y] = P.take(parts, joined, 2, length, taps - 1)


def linear_attention(graph: Graph, node: Any) -> None:
    """For each token: what the state foretells (delta rules), its update, and what the queries read of it."""
    attributes = graph.attributes(node)
    heads, groups = attributes["q_num_heads"], attributes["kv_num_heads"]
    rule = attributes.get("update_rule", b"gated_delta")
    delta = b"delta" in (rule if isinstance(rule, bytes) else str(rule).encode())
    (q, sq), (k, sk), (v, sv) = (
        headed(graph, x, n) for x, n in zip(node.input[:3], (heads, groups, groups), strict=True)
    )
    batch, _, steps, key = sq
    value = sv[3]
    if heads % groups or sk != (batch, groups, steps, key) or sv != (batch, groups, steps, value):
        raise AccelsimError(f"heads of {list(sq)}, {list(sk)} and {list(sv)} do not fit each other")
    if steps > STEPS:
        raise AccelsimError(f"a sequence of {steps} steps is too long to unroll; at most {STEPS}")
    past, decay, beta = ([*node.input, "", "", ""][i] for i in (3, 4, 5))
    all_groups, shape = batch * groups, (batch, groups, key, value)
    state: Parts = graph.read(past) if past else ()
    made: list[tuple[Parts, Shape]] = []

    def emit(layer: Layer, inputs: list[Parts], factor: Parts | None, out: Shape) -> Parts:
        factors = [] if factor is None else [Operand(factor)]
        i = graph.emit(layer, [Operand(x) for x in inputs if x], factors=factors)
        return P.made(Origin(i, "", out))

    def product(what: str, rows: int, inner: int, left: Parts, right: Parts) -> Parts:
        layer = Layer(G=all_groups, P=rows, C=inner, K=value, op="gemm", name=graph.name(node, what))
        return emit(layer, [left], right, (batch, groups, rows, value))

    for t in range(steps):
        mine, new = P.take(k, sk, 2, t, 1), P.take(v, sv, 2, t, 1)
        gate, rate = (P.take(graph.read(x), graph.shape(x), 1, t, 1) if x else () for x in (decay, beta))
        if delta and (state or rate):
            seen = product(f".foretold{t}", 1, key, mine, state) if state else ()
            name = graph.name(node, f".change{t}")
            layer = Layer(batch, groups * value, 1, 2 if seen else 1, op="eltwise", name=name)
            new = emit(layer, [new, seen, rate], None, (batch, groups, 1, value))
        outer = product(f".outer{t}", key, 1, mine, new)
        if state:
            name = graph.name(node, f".state{t}")
            layer = Layer(batch, groups, 1, 2, key, value, op="eltwise", name=name)
            outer = emit(layer, [outer, state, gate], None, shape)
        state = outer
        found = product(f".read{t}", heads // groups, key, P.take(q, sq, 2, t, 1), state)
        one = (batch, heads, 1, value)
        made.append((P.reshape(found, (batch, groups, heads // groups, value), one), one))
    turned = P.transpose(P.concat(made, 2), (0, 2, 1, 3))
    y, last = node.output[0], [*node.output, ""][1]
    graph.agree(y, (batch, steps, heads * value))
    graph.parts[y] = P.reshape(turned, (batch, steps, heads, value), graph.shape(y))
    if last:
        graph.agree(last, shape)
        graph.parts[last] = state
