"""NAAS's two encodings of mappings under one genetic algorithm, to compare them."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.encoding import OBJECTIVES, allowed_on, score
from accelsim.mapping.found import Status
from accelsim.mapping.mapper import Mapper
from accelsim.mapping.task import Task
from accelsim.pack import Batch
from cost_models.mappers.records import Vectors

_CHUNK = 1000  # evaluations between two looks at `cancelled`


class ImportanceGeneticMapper(Mapper):
    """NAAS's encoding by importances under a steady-state genetic algorithm: `mappers.encoded`."""

    name = "genetic_importance"
    by_index = False

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best individual after the evaluations that the start left."""
        from cost_models.mappers.encoded import begin, evolve

        problem, machine, allowed = task.problem, task.machine, allowed_on(task.hardware)
        vectors = Vectors.empty(OBJECTIVES.index(task.objective), self.by_index, machine.fan)
        started, seed = task.start == "template", np.uint64(task.seed)
        n = begin(problem, machine, start, task.evaluations, started, seed, vectors)
        done = 0
        status: Status = "budget"
        while done < task.evaluations:
            if task.cancelled():
                status = "cancelled"
                break
            until = min(task.evaluations, done + _CHUNK)
            done = evolve(problem, machine, allowed, n, vectors, done, until)
            if done < until:  # a single point: nothing to vary
                status = "done"
                break
        best = int(np.argmin(vectors.cost[:n]))
        if not vectors.cost[best] < task.score(start)[0]:
            return start, done, status, None
        return score(task, vectors.genes[best : best + 1], self.by_index)[0], done, status, None


class IndexGeneticMapper(ImportanceGeneticMapper):
    """The same with numbered choices, which NAAS's importance encoding was measured against."""

    name = "genetic_index"
    by_index = True
