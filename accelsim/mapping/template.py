"""The template mapper: the chip's own dataflow, its array filled, its tiles grown greedily. Deterministic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.pairs import START, Machines, map_pairs
from accelsim.pack import Batch, pack_layer, pack_machine
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Objective = Literal["edp", "latency", "energy"]


def template(
    hardware: Accelerator,
    layer: Layer,
    *,
    resident: str = "",
    reserved_bits: NDArray[np.float64] | None = None,
    objective: Objective = "edp",
    evaluations: int = START,
) -> tuple[Batch, int] | None:
    """(mapping as kernel arrays with one row, evaluations), or None if not even the smallest tiles fit.

    `resident` names tensors that lie on chip; `reserved_bits` float64[M, 4] is taken off each memory's
    parts for W, I, O and off its whole; `evaluations` is how many it may take. How it searches: see
    `cost_models.mappers.greedy`.
    """

    hardware = hardware.for_layer(layer)
    machines = Machines.stack([pack_machine(hardware)], [allowed_on(hardware)])
    found = map_pairs(
        pack_layer(layer, resident)[None],
        machines,
        np.zeros(1, np.int64),
        0,
        np.zeros(1, np.uint64),
        objective,
        reserved=None if reserved_bits is None else reserved_bits[None],
        start=evaluations,
    )
    return None if found.status[0] else (found.batch, int(found.spent[0, 0]))
