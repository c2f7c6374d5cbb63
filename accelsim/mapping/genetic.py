"""The genetic mapper: what `map_pairs` does for many layers at once, for one that can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.cost import price_mapping
from accelsim.mapping.encoding import OBJECTIVES, Allowed
from accelsim.mapping.mapper import Mapper, MappingResult, Status, Task
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import START
from accelsim.pack import Batch

_CHUNK = 1000  # evaluations between two looks at `cancelled`


class GeneticMapper(Mapper):
    """The template's mappings, then a genetic search from the best: see `cost_models.mappers.genetic`."""

    name = "genetic"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """Not used: the search goes on from the start's population, not from its mapping alone."""
        raise NotImplementedError

    def map(self, task: Task) -> MappingResult | None:
        """Best mapping found, the one of `map_pairs`; None if not even the smallest tiles fit."""
        from cost_models.mappers.brood import BROOD, memory
        from cost_models.mappers.genetic import ROWS, search_on
        from cost_models.mappers.greedy import BEGUN, SPENT, TALLY
        from cost_models.mappers.wishes import SIZES, WISH

        M = len(task.machine.holds)
        sizes, wish = np.zeros((8, SIZES), np.int64), np.zeros((ROWS, M * WISH), np.int64)
        cost, tally, state = np.zeros((ROWS, 4)), np.zeros(TALLY, np.int64), np.zeros(1, np.uint64)
        batch = Batch.empty(BROOD + 1, M)
        status: Status = "budget"
        budget = task.evaluations
        brood = memory(max(budget, START))
        until = 0
        while True:
            fault = search_on(
                task.problem, *task.machine, *Allowed.of(task.hardware), OBJECTIVES.index(task.objective),
                START, until, budget, np.uint64(task.seed), sizes, wish, cost, tally, state, *batch, *brood,
            )  # fmt: skip
            if fault:
                return None
            if tally[SPENT] >= budget:
                break
            if tally[SPENT] < until:  # a single point: nothing to vary
                status = "done"
                break
            if task.cancelled():
                status = "cancelled"
                break
            until = min(budget, int(tally[SPENT]) + _CHUNK)
        mapping = Mapping.from_arrays(task.hardware, task.layer, batch)
        found = price_mapping(task.hardware, task.layer, mapping, resident=task.resident)
        begun = int(tally[BEGUN])
        searched = int(tally[SPENT]) - begun
        return MappingResult(
            mapping, found, searched, begun, status, self.name, task.objective, task.seed, None
        )

    def batch(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """In one kernel call."""
        from accelsim.mapping.batch import map_at_once

        return map_at_once(tasks, tasks[0].evaluations)

    def batch_busy(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In two kernel calls."""
        from accelsim.mapping.batch import map_with_busy

        return map_with_busy(tasks, tasks[0].evaluations)
