"""One change of a genome: what a local search tries around a design.

Of a network one gene. Of a chip a size, a port or part of a memory by a factor, also a part for another one;
the length of an axis, another one as it is or as long as MACs allow; and where the dataflow is searched two
dimensions change places. What fills its envelope has no room for more, unless something else gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.genes import LEVELS, Genomes, PartGene

Row = NDArray[np.int64]

FEW = 8
"""Choices of a gene of which all are tried; of more those that are at most `_REACH` away."""

_REACH = 2
_FACTORS = (0.25, 0.5, 0.8, 0.9, 1.1, 1.25, 2.0, 4.0)
_SMALL = 0.02
"""Share of a value that a step is tried from on."""


class Move(NamedTuple):
    """A changed row, and the columns of sizes that it may have changed."""

    row: Row
    columns: slice


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

    With `trades` those that break the envelope alone, and are within it once another size is the largest that
    leaves room; else one change each. Precisions stay, and with `sizes_only` what axes carry.
    """
    moves = [*_array_moves(chips, row), *_size_moves(chips, row), *_part_moves(chips, row)]
    moves += [Move(made, slice(0, 0)) for made in _rank_moves(chips, row)]
    rows = np.array([row, *(move.row for move in moves)], np.int64)
    over = chips.faults(rows) == "on-chip bytes"
    if trades:
        rows = _fitted(chips, rows[over], [move.columns for move, bad in zip(moves, over[1:]) if bad])
        return _others(chips, row, rows)
    return _others(chips, row, rows[1:])


def compound_moves(chips: ChipSpace, row: Row) -> Genomes:
    """[n, genes] as `chip_moves`: two dimensions change places, and lengths of the axes change as well.

    What an axis carries decides how long it should be: either change alone may lose where both gain.
    """
    carrying = _others(chips, row, _rank_moves(chips, row))
    return _others(chips, row, (move.row for one in carrying for move in _array_moves(chips, one)))


def _others(chips: ChipSpace, row: Row, rows: Iterable[Row]) -> Genomes:
    """[n, genes] those within the envelope, each chip once and not the one of `row`."""
    found = chips.distinct(np.array([row, *rows], np.int64))
    (own,) = chips.keys(row[None])
    return np.asarray(found[np.array([key != own for key in chips.keys(found)], bool)])


def _fitted(chips: ChipSpace, rows: Genomes, changed: list[slice]) -> Genomes:
    """Rows that do not fit, with one size each that the move left alone as large as fits; by bisection."""
    sizes = [c for c, gene in enumerate(chips.sizes.genes, chips.sizes.start) if gene.name.endswith(".bytes")]
    pairs = [(i, c) for i, kept in enumerate(changed) for c in sizes if not kept.start <= c < kept.stop]
    if not pairs:
        return rows[:0]
    at, columns = (np.array(x) for x in zip(*pairs, strict=True))
    out, each = rows[at], np.arange(len(pairs))
    low, high = np.full(len(out), -1), out[each, columns]
    while (high - low > 1).any():
        middle = (low + high) // 2
        out[each, columns] = np.maximum(middle, 0)
        fits = (chips.faults(out) == "") & (middle >= 0)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    out[each, columns] = np.maximum(low, 0)
    return np.asarray(out)


def _array_moves(chips: ChipSpace, row: Row) -> Iterator[Move]:
    """An axis longer or shorter, and another one as it is, or as long as the budget of MACs allows."""
    array = chips.array
    if array is None:
        return
    found = array.decode(row[None])
    sizes = found.sizes[0, : int(found.axes[0])].tolist()
    most = array.genes[1].choices * array.strides.pes // array.rest
    step = array.strides.array
    wanted: dict[tuple[int, ...], None] = {}
    for a, size in enumerate(sizes):
        for value in _near(size, step):
            one = [*sizes[:a], value, *sizes[a + 1 :]]
            wanted[tuple(one)] = None
            for b in range(len(sizes)):
                if a != b:
                    room = most // (prod(one) // one[b]) // step * step
                    wanted[(*one[:b], room, *one[b + 1 :])] = None
    for lengths in wanted:
        made = array.with_lengths(row, lengths)
        if array.decode(made[None]).sizes[0, : len(lengths)].tolist() == [*lengths]:
            yield Move(made, slice(0, array.ranks.start))


def _rank_moves(chips: ChipSpace, row: Row) -> Iterator[Row]:
    """Two dimensions change places, also those of one importance, of which the first comes first."""
    if chips.array is None:
        return
    ranks = chips.array.ranks
    order = np.argsort(-row[ranks], kind="stable") + ranks.start
    apart = row.copy()
    apart[order] = np.arange(LEVELS - 1, LEVELS - 1 - len(order), -1)
    for a, b in combinations(order.tolist(), 2):
        made = apart.copy()
        made[[a, b]] = made[[b, a]]
        yield made


def _size_moves(chips: ChipSpace, row: Row) -> Iterator[Move]:
    """A gene of sizes or ports."""
    for c, gene in enumerate(chips.sizes.genes, chips.sizes.start):
        if ".part." not in gene.name:
            for value in _near(int(row[c]) + 1, 1):
                if 1 <= value <= gene.choices:
                    made = row.copy()
                    made[c] = value - 1
                    yield Move(made, slice(c, c + 1))


def _part_moves(chips: ChipSpace, row: Row) -> Iterator[Move]:
    """A part of a memory larger or smaller, all others as they are, or one of them smaller by as much."""
    for name, parts, columns in chips.sizes.divided(row):
        for i, size in enumerate(parts):
            for value in _near(size, 2):
                others = [[*parts[:i], value, *parts[i + 1 :]]]
                for j, other in enumerate(parts):
                    if i != j and other > value - size > 0:
                        others.append([*others[0][:j], other - (value - size), *others[0][j + 1 :]])
                for wanted in others:
                    made = chips.sizes.with_parts(row, name, wanted)
                    if made is not None:
                        yield Move(made, columns)


def _near(value: int, step: int) -> list[int]:
    """Other values a factor away, in whole steps, and a step away where that is no small one."""
    near = {round(f * value / step) * step for f in _FACTORS}
    if step >= _SMALL * value:
        near |= {value - step, value + step}
    return sorted(x for x in near - {value} if x >= 1)
