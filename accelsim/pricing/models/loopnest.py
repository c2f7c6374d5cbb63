"""accelsim's own cost model: each layer under the mapping that its ask gives, or else that a mapper finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.found import MappingResult
from accelsim.mapping.mapping import Mapping, MappingError
from accelsim.mapping.task import Task
from accelsim.pricing.ask import Answers, Ask, Pieces
from accelsim.pricing.bounds import lower_bounds
from accelsim.pricing.models import vectors
from accelsim.pricing.models.base import CostModel, never
from accelsim.pricing.way import Way


@dataclass(frozen=True)
class LoopNest(CostModel):
    """`cost_models.loopnest.price`, layers mapped in a way.

    A schedule that is a mapping is priced as it is, one that is a vector decoded (see `vectors`), and asks
    without one go to the mapper, all in one call of its `batch`.
    """

    way: Way
    name = "accelsim"

    @classmethod
    def of(cls, way: Way) -> LoopNest:
        """Of that way."""
        return cls(way)

    def goal(self) -> str:
        """See `CostModel.goal`."""
        return self.way.objective

    def price(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Answers:
        """See `CostModel.price`. Raises MappingError for a given mapping that is illegal."""
        out = Answers.empty(len(asks))
        free = [i for i, ask in enumerate(asks) if ask.schedule is None]
        if free:
            found = self.way.mapper.batch_ways(self._tasks([asks[i] for i in free], cancelled))
            for column, figures in zip(out, np.asarray(found).T, strict=True):
                column[free] = figures
        coded = [i for i, ask in enumerate(asks) if isinstance(ask.schedule, np.ndarray)]
        if coded:
            for column, figures in zip(
                out, vectors.price([asks[i] for i in coded], self.way.objective), strict=True
            ):
                column[coded] = figures
        for i, ask in enumerate(asks):
            if isinstance(ask.schedule, Mapping):
                cost = _given(ask, ask.schedule).cost
                out.latency_cycles[i], out.energy_pj[i] = cost.latency_cycles, cost.energy_pj
                out.evaluations[i] = 1
        return out

    def pieces(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Pieces:
        """See `CostModel.pieces`; asks have no schedules."""
        figures, busy = self.way.mapper.busy_ways(self._tasks(asks, cancelled))
        return Pieces(figures[:, 0], figures[:, 1], busy, figures[:, 2])

    def bounds(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """See `CostModel.bounds`; they hold for all mappings, not only those of a mapper."""
        return lower_bounds(asks)

    def mapping(self, ask: Ask, cancelled: Callable[[], bool] = never) -> MappingResult | None:
        """See `CostModel.mapping`. Raises MappingError for a given mapping that is illegal."""
        if isinstance(ask.schedule, Mapping):
            return _given(ask, ask.schedule)
        if ask.schedule is not None:
            return vectors.mapping(ask, self.way.objective)
        return self.way.mapper.map_ways(self._task(ask, cancelled))

    def _tasks(self, asks: Sequence[Ask], cancelled: Callable[[], bool]) -> list[Task]:
        """Tasks of one call, which a mapper may do in one kernel that hears of no stop."""
        tasks = [self._task(ask, cancelled) for ask in asks]
        return [replace(task, budget=1) for task in tasks] if cancelled() else tasks

    def _task(self, ask: Ask, cancelled: Callable[[], bool]) -> Task:
        way = self.way
        return Task(
            ask.chip, ask.layer, way.objective, way.budget, way.seed, ask.resident, ask.reserved_bits,
            cancelled, way.seconds, way.tiles,
        )  # fmt: skip


def _given(ask: Ask, mapping: Mapping) -> MappingResult:
    try:
        cost = price_mapping(
            ask.chip, ask.layer, mapping, resident=ask.resident, reserved_bits=ask.reserved_bits
        )
    except MappingError as fault:
        raise MappingError(f"layer {ask.layer.name}: {fault}" if ask.layer.name else str(fault)) from None
    return MappingResult(cost.mapping, cost, 0, 0, "done", "given", "edp", 0)
