"""The random mapper: the baseline that any other must beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.encoding import score
from accelsim.mapping.found import Status
from accelsim.mapping.mapper import Mapper
from accelsim.mapping.task import Task
from accelsim.pack import Batch

_CHUNK = 512


class RandomMapper(Mapper):
    """Uniform draws of NAAS vectors; illegal ones are thrown away, but count."""

    name = "random"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best of `budget` draws and the start."""
        from cost_models.mappers.genes import width

        rng = np.random.default_rng(task.seed)
        best, least = start, float(task.score(start)[0])
        done = 0
        while done < task.evaluations:
            if task.cancelled():
                return best, done, "cancelled", None
            genes = rng.random((min(_CHUNK, task.evaluations - done), width(task.machine.fan)))
            batch, cost = score(task, genes)
            done += len(genes)
            row = int(np.argmin(cost))
            if cost[row] < least:
                best, least = batch.take([row]), float(cost[row])
        return best, done, "budget", None
