"""Our own model: each layer under the mapping that a mapper finds, or under one that is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapper import MappingResult, Task, never
from accelsim.mapping.mapping import Mapping
from accelsim.pricing.ask import Ask
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.way import Way


@dataclass(frozen=True)
class LoopNest(CostModel):
    """Mapped in one way; asks that come with a mapping are priced as they are."""

    way: Way

    def price(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """See `CostModel.price`: all layers in one call of the mapper."""
        out = np.zeros((len(asks), 3))
        free = [i for i, ask in enumerate(asks) if ask.schedule is None]
        if free:
            out[free] = self.way.mapper.costs([self._task(asks[i]) for i in free])
        for i, ask in enumerate(asks):
            if ask.schedule is not None:
                found = self._given(ask)
                out[i, :2] = found.cost.latency_cycles, found.cost.energy_pj
        return out

    def mapping(self, ask: Ask, cancelled: Callable[[], bool] | None = None) -> MappingResult | None:
        """See `CostModel.mapping`."""
        if ask.schedule is not None:
            return self._given(ask)
        return self.way.mapper.map(self._task(ask, cancelled))

    def _task(self, ask: Ask, cancelled: Callable[[], bool] | None = None) -> Task:
        way = self.way
        return Task(
            ask.chip, ask.layer, way.objective, way.budget, way.seed, ask.resident, ask.reserved_bits,
            cancelled or never, way.seconds, way.tiles,
        )  # fmt: skip

    def _given(self, ask: Ask) -> MappingResult:
        """Raises MappingError where the mapping does not fit."""
        assert isinstance(ask.schedule, Mapping)
        cost = price_mapping(
            ask.chip, ask.layer, ask.schedule, resident=ask.resident, reserved_bits=ask.reserved_bits
        )
        return MappingResult(cost.mapping, cost, 0, 0, "done", "given", self.way.objective, self.way.seed)
