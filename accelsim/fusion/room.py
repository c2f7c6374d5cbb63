"""`Room`: what a stack's tensors and weights take of the memory on chip, and what is left for the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import MappingError
from accelsim.pack import TENSORS
from accelsim.stacks import StackGraph, Steps
from accelsim.stacks.steps import LOADED, MADE_SENT, READ_SENT
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.fusion.widths import StackBits
    from accelsim.hardware import Accelerator

PARTS = (*TENSORS, "all")
"""Columns of reserved bits: the parts of a memory, and the whole where it has none."""


class StackError(MappingError):
    """A stack that cannot run on a chip: no home, no room, or results that it never computes."""


def home_of(hardware: Accelerator) -> int:
    """The first memory below the outermost that holds inputs and outputs. Raises StackError without one."""
    for m, memory in enumerate(hardware.memories):
        if m > 0 and {"I", "O"} <= set(memory.holds):
            return m
    raise StackError(
        f"{hardware.name} has no memory on chip that holds both I and O, where a stack's results could wait"
    )


def used_bits(
    hardware: Accelerator, room: NDArray[np.int64], weights: NDArray[np.int64] | int
) -> NDArray[np.float64]:
    """float64[..., 4] bits of the parts W, I, O of the home and of the whole.

    room     int64[..., ROOM_COLS] of `Steps.room_bits`
    weights  int64[...] bits of weights that stay
    """
    memory = hardware.memories[home_of(hardware)]
    buffers = 2.0 if memory.double_buffered else 1.0
    loaded, read, made = (room[..., c] * buffers + room[..., c + 1] for c in (LOADED, READ_SENT, MADE_SENT))
    out = np.zeros((*room.shape[:-1], 4))
    if "all" in memory.parts():
        out[..., 3] = loaded + made + weights
    else:
        # Inputs and outputs have a part each: what is made inside is an output, then an input.
        out[..., 0], out[..., 1], out[..., 2] = weights, loaded + read, made
    return out


def capacity_of(hardware: Accelerator) -> NDArray[np.float64]:
    """float64[4] bits of the parts of the home, infinite where it has none."""
    parts = hardware.memories[home_of(hardware)].parts()
    return np.array([8.0 * parts[p] if p in parts else np.inf for p in PARTS])


class Room:
    """Bits of one memory that a choice for a stack takes while each of its layers runs.

    choice  `Steps` of one choice
    used    [layers, 4] bits of the parts W, I, O and of the whole
    """

    def __init__(self, hardware: Accelerator, choice: Steps, stay: Sequence[int], bits: StackBits) -> None:
        """`stay`: layers whose weights stay; `bits`: widths of the stack."""
        graph, self.hardware, self.choice = choice.graph, hardware, choice
        self.home = home_of(hardware)
        memory = hardware.memories[self.home]
        self.shared = "all" in memory.parts()
        width = bits.tensors[1]
        self.tensors = choice.room(width.astype(float), 2.0 if memory.double_buffered else 1.0)[0]
        self.capacity = capacity_of(hardware)
        self.weights = graph.weights(stay) * bits.weights[1]
        self.used = used_bits(hardware, choice.room_bits(width)[0], int(self.weights.sum()))

    def check(self) -> None:
        """Raises StackError naming the layer, the tensor and the bytes that lack."""
        graph, names = self.choice.graph, self.choice.graph.names
        memory = self.hardware.memories[self.home]
        missing = np.flatnonzero(self.choice.missing[0])
        if len(missing):
            raise StackError(
                f"{self._stack()}: what comes later reads all of {names[missing[0]]}, of which this stack "
                f"computes only a part; cut the stack after {names[missing[0]]}"
            )
        over = np.argwhere(self.used > self.capacity)
        if not len(over):
            return
        layer, part = (int(x) for x in over[np.argmax([self.used[tuple(o)] for o in over])])
        lacks = -(-(self.used[layer, part] - self.capacity[part]) // 8)
        largest = int(self.tensors[layer].argmax())
        what, size = names[largest], self.tensors[layer, largest] / 8
        if self.weights.max(initial=0.0) > 8 * size:
            at = int(self.weights.argmax())
            what, size = f"the weights of {graph.layers[at].name}", self.weights[at] / 8
        where = memory.name if self.shared else f"the {PARTS[part]} part of {memory.name}"
        raise StackError(
            f"{self._stack()}: while {graph.layers[layer].name} runs, {where} lacks {lacks:.0f} bytes of the "
            f"{self.used[layer, part] / 8:.0f} that it needs; {what} takes {size:.0f} of them"
        )

    def _stack(self) -> str:
        layers = self.choice.graph.layers
        return f"stack {layers[0].name} to {layers[-1].name}"


def flags(hardware: Accelerator, graph: StackGraph, layer: int, stays: bool) -> str:
    """Tensors of a layer in a stack that lie in the home. Raises StackError where they cannot."""
    held, name = hardware.memories[home_of(hardware)].holds, graph.network.names[layer]
    if hardware.for_layer(graph.network.layers[layer]).unit_points:
        raise StackError(f"{name} runs on a processor beside {hardware.name}, where no stack's results wait")
    factor = any(e.operand == "W" for e in graph.network.inputs_of[layer])
    if (factor or stays) and "W" not in held:
        what = "reads an activation as W" if factor else "is to keep its weights"
        raise StackError(
            f"{hardware.memories[home_of(hardware)].name} of {hardware.name} does not hold W, but "
            f"{name} {what}"
        )
    return "WIO" if factor or stays else "IO"


def reserved_bits(
    hardware: Accelerator, used: NDArray[np.float64], piece: Layer, resident: str
) -> NDArray[np.float64]:
    """float64[M, 4] bits that a piece of a layer must leave alone, its own tensors not counted.

    `used` float64[4] is what the stack takes of the home while the layer runs.
    """
    home = home_of(hardware)
    bits = hardware.at_bits(piece.bits).kept_bits(home)
    own = np.zeros(4)
    if "W" in resident:
        own[0] = piece.weight_elements * bits.weight
    own[1], own[2] = piece.input_elements * bits.input, piece.output_elements * bits.output
    if "all" in hardware.memories[home].parts():
        own[3] = own[:3].sum()
        own[:3] = 0.0
    out = np.zeros((len(hardware.memories), 4))
    out[home] = np.maximum(used - own, 0.0)
    return out
