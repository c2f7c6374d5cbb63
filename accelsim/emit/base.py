"""`emit`: mapped layers as the text of a program; the writers by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from accelsim.errors import printable
from accelsim.hardware import Accelerator, load_hardware
from accelsim.mapping.mapping import Mapping
from accelsim.names import Registry
from accelsim.workloads.layer import Layer

EMITTERS = Registry(
    "emit",
    {
        "mlir": "accelsim.emit.mlir:write",
        "tvm": "accelsim.emit.tvm:write",
        "c": "accelsim.emit.c:write",
        "timeloop": "accelsim.emit.timeloop:write",
    },
    "accelsim.emitters",
)


class Item(NamedTuple):
    """A mapped layer as one function of the program.

    name    of the function: a letter, then letters, digits and `_`
    serves  names of the layers that are this one
    hardware  what the mapping is for, where it was given
    """

    name: str
    serves: tuple[str, ...]
    layer: Layer
    mapping: Mapping
    hardware: Accelerator | None = None


Writer = Callable[[Sequence[Item], str], str]
"""Text of a program of some functions; the second argument says what they are, in a line."""


def emitter_names() -> tuple[str, ...]:
    """Names that `emit` knows."""
    return EMITTERS.names()


def emit(
    language: str,
    mapped: Sequence[tuple[Layer, Mapping]],
    about: str = "",
    hardware: Accelerator | str | None = None,
) -> str:
    """The program of some mapped layers in a language of `emitter_names`; the same layers give the same text.

    Layers that are alike, mapped alike, share a function. `timeloop` needs the hardware; the others do not
    look at it. Raises AccelsimError for an unknown language.
    """
    EMITTERS.check(language)
    machine = None if hardware is None else load_hardware(hardware)
    items = [item._replace(hardware=machine) for item in functions(mapped)]
    return EMITTERS.call(language, str, items, printable(" ".join(about.split())))


def functions(mapped: Sequence[tuple[Layer, Mapping]]) -> list[Item]:
    """One `Item` for each distinct mapped layer, in the order of first appearance."""
    out: dict[str, Item] = {}
    taken: set[str] = set()
    for layer, mapping in mapped:
        key = f"{layer} {mapping.to_dict()}"
        known = out.get(key)
        if known is not None:
            out[key] = known._replace(serves=(*known.serves, layer.name))
            continue
        stem = "_".join(("layer", *re.findall(r"[A-Za-z0-9]+", layer.name)))
        name, n = stem, 1
        while name in taken:
            n += 1
            name = f"{stem}_{n}"
        taken.add(name)
        out[key] = Item(name, (layer.name,) if layer.name else (), layer, mapping)
    return list(out.values())


def title(item: Item) -> str:
    """A line that says what a function is."""
    names = (
        f" ({', '.join(printable(' '.join(name.split())) for name in item.serves)})" if item.serves else ""
    )
    return f"{item.layer}{names}"
