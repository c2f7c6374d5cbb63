"""The choices for one stack: tiles, kept directions and weights that fit the home, each with lower bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.room import Room, StackError, flags, home_of
from accelsim.fusion.schedule import Stack
from accelsim.hardware.holding import ways_for
from accelsim.pack import pack_layer, pack_machine
from accelsim.stacks import KEPT, StackGraph, Steps, steps
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network
from cost_models import layout as L
from cost_models import stacks as S

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Floats = NDArray[np.float64]


def tiles_of(size: int) -> tuple[int, ...]:
    """Tile sizes that are tried: the whole, and halves of it rounded up, down to 1."""
    out = [size]
    while out[-1] > 1:
        out.append(-(-out[-1] // 2))
    return tuple(out)


def _modes(sink: Layer, tile: tuple[int, int]) -> list[str]:
    """What may be kept, without what makes no difference: along an axis that is done in one step."""
    rows, cols = tile[0] < sink.P, tile[1] < sink.Q
    out = {(k_rows and rows, k_cols and cols): mode for mode, (k_rows, k_cols) in reversed(KEPT.items())}
    return [mode for mode in KEPT if mode in out.values()]


@dataclass(frozen=True)
class Options:
    """What fits of the choices for one stack.

    size             choices in all
    stacks           those that fit; latency and energy are bounds on each, in cycles and pJ
    """

    size: int
    stacks: list[Stack]
    latency: Floats
    energy: Floats


class Choices:
    """Options of every stack of a network on a chip; bounds of equal pieces are computed once."""

    def __init__(self, hardware: Accelerator, network: Network) -> None:
        self.hardware, self.network = hardware, network
        self.machine = pack_machine(hardware)
        self.home = home_of(hardware)
        self._bounds: dict[tuple[Layer, str], Floats] = {}
        bits = hardware.precision_bits
        read, write = slice(L.READ_CPB, L.READ_CPB + 3), slice(L.WRITE_CPB, L.WRITE_CPB + 3)
        memory = self.machine.memory
        # The slower end of a load (read memory 0, write the home) and of a store, cycles a bit of W, I, O.
        self._load = np.maximum(memory[0, read], memory[self.home, write])
        self._store = np.maximum(memory[0, write], memory[self.home, read])
        read, write = slice(L.READ_PJ, L.READ_PJ + 3), slice(L.WRITE_PJ, L.WRITE_PJ + 3)
        self._load_pj = memory[0, read] + memory[self.home, write]
        self._store_pj = memory[0, write] + memory[self.home, read]
        self._bits = np.array([bits.weight, bits.input, bits.output], float)

    def of(self, first: int, last: int) -> Options | None:
        """Options of the stack of these layers, None where no choice can ever run."""
        graph = StackGraph(self.network, first, last)
        holds = "W" in self.hardware.memories[self.home].holds
        try:
            streamed = [flags(self.hardware, graph, i, False) for i in range(first, last + 1)]
        except StackError:
            return None
        sink = graph.layers[-1]
        tiles = list(product(tiles_of(sink.P), tiles_of(sink.Q)))
        pairs = [(t, k) for t in tiles for k in _modes(sink, t)]
        counted = steps(graph, [t for t, _ in pairs], [k for _, k in pairs])
        heavy = [i for i in range(first, last + 1) if self.network.weights_of[i]]
        variants: list[tuple[int, ...]] = [(), tuple(heavy)] if holds and heavy else [()]
        out: list[Stack] = []
        latency, energy = [], []
        for stay in variants:
            stays = np.array([[i in stay for i in range(first, last + 1)]] * len(pairs))
            fit = np.flatnonzero(Room(self.hardware, counted, stays).fits)
            if not len(fit):
                continue
            resident = [f if i not in stay else "WIO" for i, f in enumerate(streamed, first)]
            kept = Steps(graph, counted.rows[fit], counted.cols[fit])
            cycles, pj = self._pieces(graph, [pairs[i] for i in fit], resident)
            cycles, pj = self._whole(kept, cycles, pj, sum(self.network.weights_of[i] for i in stay))
            out += [Stack(first, last, *pairs[i], stay) for i in fit]
            latency.append(cycles)
            energy.append(pj)
        none = np.zeros(0)
        return Options(
            len(pairs) * len(variants), out, np.concatenate([none, *latency]), np.concatenate([none, *energy])
        )

    # -- bounds --------------------------------------------------------------------------------------

    def _whole(self, kept: Steps, cycles: Floats, pj: Floats, weights: int) -> tuple[Floats, Floats]:
        """Bounds on whole stacks, from those on their pieces, loads and stores."""
        graph = kept.graph
        inside, images = len(graph.loaded), graph.images
        words, first, last = kept.words, self._corner(kept, S.FIRST), self._corner(kept, S.LAST)
        bits_in = words[:, :inside].sum(axis=1) * self._bits[1]
        bits_out = words[:, graph.stored].sum(axis=1) * self._bits[2]
        held = weights * images * self._bits[0]
        pj = pj + held * self._load_pj[0] + bits_in * self._load_pj[1] + bits_out * self._store_pj[2]
        leak = self.machine.machine[L.LEAK_PJ]
        if not self.hardware.memories[self.home].overlaps:
            least = np.maximum(held * self._load[0], bits_in * self._load[1]) + bits_out * self._store[2]
            return cycles + least, pj + leak * least
        ramp = first[:, :inside].sum(axis=1) * self._bits[1] * self._load[1]
        ramp = ramp + last[:, graph.stored].sum(axis=1) * self._bits[2] * self._store[2]
        busy = np.maximum(bits_in * self._load[1], bits_out * self._store[2])
        return np.maximum(cycles, busy) + ramp, pj + leak * ramp

    @staticmethod
    def _corner(kept: Steps, column: int) -> NDArray[np.int64]:
        return np.asarray(kept.rows[..., column] * kept.cols[..., column] * kept.graph.channels)

    def _pieces(
        self, graph: StackGraph, pairs: list[tuple[tuple[int, int], str]], resident: list[str]
    ) -> tuple[Floats, Floats]:
        """Sums of bounds over the pieces of each choice."""
        sides = []
        for axis in (0, 1):
            wanted = [(t[axis], KEPT[k][axis]) for t, k in pairs]
            distinct = list(dict.fromkeys(wanted))
            at = {choice: i for i, choice in enumerate(distinct)}
            reads, starts = graph.reads[axis]
            sizes = np.ascontiguousarray(graph.sizes[axis])
            times = np.zeros((len(distinct), len(graph.nodes), int(sizes.max()) + 1), np.int64)
            for i, (tile, keep) in enumerate(distinct):
                S.axis_sizes(sizes, reads, starts, tile, keep, times[i])
            sides.append((times, np.array([at[c] for c in wanted])))
        (rows, at_row), (cols, at_col) = sides
        latency, energy = np.zeros(len(pairs)), np.zeros(len(pairs))
        for n, layer in enumerate(graph.layers):
            r, c = rows[:, n + len(graph.loaded)], cols[:, n + len(graph.loaded)]
            heights, widths = np.flatnonzero(r.any(axis=0)), np.flatnonzero(c.any(axis=0))
            one = replace(layer, N=layer.N // graph.images)
            for out, table in zip((latency, energy), self._table(one, resident[n], heights, widths)):
                both = r[:, heights] @ table @ c[:, widths].T
                out += both[at_row, at_col] * graph.images
        return latency, energy

    def _table(
        self, layer: Layer, resident: str, heights: NDArray[np.int64], widths: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Bounds [heights, widths] on cycles and pJ of pieces of a layer."""
        from cost_models.roofline import bound_batch

        key = layer, resident
        if key not in self._bounds:
            self._bounds[key] = np.full((2, layer.P + 1, layer.Q + 1), np.nan)
        known = self._bounds[key]
        grid = np.ix_(heights, widths)
        lacks = np.argwhere(np.isnan(known[0][grid]))
        if len(lacks):
            problems = np.repeat(pack_layer(layer, resident)[None], len(lacks), axis=0)
            problems[:, L.P], problems[:, L.Q] = heights[lacks[:, 0]], widths[lacks[:, 1]]
            found = np.full((2, len(lacks)), np.inf)
            for way in ways_for(self.hardware, layer, resident):
                bounds = np.zeros_like(found)
                bound_batch(problems, *pack_machine(way), bounds[0], bounds[1])
                found = np.minimum(found, bounds)
            known[:, problems[:, L.P], problems[:, L.Q]] = found
        return known[0][grid], known[1][grid]
