"""Genes of a joint genome: whole numbers from 0, each naming one choice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Genomes = NDArray[np.int64]
"""[n, genes]."""

LEVELS = 16
"""Levels of an importance."""

SHARES = 241
"""Levels of a share: fine enough to meet the sizes of any chip, and half, a third, a fifth are among them."""


class Top1(NamedTuple):
    """Top-1 of n networks: float64[n] each, NaN where nothing is known.

    value  per cent
    error  half-widths, in points, of the intervals that hold the truth in 95 of 100 cases
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]


def unknown(rows: Genomes) -> Top1:
    """Of networks that nobody has measured."""
    return Top1(np.full(len(rows), np.nan), np.full(len(rows), np.nan))


class PartGene(NamedTuple):
    """One of so many `choices`."""

    name: str
    choices: int


class GenomePart(Protocol):
    """A part of the genome: its genes, and what they stand for."""

    @property
    def genes(self) -> tuple[PartGene, ...]:
        """Columns of the part."""
        ...

    def canonical(self, rows: Genomes) -> Genomes:
        """Rows in which genes that decide nothing are 0: equal rows are equal choices."""
        ...


class Genome:
    """Several parts side by side."""

    def __init__(self, parts: Sequence[GenomePart]) -> None:
        self.parts = tuple(parts)
        self.genes = tuple(gene for part in parts for gene in part.genes)
        self.upper = np.array([gene.choices - 1 for gene in self.genes], np.int64)
        ends = np.cumsum([0, *(len(part.genes) for part in parts)])
        self._slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def split(self, rows: Genomes) -> list[Genomes]:
        """The columns of each part."""
        return [rows[:, piece] for piece in self._slices]

    def canonical(self, rows: Genomes) -> Genomes:
        """See `Part.canonical`."""
        pieces = [part.canonical(piece) for part, piece in zip(self.parts, self.split(rows))]
        return np.concatenate(pieces, axis=1) if pieces else rows

    def sample(self, rng: np.random.Generator, n: int) -> Genomes:
        """Uniform rows."""
        return rng.integers(0, self.upper + 1, (n, len(self.genes)))
