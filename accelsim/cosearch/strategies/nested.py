"""Two nested loops, as in NAAS: outside networks and chips, inside a mapper for every layer."""

from __future__ import annotations

from accelsim.cosearch.phase import Phase
from accelsim.cosearch.strategies.base import Strategy


class Nested(Strategy):
    """One phase over (network, chip); every distinct layer of every candidate is mapped."""

    def first(self) -> Phase:
        """Networks and chips together."""
        return self.setup.phase("nested", self.setup.nets, self.setup.chips)
