"""Many (layer, accelerator) pairs mapped in one kernel call, for searches over both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.encoding import OBJECTIVES
from accelsim.pack import Machine
from cost_models.mappers.records import Allowed, Pairs, Pool, Workspace
from cost_models.mappers.records import PairResult as PairResult

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
    none = np.empty((0, machines.machine.holds.shape[1], 4))
    pairs = Pairs(problems, index, none if reserved is None else reserved)
    return map_packed(pairs, machines, budget, seeds, objective, start)


def map_packed(
    pairs: Pairs,
    machines: Machines,
    budget: int,
    seeds: NDArray[np.uint64],
    objective: str = "edp",
    start: int = START,
) -> PairResult:
    """`map_pairs`, of arrays that are made already."""
    from cost_models.mappers import pairs as kernel

    P, M = len(pairs.index), machines.machine.holds.shape[1]
    found = PairResult.empty(P, M)
    pool = Pool.empty(OBJECTIVES.index(objective), M, start, budget)
    space = Workspace.empty(M, P * max(budget, start))
    kernel.map_pairs(pairs, seeds, machines.machine, machines.allowed, pool, space, found)
    return found
