"""Bits of an element of each tensor of a stack, where it lies outside and where it waits on chip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.room import home_of
from accelsim.stacks import StackGraph, Steps
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Ints = NDArray[np.int64]


class LayerWidths(NamedTuple):
    """Bits of a weight, an input and a result of one layer, in memory 0 and in the home."""

    outer: tuple[int, int, int]
    home: tuple[int, int, int]


def widths_of(hardware: Accelerator, network: Network) -> tuple[LayerWidths, ...]:
    """Of each layer: its own precisions, else the machine's, unless the memory keeps widths of its own.

    Raises StackError for a chip without a home.
    """
    home, known = home_of(hardware), dict[LayerBits, LayerWidths]()
    for bits in {layer.bits for layer in network.layers}:
        seen = hardware.at_bits(bits)
        outer, inner = (seen.kept_bits(m) for m in (0, home))
        known[bits] = LayerWidths(
            (outer.weight, outer.input, outer.output), (inner.weight, inner.input, inner.output)
        )
    return tuple(known[layer.bits] for layer in network.layers)


class StackBits(NamedTuple):
    """LayerWidths of a stack, memory 0 first, the home second.

    tensors  int64[2, nodes] of a result as its layer makes it; of a tensor from outside as the reader in the
             stack that takes most of it reads it
    weights  int64[2, layers]
    """

    tensors: Ints
    weights: Ints

    @classmethod
    def of(cls, graph: StackGraph, widths: tuple[LayerWidths, ...]) -> StackBits:
        """`widths` are those of the network's layers."""
        tensors = np.zeros((2, len(graph.nodes)), np.int64)
        at = {producer: node for node, producer in enumerate(graph.nodes)}
        for i in graph.inside:
            tensors[:, at[i]] = [memory[2] for memory in widths[i]]
            for edge in graph.network.inputs_of[i]:
                if edge.producer < graph.first:
                    read = [memory["WI".index(edge.operand)] for memory in widths[i]]
                    tensors[:, at[edge.producer]] = np.maximum(tensors[:, at[edge.producer]], read)
        weights = np.array([[memory[0] for memory in widths[i]] for i in graph.inside]).T
        return cls(tensors, weights)

    def moved(self, counted: Steps) -> Ints:
        """int64[B, 2, 6] what loads and stores move, columns of `accelsim.fusion.totals`."""
        return np.stack([counted.moved(width) for width in self.tensors], axis=1)

    def held(self, graph: StackGraph, stay: Iterable[int]) -> Ints:
        """int64[2] bits of the weights of layers `stay`."""
        return np.asarray(self.weights @ graph.weights(stay))
