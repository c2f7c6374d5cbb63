"""An operator with what is known of its operands, and the checks that many rules are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.workloads.onnx.values import Shape, Values
from accelsim.workloads.onnx.window import word_of


class OnnxOperator:
    """A node with what is known of its operands; positions beyond them, and those left out, are None."""

    def __init__(self, values: Values, node: Any, attributes: dict[str, Any]) -> None:
        self.kind = str(node.op_type)
        self.attributes = attributes
        self._values = values
        self._names = list(node.input)
        self.outputs = list(node.output)

    def shape(self, k: int) -> Shape | None:
        """Sizes of operand `k`."""
        return self._values.find(self._names[k]) if k < len(self._names) else None

    def data(self, k: int) -> list[Any] | None:
        """Value of operand `k` as a flat list."""
        value = self._values.data(self._names[k]) if k < len(self._names) else None
        return None if value is None else np.ravel(value).tolist()

    def word(self, key: str, known: Sequence[str]) -> None:
        """Raise AccelsimError unless an attribute, if stated, is one of the words that the standard has."""
        word_of(self.attributes, key, known)


def axis_of(axis: int, rank: int, what: str = "axis") -> int:
    """The axis counted from the first. Raises AccelsimError unless there is one."""
    if not -rank <= axis < rank:
        raise AccelsimError(f"{what} is {axis}, but its input has {rank} axes: from {-rank} to {rank - 1}")
    return axis % rank


def fits(what: str, found: Shape | None, wanted: Sequence[Shape]) -> None:
    """Raise AccelsimError unless a known shape is one of `wanted`."""
    if found is not None and found not in wanted:
        choices = " or ".join(str(list(x)) for x in wanted)
        raise AccelsimError(f"{what} has shape {list(found)}, but must have {choices}")


def spreads(what: str, found: Shape | None, over: Shape) -> None:
    """Raise AccelsimError unless a known shape broadcasts to `over`, which stays as it is."""
    if found is None:
        return
    while len(found) > len(over) and found[0] == 1:
        found = found[1:]
    tail = over[len(over) - len(found) :]
    if len(found) > len(over) or any(n not in (1, m) for n, m in zip(found, tail)):
        raise AccelsimError(f"{what} of shape {list(found)} does not broadcast to {list(over)}")
