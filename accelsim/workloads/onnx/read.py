"""Read an ONNX model as a `Network`; needs the `onnx` extra."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import helper

from accelsim.errors import AccelsimError
from accelsim.text_file import read_bytes
from accelsim.workloads.network import Network
from accelsim.workloads.onnx import valid
from accelsim.workloads.onnx.graph import Graph
from accelsim.workloads.onnx.sizes import Sizes, bind
from accelsim.workloads.onnx.values import Values
from accelsim.workloads.onnx.walk import UNDECIDED, Walk, declared, ordered, place, refusal

_MOST_OPERATORS = 20_000
"""Operators that functions may stand for."""

_MOST_BYTES = 2**31 - 1
"""Of a file: protobuf's own limit of a message. Weights as external data do not count, nor are read."""


def read(path: Path, sizes: Sizes, allow_unknown: bool) -> Network:
    """The network of an .onnx file. Raises AccelsimError naming the file and the node."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise AccelsimError(
                f"{path}: an ONNX file may have at most 2 GiB, but this one has {size / 2**30:.1f} GiB; "
                "export it with its weights as external data"
            )
        model = onnx.load_model_from_string(read_bytes(path, _MOST_BYTES))
    except OSError as fault:
        raise AccelsimError(f"{path}: cannot be read: {fault.strerror or fault}") from None
    except AccelsimError:
        raise
    except Exception as fault:  # protobuf's own errors differ from version to version
        raise AccelsimError(f"{path}: not an ONNX model, or a damaged one: {_line(fault)}") from None
    try:
        return _convert(model, path.stem, sizes, allow_unknown)
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None


def _convert(model: Any, title: str, sizes: Sizes, allow_unknown: bool) -> Network:
    if not model.graph.node:
        raise AccelsimError("the model has no operators; is the file damaged?")
    opsets = valid.opsets(model)
    if model.functions:
        model = _inlined(model, opsets)
        opsets = valid.opsets(model)
    source = model.graph
    valid.check_graph(source)
    sparse = {x.values.name: x for x in source.sparse_initializer}
    weights = {x.name for x in source.initializer} | set(sparse)
    inputs = [x for x in source.input if x.name not in weights]
    if not inputs:
        raise AccelsimError("the model has no inputs")
    shapes, rebound = bind(inputs, sizes)
    outputs = [x.name for x in source.output]
    live, dead = ordered(source, outputs)
    values = Values(opsets, model.ir_version)
    for x in inputs:
        values.define(x.name, shapes[x.name], x.type.tensor_type.elem_type)
        if not shapes[x.name] and x.name in sizes.inputs:  # a sampling rate, a switch: its value decides
            kind = helper.tensor_dtype_to_np_dtype(x.type.tensor_type.elem_type)
            values.hold(x.name, np.array(sizes.inputs[x.name][0], kind))
    graph = Graph(values, title or "onnx", [x.name for x in inputs])
    graph.constants.update(x.name for x in inputs if values.data(x.name) is not None)
    for tensor in source.initializer:
        values.initializer(tensor)
        graph.weight(tensor.name)
    for name, one in sparse.items():
        values.define(name, tuple(one.dims), one.values.data_type)
        graph.weight(name)
    check = valid.NodeCheck(opsets, model.ir_version)
    walk = Walk(graph, declared(source), check, not rebound)
    try:
        walk(live)
    except AccelsimError as fault:
        if graph.unknown and not allow_unknown and "not supported" not in str(fault):
            raise AccelsimError(refusal(graph, f", and then {fault}")) from None
        raise
    if graph.unknown and not allow_unknown:
        raise AccelsimError(refusal(graph))
    _say(graph, dead)
    if walk.others:
        graph.note(
            f"{len(walk.others)} results have other sizes than the file says: {walk.others[0]}; its inputs "
            "have symbols, so its operators decide"
        )
    for op, version in sorted(check.early.items()):
        graph.note(f"{op} came with opset {version}, but the file is of {opsets['']}: read as it was then")
    if model.ir_version > onnx.IR_VERSION:
        graph.note(
            f"the file is of IR version {model.ir_version}, but the onnx package here knows up to "
            f"{onnx.IR_VERSION}: what is newer in it was not seen"
        )
    return graph.build(outputs)


def _inlined(model: Any, opsets: dict[str, int]) -> Any:
    """The model with its functions' operators in their calls' places."""
    _check_functions(model)
    for function in model.functions:
        valid.align(function, opsets)
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as fault:  # the checks inside onnx raise many types
        raise AccelsimError(f"inlining functions failed: {_line(fault)}") from None


def _check_functions(model: Any) -> None:
    """Raise AccelsimError where functions that call functions stand for too many operators.

    A file of a kilobyte may double itself with each of 40 functions.
    """
    known = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Any, above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in known and key not in sizes:
                if key in above or len(above) > 100:
                    raise AccelsimError(f"function {node.op_type!r} calls itself, or functions 100 deep")
                sizes[key] = size(known[key].node, (*above, key))
            total += sizes.get(key, 1)
        return total

    if size(model.graph.node, ()) > _MOST_OPERATORS:
        raise AccelsimError(f"its functions stand for more than {_MOST_OPERATORS} operators")


def _say(graph: Graph, dead: list[Any]) -> None:
    if dead:
        kinds = Counter(node.op_type for node in dead)
        what = ", ".join(f"{n} {op}" for op, n in sorted(kinds.items()))
        graph.note(f"left out, as no output needs them: {what}; the first is {place(dead[0])}")
    total = sum(layer.output_elements for layer in graph.layers)
    for key, (n, elements) in sorted(graph.unknown.items()):
        share = 100 * elements / max(total, 1)
        if key in UNDECIDED:
            why, priced = UNDECIDED[key]
            graph.note(f"{n} {key} {why}, {priced} is priced: {share:.1f} % of all elements made")
            continue
        graph.note(f"{n} {key} not known, estimated as element-wise: {share:.1f} % of all elements made")


def _line(fault: Exception) -> str:
    text = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {text[:300]}" if text else type(fault).__name__
