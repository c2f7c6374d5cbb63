"""MOEA/D (Zhang and Li, IEEE TEC 11(6) 2007) as pymoo has it: a weighted goal each, neighbours mate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.moead import ParallelMOEAD

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.evolution import Evolution

NEIGHBOURS = 10


class Moead(Evolution):
    """Limits are added to the costs, as the method has none."""

    constrained = False

    def make(self, **operators: Any) -> Any:
        """See `Evolution.make`."""
        objectives = len(self.phase.goals.objectives)
        first = np.linspace(0.0, 1.0, self.population)
        weights = np.column_stack([first, 1.0 - first])[:, :objectives]
        if objectives > 2:
            weights = np.random.default_rng(0).dirichlet(np.ones(objectives), self.population)
        neighbours = max(2, min(NEIGHBOURS, self.population))
        return ParallelMOEAD(weights, n_neighbors=neighbours, prob_neighbor_mating=0.9, **operators)

    def ask(self) -> Genomes:
        """Offspring; what repeats or breaks the envelope is drawn anew."""
        rows = super().ask()
        stale = np.flatnonzero(~self.phase.fresh(rows))
        if len(stale):
            others = set(self.phase.keys(np.delete(rows, stale, axis=0)))
            new = self.phase.draw(self.algorithm.random_state, len(stale), others)
            rows[stale[: len(new)]] = new
            rows = np.delete(rows, stale[len(new) :], axis=0)
            self._asked = self._asked[: len(rows)]
            self._asked.set("X", rows)
        return rows

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Better ones replace neighbours; a generation that is not full is the last, and is skipped."""
        if len(rows) == self.population:
            super().tell(rows, costs, excess)
