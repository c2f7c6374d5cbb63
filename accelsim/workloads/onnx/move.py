"""Operators that move data: element-wise functions, reductions, resizing, look-ups, normalisations."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.onnx import parts as P
from accelsim.workloads.onnx import views as V
from accelsim.workloads.onnx.graph import Graph, Operand
from accelsim.workloads.onnx.parts import Origin
from accelsim.workloads.onnx.values import STANDARD
from accelsim.workloads.onnx.widths import quantised_bits
from accelsim.workloads.reach import SAME, Reads, RowWindow, Whole, Window, all_of
from accelsim.workloads.region import whole


def move(
    graph: Graph, node: Any, inputs: list[str], reads: int, outputs: list[str], suffix: str = ""
) -> None:
    """Layers that read so many elements of the inputs, each once, and write the outputs.

    One where the larger number is a multiple of the smaller; else two, one of which reads (or writes) an
    element more for each of its own.
    """
    writes = max(sum(graph.elements(y) for y in outputs), 1)
    small, large = sorted((reads, writes))
    times, more = divmod(large, small)
    flat = _flat(graph, inputs, reads) if more else None
    layers, at = [], 0
    pieces = [(small - more, times), (more, times + 1)] if more else [(small, times)]
    for j, (count, each) in enumerate(pieces):
        sizes = (count, 1, each) if reads >= writes else (count, each, 1)
        name = graph.name(node, suffix + f".part{j}" * bool(more))
        layer = Layer(1, *sizes, op="eltwise", name=name)
        if flat is None:
            layers.append(graph.emit(layer, [] if j else inputs))  # the first reads all
            continue
        taken = P.take(flat, (reads,), 0, at, layer.input_elements)
        layers.append(graph.emit(layer, [Operand(taken)]))
        at += layer.input_elements
    if len(layers) == 1:
        for k, y in enumerate(outputs):
            graph.make(y, *layers, part=k)
        return
    graph.join(outputs, *layers)


def _flat(graph: Graph, inputs: list[str], reads: int) -> P.Parts | None:
    """What the inputs hold in one axis, each element once and without padding, if that is known."""
    out = []
    for part, source, region, n in P.reads(tuple(p for x in inputs for p in graph.read(x))):
        known = whole(prod(source.shape)) if region is None else region
        if known.elements != n or (part.axes is None and part.elements < part.region.elements):
            return None
        box = P.Part(source, known, n, (0,), (known.factors,), known.offset, part.bits)
        out.append(((box,), (n,)))
    return P.concat(out, 0) if sum(n for _, (n,) in out) == reads else None


def one_pass(graph: Graph, node: Any) -> None:
    """Softmax, normalisations and the like: each element read and written once."""
    x = node.input[0]
    graph.agree(node.output[0], graph.shape(x))
    others = graph.data(node.input[1:])
    params = graph.params(x for x in node.input[1:] if x)
    outputs = [y for y in node.output if y and graph.values.find(y) is not None]
    read = P.elements(tuple(p for t in (x, *others) for p in graph.read(t)))
    uneven = read not in (0, graph.elements(x)) and not P.padded(graph.read(x), graph.shape(x))
    if uneven or len(outputs) > 1:  # factors that are data, statistics as results
        graph.add_params((), params)
        move(graph, node, [x, *others], read, outputs)
        return
    i = graph.emit(graph.elementwise(node, 1), [x, *others], params=params, reads=_pass(graph, node))
    graph.make(node.output[0], i)


def _pass(graph: Graph, node: Any) -> Reads:
    """What a position of a pass reads: itself, or whole axes."""
    if node.op_type == "LRN":
        return SAME
    shape, attributes = graph.shape(node.input[0]), graph.attributes(node)
    if node.op_type in ("LpNormalization", "RMSNormalization", "LayerNormalization", "Softmax", "LogSoftmax"):
        axis = attributes.get("axis", -1) % len(shape)
        channels = {3: 2}.get(len(shape), 1)  # three axes are tokens
        several = node.op_type in ("RMSNormalization", "LayerNormalization")
        axes = set(range(axis, len(shape))) if several else {axis}
        if axes <= {channels}:
            return SAME
        if len(shape) == 4 and axes <= {1, 3}:
            return Window(RowWindow(), all_of(shape[3]))
    return Whole(f"{node.op_type} takes its statistics over the whole map")


def fused(graph: Graph, node: Any) -> None:
    """Function of single values, done on the way by the layer before."""
    graph.fuse(node, node.input[0], graph.params(node.input[1:]) if node.op_type == "PRelu" else 0)


def batch_norm(graph: Graph, node: Any) -> None:
    """Scale and shift are parameters; the running statistics are not."""
    graph.fuse(node, node.input[0], graph.params(node.input[1:3]))


def quantize(graph: Graph, node: Any) -> None:
    """Scales with a value a channel are no parameters; elements lie in memory as quantised."""
    graph.fuse(node, node.input[0])
    V.narrow(graph, node)


def dynamic_quantize(graph: Graph, node: Any) -> None:
    """A pass that finds the range and writes the quantised tensor; scale and zero point are its results."""
    i = graph.emit(graph.elementwise(node, 1, node.input[0]), node.input[:1])
    for k, y in enumerate(node.output):
        graph.make(y, i, part=k)


def reduce(graph: Graph, node: Any) -> None:
    """Reduction over some axes; over the plane of a map it is global pooling."""
    shape, made = graph.shape(node.input[0]), graph.elements(node.output[0])
    if made == prod(shape):  # nothing to reduce, or no axes and nothing to do
        graph.fuse(node, node.input[0])
        graph.parts[node.output[0]] = P.reshape(graph.read(node.input[0]), shape, graph.shape(node.output[0]))
        return
    name = graph.name(node)
    if len(shape) == 4 and made == shape[0] * shape[1] and _plane(graph, node):
        n, c, r, s = shape
        layer = Layer(n, c, 1, 1, 1, 1, r, s, op="pool", name=name)
    else:
        layer = Layer(G=made, R=prod(shape) // made, op="pool", name=name)
    reads = Whole("a reduction over whole axes")
    graph.make(node.output[0], graph.emit(layer, node.input[:1], reads=reads))


def _plane(graph: Graph, node: Any) -> bool:
    out = graph.shape(node.output[0])
    return len(out) != 4 or out[2:] == (1, 1)


def resize(graph: Graph, node: Any) -> None:
    """Resizing reads each element that it needs once; by pieces where the factors are not whole."""
    x, y = node.input[0], node.output[0]
    old, new = graph.shape(x), graph.shape(y)
    attributes = graph.attributes(node)
    if len(old) != len(new):
        raise AccelsimError(f"cannot resize {list(old)} to {list(new)}")
    if old == new:
        graph.fuse(node, x)
        return
    nearest = attributes.get("mode", b"nearest") == b"nearest"
    changed = [i for i in range(len(old)) if old[i] != new[i]]
    if len(changed) > 2:
        move(graph, node, [x], prod(old), [y])
        return
    axes = [_resized(old[i], new[i], nearest) for i in changed]
    if len(axes) == 1:
        axes.append([_Stretch(0, 1, 1, 1, 1)])
    rest = [n for i, n in enumerate(old) if i not in changed]
    images = rest[0] if len(rest) > 1 else 1
    channels = prod(rest[1:] if len(rest) > 1 else rest)
    out: list[P.Part] = []
    several = list(product(*axes))
    for j, pair in enumerate(several):
        (_, p, ku, r, sh), (_, q, kv, s, sw) = pair
        name = graph.name(node, f".part{j}" if len(several) > 1 else "")
        op = "eltwise" if r == s == sh == sw == 1 else "pool"
        layer = Layer(images, channels, ku * kv, 1, p, q, r, s, (sh, sw), op=op, name=name)
        one = len(several) == 1
        parts, shape = graph.read(x), old
        for i, piece, axis in zip(changed, pair, axes):
            if len(axis) > 1:
                parts = P.take(parts, shape, i, piece.first, piece.rows)
                shape = (*shape[:i], piece.rows, *shape[i + 1 :])
        whole_factor = one and nearest and op == "eltwise"
        reads = (
            None
            if whole_factor
            else Whole("resizing by no whole factor, or with more than the nearest pixel")
        )
        i = graph.emit(layer, [x if one else Operand(parts)], reads=reads)
        if one:
            graph.make(y, i)
            return
        box, start = list(new), [0] * len(new)
        for k, piece, axis in zip(changed, pair, axes):
            box[k] = piece.rows * piece.results
            start[k] = sum(p.rows * p.results for p in axis[: axis.index(piece)])
        out += P.pad(P.made(Origin(i, "", tuple(box))), start)
    graph.parts[y] = P.quantised(tuple(out), quantised_bits(graph.values.kind(y)))


class _Stretch(NamedTuple):
    """Rows of an axis that are resized alike: where they begin, results a row, window, stride."""

    first: int
    rows: int
    results: int
    window: int
    stride: int


def _resized(old: int, new: int, nearest: bool) -> list[_Stretch]:
    """The pieces of one axis; those that grow share out its rows."""
    if new >= old:
        times, more = divmod(new, old)
        few = _Stretch(0, old - more, times, 1, 1)
        return [few, _Stretch(old - more, more, times + 1, 1, 1)] if more else [few]
    stride = old // new
    if nearest:
        return [_Stretch(0, new, 1, 1, stride)]
    return [_Stretch(0, new, 1, 2 if stride > 1 else old - new + 1, stride)]


def gather(graph: Graph, node: Any) -> None:
    """Look-up in a constant table (an embedding) is a pass over the rows found.

    In an activation, known positions at even distances are a view; others are read, each once, and written.
    """
    table, indices = node.input[:2]
    y = node.output[0]
    if not graph.activation(table):
        made = graph.elementwise(node, 1)
        graph.make(y, graph.emit(made, [indices], params=graph.params([table])))
        return
    shape, at = graph.shape(table), graph.values.data(indices)
    axis = graph.attributes(node).get("axis", 0) % max(len(shape), 1)
    if at is not None and node.op_type == "Gather":
        positions = [int(v) % shape[axis] for v in at.ravel()]
        step = positions[1] - positions[0] if len(positions) > 1 else 1
        if step and positions == list(range(positions[0], positions[0] + step * len(positions), step)):
            graph.views[node.op_type] += 1
            found = P.take(graph.read(table), shape, axis, positions[0], len(positions), step)
            cut = (*shape[:axis], len(positions), *shape[axis + 1 :])
            graph.parts[y] = P.reshape(found, cut, graph.shape(y))
            return
        rows, once = f"{y}:rows", sorted(set(positions))
        graph.values.define(rows, (*shape[:axis], len(once), *shape[axis + 1 :]), graph.values.kind(table))
        graph.parts[rows] = P.touched(graph.read(table), shape, {axis: once})
        move(graph, node, [rows], P.elements(graph.parts[rows]), [y])
        return
    size = graph.elements(y)
    parts = graph.read(table)
    layer = graph.elementwise(node, 1)
    graph.make(y, graph.emit(layer, [Operand(P.loose(parts, size)), *graph.data([indices])]))


def traffic(graph: Graph, node: Any) -> None:
    """Scatter, sort, sampling, suppression: an estimate that reads the operands and writes the results."""
    data = graph.data(node.input)
    outputs = [y for y in node.output if y]
    if node.op_type == "NonMaxSuppression":
        _boxes(graph, node)
    if node.op_type == "Compress":
        _kept(graph, node)
    for y in outputs:
        graph.shape(y)
    reads = P.elements(tuple(p for x in data for p in graph.read(x)))
    move(graph, node, data, max(reads, 1), outputs)


def _boxes(graph: Graph, node: Any) -> None:
    boxes, scores = (graph.shape(x) for x in node.input[:2])
    limit = graph.values.ints(node.input[2]) if len(node.input) > 2 and node.input[2] else [0]
    if limit is None:
        limit = [boxes[1]]
    count = scores[0] * scores[1] * min(max(limit[0], 0), boxes[1])
    graph.values.define(node.output[0], (count, 3), 7)
    graph.note("NonMaxSuppression keeps as many boxes as it may; what follows it is an upper bound")


def _kept(graph: Graph, node: Any) -> None:
    """What a Compress keeps, where its condition is known."""
    shape, kept = graph.shape(node.input[0]), graph.values.ints(node.input[1])
    axis = graph.attributes(node).get("axis")
    if kept is None:
        return
    count = sum(map(bool, kept[: prod(shape) if axis is None else shape[axis]]))
    made = (count,) if axis is None else (*shape[:axis], count, *shape[axis % len(shape) + 1 :])
    graph.values.define(node.output[0], made, graph.values.kind(node.input[0]))


def nonzero(graph: Graph, node: Any) -> None:
    """All elements may be other than zero."""
    shape = graph.shape(node.input[0])
    graph.values.define(node.output[0], (max(len(shape), 1), prod(shape)), 7)
    graph.note("NonZero finds as many positions as there are; what follows it is an upper bound")
    traffic(graph, node)


def dft(graph: Graph, node: Any) -> None:
    """A Fourier transform reads its input and writes its result once; its arithmetic is no products."""
    shape, attributes = graph.shape(node.input[0]), graph.attributes(node)
    axis = attributes.get("axis", -2 if graph.values.opsets.get("", 20) >= 20 else 1)
    if len(node.input) > 2 and node.input[2]:
        axis = (graph.values.ints(node.input[2]) or [axis])[0]
    axis %= len(shape)
    length = graph.values.ints(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    count = length[0] if length else shape[axis]
    if attributes.get("onesided"):
        count = count // 2 + 1
    graph.agree(node.output[0], (*shape[:axis], count, *shape[axis + 1 : -1], 2))
    traffic(graph, node)


def stft(graph: Graph, node: Any) -> None:
    """Fourier transforms of windows: each sample is read once, each frame written."""
    shape = graph.shape(node.input[0])
    step = graph.values.ints(node.input[1])
    known = graph.values.ints(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    if known is None and len(node.input) > 2 and node.input[2]:
        known = list(graph.shape(node.input[2]))
    if step is None or known is None:
        raise AccelsimError("the step or the length of its frames is not known")
    if step[0] < 1 or not 1 <= known[0] <= shape[1]:
        raise AccelsimError(f"frames of {known[0]} in steps of {step[0]} do not fit {shape[1]} samples")
    frames = (shape[1] - known[0]) // step[0] + 1
    count = known[0] // 2 + 1 if graph.attributes(node).get("onesided", 1) else known[0]
    # Inference takes a missing `onesided` for 0, the operator's default is 1.
    graph.values.define(node.output[0], (shape[0], frames, count, 2), graph.values.kind(node.input[0]))
    traffic(graph, node)


def same_shape(graph: Graph, node: Any) -> None:
    """An element-wise operator of another domain: a pass, or fused where it has one operand."""
    x = graph.data(node.input)[0]
    if graph.values.find(node.output[0]) is None:
        graph.values.define(node.output[0], graph.shape(x), graph.values.kind(x))
    one_pass(graph, node)


def estimate(graph: Graph, node: Any) -> None:
    """An operator that nobody knows, as an element-wise one."""
    data = graph.data(node.input)
    for y in node.output:
        if y and graph.values.find(y) is None:
            graph.values.define(y, graph.shape(data[0]))
    size = sum(graph.elements(y) for y in node.output if y)
    key = f"{node.domain}.{node.op_type}" if node.domain not in STANDARD else str(node.op_type)
    n, elements = graph.unknown.get(key, (0, 0))
    graph.unknown[key] = (n + 1, elements + size)
    traffic(graph, node)
