"""The exact front of a space of subnets whose costs add up over blocks, by dynamic programming.

Blocks are decided one after another. Of all beginnings that leave the same choices to the rest, only those
that no other is better than can lead to the front, so that each block multiplies a short list by its choices
and prunes it again: a knapsack instead of a search.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ExactFront(NamedTuple):
    """Subnets and their costs.

    rows   genomes int64[n, genes], canonical but for spaces whose canonical form reorders
    costs  float64[n, costs], all smaller is better; the negative score comes last where there are effects
    """

    rows: Genomes
    costs: Floats


def exact_front(
    space: Space,
    blocks: Floats,
    effects: Sequence[Floats] | None = None,
    *,
    peaks: Sequence[int] = (),
) -> ExactFront:
    """Subnets that no other of the same resolution is better than.

    blocks   float64[blocks, costs] by `Space.block_ids`: they add up; infinite where a block may not be used
    effects  per gene float64[values]: a score that adds up over the active genes, larger is better
    peaks    columns of `blocks` of which the largest block counts, not the sum

    Raises AccelsimError for more than three columns, or a space in which a block that may be left out shares
    a choice with another one.
    """
    count = blocks.shape[1] + (effects is not None)
    if count > 3:
        raise AccelsimError(f"exact front: at most three figures can be weighed at once, but got {count}")
    first, last = _scopes(space)
    top = np.zeros(count, bool)
    top[list(peaks)] = True
    start = np.zeros((1, count)), np.zeros((1, len(space.genes)), np.int16)
    states: dict[tuple[int, ...], tuple[Floats, NDArray[np.int16]]] = {(): start}
    open_: tuple[int, ...] = ()
    for p, part in enumerate(space.parts):
        if not states:
            break
        switch = part.depth.column if part.depth else None
        used = dict.fromkeys((*part.columns, *(() if switch is None else (switch,))))
        new = [c for c in used if first[c] == p]
        stay = [c for c in (*open_, *new) if last[c] > p or c == 0]
        choices = list(product(*(range(len(space.genes[c].values)) for c in new)))
        steps = [(key, choice) for key in states for choice in choices]
        genomes = np.zeros((len(steps), len(space.genes)), np.int64)
        genomes[:, [*open_, *new]] = [(*key, *choice) for key, choice in steps]
        ids = space.block_ids(genomes)[:, p]
        grown: dict[tuple[int, ...], list[tuple[Floats, NDArray[np.int16]]]] = defaultdict(list)
        for (key, choice), genome, block in zip(steps, genomes, ids.tolist(), strict=True):
            idle = [c for c in new if block < 0 and c != switch]
            if any(genome[c] for c in idle):
                continue  # it decides nothing, so that its first value stands for all
            add = np.zeros(count)
            if block >= 0:
                add[: blocks.shape[1]] = blocks[block]
                if not np.isfinite(add).all():
                    continue
            if effects is not None:
                add[-1] = -sum(float(effects[c][genome[c]]) for c in new if c not in idle)
            costs, rows = states[key]
            costs = np.where(top, np.maximum(costs, add), costs + add)
            rows = rows.copy()
            rows[:, new] = choice
            grown[tuple(genome[stay].tolist())].append((costs, rows))
        states = {}
        for key, several in grown.items():
            costs, rows = (np.concatenate(x) for x in zip(*several, strict=True))
            keep = prune(costs)
            states[key] = costs[keep], rows[keep]
        open_ = tuple(stay)
    if not states:
        return ExactFront(np.zeros((0, len(space.genes)), np.int64), np.zeros((0, count)))
    costs, rows = (np.concatenate(x) for x in zip(*states.values(), strict=True))
    return ExactFront(rows.astype(np.int64), costs)


def listed_front(space: Space, genomes: Genomes, blocks: Floats, peaks: Sequence[int] = ()) -> Floats:
    """Costs float64[n, costs] of genomes as `exact_front` adds them up: what brute force compares with."""
    ids = space.block_ids(genomes)
    there = (ids >= 0)[..., None]
    out = np.where(there, blocks[ids], 0.0).sum(axis=1)
    for column in peaks:
        out[:, column] = np.where(there[..., 0], blocks[ids, column], 0.0).max(axis=1)
    return np.asarray(out)


def prune(costs: Floats) -> Ints:
    """Rows [n, 1 to 3] that no row is better than, in the order of the first column; of equals the first."""
    order = np.lexsort(costs.T[::-1])
    if costs.shape[1] == 1:
        return order[:1]
    if costs.shape[1] == 2:
        return order[_falls(costs[order, 1])]
    return order[_staircase(costs[order, 1], costs[order, 2])]


def _falls(values: Floats) -> NDArray[np.bool_]:
    """[n] values below all earlier ones."""
    least = np.minimum.accumulate(values)
    return np.concatenate([[True], values[1:] < least[:-1]])


def _staircase(seconds: Floats, thirds: Floats) -> list[int]:
    """Positions that no earlier one is at least as good as in both; the earlier are no worse in the first."""
    keep: list[int] = []
    xs: list[float] = []  # ascending, and `ys` descends with them
    ys: list[float] = []
    for i, (x, y) in enumerate(zip(seconds.tolist(), thirds.tolist(), strict=True)):
        at = bisect_right(xs, x)
        if at and ys[at - 1] <= y:
            continue
        at = bisect_left(xs, x)
        end = at
        while end < len(xs) and ys[end] >= y:
            end += 1
        xs[at:end], ys[at:end] = [x], [y]
        keep.append(i)
    return keep


def _scopes(space: Space) -> tuple[dict[int, int], dict[int, int]]:
    """(first, last) part that each gene has a say in."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for p, part in enumerate(space.parts):
        switch = () if part.depth is None else (part.depth.column,)
        for column in (*part.columns, *switch):
            first.setdefault(column, p)
            last[column] = p
    for column, p in first.items():
        depth = space.parts[p].depth
        if depth is not None and column != depth.column and last[column] > p:
            raise AccelsimError(
                f"exact front: {space.name}: {space.parts[p].name} may be left out, but shares "
                f"{space.genes[column].name} with other blocks"
            )
    return first, last
