"""What the exact mapper's kernels hand around: arrays that belong together, by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cost_models.loopnest import layout as L
from cost_models.loopnest.records import Batch

Factors = tuple[tuple[int, ...], ...]


class Spatial(NamedTuple):
    """S ways to spread dimensions over the axes: dimensions, factors, the smallest union tiles they allow."""

    dim: NDArray[np.int8]  # [S, M, A]
    factor: NDArray[np.int32]  # [S, M, A]
    union: NDArray[np.int32]  # [S, M, 8]

    def factors(self, choice: int, d: int) -> Factors:
        """Factors of the axes that carry dimension `d`, a tuple for each memory."""
        used = (self.dim[choice] == d) & (self.factor[choice] > 1)
        return tuple(
            tuple(int(f) for f in factor[use])
            for factor, use in zip(self.factor[choice], used, strict=True)
        )  # fmt: skip


class Options(NamedTuple):
    """What tiles and loop orders may be."""

    shape: int  # see `tiles`
    values: NDArray[np.int64]  # [8, n] sizes of tiles, rising, 0 where a dimension has fewer
    orders: NDArray[np.int64]
    """[M, n, 10], -1 where a memory has fewer: eight dimensions, then sets of bits: loops that must all be
    there, and that must all not be."""


class Waiting(NamedTuple):
    """Boxes of tiles still to be looked at: see `open`."""

    boxes: NDArray[np.int32]  # [n, 2, M, 8]
    owner: NDArray[np.int64]  # [n] the spatial choice of each
    keys: NDArray[np.float64]  # [n] what no mapping in it is below
    links: NDArray[np.int64]  # [3, n]
    state: NDArray[np.int64]

    @classmethod
    def empty(cls, n: int, memories: int) -> Waiting:
        """Room for `n`."""
        from cost_models.exact.open import STATE

        boxes = np.empty((n, 2, memories, L.NDIM), np.int32)
        links = np.empty((3, n), np.int64)
        return cls(boxes, np.empty(n, np.int64), np.empty(n), links, np.zeros(STATE, np.int64))

    def grown(self) -> Waiting:
        """With twice the room."""
        n = len(self.keys)
        more = Waiting.empty(2 * n, self.boxes.shape[2])
        more.boxes[:n], more.owner[:n], more.keys[:n], more.links[:, :n], more.state[:] = self
        return more


class Incumbent(NamedTuple):
    """The best so far, n = 1; with objective FRONT all points that no other beats: see `best`."""

    objective: int
    value: NDArray[np.float64]  # [n, 2]: the objective; or cycles, rising, and pJ, falling
    held: NDArray[np.int64]  # [1] how many
    tile: NDArray[np.int32]  # [n, M, 8]
    order: NDArray[np.int8]  # [n, M, 8]
    choice: NDArray[np.int64]  # [n] spatial choice

    @classmethod
    def nothing(cls, objective: int, n: int, memories: int) -> Incumbent:
        """Room for `n`, and nothing found."""
        tile, order = np.ones((n, memories, L.NDIM), np.int32), np.zeros((n, memories, L.NDIM), np.int8)
        return cls(
            objective, np.full((n, 2), np.inf), np.zeros(1, np.int64), tile, order, np.zeros(n, np.int64)
        )


class Counters(NamedTuple):
    """When to stop, and what was done: places are named in `best`."""

    stop: NDArray[np.int64]  # [3]
    nodes: NDArray[np.int64]  # [2] boxes looked at, mappings priced
    pruned: NDArray[np.int64]  # [5] branches cut, a rule each


class Desk(NamedTuple):
    """Scratch of one search."""

    fixed: NDArray[np.float64]  # what a spatial choice costs by itself: see `least`
    share: NDArray[np.float64]
    part: NDArray[np.float64]
    facts: NDArray[np.int64]  # see `box`
    corner: NDArray[np.int64]
    pad: NDArray[np.float64]  # see `steps`
    sums: NDArray[np.float64]  # see `chain`, as what follows
    loads: NDArray[np.float64]
    turn: NDArray[np.int64]
    batch: Batch  # the mapping at trial
