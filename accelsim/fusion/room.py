"""`Room`: what a stack's tensors and weights take of the memory on chip, and what is left for the pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import MappingError
from accelsim.pack import TENSORS
from accelsim.stacks import StackGraph, Steps
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

PARTS = (*TENSORS, "all")
"""Columns of reserved bits: the parts of a memory, and the whole where it has none."""


class StackError(MappingError):
    """A stack that cannot run on a chip: no home, no room, or results that it never computes."""


def home_of(hardware: Accelerator) -> int:
    """The first memory below the outermost that holds inputs and outputs. Raises StackError without one."""
    for m, memory in enumerate(hardware.memories):
        if m > 0 and {"I", "O"} <= set(memory.holds):
            for outer in (0, m):
                if hardware.kept_bits(outer) != hardware.precision_bits:
                    raise StackError(
                        f"memories[{outer}].precision_bits: {hardware.memories[outer].name} of "
                        f"{hardware.name} keeps elements in widths of its own; stacks know the machine's only"
                    )
            return m
    raise StackError(
        f"{hardware.name} has no memory on chip that holds both I and O, where a stack's results could wait"
    )


class Room:
    """Bits of one memory that B choices for a stack take while each of its layers runs.

    choices  the batch of `steps`
    used     [B, layers, 4] bits of the parts W, I, O and of the whole
    """

    def __init__(self, hardware: Accelerator, choices: Steps, stay: NDArray[np.bool_]) -> None:
        """`stay` [B, layers]: whose weights stay."""
        graph, self.hardware, self.choices, self.stay = choices.graph, hardware, choices, stay
        self.home = home_of(hardware)
        memory, bits = hardware.memories[self.home], hardware.precision_bits
        parts = memory.parts()
        self.shared = "all" in parts
        inside = np.arange(len(graph.nodes)) >= len(graph.loaded)
        width = np.where(inside, bits.output, bits.input).astype(float)
        self.tensors = choices.room(width, 2.0 if memory.double_buffered else 1.0)
        self.capacity = np.array([8.0 * parts[p] if p in parts else np.inf for p in PARTS])
        weights = [graph.network.weights_of[i] * float(bits.weight) for i in graph.nodes[len(graph.loaded) :]]
        self.weights = stay * np.array(weights)
        self.used = np.zeros((*self.tensors.shape[:2], 4))
        everything, held = self.tensors.sum(axis=2), self.weights.sum(axis=1)[:, None]
        if self.shared:
            self.used[..., 3] = everything + held
        else:
            # Inputs and outputs have a part each: what is made inside is an output, then an input.
            self.used[..., 0] = held
            self.used[..., 1] = self.tensors[..., inside & ~_only_out(graph) | ~inside].sum(axis=2)
            self.used[..., 2] = self.tensors[..., inside].sum(axis=2)

    @property
    def fits(self) -> NDArray[np.bool_]:
        """[B] whether all parts are large enough."""
        return np.asarray((self.used <= self.capacity).all(axis=(1, 2)) & ~self.choices.missing.any(axis=1))

    def reserved(self, choice: int, layer: int, piece: Layer, resident: str) -> NDArray[np.float64]:
        """float64[M, 4] bits that a piece of a layer must leave alone, its own tensors not counted."""
        bits = self.hardware.precision_bits
        out = np.zeros((len(self.hardware.memories), 4))
        own = np.zeros(4)
        if "W" in resident:
            own[0] = piece.weight_elements * bits.weight
        own[1], own[2] = piece.input_elements * bits.input, piece.output_elements * bits.output
        if self.shared:
            own[3] = own[:3].sum()
            own[:3] = 0.0
        out[self.home] = np.maximum(self.used[choice, layer] - own, 0.0)
        return out

    def check(self, choice: int = 0) -> None:
        """Raises StackError naming the layer, the tensor and the bytes that lack."""
        graph, names = self.choices.graph, self.choices.graph.names
        memory = self.hardware.memories[self.home]
        missing = np.flatnonzero(self.choices.missing[choice])
        if len(missing):
            raise StackError(
                f"{self._stack()}: what comes later reads all of {names[missing[0]]}, of which this stack "
                f"computes only a part; cut the stack after {names[missing[0]]}"
            )
        over = np.argwhere(self.used[choice] > self.capacity)
        if not len(over):
            return
        layer, part = (int(x) for x in over[np.argmax([self.used[choice][tuple(o)] for o in over])])
        lacks = -(-(self.used[choice, layer, part] - self.capacity[part]) // 8)
        largest = int(self.tensors[choice, layer].argmax())
        what, size = names[largest], self.tensors[choice, layer, largest] / 8
        if self.weights[choice].max(initial=0.0) > 8 * size:
            at = int(self.weights[choice].argmax())
            what, size = f"the weights of {graph.layers[at].name}", self.weights[choice, at] / 8
        where = memory.name if self.shared else f"the {PARTS[part]} part of {memory.name}"
        raise StackError(
            f"{self._stack()}: while {graph.layers[layer].name} runs, {where} lacks {lacks:.0f} bytes of the "
            f"{self.used[choice, layer, part] / 8:.0f} that it needs; {what} takes {size:.0f} of them"
        )

    def _stack(self) -> str:
        layers = self.choices.graph.layers
        return f"stack {layers[0].name} to {layers[-1].name}"


def flags(hardware: Accelerator, graph: StackGraph, layer: int, stays: bool) -> str:
    """Tensors of a layer in a stack that lie in the home. Raises StackError where they cannot."""
    if any(graph.network.layers[layer].bits):
        raise StackError(
            f"{graph.network.names[layer]} has precisions of its own; stacks know those of the machine only"
        )
    held = hardware.memories[home_of(hardware)].holds
    factor = any(e.operand == "W" for e in graph.network.inputs_of[layer])
    if (factor or stays) and "W" not in held:
        what = "reads an activation as W" if factor else "is to keep its weights"
        raise StackError(
            f"{hardware.memories[home_of(hardware)].name} of {hardware.name} does not hold W, but "
            f"{graph.network.names[layer]} {what}"
        )
    return "WIO" if factor or stays else "IO"


def _only_out(graph: StackGraph) -> NDArray[np.bool_]:
    """[nodes] results that no layer of the stack reads."""
    inside = {e.producer for i in range(graph.first, graph.last + 1) for e in graph.network.inputs_of[i]}
    return np.array([i not in inside for i in graph.nodes])
