"""One after another, as the field warns: the network for the default chip, its mapping, then the chip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import FixedChip
from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import front
from accelsim.cosearch.nets import FixedNets, ListedNets, SubnetSpace
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.strategies.base import Strategy
from accelsim.errors import AccelsimError

NETWORK_GENERATIONS = 5
"""Generations of the first phase, however long the whole search is, so that a longer one continues it."""


class Sequential(Strategy):
    """Networks on the base chip with template mappings; the front's mappings searched; then chips for it."""

    def first(self) -> Phase:
        """Networks alone, on the chip as it is."""
        if isinstance(self.setup.nets, FixedNets) or isinstance(self.setup.chips, FixedChip):
            raise AccelsimError(
                "strategy sequential: needs a space of networks and a chip to search; with one of them fixed "
                "there is nothing to do one after another"
            )
        self._rows: list[Genomes] = []
        self._values: list[NDArray[np.float64]] = []
        chip = FixedChip(self.setup.base)
        return self.setup.phase("network", self.setup.nets, chip, mapper="template")

    def next(self, rows: Genomes, values: NDArray[np.float64]) -> Phase | None:
        """Network, mapping, chip."""
        if self.phase.name == "chip":
            return None
        if self.phase.name == "mapping":
            return self.setup.phase("chip", self.phase.nets, self.setup.chips)
        self._rows.append(rows)
        self._values.append(values)
        if len(self._rows) < NETWORK_GENERATIONS and len(rows):
            return None
        all_rows, all_values = np.concatenate(self._rows), np.concatenate(self._values)
        feasible = np.asarray((self.phase.excess(all_values) <= 0).all(axis=1))
        best = front(self.phase.goals.costs(all_values), feasible)
        if not len(best):  # carry on with those that miss the limits least
            miss = np.maximum(self.phase.excess(all_values), 0.0).sum(axis=1)
            best = np.argsort(miss, kind="stable")[: self.setup.config.population]
        assert isinstance(self.setup.nets, SubnetSpace | ListedNets)
        listed = ListedNets(self.setup.nets, all_rows[best[: self.setup.config.population]])
        return self.setup.phase("mapping", listed, FixedChip(self.setup.base), sketch=False)
