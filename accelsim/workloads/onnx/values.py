"""`Values`: shapes of all tensors, and the values of those that shapes are computed from.

Both come from the onnx package, operator by operator: its shape inference with the values known so far, and
its reference evaluator where every input is known. So shape arithmetic of any kind folds away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx.widths import BITS

Shape = tuple[int, ...]

LIMIT = 1 << 16
"""Elements of the largest tensor whose value is kept; weights and masks need only their shapes."""

RANDOM = frozenset({
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial",
})  # fmt: skip


STANDARD = ("", "ai.onnx")
"""Names of the standard's domain."""


class Values:
    """What is known of each tensor by name."""

    def __init__(self, opsets: dict[str, int], ir_version: int) -> None:
        self.opsets = opsets
        self._imports = [helper.make_opsetid(*one) for one in opsets.items()]
        self._ir = ir_version
        self._types: dict[str, Any] = {}
        self._data: dict[str, NDArray[Any]] = {}
        self._elsewhere: dict[str, str] = {}
        self.why: dict[str, str] = {}

    # -- what is known -------------------------------------------------------------------------------

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor. Raises AccelsimError if nothing could tell."""
        found = self.find(name)
        if found is None:
            why = self.why.get(name, "")
            raise AccelsimError(
                f"the shape of tensor {name!r} is unknown after shape inference"
                + (f" ({why})" if why else "; export with fixed sizes")
            )
        return found

    def find(self, name: str) -> Shape | None:
        """Sizes of a tensor, or None."""
        kind = self._types.get(name)
        return None if kind is None else sizes_of(kind)

    def kind(self, name: str) -> int:
        """Element type, an `onnx.TensorProto` number; 0 if unknown."""
        kind = self._types.get(name)
        return int(kind.tensor_type.elem_type) if kind is not None else 0

    def data(self, name: str) -> NDArray[Any] | None:
        """The value, where it is known."""
        return self._data.get(name)

    def ints(self, name: str) -> list[int] | None:
        """The value as a flat list of whole numbers, where it is known."""
        value = self._data.get(name)
        return None if value is None else [int(v) for v in np.ravel(value)]

    # -- what comes to be known ----------------------------------------------------------------------

    def define(self, name: str, shape: Shape, kind: int = 1) -> None:
        """State a tensor's shape and element type."""
        self._types[name] = helper.make_tensor_type_proto(kind or 1, shape)

    def hold(self, name: str, value: NDArray[Any]) -> None:
        """State a tensor's value."""
        self._types[name] = helper.make_tensor_type_proto(
            helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        self._data[name] = value

    def alias(self, name: str, other: str) -> None:
        """`name` is the tensor `other`."""
        for table in (self._types, self._data):
            table.pop(name, None)  # type: ignore[attr-defined]
            if other in table:
                table[name] = table[other]  # type: ignore[index]

    def initializer(self, tensor: Any) -> None:
        """Take a weight: its shape, and its value if it is small and at hand."""
        shape = tuple(tensor.dims)
        self.define(tensor.name, shape, tensor.data_type)
        external = tensor.data_location == TensorProto.EXTERNAL
        if external:
            self._elsewhere[tensor.name] = next(
                (x.value for x in tensor.external_data if x.key == "location"), "?"
            )
        elif _filled(tensor):
            _check_size(tensor)
        if not external and prod(shape) <= LIMIT and (_filled(tensor) or not prod(shape)):
            try:
                self._data[tensor.name] = numpy_helper.to_array(tensor)
            except Exception as fault:  # a damaged one raises of many types
                raise AccelsimError(
                    f"weight {tensor.name!r:.80}: its data does not fit its type and shape {list(shape)}: "
                    f"{fault!s:.200}"
                ) from None

    def infer(self, node: Any, constant: bool) -> str:
        """Shapes of a node's outputs, and their values if `constant` and every input is known.

        Gives what the standard finds wrong with the types and sizes of its operands, or nothing.
        """
        for name in node.output:
            self._types.pop(name, None)
            self._data.pop(name, None)
        if node.op_type in ("Shape", "Size") and node.domain in STANDARD:
            self._measure(node)
            return ""
        domain = "" if node.domain in STANDARD else node.domain
        schema = schema_of(node.op_type, self.opsets.get(domain, 1), domain)
        if schema is None:  # the operator's handler states the shape
            return ""
        wrong = self._infer(node, schema)
        if not wrong and constant:
            self._fold(node)
        return wrong

    def _infer(self, node: Any, schema: Any) -> str:
        inputs = {x for x in node.input if x}
        types = {x: self._types[x] for x in inputs if x in self._types}
        if len(types) < len(inputs):
            lost = next(x for x in node.input if x and x not in types)
            why = self.why.get(lost, f"that of {lost!r} is")
            self.why.update((x, why) for x in node.output)
            return ""
        known = {x: numpy_helper.from_array(self._data[x]) for x in inputs if x in self._data}
        for attribute in node.attribute:
            if attribute.name in _DIVISORS and min(attribute.ints or [attribute.i]) < 1:
                return f"{attribute.name} must be at least 1"
        try:
            found = shape_inference.infer_node_outputs(
                schema, node, types, known, None, self._imports, self._ir
            )
        except Exception as fault:  # the checks inside onnx raise many types
            wrong = said(fault)
            self.why.update((x, wrong) for x in node.output)
            return wrong
        for name, kind in found.items():
            if name:
                self._types[name] = kind
                if sizes_of(kind) is None:
                    self.why[name] = self._why(node)
        return ""

    def _why(self, node: Any) -> str:
        """Why a result has no known shape though nothing is wrong."""
        unshaped = next((x for x in node.input if x in self.why and self.find(x) is None), None)
        if unshaped is not None:
            return self.why[unshaped]
        for x in node.input:
            if x in self._elsewhere:
                return (
                    f"it follows from the value of {x!r}, in the file {self._elsewhere[x]!r:.80}, not opened"
                )
        unknown = [x for x in node.input[1:] if x and x not in self._data]
        return f"it follows from the value of {unknown[0]!r}, which is data" if unknown else ""

    def _measure(self, node: Any) -> None:
        shape = self.shape(node.input[0])
        if node.op_type == "Size":
            self.hold(node.output[0], np.array(prod(shape), np.int64))
            return
        part = {a.name: a.i for a in node.attribute}
        self.hold(node.output[0], np.array(shape[part.get("start", 0) : part.get("end")], np.int64))

    def _fold(self, node: Any) -> None:
        if any(x and x not in self._data for x in node.input) or node.op_type in RANDOM:
            return
        if node.op_type in ("ConstantOfShape", "Expand", "Tile", "Range", "OneHot") and not self._small(node):
            return
        try:
            function = helper.make_function(
                "accelsim", "fold", sorted({x for x in node.input if x}), [x for x in node.output if x],
                [node], self._imports,
            )  # fmt: skip
            feed = {x: self._data[x] for x in node.input if x}
            with np.errstate(all="ignore"):
                found = ReferenceEvaluator(function).run(None, feed, attributes={})
        except Exception:  # what the evaluator cannot do, shape inference may
            return
        for name, value in zip((x for x in node.output if x), found):
            if not isinstance(value, (np.ndarray, np.generic)):
                return
            self.hold(name, np.asarray(value))

    def _small(self, node: Any) -> bool:
        """Whether the result of an operator that can make much of little stays small."""
        last = self._data[node.input[-1]] if node.input else np.zeros(0)
        if node.op_type == "Range":
            start, limit, delta = (float(self._data[x].item()) for x in node.input)
            return delta != 0 and abs((limit - start) / delta) <= LIMIT
        if node.op_type == "OneHot":
            size = self._data[node.input[0]].size * int(np.ravel(self._data[node.input[1]])[0])
        else:
            size = int(np.prod(last.astype(np.float64))) if last.size else 1
            size *= self._data[node.input[0]].size if node.op_type == "Tile" else 1
        return 0 <= size <= LIMIT


_DIVISORS = ("strides", "dilations", "group", "blocksize", "num_outputs", "num_groups")
"""Attributes that inference divides by; in older onnx packages a 0 among them ends the process."""


def sizes_of(kind: Any) -> Shape | None:
    """Static sizes of a type, or None where one is symbolic or the type is no tensor."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    if not all(d.WhichOneof("value") == "dim_value" for d in dims):
        return None
    return tuple(d.dim_value for d in dims)


def inner_graphs(node: Any) -> Iterator[Any]:
    """The graphs inside a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


@cache
def schema_of(op: str, version: int, domain: str = "") -> Any:
    """What the onnx package knows of an operator, None if nothing.

    Of one that is younger than `version`, its first form: runtimes write some of them before their time.
    """
    if not isinstance(op, str) or not isinstance(domain, str):  # bytes, where it is no text
        return None
    if onnx.defs.has(op, version, domain):
        return onnx.defs.get_schema(op, version, domain)
    return _first_forms().get((op, domain))


@cache
def _first_forms() -> dict[tuple[str, str], Any]:
    """What each operator was when it came, by name and domain."""
    every = sorted(onnx.defs.get_all_schemas_with_history(), key=lambda s: -int(s.since_version))
    return {(s.name, s.domain): s for s in every}


def said(fault: Exception) -> str:
    """What the onnx package finds wrong, in a line and without its frame."""
    text = " ".join(str(fault).split()).partition(" ==> Context")[0]
    text = re.sub(r"\[(Shape|Type)InferenceError\] ", "", text)
    text = re.sub(r"(\w+) typestr: \S+, has unsupported type: (\S+)", r"\1 cannot be a \2", text)
    text = re.sub(r"(\w+) has inconsistent type (\S+)", r"\1 is a \2, but other operands are not", text)
    text = re.sub(
        r"ParseData type mismatch .*Expected:(\w+) Actual:(\w+)", r"a value must be \1, but is \2", text
    )
    text = re.sub(
        r"Can't merge shape info.*Inferred=(\d+) Declared=(\d+) Dimension=(\d+)",
        r"sizes \1 and \2 of axis \3 should be the same", text,
    )  # fmt: skip
    return text[:300].rstrip(". ") or type(fault).__name__


def _check_size(tensor: Any) -> None:
    """Raise AccelsimError unless a weight has as much data as its shape says."""
    bits = BITS.get(tensor.data_type)
    if bits is None:
        return
    count = prod(tensor.dims)
    size = -(-count * bits // 8)
    fields = [len(getattr(tensor, x)) for x in _FIELDS if len(getattr(tensor, x))]
    filled = fields in ([], [size if bits < 6 else count])
    if tensor.HasField("segment") or not filled or len(tensor.raw_data) not in (0, size):
        raise AccelsimError(
            f"weight {tensor.name!r:.80}: its data does not fit its type and shape {list(tensor.dims)}"
        )


_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def _filled(tensor: Any) -> bool:
    return (
        tensor.HasField("segment") or bool(tensor.raw_data) or any(len(getattr(tensor, x)) for x in _FIELDS)
    )
