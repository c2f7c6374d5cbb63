"""What the mappers' kernels hand around: arrays that belong together, by name.

Numba passes each array of a named tuple as an argument of its own, so tuples cost nothing. Fields cannot be
set: what changes is in arrays. A kernel is compiled once for each class that it meets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cost_models.loopnest import layout as L
from cost_models.loopnest.records import Batch


class Allowed(NamedTuple):
    """What mappings may be on a machine; or on H of them, each array with one more axis in front."""

    axes: NDArray[np.int64]  # [M, A], bit d: the axis may carry dimension d
    orders: NDArray[np.int8]
    """[M, n, 8]: the loop orders that the dataflow allows; where it allows any, the first
    `proposals.FREE_ORDERS` rows are those that searches try."""
    norders: NDArray[np.int64]  # [M] how many there are, 0 = any order


class Pairs(NamedTuple):
    """P pairs of a layer and one of H machines."""

    problem: NDArray[np.int64]  # [P, PROBLEM_COLS]
    index: NDArray[np.int64]  # [P] the machine of each
    reserved: NDArray[np.float64]  # [P, M, 4] bits taken off the capacities; P = 0: none


class PairResult(NamedTuple):
    """Mappings of P pairs; where nothing fits, the smallest tiles."""

    status: NDArray[np.int32]  # [P] 0, or why not even the smallest tiles fit: see `layout`
    latency: NDArray[np.float64]  # [P] cycles, infinite where nothing fits, as pJ
    energy: NDArray[np.float64]  # [P] pJ
    spent: NDArray[np.int64]  # [P, 2] evaluations of the start, and of the search after it
    batch: Batch

    @classmethod
    def empty(cls, P: int, M: int) -> PairResult:
        """Room for `P`."""
        return cls(
            np.zeros(P, np.int32), np.empty(P), np.empty(P), np.zeros((P, 2), np.int64), Batch.empty(P, M)
        )


class Brood(NamedTuple):
    """Memory for mappings that are priced together: see `brood`, which names what stands where."""

    notes: NDArray[np.int64]
    figures: NDArray[np.float64]


class Pool(NamedTuple):
    """All that a search of one layer keeps between calls: see `proposals`, `greedy` and `genetic`."""

    objective: int
    proposal: NDArray[np.int64]  # [ROWS, M * COLUMNS]
    cost: NDArray[np.float64]  # [ROWS, 4]
    counters: NDArray[np.int64]  # [COUNTERS]
    sizes: NDArray[np.int64]  # [16, SIZES]
    state: NDArray[np.uint64]  # [1] of the random numbers, not 0
    seen: NDArray[np.uint64]  # [MET] see `met`

    @classmethod
    def empty(cls, objective: int, M: int, start: int, budget: int) -> Pool:
        """For a search of so many evaluations, of which the start has at most so many."""
        from cost_models.mappers.greedy import BUDGET, COUNTERS, START
        from cost_models.mappers.met import MET
        from cost_models.mappers.population import ROWS
        from cost_models.mappers.proposals import COLUMNS, EVEN, SIZES

        counters = np.zeros(COUNTERS, np.int64)
        counters[START], counters[BUDGET] = start, budget
        proposal, sizes = np.zeros((ROWS, M * COLUMNS), np.int64), np.zeros((EVEN + L.NDIM, SIZES), np.int64)
        state, seen = np.zeros(1, np.uint64), np.zeros(MET, np.uint64)
        return cls(objective, proposal, np.zeros((ROWS, 4)), counters, sizes, state, seen)


class Workspace(NamedTuple):
    """What a mapping at trial is made and priced in."""

    batch: Batch  # as many rows as a brood has, of `tile` one more
    brood: Brood
    scratch: NDArray[np.int64]
    ws: NDArray[np.float64]  # see `work`
    iw: NDArray[np.int64]

    @classmethod
    def empty(cls, M: int, mappings: int) -> Workspace:
        """For searches that will price so many mappings."""
        from cost_models.loopnest.work import IW_SIZE, WS_SIZE
        from cost_models.mappers.brood import BROOD, memory
        from cost_models.mappers.proposals import SCRATCH

        scratch, ws, iw = np.zeros(SCRATCH, np.int64), np.zeros(WS_SIZE), np.zeros(IW_SIZE, np.int64)
        return cls(Batch.empty(BROOD + 1, M), memory(mappings), scratch, ws, iw)


class Vectors(NamedTuple):
    """A population of vectors: see `encoded`."""

    objective: int
    by_index: bool
    genes: NDArray[np.float64]  # [POPULATION + 1, width(fan)], the row after the last individual is scratch
    cost: NDArray[np.float64]  # [POPULATION + 1]
    tiles: NDArray[np.int32]  # [POPULATION + 1, M, 8] what a tile of the individual may have at most
    state: NDArray[np.uint64]  # [1] of the random numbers, not 0

    @classmethod
    def empty(cls, objective: int, by_index: bool, fan: NDArray[np.int64]) -> Vectors:
        """Room for a population on a machine with these fan-outs."""
        from cost_models.mappers.encoded import POPULATION
        from cost_models.mappers.genes import width

        n = POPULATION + 1
        tiles = np.ones((n, len(fan), L.NDIM), np.int32)
        return cls(objective, by_index, np.zeros((n, width(fan))), np.zeros(n), tiles, np.zeros(1, np.uint64))
