"""Where a search of chips begins beside random draws: at the base chip, and at chips one change away from it.

The base with another order of importance of the dimensions that its axes carry, with an axis more or fewer,
with each size, share, port or precision a step or a factor away. Whoever drew the base knew its sizes; alone,
a freedom of the array shows what it is worth, which random sizes beside it hide.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.genes import LEVELS, Genomes
from accelsim.cosearch.optimisers.ranked import ranked
from accelsim.cosearch.phase import Phase

_FACTORS = (0.25, 0.5, 2.0, 4.0)


def starts(phase: Phase, donors: Genomes, most: int) -> Genomes:
    """Up to `most` rows: the base chip, then the chips around it with the best bounds, a row each.

    Each has all else, as its network, from the one of `donors` with which its bound is best. None where no
    chip is searched.
    """
    if not phase.around or not isinstance(phase.chips, ChipSpace) or not len(donors) or most < 1:
        return donors[:0]
    chips = around(phase.chips)
    if not len(chips):
        return donors[:0]
    rows = np.tile(donors, (len(chips), 1))
    phase.genome.split(rows)[1][:] = np.repeat(chips, len(donors), axis=0)
    order = ranked(*phase.floors(rows), phase, spread=False)
    chip = np.repeat(np.arange(len(chips)), len(donors))[order]
    _, first = np.unique(chip, return_index=True)
    first = np.sort(first)
    if phase.chips.is_base(chips[0]):
        first = np.append(first[chip[first] == 0], first[chip[first] != 0])
    return rows[order[first[:most]]]


def around(chips: ChipSpace) -> Genomes:
    """Chips of a space one change away from its base, no two alike, the base first if it is one of them."""
    anchor = chips.anchor()
    return chips.distinct(np.array([anchor, *_arrays(chips, anchor), *_sizes(chips, anchor)]))


def _arrays(chips: ChipSpace, anchor: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Two dimensions change places in importance; also once an axis is divided in two."""
    array = chips.array
    if array is None:
        return []
    out = [*array.divided(anchor), anchor.copy()]
    order = np.argsort(-anchor[array.ranks], kind="stable") + array.ranks.start
    for row in list(out):
        row[order] = np.arange(LEVELS - 1, LEVELS - 1 - len(order), -1)  # as before, but none alike
        for a, b in combinations(order.tolist(), 2):
            other = row.copy()
            other[[a, b]] = other[[b, a]]
            out.append(other)
    return out


def _sizes(chips: ChipSpace, anchor: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """One other gene differs: all values of few, else a step or a factor."""
    ranks = range(0) if chips.array is None else range(chips.array.ranks.start, chips.array.ranks.stop)
    out = []
    for c, gene in enumerate(chips.genes):
        if c in ranks:
            continue
        near = {anchor[c] - 1, anchor[c] + 1, *(round(f * (anchor[c] + 1)) - 1 for f in _FACTORS)}
        values = range(gene.choices) if gene.choices <= len(_FACTORS) else sorted(near)
        for value in values:
            if 0 <= value < gene.choices and value != anchor[c]:
                out.append(anchor.copy())
                out[-1][c] = value
    return out
