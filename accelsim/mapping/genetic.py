"""The genetic mapper: what `map_pairs` does for many layers at once, for one that can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.encoding import OBJECTIVES, allowed_on
from accelsim.mapping.found import MappingResult, Status
from accelsim.mapping.mapper import Mapper
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import START
from accelsim.mapping.task import Task
from accelsim.pack import Batch
from cost_models.mappers.records import Pool, Workspace

_CHUNK = 1000  # evaluations between two looks at `cancelled`


class Searched(NamedTuple):
    """The best mapping of one task, evaluations for the start and beyond it, and how the search ended."""

    batch: Batch
    begun: int
    searched: int
    status: Status


class GeneticMapper(Mapper):
    """The template's mappings, then a genetic search from the best: see `cost_models.mappers.genetic`."""

    name = "genetic"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """Not used: the search goes on from the start's population, not from its mapping alone."""
        raise NotImplementedError

    def map(self, task: Task) -> MappingResult | None:
        """Best mapping found, the one of `map_pairs`; None if not even the smallest tiles fit."""
        found = self.found(task)
        if found is None:
            return None
        mapping = Mapping.from_arrays(task.hardware, task.layer, found.batch)
        cost = price_mapping(task.hardware, task.layer, mapping, resident=task.resident)
        return MappingResult(
            mapping, cost, found.searched, found.begun, found.status, self.name, task.objective, task.seed
        )

    def found(self, task: Task) -> Searched | None:
        """What `map` tells, as kernel arrays."""
        from cost_models.mappers.genetic import search_on
        from cost_models.mappers.greedy import BEGUN, SPENT

        M, budget = len(task.machine.holds), task.evaluations
        pool = Pool.empty(OBJECTIVES.index(task.objective), M, START, budget)
        space = Workspace.empty(M, max(budget, START))
        allowed, seed = allowed_on(task.hardware), np.uint64(task.seed)
        status: Status = "budget"
        until = 0
        while True:
            if search_on(task.problem, task.machine, allowed, pool, space, until, seed):
                return None
            if pool.counters[SPENT] >= budget:
                break
            if pool.counters[SPENT] < until:  # a single point: nothing to vary
                status = "done"
                break
            if task.cancelled():
                status = "cancelled"
                break
            until = min(budget, int(pool.counters[SPENT]) + _CHUNK)
        begun = int(pool.counters[BEGUN])
        return Searched(space.batch.take([0]), begun, int(pool.counters[SPENT]) - begun, status)

    def batch(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """In one kernel call."""
        from accelsim.mapping.batch import map_at_once

        return map_at_once(tasks, tasks[0].evaluations)

    def batch_busy(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In two kernel calls."""
        from accelsim.mapping.batch import map_with_busy

        return map_with_busy(tasks, tasks[0].evaluations)
