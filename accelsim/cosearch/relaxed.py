"""Networks found by gradient: genes relaxed to chances, costs that add up over blocks, plain NumPy.

Each gene has a chance a value (softmax of weights, a depth's too). Forward the likeliest values count, with
Gumbel noise that fades, so that a real network is priced; backward the slope goes to the chances as if they
had been used (the straight-through estimator, Bengio et al., 2013), as Wu et al. (ECCV 2022) search widths
and depth.
"""  # fmt: skip

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

Floats = NDArray[np.float64]
Loss = Callable[[Floats], tuple[float, Floats]]
"""Of the sums float64[columns] of a network: what is minimised, and its slope along each."""

STEPS = 200
RATE, DECAYS = 0.3, (0.9, 0.99)
"""Of Adam."""

FADES = 0.1
"""Noise at the end, as a share of that at the beginning."""

MISFIT = 10.0
"""What a block that fits nowhere counts as, in units of the dearest one that does."""


class _Part(NamedTuple):
    """Costs [values of each own gene ..., columns], the genes, and gene and index from which it exists."""

    costs: Floats
    columns: tuple[int, ...]
    switch: int
    least: int


class Relaxed:
    """A space with costs of blocks float64[blocks, columns] by `Space.block_ids`, and of genes.

    effects  per gene float64[values]: added to the last column where the gene decides something
    """

    def __init__(self, space: Space, blocks: Floats, effects: Sequence[Floats] | None = None) -> None:
        self.space = space
        there = np.array(space.existing_blocks)
        costs = np.zeros_like(blocks)
        finite = blocks[there][np.isfinite(blocks[there]).all(axis=1)]
        dear = MISFIT * np.abs(finite).max(axis=0)
        costs[there] = np.where(np.isfinite(blocks[there]), blocks[there], dear)
        self.columns = costs.shape[1] + (effects is not None)
        self.parts: list[_Part] = []
        given: set[int] = set()
        at = 0
        for part in space.parts:
            shape = tuple(len(space.genes[c].values) for c in part.columns)
            size = int(np.prod(shape))
            table = np.zeros((*shape, self.columns))
            table[..., : costs.shape[1]] = costs[at : at + size].reshape(*shape, -1)
            at += size
            switch = -1 if part.depth is None or part.depth.column in part.columns else part.depth.column
            if effects is not None:
                for axis, column in enumerate(part.columns):
                    if column not in given:
                        given.add(column)
                        along = [1] * len(shape)
                        along[axis] = -1
                        table[..., -1] += np.reshape(effects[column], along)
            self.parts.append(_Part(table, part.columns, switch, part.depth.least if part.depth else 0))
        self._alone = [] if effects is None else [c for c in range(len(space.genes)) if c not in given]
        self._effects = effects

    def slopes(self, row: NDArray[np.int64]) -> tuple[Floats, list[Floats]]:
        """Sums float64[columns] of a genome; per gene [values, columns] how they change with its chances."""
        total = np.zeros(self.columns)
        out = [np.zeros((len(gene.values), self.columns)) for gene in self.space.genes]
        for part in self.parts:
            chosen = tuple(row[c] for c in part.columns)
            cost = part.costs[chosen]
            if part.switch >= 0:
                out[part.switch][part.least :] += cost
                if row[part.switch] < part.least:
                    continue
            total += cost
            for axis, column in enumerate(part.columns):
                out[column] += part.costs[(*chosen[:axis], slice(None), *chosen[axis + 1 :])]
        for column in self._alone:
            assert self._effects is not None
            total[-1] += self._effects[column][row[column]]
            out[column][:, -1] += self._effects[column]
        return total, out

    def descend(self, loss: Loss, rng: np.random.Generator, steps: int = STEPS) -> tuple[Genomes, Floats]:
        """All networks on the way down [steps, genes] and their sums [steps, columns]."""
        weights = [np.zeros(len(gene.values)) for gene in self.space.genes]
        first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
        rows = np.zeros((steps, len(weights)), np.int64)
        sums = np.zeros((steps, self.columns))
        for step in range(steps):
            noise = FADES ** (step / steps)
            for c, w in enumerate(weights):
                rows[step, c] = int((w + noise * rng.gumbel(size=len(w))).argmax())
            sums[step], slopes = self.slopes(rows[step])
            _, along = loss(sums[step])
            for c, w in enumerate(weights):
                slope = slopes[c] @ along
                chance = np.exp(w - w.max())
                chance /= chance.sum()
                slope = chance * (slope - chance @ slope)
                first[c] += (1 - DECAYS[0]) * (slope - first[c])
                second[c] += (1 - DECAYS[1]) * (slope**2 - second[c])
                mean = first[c] / (1 - DECAYS[0] ** (step + 1))
                size = np.sqrt(second[c] / (1 - DECAYS[1] ** (step + 1)))
                w -= RATE * mean / (size + 1e-12)
        return rows, sums
