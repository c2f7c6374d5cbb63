"""One stage, one space: steps that rewrite the network and genes that map it, in one genome.

After Turner, Crowley and O'Boyle, "Neural Architecture Search as Program Transformation Exploration" (ASPLOS
2021): grouping and narrowing are transformations of a loop nest like any other.
"""

from __future__ import annotations

from accelsim.cosearch.mapgenes import MappingGenes
from accelsim.cosearch.nets import FixedNets
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.strategies.base import Strategy
from accelsim.cosearch.transformed import TransformedNets
from accelsim.errors import AccelsimError


class Single(Strategy):
    """One phase over steps, chip and mapping genes; with the mapping fixed, layers have template mappings."""

    def first(self) -> Phase:
        """Rewritten networks, chips and mappings together."""
        given = self.setup.nets
        if not isinstance(given, FixedNets) or len(given.all) != 1:
            raise AccelsimError(
                "strategy single: rewrites one given network; name it instead of a space or of several"
            )
        nets = TransformedNets(given.all[0])
        if not nets.genes:
            raise AccelsimError(
                f"strategy single: {given.all[0].name} has no dense convolution that steps could change"
            )
        fixed = "mapping" in self.setup.config.fix
        if self.setup.config.model == "maestro" and not fixed:
            raise AccelsimError("model maestro: knows dataflows, not mapping genes; fix the mapping")
        mappings = None if fixed else MappingGenes(len(self.setup.base.memories))
        return self.setup.phase("single", nets, self.setup.chips, mappings=mappings)
