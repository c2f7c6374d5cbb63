"""`LayerBits`: precisions of one layer, where they are not the machine's."""

from __future__ import annotations

from typing import Any, NamedTuple

from accelsim.errors import AccelsimError, nearest

MAX_BITS = 64


class LayerBits(NamedTuple):
    """Bits of an element of each operand; None: as the machine has it."""

    weight: int | None = None
    input: int | None = None
    output: int | None = None

    def to_dict(self) -> dict[str, int]:
        """JSON form, without what is the machine's."""
        return {key: bits for key, bits in self._asdict().items() if bits is not None}

    def __str__(self) -> str:
        return "x".join("*" if bits is None else str(bits) for bits in self)


AS_THE_MACHINE = LayerBits()

Bits = LayerBits | dict[str, int] | tuple[int | None, int | None, int | None]
"""What `read_bits` reads."""


def read_bits(value: Any, path: str = "bits") -> LayerBits:
    """From `LayerBits`, `{"weight": 4, "input": 8, "output": 8}` or three numbers; None is the machine's.

    Raises AccelsimError naming the place.
    """
    if isinstance(value, dict):
        for key in value:
            if key not in LayerBits._fields:
                raise AccelsimError(f"{path}.{key}: unknown key{nearest(str(key), LayerBits._fields)}")
        value = [value.get(key) for key in LayerBits._fields]
    if not isinstance(value, (tuple, list)) or len(value) != len(LayerBits._fields):
        raise AccelsimError(
            f'{path} must be an object like {{"weight": 4, "input": 8}}, or the bits of weights, inputs and '
            f"outputs, but got {value!r:.80}"
        )
    for key, bits in zip(LayerBits._fields, value, strict=True):
        if bits is not None and (type(bits) is not int or not 1 <= bits <= MAX_BITS):
            raise AccelsimError(
                f"{path}.{key} must be a whole number from 1 to {MAX_BITS}, but got {bits!r:.80}"
            )
    return LayerBits(*value)
