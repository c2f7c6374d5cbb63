"""Many (layer, accelerator) pairs mapped in one kernel call, for searches over both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import OBJECTIVES, Allowed
from accelsim.pack import Batch, Machine, pack_machine, packed_layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.mapper import Task

START = 1000
"""Evaluations after which the greedy start stops, if it has not ended before."""


class Machines(NamedTuple):
    """H accelerators with the same number of memories, stacked: see `cost_models.pairs.map_pairs`."""

    machine: Machine
    allowed: Allowed

    @classmethod
    def stack(cls, machines: list[Machine], allowed: list[Allowed]) -> Machines:
        """From single accelerators; raises ValueError where their numbers of memories differ."""
        most = max(item.orders.shape[1] for item in allowed)
        orders = [np.pad(x.orders, ((0, 0), (0, most - x.orders.shape[1]), (0, 0)), "edge") for x in allowed]
        return cls(
            Machine(*(np.stack(arrays) for arrays in zip(*machines, strict=True))),
            Allowed(
                np.stack([x.axes for x in allowed]), np.stack(orders), np.stack([x.norders for x in allowed])
            ),
        )


class PairResult(NamedTuple):
    """What was found for P pairs.

    status   int32[P], 0, or why not even the smallest tiles fit: see `cost_models.layout`
    latency  float64[P] in cycles; energy float64[P] in pJ; infinite where nothing fits
    spent    int64[P, 2], evaluations of the greedy start and of the search after it
    batch    the P mappings; the smallest tiles where nothing fits
    """

    status: NDArray[np.int32]
    latency: NDArray[np.float64]
    energy: NDArray[np.float64]
    spent: NDArray[np.int64]
    batch: Batch


def map_pairs(
    problems: NDArray[np.int64],
    machines: Machines,
    index: NDArray[np.int64],
    budget: int,
    seeds: NDArray[np.uint64],
    objective: str = "edp",
    *,
    reserved: NDArray[np.float64] | None = None,
) -> PairResult:
    """Map P pairs by the genetic mapper; a pair's answer depends on it alone.

    `budget` is a pair's evaluations in all. The greedy start, which is the template mapping, comes first and
    always completes, within `START` evaluations; the genetic search, whose choices `seeds` decide, has what
    is left. So no budget gives a worse mapping than the template, and one that the start uses up, such as 0,
    gives the template itself. `PairResult.spent` adds up to the budget, or to the start's if that is more.

    problems  int64[P, PROBLEM_COLS], from `pack_layer`
    index     int64[P], row of `machines` of each pair
    seeds     uint64[P]
    reserved  float64[P, M, 4], bits taken off each memory's parts for W, I, O and off its whole
    """
    from cost_models import pairs as kernel

    P, M = len(index), machines.machine.holds.shape[1]
    out = PairResult(
        np.empty(P, np.int32), np.empty(P), np.empty(P), np.empty((P, 2), np.int64), Batch.empty(P, M)
    )
    bits = np.empty((0, M, 4)) if reserved is None else reserved
    kernel.map_pairs(
        problems, index, seeds, bits, *machines.machine, *machines.allowed, budget, START,
        OBJECTIVES.index(objective), *out[:-1], *out.batch,
    )  # fmt: skip
    return out


def map_tasks(tasks: Sequence[Task], budget: int) -> NDArray[np.float64]:
    """Latency in cycles, energy in pJ and evaluations float64[n, 3] of tasks of one objective."""
    out = np.empty((len(tasks), 3))
    memories = np.array([len(task.hardware.memories) for task in tasks])
    for M in np.unique(memories).tolist():  # accelerators of unlike depth do not stack
        rows = np.flatnonzero(memories == M).tolist()
        some = [tasks[i] for i in rows]
        machines, index = stacked([task.hardware for task in some])
        found = map_pairs(
            np.array([packed_layer(task.layer, task.resident) for task in some]),
            machines,
            index,
            budget,
            np.array([task.seed for task in some], np.uint64),
            some[0].objective,
            reserved=reserved([task.reserved_bits for task in some], M),
        )
        out[rows] = np.column_stack([found.latency, found.energy, found.spent.sum(axis=1)])
    return out


def stacked(chips: Sequence[Accelerator]) -> tuple[Machines, NDArray[np.int64]]:
    """Kernel arrays of the distinct ones among P accelerators, and int64[P], which of them each one is."""
    numbers: dict[int, int] = {}
    index = np.array([numbers.setdefault(id(chip), len(numbers)) for chip in chips], np.int64)
    distinct = list({id(chip): chip for chip in chips}.values())
    return Machines.stack([pack_machine(x) for x in distinct], [Allowed.of(x) for x in distinct]), index


def reserved(bits: Sequence[NDArray[np.float64] | None], memories: int) -> NDArray[np.float64]:
    """float64[P, M, 4], or [0, M, 4] where nothing is taken off."""
    if all(one is None for one in bits):
        return np.empty((0, memories, 4))
    return np.array([np.zeros((memories, 4)) if one is None else one for one in bits])
