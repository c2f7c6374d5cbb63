"""Exact fronts against brute force over every genome of invented spaces, ties included."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import AccelsimError
from accelsim.cosearch.exact import exact_front, listed_front, prune
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import BlockGenes, Depth, Gene


class Invented(Space):
    """Genes and parts without layers: costs are given, nothing is built."""

    def at(self, *resolutions: int) -> Space:
        raise NotImplementedError

    decode = encode = _parse = at
    build_part: Any = at

    def all_rows(self) -> np.ndarray:
        return np.array(list(product(*(range(len(g.values)) for g in self.genes))))


@st.composite
def spaces(draw) -> Invented:
    """Stages of blocks, some left out by a gene, with genes of their own or shared by neighbours."""
    genes = [Gene("resolution", (32, 64)[: draw(st.integers(1, 2))])]
    parts = [BlockGenes("stem", (0,))]
    for s in range(draw(st.integers(1, 2))):
        always, extra = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        columns: tuple[int, ...] = (0,)
        if always and draw(st.booleans()):  # a width that the blocks of a stage share
            columns = (0, len(genes))
            genes.append(Gene(f"width{s}", (1, 2)))
        depth = len(genes)
        if extra:
            genes.append(Gene(f"depth{s}", tuple(range(extra + 1))))
        for b in range(always + extra):
            own = len(genes)
            genes.append(Gene(f"kernel{s}.{b}", (3, 5, 7)[: draw(st.integers(1, 3))]))
            left_out = Depth(depth, b - always + 1) if b >= always else None
            parts.append(BlockGenes(f"block{s}.{b}", (*columns, own), left_out))
    if draw(st.booleans()):  # a slot that its own gene leaves out
        parts.append(BlockGenes("slot", (0, len(genes)), Depth(len(genes), 1)))
        genes.append(Gene("slot", (0, 1, 2)))
    parts.append(BlockGenes("head", (0,)))
    return Invented("invented", genes, parts)


def scores(space: Space, rows: np.ndarray, effects: list[np.ndarray]) -> np.ndarray:
    active = space.active(rows)
    return sum(np.where(active[:, c], e[rows[:, c]], 0.0) for c, e in enumerate(effects))


def by_definition(costs: np.ndarray) -> set[tuple[float, ...]]:
    """Cost vectors that no other is at least as good as in all figures."""
    unique = np.unique(costs, axis=0)
    worse = (unique[:, None] >= unique[None]).all(axis=2).sum(axis=1) > 1
    return set(map(tuple, unique[~worse].tolist()))


@given(spaces(), st.integers(0, 2**32 - 1), st.sampled_from([(1, True), (2, True), (2, False), (3, False)]))
@settings(max_examples=120, deadline=None)
def test_front_is_that_of_brute_force(space, seed, shape) -> None:
    """Small whole numbers tie often; a block that may not be used is one of infinite cost."""
    rng = np.random.default_rng(seed)
    columns, scored = shape
    blocks = rng.integers(0, 5, (space.num_blocks, columns)).astype(float)
    blocks[rng.random(space.num_blocks) < 0.1] = np.inf
    effects = [rng.integers(0, 4, len(g.values)).astype(float) for g in space.genes] if scored else None
    peaks = (0,) if rng.random() < 0.5 else ()
    found = exact_front(space, blocks, effects, peaks=peaks)
    rows = space.all_rows()
    costs = listed_front(space, rows, blocks, peaks)
    if effects is not None:
        costs = np.column_stack([costs, -scores(space, rows, [0 * effects[0], *effects[1:]])])
        found.costs[:, -1] += effects[0][found.rows[:, 0]]  # that of a resolution does not count
    for r in range(len(space.resolutions)):
        here = np.isfinite(costs).all(axis=1) & (rows[:, 0] == r)
        mine = found.costs[found.rows[:, 0] == r]
        assert set(map(tuple, mine.tolist())) == by_definition(costs[here])
        assert len(mine) == len(by_definition(costs[here]))
    again = listed_front(space, found.rows, blocks, peaks)
    assert np.array_equal(again, found.costs[:, :columns])


@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_pruning(columns, seed) -> None:
    costs = np.random.default_rng(seed).integers(0, 6, (40, columns)).astype(float)
    kept = costs[prune(costs)]
    assert set(map(tuple, kept.tolist())) == by_definition(costs)
    assert len(np.unique(kept, axis=0)) == len(kept)
    assert (np.diff(kept[:, 0]) >= 0).all()


def test_what_cannot_be_solved() -> None:
    genes = [Gene("resolution", (32,)), Gene("depth", (0, 1)), Gene("width", (1, 2))]
    off = Depth(1, 1)
    space = Invented(
        "invented", genes, [BlockGenes("stem", (0,)), BlockGenes("a", (0, 2), off), BlockGenes("b", (0, 2))]
    )
    with pytest.raises(AccelsimError, match="a may be left out, but shares width"):
        exact_front(space, np.ones((space.num_blocks, 1)))
    with pytest.raises(AccelsimError, match="at most three figures"):
        exact_front(space, np.ones((space.num_blocks, 4)))
