"""`StackCost`: what a stack of layers costs on a chip, its pieces priced by the kernel as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.schedule import Stack
from accelsim.fusion.totals import Frame, Totals
from accelsim.fusion.widths import StackBits
from accelsim.mapping.cost import LayerCost
from accelsim.stacks import StackGraph, Steps, pieces

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


@dataclass(frozen=True)
class StackPiece:
    """Regions of one layer that have one shape: the layer of that P and Q, and how often it runs."""

    layer: int
    times: int
    cost: LayerCost


@dataclass(frozen=True)
class StackCost:
    """Costs of a stack, all images. Loads and stores go once each way between memory 0 and the home."""

    hardware: Accelerator
    stack: Stack
    steps: Steps
    pieces: tuple[StackPiece, ...]
    bits: StackBits

    @property
    def graph(self) -> StackGraph:
        """Layers and tensors."""
        return self.steps.graph

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(x.name for x in self.graph.layers)

    # -- words ---------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Steps: tiles of the sink, of all images."""
        return int(self.steps.count[0])

    @property
    def loads(self) -> dict[str, int]:
        """Words loaded of each tensor from outside; weights are in `weights_loaded`."""
        return {n: int(w) for n, w in zip(self.graph.loaded_names, self.steps.words[0])}

    @property
    def stores(self) -> dict[str, int]:
        """Words stored of each result that something outside reads."""
        nodes = np.flatnonzero(self.graph.stored)
        return {self.graph.names[n]: int(self.steps.words[0, n]) for n in nodes}

    @property
    def weights_loaded(self) -> dict[str, int]:
        """Words of weights that stay, loaded once an image; those that layers share count for the first."""
        held = self.graph.weights(self.stack.weights) * self.graph.images
        return {self.graph.network.names[i]: int(held[i - self.stack.first]) for i in self.stack.weights}

    @property
    def macs(self) -> int:
        """Multiply-accumulates done."""
        return int(self.steps.macs[0])

    @property
    def macs_needed(self) -> int:
        """Multiply-accumulates of what is ever needed, once."""
        return int(self.steps.macs_needed[0])

    @cached_property
    def regions(self) -> dict[str, list[list[int]]]:
        """Per layer or loaded tensor the regions as [rows, columns, how often]."""
        found = pieces(self.graph, self.stack.tile, self.stack.kept)
        return {name: [list(x) for x in shapes] for name, shapes in zip(self.graph.names, found)}

    @property
    def room(self) -> dict[str, dict[str, int]]:
        """Per tensor elements of its window and of what is kept of columns and rows."""
        parts = {"window": self.steps.window, "cols": self.steps.kept_cols, "rows": self.steps.kept_rows}
        return {
            name: {part: int(words[0, n]) for part, words in parts.items()}
            for n, name in enumerate(self.graph.names)
        }

    # -- time and energy -----------------------------------------------------------------------------

    @cached_property
    def compute_cycles(self) -> float:
        """Latencies of all pieces, one after another."""
        return sum(p.times * p.cost.latency_cycles for p in self.pieces)

    @cached_property
    def port_cycles(self) -> dict[str, float]:
        """Busy cycles of the ports of memory 0 and of the home over the whole stack."""
        return {
            name: float(cycles) for (name, *_), cycles in zip(self._frame.ports, self._totals.port_cycles[0])
        }

    @property
    def latency_cycles(self) -> float:
        """Ramp-up + max(pieces, ports) + ramp-down; where the home cannot fill behind compute, the sum."""
        return float(self._totals.latency_cycles[0])

    @property
    def bound_by(self) -> str:
        """Compute, the port that holds it up, or loads and stores that nothing hides."""
        moving = float(self._totals.moving[0])
        if moving:
            return "compute" if self.compute_cycles >= moving else "loads and stores"
        port = max(self.port_cycles, key=self.port_cycles.__getitem__)
        return "compute" if self.compute_cycles >= self.port_cycles[port] else port

    @property
    def energy_pj(self) -> float:
        """Pieces, loads and stores at both ends, leakage over the time beyond the pieces' own."""
        return float(self._totals.energy_pj[0])

    @cached_property
    def memory_energy_pj(self) -> dict[str, float]:
        """Energy of each memory, MACs, array, leakage and components."""
        total: dict[str, float] = {}
        for piece in self.pieces:
            for name, part in piece.cost.memory_energy_pj().items():
                total[name] = total.get(name, 0.0) + piece.times * part
        for m, pj in self._frame.transfer_pj(
            self._moved[None], self._held[None], np.array([self.graph.images])
        ).items():
            name = self.hardware.memories[m].name
            total[name] = total.get(name, 0.0) + float(pj[0])
        beyond = max(0.0, self.latency_cycles - self.compute_cycles)
        for name, part in self.hardware.static_energy_pj(beyond).items():
            total[name] = total.get(name, 0.0) + part
        return total

    @cached_property
    def _frame(self) -> Frame:
        return Frame(self.hardware)

    @property
    def _held(self) -> NDArray[np.int64]:
        return self.bits.held(self.graph, self.stack.weights)

    @property
    def _moved(self) -> NDArray[np.int64]:
        return np.asarray(self.bits.moved(self.steps)[0])

    @cached_property
    def _totals(self) -> Totals:
        times = np.array([p.times for p in self.pieces])
        cycles, pj = (
            np.array([getattr(p.cost, n) for p in self.pieces]) for n in ("latency_cycles", "energy_pj")
        )
        busy = np.array([p.cost.busy_cycles for p in self.pieces])
        return self._frame.of_pieces(self._moved, self._held, self.graph.images, times, cycles, pj, busy)

    @property
    def mapped(self) -> Stack:
        """The stack with the mapping of every piece."""
        found = {(p.layer, p.cost.layer.P, p.cost.layer.Q): p.cost.mapping for p in self.pieces}
        return replace(self.stack, pieces=found)

    # -- text ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "layers": list(self.layers),
            "tile": {"P": self.stack.tile[0], "Q": self.stack.tile[1]},
            "kept": self.stack.kept,
            "weights": [self.graph.network.names[i] for i in self.stack.weights],
            "steps": self.count,
            "regions": self.regions,
            "loads": self.loads,
            "stores": self.stores,
            "weights_loaded": self.weights_loaded,
            "room": self.room,
            "macs": self.macs,
            "macs_needed": self.macs_needed,
            "latency_cycles": self.latency_cycles,
            "compute_cycles": self.compute_cycles,
            "port_cycles": self.port_cycles,
            "energy_pj": self.energy_pj,
            "energy_split_pj": self.memory_energy_pj,
            "bound_by": self.bound_by,
            "pieces": [
                {
                    "layer": self.graph.network.names[p.layer],
                    "rows": p.cost.layer.P,
                    "cols": p.cost.layer.Q,
                    "times": p.times,
                    "latency_cycles": p.cost.latency_cycles,
                    "energy_pj": p.cost.energy_pj,
                    "bound_by": p.cost.bound_by,
                }
                for p in self.pieces
            ],
        }
