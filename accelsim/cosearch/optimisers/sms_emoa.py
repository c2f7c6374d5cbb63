"""SMS-EMOA (Beume, Naujoks and Emmerich, EJOR 181 2007) as pymoo has it: survival by hypervolume."""

from __future__ import annotations

from typing import Any

from pymoo.algorithms.moo.sms import SMSEMOA

from accelsim.cosearch.optimisers.evolution import Fresh
from accelsim.cosearch.optimisers.nsga2 import Nsga2


class SmsEmoa(Nsga2):
    """Rank, then what each adds to the hypervolume; of one objective NSGA-II."""

    def make(self, **operators: Any) -> Any:
        """See `Evolution.make`."""
        if len(self.phase.goals.objectives) == 1:
            return super().make(**operators)
        return SMSEMOA(pop_size=self.population, eliminate_duplicates=Fresh(self.phase), **operators)
