"""All rows of a phase with a single gene, one after another: for strategies that list what they want."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.base import Optimiser
from accelsim.cosearch.phase import Phase


class InOrder(Optimiser):
    """Rows 0, 1, 2, ... of the first gene; other genes stay 0."""

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        super().__init__(phase, population, seed)
        self._done = 0

    def ask(self) -> Genomes:
        """The next ones."""
        genes = self.phase.genome.genes
        end = min(self._done + self.population, genes[0].choices)
        rows = np.zeros((end - self._done, len(genes)), np.int64)
        rows[:, 0] = range(self._done, end)
        return rows

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """They are done."""
        self._done += len(rows)
