"""Our own model, each layer under the mapping that genes fix: the joint genome of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapper import MappingResult
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import reserved, stacked
from accelsim.mapping.template import Objective
from accelsim.pack import Batch, packed_layer
from accelsim.pricing.ask import Ask
from accelsim.pricing.models.base import CostModel


@dataclass(frozen=True)
class Vectors(CostModel):
    """Tiles that do not fit shrink together until they do."""

    objective: Objective = "edp"

    def price(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """See `CostModel.price`."""
        latency, energy, spent, _ = self._priced(asks)
        return np.column_stack([latency, energy, spent])

    def mapping(self, ask: Ask, cancelled: Callable[[], bool] | None = None) -> MappingResult | None:
        """See `CostModel.mapping`."""
        latency, _, spent, batch = self._priced([ask])
        if not np.isfinite(latency[0]):
            return None
        mapping = Mapping.from_arrays(ask.chip, ask.layer, batch)
        cost = price_mapping(ask.chip, ask.layer, mapping, resident=ask.resident)
        return MappingResult(mapping, cost, int(spent[0]), 0, "done", "genes", self.objective, 0)

    def _priced(
        self, asks: Sequence[Ask]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], Batch]:
        from cost_models.joint import price_vectors

        machines, index = stacked([ask.chip for ask in asks])
        P, M = len(asks), machines.machine.holds.shape[1]
        vectors = np.array([ask.schedule for ask in asks], float)
        latency, energy, spent, batch = np.empty(P), np.empty(P), np.empty(P, np.int64), Batch.empty(P, M)
        price_vectors(
            np.array([packed_layer(ask.layer, ask.resident) for ask in asks]), index,
            reserved([ask.reserved_bits for ask in asks], M), *machines.machine, *machines.allowed, vectors,
            latency, energy, spent, *batch,
        )  # fmt: skip
        return latency, energy, spent, batch
