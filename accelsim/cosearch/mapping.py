"""How the layers of a candidate are mapped: by a mapper, or by genes of the joint genome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.pricing import Chunk
from accelsim.hardware import Accelerator
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.encoding import Allowed
from accelsim.mapping.mapper import Mapper, MappingResult, Status, Task, load_mapper
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import Machines, map_pairs
from accelsim.mapping.template import Objective
from accelsim.pack import Batch, Machine, pack_layer, pack_machine
from accelsim.workloads.layer import Layer

_packed = lru_cache(maxsize=65536)(pack_layer)


@dataclass(frozen=True)
class ByMapper:
    """Every pair is mapped by a mapper.

    The genetic mapper runs in one kernel for all pairs of a chunk, `budget` evaluations each, those of its
    greedy start among them. A call takes a chunk and returns what `pricing.MapChunk` says.
    """

    mapper: str
    objective: Objective
    budget: int
    seed: int

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Map all pairs of a chunk."""
        if self.mapper == "genetic":
            found = map_pairs(
                problems(chunk),
                stacked(chunk.chips),
                np.array([pair.chip for pair in chunk.pairs]),
                self.budget,
                np.full(len(chunk.pairs), self.seed, np.uint64),
                self.objective,
                reserved=reserved(chunk),
            )
            return np.column_stack([found.latency, found.energy, found.spent.sum(axis=1)])
        out = np.full((len(chunk.pairs), 3), np.inf)
        chosen = load_mapper(self.mapper)
        for i, pair in enumerate(chunk.pairs):
            how = self.objective, self.budget, self.seed, pair.resident, pair.reserved_bits
            result = chosen.map(Task(chunk.chips[pair.chip], pair.layer, *how))
            out[i, 2] = 0.0
            if result is not None:
                spent = result.evaluations + result.start_evaluations
                out[i] = result.cost.latency_cycles, result.cost.energy_pj, spent
        return out

    def as_mapper(self) -> Mapper:
        """What maps one layer at a time to the same mappings."""
        return PairMapper() if self.mapper == "genetic" else load_mapper(self.mapper)


@dataclass(frozen=True)
class ByMaestro:
    """Every pair is priced by MAESTRO's model, under the best classic dataflow whose buffers fit."""

    objective: Objective

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Price all pairs of a chunk."""
        from accelsim.mapping.maestro.machine import MaestroMachine
        from accelsim.mapping.maestro.model import price_layers
        from accelsim.mapping.maestro.shipped import dataflow_names

        machines = [MaestroMachine.from_accelerator(chip) for chip in chunk.chips]
        rows = {layer: i for i, layer in enumerate(dict.fromkeys(pair.layer for pair in chunk.pairs))}
        found = price_layers(list(rows), machines, objective=self.objective)
        at = [pair.chip for pair in chunk.pairs], [rows[pair.layer] for pair in chunk.pairs]
        tried = np.full(len(chunk.pairs), len(dataflow_names()))
        return np.column_stack([found.latency_cycles[at], found.energy_pj[at], tried])

    def as_mapper(self) -> Mapper:
        """Our own model's mapper: MAESTRO's dataflows are no mappings that it could be asked for."""
        return PairMapper()


@dataclass(frozen=True)
class ByGenes:
    """Every pair is priced under the mapping that its genes fix, tiles shrunk until they fit."""

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Decode and price all pairs of a chunk."""
        latency, energy, spent, _ = _by_genes(chunk)
        return np.column_stack([latency, energy, spent])


def _by_genes(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], Batch]:
    from cost_models.joint import price_vectors

    machines = stacked(chunk.chips)
    P, M = len(chunk.pairs), machines.machine.holds.shape[1]
    vectors = np.array([pair.genes for pair in chunk.pairs], float)
    latency, energy, spent, batch = np.empty(P), np.empty(P), np.empty(P, np.int64), Batch.empty(P, M)
    bits = reserved(chunk)
    price_vectors(
        problems(chunk), np.array([pair.chip for pair in chunk.pairs]),
        np.empty((0, M, 4)) if bits is None else bits, *machines.machine, *machines.allowed, vectors,
        latency, energy, spent, *batch,
    )  # fmt: skip
    return latency, energy, spent, batch


# -- chunks to kernel arrays ---------------------------------------------------------------------------


def problems(chunk: Chunk) -> NDArray[np.int64]:
    """int64[P, PROBLEM_COLS]."""
    return np.array([_packed(pair.layer, pair.resident) for pair in chunk.pairs])


def stacked(chips: Sequence[Accelerator]) -> Machines:
    """Kernel arrays of the chips."""
    machines: list[Machine] = [pack_machine(chip) for chip in chips]
    return Machines.stack(machines, [Allowed.of(chip) for chip in chips])


def reserved(chunk: Chunk) -> NDArray[np.float64] | None:
    """float64[P, M, 4], or None where nothing is taken off."""
    taken = [pair.reserved_bits for pair in chunk.pairs]
    if all(bits is None for bits in taken):
        return None
    none = np.zeros((len(chunk.chips[0].memories), 4))
    return np.array([none if bits is None else bits for bits in taken])


# -- one layer at a time -------------------------------------------------------------------------------


class _ChunkMapper(Mapper):
    """Maps a layer as a chunk of one pair."""

    def _result(
        self, task: Task, latency: float, batch: Batch, spent: int, start: int, status: Status
    ) -> MappingResult | None:
        if not np.isfinite(latency):
            return None
        mapping = Mapping.from_arrays(task.hardware, task.layer, batch)
        cost = price_mapping(task.hardware, task.layer, mapping, resident=task.resident)
        return MappingResult(mapping, cost, spent, start, status, self.name, task.objective, task.seed)

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """Not used: `map` makes its own start."""
        raise NotImplementedError


def _single(task: Task, genes: NDArray[np.float64] | None = None) -> Chunk:
    from accelsim.cosearch.pricing import Pair

    pair = Pair(0, task.layer, task.resident, task.reserved_bits, genes)
    return Chunk((task.hardware,), (pair,))


class PairMapper(_ChunkMapper):
    """The genetic mapper as a search runs it."""

    name = "genetic"

    def map(self, task: Task) -> MappingResult | None:
        """Mapping of one layer; None if not even the smallest tiles fit."""
        chunk = _single(task)
        found = map_pairs(
            problems(chunk), stacked(chunk.chips), np.zeros(1, np.int64), task.evaluations,
            np.full(1, task.seed, np.uint64), task.objective, reserved=reserved(chunk),
        )  # fmt: skip
        start, spent = found.spent[0].tolist()
        return self._result(task, found.latency[0], found.batch, spent, start, "budget")


class GeneMapper(_ChunkMapper):
    """The mapping that genes fix."""

    name = "genes"

    def __init__(self, genes: Callable[[Layer], NDArray[np.float64]]) -> None:
        self._genes = genes

    def map(self, task: Task) -> MappingResult | None:
        """Mapping of one layer; None if not even the smallest tiles fit."""
        latency, _, spent, batch = _by_genes(_single(task, self._genes(task.layer)))
        return self._result(task, latency[0], batch, int(spent[0]), 0, "done")
