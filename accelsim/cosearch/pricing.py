"""What candidates cost: every distinct (layer, chip) pair is mapped once in a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.engines import Engine
from accelsim.hardware import Accelerator
from accelsim.hardware.engines import engine_of
from accelsim.residency import Residency, plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

CHUNKS_PER_WORKER = 16
"""Chunks of a generation for each worker: enough to even out, few enough to cost nothing."""


class Pair(NamedTuple):
    """One layer to map on one chip of a chunk, beside what stays on chip; `genes` fix its mapping."""

    chip: int
    layer: Layer
    resident: str
    reserved_bits: NDArray[np.float64] | None
    genes: NDArray[np.float64] | None


class Chunk(NamedTuple):
    """Work for one worker."""

    chips: tuple[Accelerator, ...]
    pairs: tuple[Pair, ...]


MapChunk = Callable[[Chunk], NDArray[np.float64]]
"""Latency in cycles, energy in pJ (infinite where nothing fits) and evaluations float64[pairs, 3]."""


@dataclass(frozen=True)
class Candidate:
    """A chip and the networks that run on it. `genes(layer)` fix a layer's mapping in a joint genome.

    chip_key  equal for equal chips
    """

    chip: Accelerator
    chip_key: bytes
    networks: tuple[Network, ...]
    genes: Callable[[Layer], NDArray[np.float64]] | None = None


@dataclass
class Tally:
    """What pricing did so far: layers asked for, pairs mapped, mappings evaluated, seconds spent mapping."""

    layers: int = 0
    pairs: int = 0
    mappings: int = 0
    seconds: float = 0.0


_Key = tuple[bytes, int, str, bytes, bytes]
"""Chip, number of the layer, what stays on chip, bits taken off, mapping genes."""


class Pricer:
    """Latency and energy of candidates, through an engine."""

    def __init__(self, map_chunk: MapChunk, engine: Engine) -> None:
        self.map_chunk = map_chunk
        self.engine = engine
        self.tally = Tally()
        self._known: dict[_Key, tuple[float, float]] = {}
        self._layers: dict[Layer, int] = {}

    def price(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """Latency in seconds and energy in joules float64[n, 2], geometric means over the networks.

        Infinite where a layer has no mapping that fits.
        """
        runs = [[_Run(c, net, self._layers) for net in c.networks] for c in candidates]
        pending = [run for row in runs for run in row]
        self.tally.layers += sum(len(run.network.layers) for run in pending)
        while pending:
            self._map({key: pair for run in pending for key, pair in run.wanted().items()})
            pending = [run for run in pending if run.gives_way(self._known)]
        out = np.empty((len(candidates), 2))
        for i, row in enumerate(runs):
            values = np.array([run.total(self._known) for run in row])
            latency, energy = np.exp(np.log(values).mean(axis=0)) if len(row) > 1 else values[0]
            out[i] = latency / (candidates[i].chip.clock_mhz * 1e6), energy * 1e-12
        return out

    def _map(self, wanted: dict[_Key, tuple[Candidate, Pair]]) -> None:
        """Price what is not known yet."""
        new = {key: item for key, item in wanted.items() if key not in self._known}
        if not new:
            return
        size = max(1, -(-len(new) // (CHUNKS_PER_WORKER * self.engine.workers)))
        items = list(new.values())
        chunks = [_chunk(items[i : i + size]) for i in range(0, len(items), size)]
        began = time.perf_counter()
        found = np.concatenate(self.engine.map(self.map_chunk, chunks))
        self.tally.seconds += time.perf_counter() - began
        for key, (latency, energy, _) in zip(new, found.tolist()):
            self._known[key] = latency, energy
        self.tally.pairs += len(new)
        self.tally.mappings += int(found[:, 2].sum())


def _chunk(items: Iterable[tuple[Candidate, Pair]]) -> Chunk:
    numbers: dict[bytes, int] = {}
    chips: list[Accelerator] = []
    pairs = []
    for candidate, pair in items:
        engine = engine_of(candidate.chip, pair.layer)
        key = candidate.chip_key if engine is None else candidate.chip_key + engine.name.encode()
        if key not in numbers:
            numbers[key] = len(chips)
            chips.append(candidate.chip.for_layer(pair.layer))
        pairs.append(pair._replace(chip=numbers[key]))
    return Chunk(tuple(chips), tuple(pairs))


class _Run:
    """One network on one chip; what stays on chip gives way where tiles need the room."""

    def __init__(self, candidate: Candidate, network: Network, layers: dict[Layer, int]) -> None:
        self.candidate = candidate
        self.network = network
        self.numbers = [layers.setdefault(layer, len(layers)) for layer in network.layers]
        self.residency: Residency = plan(candidate.chip, network)
        self.keys: list[_Key] = []

    def wanted(self) -> dict[_Key, tuple[Candidate, Pair]]:
        """Distinct pairs of the network as things stand."""
        out: dict[_Key, tuple[Candidate, Pair]] = {}
        candidate = self.candidate
        self.keys = []
        stays = bool(self.residency.kept or self.residency.weights)
        rows = zip(self.network.layers, self.numbers, self.residency.table(), strict=True)
        for layer, number, (flags, bits) in rows:
            reserved = bits if stays and bits.any() else None
            genes = None if candidate.genes is None else candidate.genes(layer)
            key = (
                candidate.chip_key,
                number,
                flags,
                b"" if reserved is None else reserved.tobytes(),
                b"" if genes is None else genes.tobytes(),
            )
            self.keys.append(key)
            if key not in out:
                out[key] = candidate, Pair(0, layer, flags, reserved, genes)
        return out

    def gives_way(self, known: dict[_Key, tuple[float, float]]) -> bool:
        """Whether a layer does not fit and something that stays on chip was sent away for it."""
        for i, key in enumerate(self.keys):
            if known[key][0] == np.inf:
                return bool(key[2] or key[3]) and self.residency.give_way(i)
        return False

    def total(self, known: dict[_Key, tuple[float, float]]) -> tuple[float, float]:
        """(cycles, pJ) of the layers one after another, and of what an inference costs beyond them."""
        latency = energy = 0.0
        for key in self.keys:
            latency += known[key][0]
            energy += known[key][1]
        chip = self.candidate.chip
        return latency + chip.network.overhead_us * chip.clock_mhz, energy
