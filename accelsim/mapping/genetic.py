"""The genetic mapper: a population that starts around the template mapping."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.encoding import OBJECTIVES, Allowed, encode, score
from accelsim.mapping.mapper import Mapper, Status, Task
from accelsim.pack import Batch

_CHUNK = 1000  # evaluations between two looks at `cancelled`


class GeneticMapper(Mapper):
    """NAAS's encoding under a steady-state genetic algorithm, see `cost_models.genetic`."""

    name = "genetic"
    by_index = False

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best individual after `budget` evaluations."""
        from cost_models.genetic import evolve
        from cost_models.pairs import COPIES, POPULATION, REDRAWN

        n = max(1, min(POPULATION, task.evaluations))
        copies = COPIES if task.start == "template" else 0
        rng = np.random.default_rng(task.seed)
        first = encode(task, start)
        genes = rng.random((n + 1, len(first)))
        redrawn = rng.random((n + 1, len(first))) < REDRAWN
        for row in range(min(n, copies)):
            genes[row] = np.where(redrawn[row], genes[row], first) if row else first
        cost = np.full(n + 1, np.inf)
        tiles = np.ones((n + 1, len(task.machine.holds), 8), np.int32)
        state = rng.integers(1, 2**63, 1, np.uint64)
        allowed = Allowed.of(task.hardware)
        done = 0
        status: Status = "budget"
        while done < task.evaluations:
            if task.cancelled():
                status = "cancelled"
                break
            until = min(task.evaluations, done + _CHUNK)
            done = evolve(
                task.problem, *task.machine, *allowed, genes, cost, tiles, done, until,
                self.by_index, OBJECTIVES.index(task.objective), state,
            )  # fmt: skip
            if done < until:  # a single point: nothing to vary
                status = "done"
                break
        best = int(np.argmin(cost[:n]))
        if not cost[best] < task.score(start)[0]:
            return start, done, status, None
        return score(task, genes[best : best + 1], self.by_index)[0], done, status, None


class IndexGeneticMapper(GeneticMapper):
    """The same with numbered choices, which NAAS's importance encoding was measured against."""

    name = "genetic_index"
    by_index = True
