"""One genome for everything: network, chip and a mapping style for each kind of layer."""

from __future__ import annotations

from accelsim.cosearch.mapgenes import MappingGenes
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.strategies.base import Strategy
from accelsim.errors import AccelsimError


class Joint(Strategy):
    """One phase; each layer is priced once a candidate, by the genes of its kind."""

    def first(self) -> Phase:
        """Networks, chips and mappings together."""
        if "mapping" in self.setup.config.fix:
            raise AccelsimError("strategy joint: searches mapping genes; use nested to fix the mapping")
        mappings = MappingGenes(len(self.setup.base.memories))
        return self.setup.phase("joint", self.setup.nets, self.setup.chips, mappings=mappings)
