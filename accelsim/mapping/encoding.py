"""Between mappings and the vectors of `cost_models.mappers.genes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.pack import Batch
from accelsim.workloads.layer import DIMS
from cost_models.loopnest import layout as L
from cost_models.mappers.records import Allowed

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.task import Task


OBJECTIVES = ("edp", "latency", "energy")
"""In the order of the kernels' numbers for them."""

STATIONARY = ("GKCRSNPQ", "NGKPQCRS", "NGCRSPQK", "GKCRSNQP", "NGKPQCSR", "NGKPQRSC", "NGCRSQPK")
"""Orders that the mappers try where any goes: weights, outputs or inputs stay in place innermost, and the
input meets one or another loop first (docs/mappers.md, The space)."""


def allowed_on(hardware: Accelerator) -> Allowed:
    """What the `dataflow` section allows, as kernel arrays."""
    M = len(hardware.memories)
    axes = np.zeros((M, L.MAX_AXES), np.int64)
    allowed = [hardware.orders(memory.name) for memory in hardware.memories]
    orders = np.zeros((M, max(len(STATIONARY), *map(len, allowed)), L.NDIM), np.int8)
    for m, memory in enumerate(hardware.memories):
        for a, axis in enumerate(memory.fanout):
            axes[m, a] = sum(1 << DIMS.index(d) for d in hardware.axis_dims(memory.name, axis.axis))
        for n, order in enumerate(allowed[m] or STATIONARY):
            orders[m, n] = [DIMS.index(d) for d in order]
    return Allowed(axes, orders, np.array([len(item) for item in allowed], np.int64))


def encode(task: Task, batch: Batch) -> NDArray[np.float64]:
    """Vector float64[genes] that decodes to the mapping in row 0, or to one close to it."""
    from cost_models.mappers.genes import encode_one, width

    genes: NDArray[np.float64] = np.empty((1, width(task.machine.fan)))
    encode_one(task.problem, task.machine, batch, genes)
    return genes.ravel()


def score(
    task: Task, genes: NDArray[np.float64], by_index: bool = False
) -> tuple[Batch, NDArray[np.float64]]:
    """Mappings that B vectors float64[B, genes] stand for, and their objective float64[B]."""
    from cost_models.mappers.genes import score_batch

    batch = Batch.empty(len(genes), len(task.machine.holds))
    cost = np.empty(len(genes))
    score_batch(
        task.problem, task.machine, allowed_on(task.hardware), genes, by_index,
        OBJECTIVES.index(task.objective), batch, cost,
    )  # fmt: skip
    return batch, cost
