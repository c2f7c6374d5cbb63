"""Random legal mappings and machines, thousands at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from accelsim.pack import Batch, Machine
from cost_models.loopnest import layout as L


def random_batch(
    problem: NDArray[np.int64], machine: Machine, size: int, rng: Generator, exact: bool = False
) -> Batch:
    """`size` random mappings, legal but for capacity; with `exact` every tile divides the one around it.

    Vectorised over the batch: one pass per memory and dimension, so a million take seconds. Lanes that axes
    share are kept by using one axis of each group.
    """
    M = machine.holds.shape[0]
    tile = np.ones((size, M, L.NDIM), np.int32)
    axis_dim = np.zeros((size, M, L.MAX_AXES), np.int8)
    axis_factor = np.zeros((size, M, L.MAX_AXES), np.int32)
    order = np.argsort(rng.random((size, M, L.NDIM)), axis=2).astype(np.int8)
    left = np.tile(problem[: L.NDIM], (size, 1))
    rows = np.arange(size)
    for m in range(M):
        for d in range(L.NDIM):
            left[:, d] = _cut(left[:, d], rng, exact)
        tile[:, m] = left
        product = np.ones_like(left)
        for a in range(L.MAX_AXES):
            limit, group = machine.fan[m, a, L.AXIS_SIZE], machine.fan[m, a, L.LANES]
            if limit < 2:
                continue
            dims = rng.integers(0, L.NDIM, size)
            here = left[rows, dims]
            f = _cut(np.minimum(here, min(limit, machine.fan[m, group, L.AXIS_SIZE])), rng, False)
            use = (f > 1) & ((here % f == 0) | (not exact))
            for other in range(a):
                use &= (axis_factor[:, m, other] < 2) | (machine.fan[m, other, L.LANES] != group)
            axis_dim[:, m, a] = dims
            axis_factor[:, m, a] = np.where(use, f, 0)
            left[rows, dims] = np.where(use, -(-here // f), here)
            product[rows, dims] *= np.where(use, f, 1)
    # Below the last memory every tile is 1: it hands out no more than its axes take.
    tile[:, M - 1] = np.minimum(tile[:, M - 1], product)
    return Batch(tile, order, axis_dim, axis_factor)


def _cut(sizes: NDArray[np.int64], rng: Generator, exact: bool) -> NDArray[np.int64]:
    """A random size from 1 to each of `sizes`; with `exact` one of its divisors."""
    if not exact:
        return np.maximum(1, np.rint(sizes ** rng.random(len(sizes)))).astype(np.int64)
    result = np.ones_like(sizes)
    for size in np.unique(sizes):
        divisors = [n for n in range(1, size + 1) if size % n == 0]
        at = sizes == size
        result[at] = rng.choice(divisors, at.sum())
    return result


def machine_of(
    fans: Sequence[Sequence[tuple[int, bool, bool]]],
    holds: Sequence[str] | None = None,
    shared_lanes: bool = False,
    overlaps: Sequence[bool] | None = None,
) -> Machine:
    """Machine with finite ports and energies; `fans`: (size, multicast, reduction) per memory and axis."""
    M = len(fans)
    hold = np.array([[t in h for t in "WIO"] for h in (holds or ["WIO"] * M)], np.int64)
    fan = np.zeros((M, L.MAX_AXES, L.FAN_COLS), np.int64)
    fan[:, :, L.LANES] = np.arange(L.MAX_AXES)
    memory = np.zeros((M, L.MEM_COLS))
    memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] = np.inf
    memory[:, L.BUFFERS] = memory[:, L.OVERLAPS] = 1.0
    if overlaps is not None:
        memory[:, L.OVERLAPS] = overlaps
    for m, axes in enumerate(fans):
        for a, axis in enumerate(axes):
            fan[m, a, : L.FORWARDING] = axis
        if shared_lanes:
            fan[m, : len(axes), L.LANES] = 0
    width = 64.0 * 4.0 ** np.arange(M)
    memory[:, L.READ_CPB : L.READ_CPB + 6] = 1.0 / width[:, None]
    memory[:, L.WRITE_PORT : L.WRITE_PORT + L.NTENSOR] = 1.0
    memory[:, L.READ_PJ : L.READ_PJ + 6] = 4.0 ** -np.arange(M)[:, None]
    memory[:, L.HOP_PJ : L.HOP_MORE] = 0.01
    return Machine(hold, fan, memory, np.array([8.0, 8.0, 8.0, 24.0, 0.5, 0.1, 0.0, 0.0, 0.0]))
