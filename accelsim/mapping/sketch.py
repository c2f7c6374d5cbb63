"""The sketch: a mapping found in a tenth of the evaluations, to tell which candidates deserve more.

The template mapper's own start, cut short. Searches over chips price every candidate by it first (see
`accelsim.cosearch.screen`); what is reported never rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapper import Mapper, Status, Task
from accelsim.mapping.template import template
from accelsim.pack import Batch

EVALUATIONS = 200
"""Of a sketch. On four shipped chips and every third layer of two networks, the EDP was 0, 0, 0.3 and 25 %
above that of 8000 evaluations (NVDLA 256, Edge TPU, ShiDianNao, Eyeriss)."""


class SketchMapper(Mapper):
    """As `TemplateMapper`, with few evaluations. The one mapper that may be worse than the template."""

    name = "sketch"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The start itself."""
        return start, 0, "done", None

    def batch(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """In one kernel call."""
        from accelsim.mapping.batch import map_at_once

        return map_at_once(tasks, 0, EVALUATIONS)

    def batch_busy(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In two kernel calls."""
        from accelsim.mapping.batch import map_with_busy

        return map_with_busy(tasks, 0, EVALUATIONS)

    def _start(self, task: Task) -> tuple[Batch, int] | None:
        return template(
            task.hardware,
            task.layer,
            resident=task.resident,
            reserved_bits=task.reserved_bits,
            objective=task.objective,
            evaluations=EVALUATIONS,
        )
