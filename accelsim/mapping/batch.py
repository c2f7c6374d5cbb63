"""Many layers on many chips as kernel arrays, for mappers that take them all at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import Allowed
from accelsim.mapping.pairs import START, Machines, PairResult, map_pairs
from accelsim.pack import pack_layer, pack_machine
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.mapper import Task

Row = tuple["Accelerator", Layer, str, NDArray[np.float64] | None]
"""Chip, layer, resident tensors, reserved bits."""

_packed = lru_cache(maxsize=65536)(pack_layer)


class Pairs(NamedTuple):
    """Arguments of `map_pairs`."""

    problems: NDArray[np.int64]
    machines: Machines
    chips: NDArray[np.int64]
    reserved: NDArray[np.float64] | None


def pack(rows: Iterable[Row]) -> Pairs:
    """Arrays of rows on chips with the same number of memories; a chip is packed once."""
    items = list(rows)
    chips = {id(chip): chip for chip, *_ in items}
    numbers = {key: i for i, key in enumerate(chips)}
    reserved = None
    if any(bits is not None for *_, bits in items):
        none = np.zeros((len(items[0][0].memories), 4))
        reserved = np.array([none if bits is None else bits for *_, bits in items])
    return Pairs(
        np.array([_packed(layer, resident) for _, layer, resident, _ in items]),
        Machines.stack(
            [pack_machine(chip) for chip in chips.values()], [Allowed.of(chip) for chip in chips.values()]
        ),
        np.array([numbers[id(chip)] for chip, *_ in items]),
        reserved,
    )


def map_at_once(tasks: Sequence[Task], budget: int, start: int = START) -> NDArray[np.float64]:
    """`Mapper.batch` of the genetic mapper: one kernel call. A budget of 0 is the template mapping."""
    return _figures(_mapped(tasks, budget, start)[1])


def map_with_busy(
    tasks: Sequence[Task], budget: int, start: int = START
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`Mapper.batch_busy` of the genetic mapper."""
    from cost_models.mappers.pairs import busy_pairs

    (problems, machines, index, _), found = _mapped(tasks, budget, start)
    busy = np.zeros((len(index), machines.machine.holds.shape[1], L.NUSER))
    busy_pairs(problems, index, *machines.machine, *found.batch, busy)
    return _figures(found), busy


def _mapped(tasks: Sequence[Task], budget: int, start: int) -> tuple[Pairs, PairResult]:
    pairs = pack((task.hardware, task.layer, task.resident, task.reserved_bits) for task in tasks)
    seeds = np.array([task.seed for task in tasks], np.uint64)
    found = map_pairs(*pairs[:3], budget, seeds, tasks[0].objective, reserved=pairs.reserved, start=start)
    return pairs, found


def _figures(found: PairResult) -> NDArray[np.float64]:
    return np.column_stack([found.latency, found.energy, found.spent.sum(axis=1)])
