"""Between mappings and the vectors of `cost_models.genes`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.pack import Batch
from accelsim.workloads.layer import DIMS
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.mapper import Task


class Allowed(NamedTuple):
    """What the dataflow allows, as kernel arrays: see `cost_models.genes.score_batch`."""

    axes: NDArray[np.int64]
    orders: NDArray[np.int8]
    norders: NDArray[np.int64]

    @classmethod
    def of(cls, hardware: Accelerator) -> Allowed:
        """From the `dataflow` section."""
        M = len(hardware.memories)
        axes = np.zeros((M, L.MAX_AXES), np.int64)
        allowed = [hardware.orders(memory.name) for memory in hardware.memories]
        orders = np.zeros((M, max(1, *map(len, allowed)), L.NDIM), np.int8)
        for m, memory in enumerate(hardware.memories):
            for a, axis in enumerate(memory.fanout):
                axes[m, a] = sum(1 << DIMS.index(d) for d in hardware.axis_dims(memory.name, axis.axis))
            for n, order in enumerate(allowed[m]):
                orders[m, n] = [DIMS.index(d) for d in order]
        return cls(axes, orders, np.array([len(item) for item in allowed], np.int64))


def encode(task: Task, batch: Batch) -> NDArray[np.float64]:
    """Vector float64[M * BLOCK] that decodes to the mapping in row 0, or to one close to it."""
    from cost_models import genes as X

    M = batch.tile.shape[1]
    genes = np.full((M, X.BLOCK), 0.5)
    left = [int(n) for n in task.problem[: L.NDIM]]
    for m in range(M):
        whole = list(left)
        for place, d in enumerate(batch.order[0, m]):
            genes[m, X.ORDER + d] = 1 - place / L.NDIM
        lanes = [int(n) for n in task.machine.fan[m, :, L.AXIS_SIZE]]
        for a in range(L.MAX_AXES):
            at = X.AXIS + X.AXIS_GENES * a
            factor, d = int(batch.axis_factor[0, m, a]), int(batch.axis_dim[0, m, a])
            genes[m, at + L.NDIM] = 0.0
            if factor > 1:
                host = int(task.machine.fan[m, a, L.LANES])
                room = min(int(task.machine.fan[m, a, L.AXIS_SIZE]), lanes[host], left[d])
                lanes[host] //= factor
                genes[m, at + d] = 1.0
                genes[m, at + L.NDIM] = (factor - 1) / max(1, room - 1)
                left[d] = -(-left[d] // factor)
        most = left
        left = [int(u) for u in batch.tile[0, m]]
        for a in range(L.MAX_AXES):
            if batch.axis_factor[0, m, a] > 1:
                d = int(batch.axis_dim[0, m, a])
                left[d] = -(-left[d] // int(batch.axis_factor[0, m, a]))
        for d in range(L.NDIM):
            if whole[d] > 1 and most[d] > 1:
                genes[m, X.RATIO + d] = min(1.0, math.log(left[d]) / math.log(most[d]))
    return genes.ravel()


def score(
    task: Task, allowed: Allowed, genes: NDArray[np.float64], by_index: bool = False
) -> tuple[Batch, NDArray[np.float64]]:
    """Mappings that B vectors float64[B, M * BLOCK] stand for, and their objective float64[B]."""
    from cost_models.genes import score_batch

    batch = Batch.empty(len(genes), len(task.machine.holds))
    cost = np.empty(len(genes))
    score_batch(
        task.problem, *task.machine, *allowed, genes, by_index, objective_code(task), *batch, cost
    )  # fmt: skip
    return batch, cost


def objective_code(task: Task) -> int:
    """The kernels' name of the objective."""
    from cost_models import genes as X

    return {"edp": X.EDP, "latency": X.LATENCY, "energy": X.ENERGY}[task.objective]
