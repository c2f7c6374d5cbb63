"""A simple surrogate over NSGA-II: many offspring, of which those with the best predicted costs are mapped.

What a candidate costs is its lower bound, which takes no mapping, times how far the candidates like it were
above theirs: the mean logarithm over the nearest that were mapped, if only by a sketch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.nsga2 import Nsga2
from accelsim.cosearch.optimisers.ranked import ranked
from accelsim.cosearch.phase import Phase

POOL = 4
"""Offspring for each candidate that is evaluated."""

NEAREST = 5


class Surrogate(Nsga2):
    """NSGA-II that looks before it leaps."""

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        super().__init__(phase, population, seed)
        self._known = np.zeros((0, len(phase.genome.genes)))
        self._above = np.zeros((0, len(phase.goals.objectives)))

    def ask(self) -> Genomes:
        """The best predicted of many offspring; the first generation as NSGA-II's."""
        if not self.algorithm.is_initialized:
            return super().ask()
        self.algorithm.n_offsprings = POOL * self.population
        rows = super().ask()
        costs, excess = self.phase.floors(rows)
        best = np.sort(ranked(costs * self._predicted(rows), excess, self.phase)[: self.population])
        self._asked = self._asked[best]
        return rows[best]

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Survival as ever; what rows that were mapped cost over their bounds is remembered."""
        super().tell(rows, costs, excess)
        with np.errstate(divide="ignore", invalid="ignore"):
            above = np.log(costs / self.phase.floors(rows)[0])
        good = np.isfinite(above).all(axis=1) & (excess[:, -1] <= 0)
        if self.bounded is not None:
            good &= ~self.bounded
        self._known = np.concatenate([self._known, self._points(rows[good])])
        self._above = np.concatenate([self._above, above[good]])

    def _points(self, rows: Genomes) -> NDArray[np.float64]:
        return np.asarray(rows / np.maximum(self.phase.genome.upper, 1))

    def _predicted(self, rows: Genomes) -> NDArray[np.float64]:
        """Factors [n, objectives] of the bounds."""
        if not len(self._known):
            return np.ones((len(rows), self._above.shape[1]))
        out = np.empty((len(rows), self._above.shape[1]))
        for i, point in enumerate(self._points(rows)):
            near = np.argsort(np.abs(self._known - point).sum(axis=1), kind="stable")[:NEAREST]
            out[i] = np.exp(self._above[near].mean(axis=0))
        return out
