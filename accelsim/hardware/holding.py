"""Ways to hold: the machines that a file describes where it leaves to the mapper what its memories hold.

All are the same silicon: sizes, area, leakage, ports and energies stay; only which tensors pass by differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING

from accelsim.hardware.fields import TENSORS, Tensor

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator
    from accelsim.hardware.memory import Memory
    from accelsim.hardware.ports import Port
    from accelsim.workloads.layer import Layer

MOST_WAYS = 64
"""Ways to hold of one machine: each is a mapping problem of its own."""

Held = tuple[Tensor, ...]


def options(memory: Memory) -> tuple[Held, ...]:
    """What a memory may hold, most first: all of `holds`, then without one, two, three of the choice."""
    choice = [t for t in TENSORS if t in memory.holds_choice]
    gone = (some for n in range(len(choice) + 1) for some in combinations(choice, n))
    every = [t for t in TENSORS if t in (*memory.holds, *choice)]
    return tuple(tuple(t for t in every if t not in some) for some in gone)


def count_ways(choices: Sequence[int]) -> int:
    """Ways to hold of a machine whose memories leave so many tensors each to the mapper."""
    return prod(2**n for n in choices)


def ways_of(hw: Accelerator) -> tuple[Accelerator, ...]:
    """The machine of each way to hold, `holds` as it is first; only the machine itself without a choice."""
    if not hw.leaves_choice:
        return (hw,)
    return tuple(_holding(hw, held) for held in product(*(options(memory) for memory in hw.memories)))


def _holding(hw: Accelerator, held: Sequence[Held]) -> Accelerator:
    """The machine whose memories hold just these tensors, its choice made."""
    memories = tuple(m.model_copy(update={"holds": h}) for m, h in zip(hw.memories, held, strict=True))
    made = hw.derived(memories=memories)
    made.decide(tuple(_used(hw.ports(m), h) for m, h in enumerate(held)))
    return made


def _used(ports: Sequence[Port], held: Held) -> tuple[Port, ...]:
    """The ports without users whose tensors pass by, and without those that then have none."""
    left = (port._replace(users=tuple(u for u in port.users if u[-1] in held)) for port in ports)
    return tuple(port for port in left if port.users)


def ways_for(hw: Accelerator, layer: Layer, resident: str = "") -> tuple[Accelerator, ...]:
    """The ways to hold that differ for a layer, `resident` tensors staying where they lie."""
    if not hw.leaves_choice:
        return (hw,)
    fixed = resident if layer.has_weights else resident.replace("W", "")
    return tuple(
        way
        for way in hw.ways
        if all(first_holder(way, t) == first_holder(hw, t) for t in fixed)
        and (
            layer.has_weights
            or all("W" in a.holds for a, b in zip(way.memories, hw.memories) if "W" in b.holds)
        )
    )


def first_holder(hw: Accelerator, tensor: str) -> int:
    """The first memory below the outermost that holds a tensor: where it lies if resident; 0 if none."""
    return next((m for m, memory in enumerate(hw.memories) if m > 0 and tensor in memory.holds), 0)
