"""A base chip in other precisions: which of its figures go with the widths of its operands.

Registers keep as many elements, and their ports move as many a cycle: they are as wide as what they hold. All
other memories keep their bytes and rates, which more of the narrower elements share.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

from accelsim.hardware import Accelerator
from accelsim.hardware.fields import TENSORS, Tensor, is_number
from accelsim.hardware.memory import Memory
from accelsim.hardware.search_space import Widths

_Figure = tuple[str, Fraction, Tensor | None]


def is_own(widths: Widths, base: Accelerator) -> bool:
    """Whether these are the base's precisions."""
    own = base.precision_bits
    return (own.weight, own.input, own.output) == (widths.weight, widths.activation, widths.activation)


def width_changes(widths: Widths, base: Accelerator) -> dict[str, Any]:
    """Path -> value, as `resized` takes them; partial sums are as wide as before, or as outputs."""
    old = base.precision_bits
    sums = max(old.psum, widths.activation)
    bits = {"weight": widths.weight, "input": widths.activation, "output": widths.activation, "psum": sums}
    out: dict[str, Any] = {f"precision_bits.{key}": value for key, value in bits.items()}
    ratios = dict(zip(TENSORS, (
        Fraction(widths.weight, old.weight), Fraction(widths.activation, old.input), Fraction(sums, old.psum)
    ), strict=True))  # fmt: skip
    for memory in base.memories:
        if memory.technology == "register" and memory.precision_bits is None:
            for path, value, tensor in _figures(memory):
                grown = value * max(ratios[t] for t in ((tensor,) if tensor else memory.holds))
                whole = path.startswith("size_bytes")
                out[f"memories.{memory.name}.{path}"] = ceil(grown) if whole else float(grown)
    return out


def _figures(memory: Memory) -> Iterator[_Figure]:
    """(path within the memory, value, tensor or None for all) of its sizes and rates."""
    data = memory.model_dump(mode="json", exclude_none=True)
    for key in ("size_bytes", "bandwidth"):
        yield from _leaves(data.get(key), key, None)


def _leaves(at: Any, path: str, tensor: Tensor | None) -> Iterator[_Figure]:
    if is_number(at):
        yield path, Fraction(at), tensor
    elif isinstance(at, list):
        for i, port in enumerate(at):
            users = {user.split()[-1] for user in port["users"]}
            own = next((t for t in TENSORS if users == {t}), None)
            yield f"{path}[{i}].bytes_per_cycle", Fraction(port["bytes_per_cycle"]), own
    elif isinstance(at, dict):
        for key, value in at.items():
            yield from _leaves(value, f"{path}.{key}", next((t for t in TENSORS if t == key), tensor))
