"""Random search: the baseline that any optimiser must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.base import Optimiser


class RandomSearch(Optimiser):
    """Fresh rows, uniform over the genes."""

    def ask(self) -> Genomes:
        """Rows that were not evaluated yet."""
        return self.phase.draw(self.rng, self.population)

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Nothing to learn."""
