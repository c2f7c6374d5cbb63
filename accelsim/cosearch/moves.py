"""One change of a genome: what a local search tries around a design.

Of a network one gene. Of a chip a size, a port or the length of an axis by a step or a factor, also one of
these more for another one less, as a chip that fills its envelope has no room for more alone; and where the
dataflow is searched, two dimensions change places in importance.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.genes import Genomes, PartGene

Row = NDArray[np.int64]

FEW = 8
"""Choices of a gene of which all are tried; of more those that are at most `_REACH` away."""

_REACH = 2
_FACTORS = (0.25, 0.5, 0.8, 0.9, 1.1, 1.25, 2.0, 4.0)
_TRADED = (0.5, 0.8, 1.25, 2.0)
"""Of these one below 1 goes with one above."""


class Move(NamedTuple):
    """A changed row, the columns that it may have changed, and whether it takes (-1) or adds (1) silicon."""

    row: Row
    columns: slice
    way: int


def network_moves(genes: tuple[PartGene, ...], row: Row) -> Genomes:
    """[n, genes] rows that differ from a network's in one gene."""
    out = []
    for c, gene in enumerate(genes):
        for value in range(gene.choices):
            if value != row[c] and (gene.choices <= FEW or abs(value - row[c]) <= _REACH):
                out.append(row.copy())
                out[-1][c] = value
    return np.array(out, np.int64).reshape(-1, len(row))


def chip_moves(chips: ChipSpace, row: Row, trades: bool = False) -> Genomes:
    """[n, genes] chips of the space around a chip, within the envelope, each once and not the chip itself.

    With `trades` two changes each, one of which takes and one adds; else one. Precisions stay, and with
    `sizes_only` what axes carry.
    """
    factors = _TRADED if trades else _FACTORS
    moves = [*_array_moves(chips, row, factors), *_size_moves(chips, row, factors)]
    made = [move.row for move in moves]
    if trades:
        less, more = ([move for move in moves if move.way == way] for way in (-1, 1))
        made = [_joined(a, b) for a, b in product(less, more) if a.columns != b.columns]
    else:
        made += _rank_moves(chips, row)
    rows = np.array([row, *made], np.int64)
    _, first = np.unique(np.array(chips.keys(rows), object), return_index=True)
    rows = rows[np.sort(first)][1:]
    return np.asarray(rows[chips.faults(rows) == ""])


def _joined(one: Move, other: Move) -> Row:
    out = one.row.copy()
    out[other.columns] = other.row[other.columns]
    return out


def _array_moves(chips: ChipSpace, row: Row, factors: tuple[float, ...]) -> Iterator[Move]:
    """An axis longer or shorter, or one longer and another one shorter by the same factor."""
    array = chips.array
    if array is None:
        return
    found = array.decode(row[None])
    sizes = found.sizes[0, : int(found.axes[0])].tolist()
    wanted = []
    for a, size in enumerate(sizes):
        for value in _near(size, array.strides.array, factors):
            wanted.append([*sizes[:a], value, *sizes[a + 1 :]])
        for b in range(len(sizes)):
            for part in (2, 4):
                if a != b and size % part == 0:
                    other = [*sizes]
                    other[a], other[b] = size // part, other[b] * part
                    wanted.append(other)
    for lengths in wanted:
        made = array.with_lengths(row, lengths)
        if array.decode(made[None]).sizes[0, : len(lengths)].tolist() == lengths:
            way = int(np.sign(prod(lengths) - prod(sizes)))
            yield Move(made, slice(0, array.ranks.start), way)


def _rank_moves(chips: ChipSpace, row: Row) -> Iterator[Row]:
    """Two dimensions change places."""
    ranks = range(0) if chips.array is None else range(chips.array.ranks.start, chips.array.ranks.stop)
    for a, b in combinations(ranks, 2):
        if row[a] != row[b]:
            made = row.copy()
            made[[a, b]] = made[[b, a]]
            yield made


def _size_moves(chips: ChipSpace, row: Row, factors: tuple[float, ...]) -> Iterator[Move]:
    """A gene of sizes or ports."""
    for c, gene in enumerate(chips.sizes.genes, chips.sizes.start):
        for value in _near(int(row[c]) + 1, 1, factors):
            if 1 <= value <= gene.choices:
                made = row.copy()
                made[c] = value - 1
                yield Move(made, slice(c, c + 1), 1 if value > row[c] + 1 else -1)


def _near(value: int, step: int, factors: tuple[float, ...]) -> list[int]:
    """Other values a step or a factor away, in whole steps."""
    near = {value - step, value + step, *(round(f * value / step) * step for f in factors)}
    return sorted(x for x in near - {value} if x >= 1)
