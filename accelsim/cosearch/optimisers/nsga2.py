"""NSGA-II (Deb et al., IEEE TEC 6(2) 2002) as pymoo has it, on whole-number genomes."""

from __future__ import annotations

from typing import Any

from pymoo.algorithms.moo.nsga2 import NSGA2

from accelsim.cosearch.optimisers.evolution import Evolution, Fresh


class Nsga2(Evolution):
    """Rank, then crowding distance."""

    def make(self, **operators: Any) -> Any:
        """See `Evolution.make`."""
        return NSGA2(pop_size=self.population, eliminate_duplicates=Fresh(self.phase), **operators)
