"""How the layers of a candidate are mapped: by a mapper, or by genes of the joint genome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.pricing import Chunk
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapper import Mapper, MappingResult, Status, Task, load_mapper
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.template import Objective
from accelsim.pack import Batch, price
from accelsim.workloads.layer import Layer


@dataclass(frozen=True)
class ByMapper:
    """Every pair is mapped by a mapper, with the same budget and seed as `map_network` would.

    A call takes a chunk and returns what `pricing.MapChunk` says.
    """

    mapper: str
    objective: Objective
    budget: int
    seed: int

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Map all pairs of a chunk."""
        chosen = load_mapper(self.mapper)
        out = np.full((len(chunk.pairs), 3), np.inf)
        for i, pair in enumerate(chunk.pairs):
            chip = chunk.chips[pair.chip]
            task = Task(
                chip, pair.layer, self.objective, self.budget, self.seed, pair.resident, pair.reserved_bits
            )
            result = chosen.map(task)
            out[i, 2] = 0.0
            if result is not None:
                spent = result.evaluations + result.start_evaluations
                out[i] = result.cost.latency_cycles, result.cost.energy_pj, spent
        return out


@dataclass(frozen=True)
class ByGenes:
    """Every pair is priced once, under the mapping that its genes fix.

    Where the tiles do not fit, all of them shrink together until they do.
    """

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Decode and price all pairs of a chunk."""
        out = np.full((len(chunk.pairs), 3), np.inf)
        for i, pair in enumerate(chunk.pairs):
            assert pair.genes is not None
            task = Task(
                chunk.chips[pair.chip], pair.layer, "edp", 0, 0, pair.resident, pair.reserved_bits
            )  # fmt: skip
            batch, spent = fitting(task, pair.genes)
            _, latency, energy = price(task.problem, task.machine, batch)
            out[i] = latency[0], energy[0], spent
        return out


class GeneMapper(Mapper):
    """The mapping that genes fix, as a mapper."""

    name = "genes"

    def __init__(self, genes: Callable[[Layer], NDArray[np.float64]]) -> None:
        self._genes = genes

    def map(self, task: Task) -> MappingResult | None:
        """The mapping of one layer; None if not even the smallest tiles fit."""
        batch, spent = fitting(task, self._genes(task.layer))
        if not np.isfinite(task.score(batch)[0]):
            return None
        mapping = Mapping.from_arrays(task.hardware, task.layer, batch)
        cost = price_mapping(task.hardware, task.layer, mapping, resident=task.resident)
        return MappingResult(mapping, cost, spent, 0, "done", self.name, task.objective, task.seed)

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """Not used: `map` needs no start."""
        raise NotImplementedError


def fitting(task: Task, genes: NDArray[np.float64]) -> tuple[Batch, int]:
    """(mapping that the genes stand for, tiles shrunk until they fit; mappings tried)."""
    raise NotImplementedError
