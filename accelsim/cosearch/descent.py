"""A local search over chips for one design's networks: descent, by the genetic mapper.

From chip to better chip until none near is better. What bounds rule out is not mapped. Sketches say what to
map first: they are some per cent off, by more where a small memory makes mapping hard, and a step gains less.
They rule out where none so far was as far off as it would take.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.genes import Genome, Genomes
from accelsim.cosearch.moves import chip_moves, compound_moves
from accelsim.cosearch.phase import Phase
from accelsim.pricing.network import NetworkPricer

SKETCHED = 12
"""Chips around one that are sketched together."""

LOOKED = 72
"""Chips around one that are sketched at most, of each kind of neighbourhood."""

AT_ONCE = 4
"""Of these those with the best sketches are mapped together; the others come last."""

JUDGED = 12
"""Chips that are mapped before sketches rule any out."""

PRICED = 100
"""Chips that a local search maps at most from each chip where it begins."""

DRAWN = 256
"""Chips drawn for a start, of which those with the best bounds are sketched."""

STARTS = 48
"""How many those are."""

LESS = 1e-3
"""A chip is better if it costs less by that share."""

Row = NDArray[np.int64]


class Descent:
    """Chips of a space under the networks of a design.

    phase    limits and goals of the design; pricer, sketcher  what maps its layers, and what sketches them
    chips    the space of its chip; net  genes of its networks
    column   the metric that falls; stop  says whether to end early
    """

    def __init__(
        self, phase: Phase, pricer: NetworkPricer, sketcher: NetworkPricer, chips: ChipSpace, net: Row,
        column: int, stop: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.phase = copy.copy(phase)
        self.phase.pricer, self.phase.chips = pricer, chips
        self.phase.genome = Genome([phase.nets, chips])
        self.chips, self.net, self.column = chips, net, column
        self.stop = stop
        self.known: dict[bytes, float] = {}
        self.sketches: dict[bytes, float] = {}
        self.sketch = copy.copy(self.phase)
        self.sketch.pricer = sketcher

    def start(self, row: Row, seed: int) -> Row:
        """A chip, or one drawn at random whose sketch is better: far from it others may lead further."""
        choices = [gene.choices for gene in self.chips.genes]
        rows = np.random.default_rng(seed).integers(0, choices, (8 * DRAWN, len(choices)))
        rows = self.chips.distinct(rows)[:DRAWN]
        if self.phase.bounds_hold:
            rows = rows[np.argsort(self._in_turn(self._bounds, rows), kind="stable")]
        rows = np.concatenate([row[None], rows[:STARTS]])
        return np.asarray(rows[np.argmin(self._in_turn(self._sketched, rows))])

    def _in_turn(
        self, figures: Callable[[Genomes], NDArray[np.float64]], rows: Genomes
    ) -> NDArray[np.float64]:
        """[n] figures, `SKETCHED` at a time; infinite once to stop."""
        out = np.full(len(rows), np.inf)
        for at in range(0, len(rows), SKETCHED):
            if self.stop():
                break
            out[at : at + SKETCHED] = figures(rows[at : at + SKETCHED])
        return out

    def best(self, row: Row, most: int) -> Row | None:
        """The chip to which one leads while so many are mapped at most; None if none near it is better."""
        at: tuple[Row, float] | None = (row, float(self._costs(row[None])[0]))
        best = None
        while at is not None:
            at = self._step(*at, most)
            best = best if at is None else at[0]
        return best

    def _step(self, row: Row, cost: float, most: int) -> tuple[Row, float] | None:
        """A better chip near one."""
        for rows in self._around(row, cost):
            if self.stop() or len(self.known) >= most:
                return None
            costs = self._costs(rows)
            better = [i for i in np.argsort(costs, kind="stable") if costs[i] < cost * (1 - LESS)]
            if better:
                return self._together(row, rows[better], costs[better])
        return None

    def _together(self, row: Row, better: Genomes, costs: NDArray[np.float64]) -> tuple[Row, float]:
        """The best of some better chips, or what all together make that changed other genes each."""
        both = better[0].copy()
        for other in better[1:]:
            if not ((both != row) & (other != row)).any():
                both = np.where(other != row, other, both)
        if (both != better[0]).any() and self.chips.faults(both[None])[0] == "":
            cost = float(self._costs(both[None])[0])
            if cost < costs[0]:
                return both, cost
        return better[0], float(costs[0])

    def _around(self, row: Row, cost: float) -> Iterator[Genomes]:
        """Chips near one that may be better, some at a time: those with the best sketches first."""
        stages = (chip_moves, partial(chip_moves, trades=True), compound_moves)
        for moves in stages:
            rows = moves(self.chips, row)
            if not len(rows):
                continue
            bounds = np.zeros(len(rows))
            if self.phase.bounds_hold:
                bounds = self._bounds(rows)
            order = np.lexsort((bounds, _places(self._kinds(rows, row), bounds)))
            rows = rows[order[bounds[order] < cost * (1 - LESS)]][:LOOKED]
            rest = []
            for at in range(0, len(rows), SKETCHED):
                some = rows[at : at + SKETCHED]
                some = some[np.argsort(self._sketched(some), kind="stable")]
                yield self._hopeful(some[:AT_ONCE], cost)
                rest.append(some[AT_ONCE:])
            left = np.concatenate([rows[:0], *rest])
            while len(left := self._hopeful(left, cost)):
                yield left[:AT_ONCE]
                left = left[AT_ONCE:]

    def _bounds(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] as `_costs`, lower bounds."""
        return self._meeting(self.phase.least(self._whole(rows)))

    def _sketched(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] as `_costs`, of sketches."""
        sketches = self._meeting(self.sketch.evaluate(self._whole(rows)))
        self.sketches.update(zip(self.chips.keys(rows), sketches.tolist(), strict=True))
        return sketches

    def _hopeful(self, rows: Genomes, cost: float) -> Genomes:
        """Those that would be better if their sketches fell as far as any did before, or that have none."""
        known = np.array([(self.known[key], one) for key, one in self.sketches.items() if key in self.known])
        if len(known) < JUDGED or not len(rows):
            return rows
        known = known[np.isfinite(known).all(axis=1)]
        fall = (known[:, 0] / known[:, 1]).min(initial=1.0)
        hoped = np.array([self.sketches[key] for key in self.chips.keys(rows)]) * fall
        return np.asarray(rows[(hoped < cost * (1 - LESS)) | np.isinf(hoped)])

    def _kinds(self, rows: Genomes, row: Row) -> NDArray[np.int64]:
        """[n] what each row changes: lengths of axes, what they carry, or a memory's sizes or ports."""
        first = np.argmax(rows != row, axis=1)
        if self.chips.array is not None:
            ranks = self.chips.array.ranks
            first = np.where(first < ranks.start, 0, np.where(first < ranks.stop, ranks.start, first))
        return np.asarray(first)

    def _costs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n], infinite where a limit is missed; each chip is mapped once."""
        keys = self.chips.keys(rows)
        new = [i for i, key in enumerate(keys) if key not in self.known]
        if new:
            values = self._meeting(self.phase.evaluate(self._whole(rows[new])))
            self.known.update(zip([keys[i] for i in new], values.tolist(), strict=True))
        return np.array([self.known[key] for key in keys])

    def _whole(self, rows: Genomes) -> Genomes:
        return np.column_stack([np.tile(self.net, (len(rows), 1)), rows])

    def _meeting(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            fits = np.isfinite(values[:, self.column]) & (self.phase.excess(values) <= 0).all(axis=1)
        return np.where(fits, values[:, self.column], np.inf)


def _places(kinds: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """[n] how many of the same kind have a lower value."""
    out = np.empty(len(kinds), np.int64)
    for kind in np.unique(kinds):
        own = np.flatnonzero(kinds == kind)
        out[own[np.argsort(values[own], kind="stable")]] = np.arange(len(own))
    return out
