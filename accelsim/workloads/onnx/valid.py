"""What the standard says of a model and of its operators, asked before they are believed.

The onnx package's own checks, operator by operator: its checker of attributes and counts, and its inference
of types and shapes, which `Values` runs. Its check of a whole model is not used: that refuses weights without
data, operators in another order and result types left out, all of which read well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import onnx
from onnx import checker

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.onnx.values import STANDARD, inner_graphs, said, schema_of, sizes_of


def opsets(model: Any) -> dict[str, int]:
    """Version by domain, the standard's domain as "". Raises AccelsimError for versions that mean nothing."""
    found: dict[str, int] = {}
    for one in model.opset_import:
        domain = "" if one.domain in STANDARD else one.domain
        if found.setdefault(domain, one.version) != one.version:
            raise AccelsimError(
                f"it imports operators of {domain or 'the standard'!r} in versions {found[domain]} and "
                f"{one.version}"
            )
    version = found.get("", 1 if model.ir_version < 3 else None)
    if version is None and any(node.domain in STANDARD for node in model.graph.node):
        raise AccelsimError(
            "it does not say which version of the standard's operators it uses (opset_import)"
        )
    if version is not None:
        _check_version(version)
    return found if version is None else {**found, "": version}


def _check_version(version: int) -> None:
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= version <= newest:
        hint = "; a newer one may: pip install -U onnx" if version > newest else ""
        raise AccelsimError(
            f"it uses version {version} of the standard's operators (opset), but the onnx package here, "
            f"{onnx.__version__}, knows 1 to {newest}{hint}"
        )


def align(function: Any, versions: dict[str, int]) -> None:
    """A function's operators at the file's version, as inlining needs it.

    Raises AccelsimError where one of them is another operator there.
    """
    for one in function.opset_import:
        own = one.version
        wanted = versions.setdefault("", own) if one.domain in STANDARD else own
        if own == wanted:
            continue
        _check_version(own)
        for node in _all_nodes(function.node):
            before, after = (schema_of(node.op_type, v) for v in (own, wanted))
            if node.domain in STANDARD and before and after and before.since_version != after.since_version:
                raise AccelsimError(
                    f"function {function.name!r:.80} is of opset {own}, but the file of {wanted}, where "
                    f"{node.op_type} has another version"
                )
        one.version = wanted


def _all_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        for inner in inner_graphs(node):
            yield from _all_nodes(inner.node)


def check_graph(graph: Any, outer: Iterable[str] = ()) -> None:
    """Raise AccelsimError unless each tensor comes from one place, with a type; inner graphs included."""
    if not graph.output:
        raise AccelsimError("it has no outputs, so that no operator is needed")
    makers = dict.fromkeys(outer, "the graph around it")

    def claim(name: str, maker: str) -> None:
        if makers.setdefault(name, maker) != maker:
            raise AccelsimError(f"two places make the tensor {name!r:.80}: {makers[name]} and {maker}")

    weights = [*graph.initializer, *(x.values for x in graph.sparse_initializer)]
    for k, tensor in enumerate(weights):
        claim(tensor.name, f"weight {k}")
        _check_type(tensor.data_type, f"weight {tensor.name!r:.80}")
    defaults = {tensor.name: tensor for tensor in weights}
    for k, x in enumerate(graph.input):
        if x.name in defaults:  # as all weights' names were before IR 4
            _check_default(x, defaults[x.name])
            continue
        claim(x.name, f"input {k}")
        if x.type.WhichOneof("value") == "tensor_type":
            _check_type(x.type.tensor_type.elem_type, f"input {x.name!r:.80}")
    for k, node in enumerate(graph.node):
        for inner in inner_graphs(node):
            check_graph(inner, makers)
        for name in filter(None, node.output):
            claim(name, f"node {k} ({node.op_type})")


def _check_default(value: Any, tensor: Any) -> None:
    kind, shape = value.type.tensor_type.elem_type, sizes_of(value.type)
    if kind not in (0, tensor.data_type) or (shape is not None and shape != tuple(tensor.dims)):
        raise AccelsimError(
            f"input {value.name!r:.80} of shape {list(shape or ())} has a default of another type or shape, "
            f"{list(tensor.dims)}"
        )


def _check_type(kind: int, what: str) -> None:
    known = onnx.TensorProto.DataType.values()
    if kind not in known or kind == onnx.TensorProto.UNDEFINED:
        raise AccelsimError(f"{what} has the element type {kind}, which the standard does not have")


class NodeCheck:
    """The checker of single operators: their attributes, and how many inputs and outputs they have."""

    def __init__(self, versions: dict[str, int], ir_version: int) -> None:
        self._context = checker.C.CheckerContext()
        self._context.opset_imports = versions
        self._context.ir_version = min(ir_version, onnx.IR_VERSION)
        self._versions = versions
        self._passed: dict[int, Any] = {}
        """Nodes by id, held so that it stays theirs: a loop asks of the same ones in each trip."""
        self.early: dict[str, int] = {}
        """Operators that are younger than the file says it is, with the version that brought them."""

    def __call__(self, node: Any) -> None:
        """Raise AccelsimError where the standard knows the operator, and this is none."""
        if id(node) not in self._passed:
            self._check(node)
            self._passed[id(node)] = node

    def _check(self, node: Any) -> None:
        version = self._versions.get("", 1)
        schema = schema_of(node.op_type, version) if node.domain in STANDARD else None
        if schema is None:
            return
        _check_count("input", node.input, schema.inputs, schema.max_input)
        _check_count("output", node.output, schema.outputs, schema.max_output)
        _check_attributes(node.attribute, schema.attributes, max(version, schema.since_version))
        if schema.since_version > version:
            self.early[node.op_type] = int(schema.since_version)
            return
        bare = type(node)()
        bare.CopyFrom(node)
        bare.domain = ""
        for attribute in bare.attribute:  # operators of inner graphs are checked one by one
            if attribute.HasField("g"):
                attribute.g.CopyFrom(onnx.GraphProto(name="inner"))
        try:
            checker.check_node(bare, self._context)
        except Exception as fault:  # of several types
            raise AccelsimError(said(fault)) from None


def _check_count(what: str, names: Sequence[str], formal: Sequence[Any], most: int) -> None:
    if len(names) > most:
        raise AccelsimError(f"it has {len(names)} {what}s, but at most {most}")
    for k, one in enumerate(formal):
        if one.option == onnx.defs.OpSchema.FormalParameterOption.Single and not any(names[k : k + 1]):
            raise AccelsimError(f"{what} {k + 1}, {one.name}, is missing")


def _check_attributes(found: Iterable[Any], known: Mapping[str, Any], version: int) -> None:
    for one in found:
        if one.name not in known:
            near = nearest(one.name, sorted(known)) if known else "; it has none"
            raise AccelsimError(f"no attribute {one.name!r:.80} in opset {version}{near}")
        kind, wanted = onnx.AttributeProto.AttributeType.Name(one.type), known[one.name].type.name
        if one.type and kind != wanted:
            raise AccelsimError(f"attribute {one.name} must be of type {wanted}, but is {kind}")
