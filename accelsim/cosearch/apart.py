"""Dominance with a margin: accuracies within the error of each other tell no designs apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.nets import FixedNets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.cosearch.found import Found
    from accelsim.cosearch.result import SearchResult


def half_widths(result: SearchResult, designs: Sequence[Found]) -> NDArray[np.float64] | None:
    """Half-widths [designs], in points, of the intervals that hold the true accuracy in 95 of 100 cases.

    None where no accuracy is known.
    """
    nets = result.setup.nets
    if isinstance(nets, FixedNets) and nets.published is not None:
        located = [result.located(found.name) for found in designs]
        genes = [phase.genome.split(row[None])[0][0] for phase, row in located]
        rows = nets.canonical(np.array(genes, np.int64).reshape(len(designs), len(nets.genes)))
        return nets.accuracy(rows, [result.design(found).chip for found in designs]).error
    space, source = getattr(nets, "space", None), getattr(nets, "source", None)
    if space is None or source is None or not designs:
        return None
    rows = np.array([space.encode(space.parse(found.network.partition(":")[2])) for found in designs])
    return np.asarray(source.predict(space, rows).error)


def surely_apart(costs: NDArray[np.float64], column: int, half: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of a front's designs that no kept design beats with a margin, in their order.

    costs   [n, objectives] to minimise, of designs of which none is better than another
    column  the accuracy's, as a cost
    half    [n] half-widths of its intervals

    One beats another if it is better in some other objective and worse in none, and not worse in accuracy by
    more than the error of a difference. Kept are those that no kept one beats: the only choice in which none
    kept beats another and all others are beaten. Beaten by what is itself left out would not do: in a long
    row each beats the next, and the ends are far apart.
    """
    others = np.delete(costs, column, axis=1)
    kept: list[int] = []
    for i in np.lexsort((costs[:, column], *others.T[::-1])).tolist():
        cheaper = (others[kept] <= others[i]).all(axis=1)
        near = costs[kept, column] - costs[i, column] <= np.hypot(half[kept], half[i])
        if not (cheaper & near).any():
            kept.append(i)
    return np.sort(np.array(kept, np.int64))
