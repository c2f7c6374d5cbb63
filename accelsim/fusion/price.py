"""Prices a given stack: what pieces it has, and what they cost together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.room import Room, flags, home_of, reserved_bits
from accelsim.fusion.schedule import Stack
from accelsim.fusion.stack_cost import StackCost, StackPiece
from accelsim.fusion.totals import Frame, Totals
from accelsim.fusion.widths import StackBits, widths_of
from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.mapping import MappingError
from accelsim.stacks import StackGraph, Steps, pieces, steps
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Floats = NDArray[np.float64]

Solve = Callable[[Layer, str, Floats], LayerCost | None]
"""Cost of a layer with these tensors resident and these bits reserved, None where nothing fits."""


class StackPart(NamedTuple):
    """A piece to be priced: of which layer, how often it runs, and what lies on chip meanwhile."""

    at: int
    times: int
    piece: Layer
    resident: str
    reserved: Floats


class StackParts(NamedTuple):
    """A stack on a chip, its pieces by layer, rows, columns."""

    hardware: Accelerator
    stack: Stack
    steps: Steps
    bits: StackBits
    all: tuple[StackPart, ...]

    @classmethod
    def of(cls, hardware: Accelerator, network: Network, stack: Stack) -> StackParts:
        """Raises StackError where the stack cannot run."""
        graph = StackGraph(network, stack.first, stack.last)
        counted = steps(graph, [stack.tile], [stack.kept])
        bits = StackBits.of(graph, widths_of(hardware, network))
        room = Room(hardware, counted, stack.weights, bits)
        resident = [flags(hardware, graph, i, i in stack.weights) for i in graph.inside]
        room.check()
        out = []
        shapes = pieces(graph, stack.tile, stack.kept)[len(graph.loaded) :]
        for n, (layer, regions) in enumerate(zip(graph.one_image, shapes)):
            for rows, cols, times in regions:
                piece = replace(layer, P=rows, Q=cols)
                reserved = reserved_bits(hardware, room.used[n], piece, resident[n])
                out.append(StackPart(stack.first + n, times, piece, resident[n], reserved))
        return cls(hardware, stack, counted, bits, tuple(out))

    def totals(self, cycles: Floats, pj: Floats, busy: Floats) -> Totals:
        """Of the stack, from cycles and pJ float64[n] of its pieces and their traffic [n, M, users]."""
        graph, times = self.steps.graph, np.array([part.times for part in self.all])
        moved, held = self.bits.moved(self.steps)[0], self.bits.held(graph, self.stack.weights)
        return Frame(self.hardware).of_pieces(moved, held, graph.images, times, cycles, pj, busy)

    def nothing_left(self, part: StackPart) -> MappingError:
        """What to raise for a piece that has no mapping beside the stack's tensors."""
        home = self.hardware.memories[home_of(self.hardware)].name
        return MappingError(
            f"{self._where(part)}: no mapping fits in what the stack's tensors leave of {home}"
        )

    def given(self, part: StackPart) -> LayerCost | None:
        """The cost of a piece under the mapping that the schedule gives it. Raises MappingError."""
        mapping = self.stack.pieces.get((part.at, part.piece.P, part.piece.Q))
        if mapping is None:
            return None
        try:
            return price_mapping(
                self.hardware, part.piece, mapping, resident=part.resident, reserved_bits=part.reserved
            )
        except MappingError as fault:
            raise MappingError(f"{self._where(part)}: {fault}") from None

    def check_given(self) -> None:
        """Raises MappingError for the mapping of a piece that there is none of."""
        there = {(part.at, part.piece.P, part.piece.Q) for part in self.all}
        for at, rows, cols in self.stack.pieces:
            if (at, rows, cols) not in there:
                sizes = ", ".join(f"{p}x{q}" for i, p, q in sorted(there) if i == at)
                raise MappingError(
                    f"{self._name}: {self.steps.graph.network.names[at]} has no piece of {rows}x{cols}; its "
                    f"pieces are {sizes}"
                )

    def _where(self, part: StackPart) -> str:
        return f"{self._name}: piece {part.piece.P}x{part.piece.Q} of {part.piece.name}"

    @property
    def _name(self) -> str:
        layers = self.steps.graph.layers
        return f"stack {layers[0].name} to {layers[-1].name}"


def price_stack(hardware: Accelerator, network: Network, stack: Stack, solve: Solve) -> StackCost:
    """Price one stack; its given pieces as they are, others by `solve`.

    Raises StackError where the stack cannot run; MappingError where a piece finds no mapping, or where one is
    given for a piece that the stack does not have.
    """
    parts = StackParts.of(hardware, network, stack)
    parts.check_given()
    out = []
    for part in parts.all:
        cost = parts.given(part) or solve(part.piece, part.resident, part.reserved)
        if cost is None:
            raise parts.nothing_left(part)
        out.append(StackPiece(part.at, part.times, cost))
    return StackCost(hardware, stack, parts.steps, tuple(out), parts.bits)
