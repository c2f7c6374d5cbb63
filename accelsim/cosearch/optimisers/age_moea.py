"""AGE-MOEA (Panichella, GECCO 2019) as pymoo has it: survival by an estimate of the front's geometry."""

from __future__ import annotations

from typing import Any

from pymoo.algorithms.moo.age import AGEMOEA

from accelsim.cosearch.optimisers.evolution import Fresh
from accelsim.cosearch.optimisers.nsga2 import Nsga2


class AgeMoea(Nsga2):
    """Rank, then closeness and spread in the norm that fits the front; of one objective NSGA-II."""

    def make(self, **operators: Any) -> Any:
        """See `Evolution.make`."""
        if len(self.phase.goals.objectives) == 1:
            return super().make(**operators)
        return AGEMOEA(pop_size=self.population, eliminate_duplicates=Fresh(self.phase), **operators)
