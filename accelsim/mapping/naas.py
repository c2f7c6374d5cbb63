"""NAAS's two encodings of mappings under one genetic algorithm, to compare them."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.encoding import OBJECTIVES, Allowed, score
from accelsim.mapping.mapper import Mapper, Status, Task
from accelsim.pack import Batch

_CHUNK = 1000  # evaluations between two looks at `cancelled`


class ImportanceGeneticMapper(Mapper):
    """NAAS's encoding by importances under a steady-state genetic algorithm: `mappers.encoded`."""

    name = "genetic_importance"
    by_index = False

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best individual after the evaluations that the start left."""
        from cost_models.mappers.encoded import POPULATION, begin, evolve
        from cost_models.mappers.genes import width

        M = len(task.machine.holds)
        genes = np.zeros((POPULATION + 1, width(task.machine.fan)))
        cost = np.zeros(POPULATION + 1)
        tiles = np.ones((POPULATION + 1, M, 8), np.int32)
        state = np.zeros(1, np.uint64)
        allowed = Allowed.of(task.hardware)
        n = begin(
            task.problem, *task.machine, *start, task.evaluations, task.start == "template",
            np.uint64(task.seed), genes, cost, state,
        )  # fmt: skip
        done = 0
        status: Status = "budget"
        while done < task.evaluations:
            if task.cancelled():
                status = "cancelled"
                break
            until = min(task.evaluations, done + _CHUNK)
            done = evolve(
                task.problem, *task.machine, *allowed, n, genes, cost, tiles, done, until,
                self.by_index, OBJECTIVES.index(task.objective), state,
            )  # fmt: skip
            if done < until:  # a single point: nothing to vary
                status = "done"
                break
        best = int(np.argmin(cost[:n]))
        if not cost[best] < task.score(start)[0]:
            return start, done, status, None
        return score(task, genes[best : best + 1], self.by_index)[0], done, status, None


class IndexGeneticMapper(ImportanceGeneticMapper):
    """The same with numbered choices, which NAAS's importance encoding was measured against."""

    name = "genetic_index"
    by_index = True
