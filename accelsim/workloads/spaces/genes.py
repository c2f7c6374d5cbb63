"""Genomes: integer matrices whose columns are named choices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError

Genomes = NDArray[np.int64]
"""[n, genes]: one row a subnet, each entry the index of the chosen value."""


class Gene(NamedTuple):
    """One choice. A genome stores the index into `values`."""

    name: str
    values: tuple[Any, ...]


class Depth(NamedTuple):
    """A part exists where the gene in `column` chose at least `least` (an index)."""

    column: int
    least: int


class BlockGenes(NamedTuple):
    """A block of the network whose shape is decided by the genes in `columns`, the resolution first."""

    name: str
    columns: tuple[int, ...]
    depth: Depth | None = None


def check(genomes: ArrayLike, genes: tuple[Gene, ...], space: str) -> Genomes:
    """The rows as int64 [n, genes]; a single genome becomes one row.

    Raises AccelsimError naming the first bad row and gene.
    """
    rows = np.atleast_2d(np.asarray(genomes))
    if rows.ndim != 2 or rows.shape[1] != len(genes):
        raise AccelsimError(
            f"{space}: a genome has {len(genes)} genes, but got an array of shape {np.asarray(genomes).shape}"
        )
    if rows.size and rows.dtype.kind not in "iu":
        raise AccelsimError(f"{space}: genes are whole numbers, but got an array of {rows.dtype}")
    rows = rows.astype(np.int64)
    bad = (rows < 0) | (rows >= [len(g.values) for g in genes])
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        gene = genes[column]
        raise AccelsimError(
            f"{space}: gene {gene.name!r} of row {row} must be 0 to {len(gene.values) - 1} "
            f"(for {', '.join(map(str, gene.values))}), but got {rows[row, column]}"
        )
    return rows


def choice(gene: Gene, value: Any, where: str) -> int:
    """Index of `value` in a gene; AccelsimError names the place and the nearest value."""
    if value in gene.values:
        return gene.values.index(value)
    numeric = [v for v in gene.values if isinstance(v, (int, float))]
    closest = (
        min(numeric, key=lambda v: abs(v - value)) if numeric and isinstance(value, (int, float)) else None
    )
    hint = f"; nearest is {closest}" if closest is not None else ""
    raise AccelsimError(
        f"{where}: {gene.name} must be one of {', '.join(map(str, gene.values))}, but got {value}{hint}"
    )


def count(genes: tuple[Gene, ...], parts: tuple[BlockGenes, ...]) -> int:
    """Distinct canonical genomes: over every choice of depths, the product of the genes in use."""
    depths = sorted({p.depth.column for p in parts if p.depth})
    total = 0
    for chosen in np.ndindex(*(len(genes[c].values) for c in depths)):
        at = dict(zip(depths, chosen))
        used = {c for p in parts if not p.depth or at[p.depth.column] >= p.depth.least for c in p.columns}
        product = 1
        for column in used - set(depths):
            product *= len(genes[column].values)
        total += product
    return total


def first_rows(rows: Genomes) -> Genomes:
    """Rows without repeats, in the order of first appearance."""
    _, index = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(index)]
