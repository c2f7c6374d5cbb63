"""`CostModel`: what all ways to price a layer have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapper import MappingResult
from accelsim.pricing.ask import Ask


class CostModel(ABC):
    """Answers questions about layers.

    Contract, held by tests/pricing: an answer depends on its question alone, not on the others or their
    order; latency is infinite where no mapping fits; `mapping` prices to what `price` says, unless the
    model's mappings are none of ours. A model can be pickled: engines hand it to their workers. Equal models
    share what is known.
    """

    @abstractmethod
    def price(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """Latency in cycles, energy in pJ and mappings evaluated, float64[n, 3]."""

    @abstractmethod
    def mapping(self, ask: Ask, cancelled: Callable[[], bool] | None = None) -> MappingResult | None:
        """The mapping that `price` priced; None where none fits. The best so far once `cancelled()`."""
