"""Attention as one operator: two products with the heads' groups told apart, and the softmax between."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.combine import broadcast
from accelsim.workloads.onnx.contract import product_of
from accelsim.workloads.onnx.control import stack
from accelsim.workloads.onnx.convolve import weight_input, with_bias
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.parts import Parts
from accelsim.workloads.onnx.values import Shape


def attention(graph: Graph, node: Any) -> None:
    """ONNX's Attention (opset 23): heads in an axis of their own, or among the channels."""
    q, k, v = node.input[:3]
    attributes = graph.attributes(node)
    heads, kv_heads = attributes.get("q_num_heads", 0), attributes.get("kv_num_heads", 0)
    past = [x if len(node.input) > i and (x := node.input[i]) else "" for i in (4, 5)]
    flat = len(graph.shape(q)) == 3
    made = _attend(graph, node, q, k, v, heads, kv_heads or heads, past, node.input[3:4])
    _result(graph, node, made, flat)


def group_query(graph: Graph, node: Any) -> None:
    """com.microsoft GroupQueryAttention and MultiHeadAttention with separate or packed q, k, v."""
    attributes = graph.attributes(node)
    heads = attributes["num_heads"]
    kv_heads = attributes.get("kv_num_heads", heads)
    q = node.input[0]
    k, v = ([*node.input, "", ""][i] for i in (1, 2))
    at = (3, 4) if node.op_type == "GroupQueryAttention" else (6, 7)
    past = [node.input[i] if len(node.input) > i else "" for i in at]
    if not k:
        q, k, v = _unpacked(graph, node, q, heads, kv_heads)
    elif not v and len(graph.shape(k)) == 5:
        k, v = _stacked(graph, node, k)
    beside = node.input[3:4] if node.op_type == "MultiHeadAttention" else ()
    graph.add_params((), graph.params(x for x in beside if x and not graph.activation(x)))
    masks = node.input[4:6] if node.op_type == "MultiHeadAttention" else node.input[10:11]
    made = _attend(graph, node, q, k, v, heads, kv_heads, past, masks)
    _result(graph, node, made, True)


def fused_attention(graph: Graph, node: Any) -> None:
    """com.microsoft Attention and QAttention: the projection of q, k and v first."""
    attributes = graph.attributes(node)
    heads = attributes["num_heads"]
    x, w = node.input[0], weight_input(node)
    width = graph.shape(w)[-1]
    sizes = attributes.get("qkv_hidden_sizes") or [width // 3] * 3
    name = f"{node.output[0]}:qkv"
    i = product_of(graph, node, x, w, name, bias=node.input[2:3], suffix=".qkv")
    with_bias(graph, node, i, node.input[2:3], name)
    q, k, v = (_slice(graph, name, f"{name}{j}", sum(sizes[:j]), sizes[j]) for j in range(3))
    masks = [*node.input[3:4], *node.input[5:6]] if node.op_type == "Attention" else []
    at = 4 if node.op_type == "Attention" else 8
    past = [_cached(graph, node.input[at], j) if len(node.input) > at else "" for j in (0, 1)]
    caches = [f"{node.output[0]}:cache{j}" for j in (0, 1)]
    made = _attend(graph, node, q, k, v, heads, heads, past, masks, caches)
    _result(graph, node, made, True)
    for y in node.output[1:2]:
        if y:
            stack(graph, y, caches, 0)


def _cached(graph: Graph, past: str, j: int) -> str:
    """Keys (0) or values (1) of a cache [2, batch, heads, tokens, depth]."""
    if not past:
        return ""
    shape, name = graph.shape(past), f"{past}:{j}"
    cut = P.take(graph.read(past), shape, 0, j, 1)
    graph.values.define(name, shape[1:], graph.values.kind(past))
    graph.parts[name] = P.reshape(cut, (1, *shape[1:]), shape[1:])
    return name


def _unpacked(graph: Graph, node: Any, q: str, heads: int, kv_heads: int) -> list[str]:
    shape = graph.shape(q)
    if len(shape) == 5:
        return _stacked(graph, node, q)
    if len(shape) != 3:
        raise AccelsimError(f"packed q, k and v of shape {list(shape)} are not supported")
    depth = shape[-1] // (heads + 2 * kv_heads)
    counts = [heads * depth, kv_heads * depth, kv_heads * depth]
    base = node.output[0]
    return [_slice(graph, q, f"{base}:{'qkv'[j]}", sum(counts[:j]), counts[j]) for j in range(3)]


def _stacked(graph: Graph, node: Any, name: str) -> list[str]:
    """The factors in [batch, tokens, heads, factors, depth], each as [batch, heads, tokens, depth]."""
    n, tokens, heads, count, depth = shape = graph.shape(name)
    out = []
    for j in range(count):
        new = f"{node.output[0]}:{name}{j}"
        cut = P.reshape(
            P.take(graph.read(name), shape, 3, j, 1), (n, tokens, heads, 1, depth), (n, tokens, heads, depth)
        )
        graph.values.define(new, (n, heads, tokens, depth), graph.values.kind(name))
        graph.parts[new] = P.transpose(cut, (0, 2, 1, 3))
        out.append(new)
    return out


def _slice(graph: Graph, name: str, new: str, first: int, count: int) -> str:
    shape = graph.shape(name)
    parts = P.take(graph.read(name), shape, len(shape) - 1, first, count)
    graph.values.define(new, (*shape[:-1], count), graph.values.kind(name))
    graph.parts[new] = parts
    return new


def headed(graph: Graph, name: str, heads: int) -> tuple[Parts, Shape]:
    """A factor as [batch, heads, tokens, depth]."""
    shape, parts = graph.shape(name), graph.read(name)
    if len(shape) == 4:
        return parts, shape
    if len(shape) != 3 or not heads or shape[2] % heads:
        raise AccelsimError(f"a factor of shape {list(shape)} does not split into {heads} heads")
    apart = (shape[0], shape[1], heads, shape[2] // heads)
    turned = P.transpose(P.reshape(parts, shape, apart), (0, 2, 1, 3))
    return turned, (apart[0], heads, apart[1], apart[3])


def _attend(
    graph: Graph, node: Any, q: str, k: str, v: str, heads: int, kv_heads: int, past: list[str],
    masks: Sequence[str], caches: Sequence[str] | None = None,
) -> str:  # fmt: skip
    """Scores, softmax and context; the name of the context [batch, kv heads, group, tokens, depth].

    `caches` names the keys and values with the new tokens, else the node's second and third result do.
    """
    base = node.output[0]
    pq, sq = headed(graph, q, heads)
    heads = sq[1]
    several = []
    for name, before in zip((k, v), past):
        parts, shape = headed(graph, name, kv_heads)
        if before and graph.values.find(before) is not None and len(graph.shape(before)) == 4:
            old = graph.shape(before)
            parts = P.concat([(graph.read(before), old), (parts, shape)], 2)
            shape = (*shape[:2], old[2] + shape[2], shape[3])
        several.append((parts, shape))
    (pk, sk), (pv, sv) = several
    if heads % sk[1]:
        raise AccelsimError(f"{heads} query heads do not share {sk[1]} key heads evenly")
    group = heads // sk[1]
    apart = (sq[0], sk[1], group, sq[2], sq[3])
    one = _hold(graph, f"{base}:q", P.reshape(pq, sq, apart), apart, q)
    two = _hold(graph, f"{base}:k", *_single(pk, sk), k)
    three = _hold(graph, f"{base}:v", *_single(pv, sv), v)
    scores = f"{base}:scores"
    i = product_of(graph, node, one, two, scores, turn_w=True, suffix=".scores")
    graph.make(scores, i)
    soft = f"{base}:softmax"
    graph.values.define(soft, graph.shape(scores))
    n, g, m, s, t = graph.shape(scores)
    flat = f"{base}:flat"
    graph.values.define(flat, (n, g * m, s, t))
    graph.parts[flat] = P.reshape(graph.read(scores), (n, g, m, s, t), (n, g * m, s, t))
    graph.make(soft, _softmax(graph, node, flat, masks))
    context = f"{base}:context"
    i = product_of(graph, node, soft, three, context, suffix=".context")
    graph.make(context, i)
    for y, (parts, shape) in zip(node.output[1:3] if caches is None else caches, several):
        if y:  # the cache with the new tokens
            graph.values.define(y, shape, graph.values.kind(k))
            graph.parts[y] = parts
    for y in node.output[3:]:
        if y:
            graph.values.define(y, (n, g * m, s, t))
            graph.parts[y] = P.reshape(graph.read(scores), (n, g, m, s, t), (n, g * m, s, t))
    return context


def _softmax(graph: Graph, node: Any, scores: str, masks: Sequence[str]) -> int:
    """The softmax; of masks and biases on the scores the largest takes the place of weights."""
    shape = graph.shape(scores)
    found: list[tuple[int, str, Parts]] = []
    for name in masks:
        own = graph.values.find(name) if name else None
        if own is None:
            continue
        parts = graph.read(name)
        if own == (shape[0], shape[3]) and own != shape[2:]:  # which keys there are
            parts, own = P.reshape(parts, own, (own[0], 1, 1, own[1])), (own[0], 1, 1, own[1])
        padded = (1,) * (4 - len(own)) + own
        if prod(own) > 1 and all(n in (1, size) for n, size in zip(padded, shape)):
            found.append((prod(own), name, P.expand(parts, own, shape)))
    size, name, mask = max(found, default=(0, "", ()))
    extra = [x for x in masks if x != name and graph.activation(x)]
    if not name or size == prod(shape):
        layer = graph.elementwise(node, 2 if name else 1, scores, ".softmax")
        return graph.emit(layer, [scores, *graph.data([name]), *extra])
    layer = broadcast(shape, graph.read(scores), mask, graph.name(node, ".softmax"))
    return graph.emit(layer, [scores, *extra], factors=[Operand(mask)])


def _single(parts: Parts, shape: Shape) -> tuple[Parts, Shape]:
    apart = (*shape[:2], 1, *shape[2:])
    return P.reshape(parts, shape, apart), apart


def _hold(graph: Graph, name: str, parts: Parts, shape: Shape, like: str) -> str:
    graph.values.define(name, shape, graph.values.kind(like))
    graph.parts[name] = parts
    if not graph.activation(like):
        graph.constants.add(name)
    return name


def _result(graph: Graph, node: Any, context: str, flat: bool) -> None:
    n, g, m, s, d = graph.shape(context)
    y = node.output[0]
    parts = P.reshape(graph.read(context), (n, g, m, s, d), (n, g * m, s, d))
    shape: Shape = (n, g * m, s, d)
    if flat:
        parts = P.transpose(parts, (0, 2, 1, 3))
        parts = P.reshape(parts, (n, s, g * m, d), (n, s, g * m * d))
        shape = (n, s, g * m * d)
    graph.values.define(y, shape, graph.values.kind(node.input[0]))
    graph.parts[y] = parts
