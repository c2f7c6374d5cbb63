"""Many (layer, accelerator) pairs mapped in one kernel call, for searches over both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import OBJECTIVES, Allowed
from accelsim.pack import Batch, Machine

START = 1000
"""Evaluations after which the greedy start stops, if it has not ended before."""


class Machines(NamedTuple):
    """H accelerators with the same number of memories, stacked: see `cost_models.mappers.pairs.map_pairs`."""

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

    status   int32[P], 0, or why not even the smallest tiles fit: see `cost_models.loopnest.layout`
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
    start: int = START,
) -> PairResult:
    """Map P pairs by the genetic mapper; a pair's answer depends on it alone.

    `budget` is a pair's evaluations in all. The greedy start, which is the template mapping, comes first and
    always completes, within `start` evaluations; the genetic search, whose choices `seeds` decide, has what
    is left. So no budget gives a worse mapping than the template, and one that the start uses up, such as 0,
    gives the template itself. `PairResult.spent` adds up to the budget, or to the start's if that is more.

    problems  int64[P, PROBLEM_COLS], from `pack_layer`
    index     int64[P], row of `machines` of each pair
    seeds     uint64[P]
    reserved  float64[P, M, 4], bits taken off each memory's parts for W, I, O and off its whole
    """
    from cost_models.mappers import pairs as kernel
    from cost_models.mappers.brood import memory

    P, M = len(index), machines.machine.holds.shape[1]
    out = PairResult(
        np.empty(P, np.int32), np.empty(P), np.empty(P), np.empty((P, 2), np.int64), Batch.empty(P, M)
    )
    bits = np.empty((0, M, 4)) if reserved is None else reserved
    kernel.map_pairs(
        problems, index, seeds, bits, *machines.machine, *machines.allowed, budget, start,
        OBJECTIVES.index(objective), *memory(P * max(budget, start)), *out[:-1], *out.batch,
    )  # fmt: skip
    return out
