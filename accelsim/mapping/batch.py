"""Many layers on many chips as kernel arrays, for mappers that take them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.pairs import START, Machines, map_packed
from accelsim.pack import pack_layer, pack_machine
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L
from cost_models.mappers.records import PairResult, Pairs

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.task import Task

Row = tuple["Accelerator", Layer, str, NDArray[np.float64] | None]
"""Chip, layer, resident tensors, reserved bits."""

packed = lru_cache(maxsize=65536)(pack_layer)
"""`pack_layer`, of which the array is kept: nobody may write to it."""


def pack(rows: Iterable[Row]) -> tuple[Pairs, Machines]:
    """Arrays of rows on chips with the same number of memories; a chip is packed once."""
    items = list(rows)
    chips = {id(chip): chip for chip, *_ in items}
    numbers = {key: i for i, key in enumerate(chips)}
    none = np.zeros((len(items[0][0].memories), 4))
    reserved = [none if bits is None else bits for *_, bits in items]
    some = any(bits is not None for *_, bits in items)
    pairs = Pairs(
        np.array([packed(layer, resident) for _, layer, resident, _ in items]),
        np.array([numbers[id(chip)] for chip, *_ in items]),
        np.array(reserved) if some else np.empty((0, *none.shape)),
    )
    every = chips.values()
    return pairs, Machines.stack([pack_machine(chip) for chip in every], [allowed_on(chip) for chip in every])


def map_at_once(tasks: Sequence[Task], budget: int, start: int = START) -> NDArray[np.float64]:
    """`Mapper.batch` of the genetic mapper: one kernel call. A budget of 0 is the template mapping."""
    return _figures(_mapped(tasks, budget, start)[2])


def map_with_busy(
    tasks: Sequence[Task], budget: int, start: int = START
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`Mapper.batch_busy` of the genetic mapper."""
    from cost_models.mappers.pairs import busy_pairs

    pairs, machines, found = _mapped(tasks, budget, start)
    busy = np.zeros((len(pairs.index), machines.machine.holds.shape[1], L.NUSER))
    busy_pairs(pairs._replace(reserved=pairs.reserved[:0]), machines.machine, found.batch, busy)
    return _figures(found), busy


def _mapped(tasks: Sequence[Task], budget: int, start: int) -> tuple[Pairs, Machines, PairResult]:
    pairs, machines = pack((task.hardware, task.layer, task.resident, task.reserved_bits) for task in tasks)
    seeds = np.array([task.seed for task in tasks], np.uint64)
    found = map_packed(pairs, machines, budget, seeds, tasks[0].objective, start)
    return pairs, machines, found


def _figures(found: PairResult) -> NDArray[np.float64]:
    return np.column_stack([found.latency, found.energy, found.spent.sum(axis=1)])
