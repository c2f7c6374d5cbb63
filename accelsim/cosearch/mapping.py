"""How the layers of a candidate are mapped: by a mapper, or by genes of the joint genome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.pricing import Chunk
from accelsim.mapping.mapper import Task, load_mapper
from accelsim.mapping.template import Objective


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
    """Every pair is priced once, under the mapping that its genes fix."""

    def __call__(self, chunk: Chunk) -> NDArray[np.float64]:
        """Decode and price all pairs of a chunk."""
        raise NotImplementedError
