"""Products of two tensors: matrix products, fully connected layers, Einsum.

Every index of a product has a role by the operands that it selects: both (G), the left one alone (P or N),
the right one alone (K), or it is summed over (C). An index along which an operand only repeats itself (a
broadcast, the shared heads of grouped-query attention) does not select it, so repeated data is read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx.convolve import weight_input, weighted, with_bias
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.parts import Parts
from accelsim.workloads.onnx.roles import varying
from accelsim.workloads.onnx.values import Shape


def gemm(graph: Graph, node: Any, right: int = 1, bias: int = 2) -> None:
    """Fully connected: rows are the batch; positions of the right factor and of a bias among the inputs."""
    x, w = node.input[0], weight_input(node, right)
    attributes = graph.attributes(node)
    a, b = graph.shape(x), graph.shape(w)
    if len(a) != 2 or len(b) != 2:
        raise AccelsimError(f"both factors must be matrices, but their shapes are {list(a)} and {list(b)}")
    rows, inner = a[::-1] if attributes.get("transA") else a
    other, out = b[::-1] if attributes.get("transB") else b
    check_inner(inner, other)
    graph.agree(node.output[0], (rows, out))
    if not graph.activation(x):
        x, w, rows, out = w, x, out, rows
    n, p = _rows(graph, rows)
    layer = Layer(n, 1, out, inner, p, op="gemm", name=graph.name(node))
    weighted(graph, node, layer, x, w, node.input[bias:][:1], node.output[0])


def matmul(graph: Graph, node: Any, right: int = 1, bias: int | None = None) -> None:
    """NumPy's matrix product; positions of the right factor and of a bias among the inputs."""
    x, w = node.input[0], weight_input(node, right)
    beside = [] if bias is None else node.input[bias:][:1]
    i = product_of(graph, node, x, w, node.output[0], bias=beside)
    with_bias(graph, node, i, beside, node.output[0])


def product_of(
    graph: Graph, node: Any, x: str, w: str, y: str, turn_x: bool = False, turn_w: bool = False,
    bias: Any = (), suffix: str = "",
) -> int:  # fmt: skip
    """The layer of `x @ w` under the name `y`; `turn_*` swap the last two axes of a factor first.

    Of `bias` only the parameters count.
    """
    a, b = graph.shape(x), graph.shape(w)
    pa, pb = graph.read(x), graph.read(w)
    if turn_x:
        pa, a = _turned(pa, a)
    if turn_w:
        pb, b = _turned(pb, b)
    made_a, made_b = len(a) > 1, len(b) > 1
    if not a or not b:
        raise AccelsimError("a factor of a matrix product is a single value")
    a, pa = (a, pa) if made_a else ((1, *a), P.reshape(pa, a, (1, *a)))
    b, pb = (b, pb) if made_b else ((*b, 1), P.reshape(pb, b, (*b, 1)))
    check_inner(a[-1], b[-2])
    rank = max(len(a), len(b)) - 2
    lead_a, lead_b = ((1,) * (rank + 2 - len(s)) + tuple(s[:-2]) for s in (a, b))
    for n, m in zip(lead_a, lead_b):
        if n != m and 1 not in (n, m):
            raise AccelsimError(f"shapes {list(a)} and {list(b)} do not broadcast")
    lead = tuple(max(n, m) if n and m else 0 for n, m in zip(lead_a, lead_b))
    shape = (*lead, *((a[-2],) if made_a else ()), *((b[-1],) if made_b else ()))
    graph.agree(y, shape)
    labels = [f"b{i}" for i in range(rank)]
    left, right = [*labels, "m", "k"], [*labels, "k", "n"]
    parts = {
        "x": P.expand(pa, a, (*lead, *a[-2:])),
        "w": P.expand(pb, b, (*lead, *b[-2:])),
    }
    return contraction(
        graph, node, (x, left, (*lead, *a[-2:]), parts["x"]), (w, right, (*lead, *b[-2:]), parts["w"]),
        [*labels, "m", "n"], bias, suffix,
    )  # fmt: skip


def _turned(parts: Parts, shape: Shape) -> tuple[Parts, Shape]:
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    return P.transpose(parts, order), tuple(shape[i] for i in order)


Factor = tuple[str, Sequence[str], Shape, Parts]
"""Name, labels of the axes, sizes and parts of one operand."""


def contraction(
    graph: Graph, node: Any, left: Factor, right: Factor, out: Sequence[str], bias: Any = (), suffix: str = ""
) -> int:
    """The layer of a sum of products, labels as in Einsum; a constant operand is the weights."""
    if not graph.activation(left[0]):
        left, right = right, left
    (_, la, sa, pa), (w, lb, sb, pb) = left, right
    n, k, c, p, groups = 1, 1, 1, 1, 1
    size = {**dict(zip(la, sa)), **dict(zip(lb, sb))}
    first = la[0] if len(la) > 2 else None
    for label in dict.fromkeys((*la, *lb)):
        if label not in out:
            if label not in la or label not in lb:
                raise AccelsimError(f"index {label!r} is summed over in one operand alone")
            c *= size[label]
            continue
        for count, one, other in varying(label, size[label], (la, sa, pa), (lb, sb, pb)):
            if one and other:
                groups *= count
            elif other:
                k *= count
            elif label == first and count == size[label]:
                n *= count
            else:
                p *= count
    if n == 1 and groups == 1 and len(la) <= 2 and not graph.activation(w):
        n, p = _rows(graph, p)
    layer = Layer(n, groups, k, c, p, op="gemm", name=graph.name(node, suffix))
    constant = [b for b in (w, *bias) if b and not graph.activation(b)]
    inner_last = len(la) < 5 and la[-1] not in out and (len(la) < 2 or la[-2] in out)
    left_one = Operand(pa, sa) if inner_last else Operand(pa)
    return graph.emit(layer, [left_one], factors=[Operand(pb)], params=graph.params(constant))


def einsum(graph: Graph, node: Any) -> None:
    """Einstein's summation of one or two operands; more are contracted from the left."""
    terms, out = equation(graph, node)
    names = list(node.input)
    size: dict[str, int] = {}
    for name, labels in zip(names, terms):
        for label, n in zip(labels, graph.shape(name)):
            if size.setdefault(label, n) not in (n, 1) and n != 1:
                raise AccelsimError(f"index {label!r} has sizes {size[label]} and {n}")
            size[label] = max(size[label], n)
    shape = tuple(size[x] for x in out)
    graph.agree(node.output[0], shape)
    if len(names) == 1:
        _alone(graph, node, terms[0], out, size)
        return
    left, labels = names[0], terms[0]
    for j in range(1, len(names)):
        last = j == len(names) - 1
        later = set(out).union(*terms[j + 1 :])
        kept = out if last else "".join(x for x in dict.fromkeys(labels + terms[j]) if x in later)
        target = node.output[0] if last else f"{node.output[0]}:{j}"
        if not last:
            graph.values.define(target, tuple(size[x] for x in kept))
        one, other = (
            _summed(graph, node, left, labels, set(kept) | set(terms[j]), size),
            _summed(graph, node, names[j], terms[j], set(kept) | set(labels), size),
        )
        i = contraction(graph, node, one, other, kept)
        graph.make(target, i)
        left, labels = target, kept


def _summed(
    graph: Graph, node: Any, name: str, labels: str, needed: set[str], size: dict[str, int]
) -> Factor:
    """An operand of Einsum with its indices' full sizes, each index once (a diagonal is a view).

    What neither the other operand nor the result needs is summed first.
    """
    shape, parts = graph.shape(name), graph.read(name)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, again = labels.index(label), labels.rindex(label)
            parts = P.diagonal(parts, shape, first, again)
            shape, labels = shape[:again] + shape[again + 1 :], labels[:again] + labels[again + 1 :]
    lone = [i for i, x in enumerate(labels) if x not in needed]
    if lone:
        kept = [i for i in range(len(labels)) if i not in lone]
        made, inner = prod(shape[i] for i in kept), prod(shape[i] for i in lone)
        total = f"{name}:sum{len(graph.layers)}"
        graph.values.define(total, tuple(shape[i] for i in kept))
        i = graph.emit(Layer(G=made, R=inner, op="pool", name=graph.name(node, ".sum")), [Operand(parts)])
        graph.make(total, i)
        name, labels = total, "".join(labels[i] for i in kept)
        shape, parts = graph.shape(total), graph.read(total)
    full = tuple(size[x] for x in labels)
    return name, labels, full, P.expand(parts, shape, full)


def _alone(graph: Graph, node: Any, labels: str, out: str, size: dict[str, int]) -> None:
    name, y = node.input[0], node.output[0]
    _, kept, _, parts = _summed(graph, node, name, labels, set(out), size)
    graph.parts[y] = P.transpose(parts, [kept.index(x) for x in out])


def equation(graph: Graph, node: Any) -> tuple[list[str], str]:
    """Labels of the operands and of the result; dots become capital letters."""
    text = graph.attributes(node)["equation"].decode().replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    for term in (*terms, out):
        if not re.fullmatch(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*", term):
            raise AccelsimError(f"equation {text!r:.80}: {term!r:.40} is not of letters and one '...'")
    for label in out.replace("...", ""):
        if label not in left or out.count(label) > 1:
            why = "stands twice" if label in left else "is in no operand"
            raise AccelsimError(f"equation {text!r:.80}: index {label!r} of the result {why}")
    if len(terms) != len(node.input):
        raise AccelsimError(
            f"equation {text!r} is for {len(terms)} operands, but there are {len(node.input)}"
        )
    dots = ""
    for j, (term, name) in enumerate(zip(terms, node.input)):
        rank = len(graph.shape(name))
        if "..." in term:
            spare = rank - len(term) + 3
            named = "".join(chr(0x4E00 + i) for i in range(spare))[::-1]
            dots = max(dots, named, key=len)
            terms[j] = term = term.replace("...", named)
        if len(term) != rank:
            raise AccelsimError(f"equation {text!r}: {term!r} does not fit a shape of {rank} axes")
    if arrow:
        return terms, out.replace("...", dots)
    letters = "".join(terms)
    return terms, dots + "".join(sorted(x for x in set(letters) - set(dots) if letters.count(x) == 1))


def _rows(graph: Graph, rows: int) -> tuple[int, int]:
    batch = graph.batch
    return (batch, rows // batch) if rows % batch == 0 else (1, rows)


def check_inner(left: int, right: int) -> None:
    """Raises AccelsimError unless the sizes that a product sums over agree."""
    if left != right:
        raise AccelsimError(f"inner sizes must agree, but got {left} and {right}")
