"""Lower bounds on what layers cost on a chip, whatever their mapping: microseconds instead of milliseconds.

`cost_models.loopnest.roofline` counts words and lanes; here comes what the dataflow allows: an axis carries
one dimension at a time, of those that the chip names, so that a depthwise layer may leave most lanes idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware.holding import ways_for
from accelsim.mapping.batch import packed
from accelsim.pack import pack_machine
from accelsim.pricing.ask import Ask
from accelsim.workloads.layer import DIMS
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

MOST_CHOICES = 512
"""Ways to give each axis a dimension that are looked at; beyond, the freest axes count as always full."""


def lower_bounds(asks: Sequence[Ask]) -> NDArray[np.float64]:
    """(cycles, pJ) float64[n, 2] that no mapping of each ask can beat, in whatever room it has.

    Where the chip leaves open what its memories hold, on no way to hold.
    """
    chips: dict[int, list[int]] = {}
    for i, ask in enumerate(asks):
        chips.setdefault(id(ask.chip), []).append(i)
    if any(asks[rows[0]].chip.leaves_choice for rows in chips.values()):
        each = [ways_for(ask.chip, ask.layer, ask.resident) for ask in asks]
        ways = [ask._replace(chip=way) for ask, some in zip(asks, each, strict=True) for way in some]
        first = np.cumsum([0, *map(len, each[:-1])])
        return np.asarray(np.minimum.reduceat(lower_bounds(ways), first, axis=0))
    out = np.empty((len(asks), 2))
    for rows in chips.values():
        chip = asks[rows[0]].chip
        problems = np.array([packed(asks[i].layer, asks[i].resident) for i in rows])
        out[rows] = _of_machine(chip, problems)
    return out


def _of_machine(chip: Accelerator, problems: NDArray[np.int64]) -> NDArray[np.float64]:
    """(cycles, pJ) float64[n, 2] of n problems; what the memories hold is settled."""
    from cost_models.loopnest.roofline import bound_batch

    machine = pack_machine(chip)
    latency, energy = np.empty(len(problems)), np.empty(len(problems))
    bound_batch(problems, machine, latency, energy)
    if not machine.machine[L.UNIT_RATE]:
        multiplies = problems[:, L.HAS_MACS] != 0  # others have a unit as wide as the array
        compute = _compute(chip, problems, machine.machine)
        slower = np.where(multiplies, np.maximum(latency, compute), latency)
        energy += machine.machine[L.LEAK_PJ] * (slower - latency)
        latency = slower
    return np.column_stack([latency, energy])


def _compute(
    chip: Accelerator, problems: NDArray[np.int64], machine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cycles [n] of the array alone: trips of every dimension over the lanes that carry it, at best."""
    size = problems[:, : L.NDIM]
    axes, full = _axes(chip)
    least = np.full(len(problems), np.inf)
    for choice in product(*(dims for _, dims in axes)):
        lanes = np.ones(L.NDIM, np.int64)
        for (length, _), d in zip(axes, choice):
            lanes[d] *= length
        least = np.minimum(least, (-(-size // lanes)).prod(axis=1, dtype=float))
    steps = np.ceil(least / full)
    return np.asarray(steps * (1.0 + machine[L.EXTRA_CYCLES]) + machine[L.LAYER_CYCLES])


def _axes(chip: Accelerator) -> tuple[list[tuple[int, list[int]]], int]:
    """(length and dimensions of each axis, lanes of all axes that may divide the work in any way)."""
    axes: list[tuple[int, list[int]]] = []
    full = 1
    for memory in chip.memories:
        lent = {axis.shares for axis in memory.fanout}
        for axis in memory.fanout:
            if axis.shares is not None or axis.size == 1:
                continue
            dims = [DIMS.index(d) for d in chip.axis_dims(memory.name, axis.axis)]
            if axis.axis in lent or not dims:
                full *= axis.size  # several axes divide these lanes among them
            else:
                axes.append((axis.size, dims))
    axes.sort(key=lambda axis: len(axis[1]))
    while np.prod([len(dims) for _, dims in axes], dtype=float) > MOST_CHOICES:
        full *= axes.pop()[0]
    return axes, full
