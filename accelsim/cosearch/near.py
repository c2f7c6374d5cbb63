"""A local search around the best design that a search has finished: its networks, then its chip.

On one chip layers are priced once, so that many networks cost little: those of the front, those that sums
over blocks propose, and what a change of a gene makes of them, as long as something new enters the front.
Then the chip goes where the best network gains, see `descent`; with a better chip networks come anew. At last
chips with the base's axes are tried in the same way. What bounds rule out is not mapped.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.descent import LESS, PRICED, Descent
from accelsim.cosearch.finished import Name
from accelsim.cosearch.freed import placed
from accelsim.cosearch.goals import Goals, front
from accelsim.cosearch.moves import network_moves
from accelsim.cosearch.nets import SubnetSpace
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.screen import Known
from accelsim.cosearch.sums import proposed
from accelsim.pricing.network import NetworkPricer

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult

NETWORKS = 600
"""Networks that are looked at on a chip, but for the last one's changes."""

GRAIN = 16
"""Parts of the front's length in each objective, of which a design stands for one."""

STEPS = 12
"""Changes of the chip at most."""

Stop = Callable[[], bool]
Row = NDArray[np.int64]


class Spot(NamedTuple):
    """A network on a chip: the design's name, the phase that prices it with care, and its genome there."""

    name: Name
    phase: Phase
    row: Row


def spot(result: SearchResult, name: Name, patience: int) -> Spot | None:
    """Where a design stands; None where that is not in the envelope."""
    found = placed(result, name)
    if found is None:
        return None
    phase, row = found
    exact = copy.copy(phase)
    exact.pricer, exact.mappings, exact.fuse = result.setup.finisher(patience), None, False
    return Spot(name, exact, row)


def nearby(result: SearchResult, patience: int, stop: Stop) -> list[Name] | None:
    """Designs around those of the front that none known is better than; None once `stop` says so.

    Depends on what is finished alone. None is worth a place in the front only by what `finish` makes of it.
    """
    if not result.front:
        return []
    search = _Search(result, patience, stop)
    search.follow(spot(result, result.front[0].name, patience))
    home = search.on_base()
    moved = None if home is None else search.chip(home)
    if moved is not None and moved is search.best():
        search.follow(moved)
    return None if search.stopped else search.names()


class Crowd:
    """Designs that meet the limits, values a row, and the costs of the best of them and of others."""

    def __init__(self, goals: Goals) -> None:
        self.goals = goals
        self.values = np.zeros((0, len(goals.metrics)))
        self.known = Known(len(goals.objectives))

    def add(self, values: NDArray[np.float64], meets: NDArray[np.bool_]) -> None:
        """Take those of [n] designs in that meet the limits."""
        self.values = np.concatenate([self.values, values[meets]])
        self.known.add(self.goals.costs(values), meets)

    def members(self) -> list[int]:
        """Those that no known design is better than, by the first objective; of a crowd the first.

        One that another one is better than but for a `GRAIN` of the front's length is left out.
        """
        costs = self.goals.costs(self.values)
        points, known = self.goals.log_costs(costs), self.goals.log_costs(self.known.costs)
        grain = np.ptp(known, axis=0) / GRAIN if len(known) else 0.0
        out: list[int] = []
        for i in front(costs, ~self.known.beats(costs)).tolist():
            if not (points[out] <= points[i] + grain).all(axis=1).any():
                out.append(i)
        return out


class _Search(Crowd):
    """What is known meanwhile, by the exact mapper and of layers one by one: `found`, a design a row."""

    def __init__(self, result: SearchResult, patience: int, stop: Stop) -> None:
        super().__init__(result.setup.goals)
        self.result, self.patience, self.stop = result, patience, stop
        self.found: list[Spot] = []
        self.stopped = False
        self.priced = 0
        if result.config.fuse == "none":
            values = np.array([list(found.metrics.values()) for found in result.front])
            self.known.add(self.goals.costs(values), np.ones(len(values), bool))

    def keep(self, spots: list[Spot], values: NDArray[np.float64]) -> None:
        """Take designs in that meet the limits."""
        meets = met(spots[0].phase, values)
        self.found += [one for one, good in zip(spots, meets, strict=True) if good]
        self.add(values, meets)

    def best(self) -> Spot | None:
        """By the first objective; None if designs elsewhere are better."""
        costs = self.goals.costs(self.values)[:, 0]
        if not len(costs) or costs.min() > self.known.costs[:, 0].min():
            return None
        return self.found[int(np.argmin(costs))]

    def on_base(self) -> Spot | None:
        """The best design's networks on the base chip, with the freedoms that gain most there.

        None where the best design has that chip itself, or bounds rule the base chip out.
        """
        best, column = self.best(), self._column()
        homes = [x for x in self.result.finished.values() if x.base and not x.name.near]
        if best is None or best.name.base or column is None or not homes:
            return None
        self.priced = 0
        home = min(homes, key=lambda x: x.values[column] or np.inf)
        candidate = best.name.candidate
        at = spot(self.result, home.name._replace(candidate=candidate), self.patience)
        if at is None:
            return None
        row = _on(at, best.row, len(at.phase.nets.genes))
        return spot(self.result, self._named(at, candidate, row), self.patience)

    def names(self) -> list[Name]:
        """Of all members that the result has not."""
        there = {found.name for found in self.result.front}
        return [name for i in self.members() if (name := self.found[i].name) not in there]

    def follow(self, at: Spot | None) -> None:
        """Search networks on a chip, then a better chip for the best of them, as long as there is one."""
        for _ in range(STEPS):
            if at is None or not self.networks(at):
                return
            best = self.best()
            at = None if best is None else self.chip(best)

    # -- networks on one chip ------------------------------------------------------------------------

    def networks(self, at: Spot) -> bool:
        """Search networks on a chip, beginning with those of the front; whether it went to its end.

        They are compared by sketches; the exact mapper sees what is best by these.
        """
        n = len(at.phase.nets.genes)
        rows = [(at.name.candidate, at.row)]
        rows += [(name.candidate, _on(at, row, n)) for name, row in self._others(at)]
        if isinstance(at.phase.nets, SubnetSpace):
            best = proposed(at.phase, at.row, self._sketcher(at), GRAIN)
            rows += [(at.name.candidate, _on(at, row, n)) for row in best]
            rows = self._changed(at, rows)
        return self._price(at, rows)

    def _changed(self, at: Spot, begin: list[tuple[int, Row]]) -> list[tuple[int, Row]]:
        """The best by sketches of networks, and of those that changes of a gene make of these."""
        rough = copy.copy(at.phase)
        rough.pricer = self._sketcher(at)
        n = len(rough.nets.genes)
        crowd = Crowd(self.goals)
        seen: set[bytes] = set()
        rows: list[tuple[int, Row]] = []

        def take(asked: list[tuple[int, Row]]) -> None:
            new = {row[:n].tobytes(): (candidate, row) for candidate, row in asked}
            left = [one for key, one in new.items() if key not in seen]
            seen.update(new)
            if left and rough.bounds_hold:
                costs, excess = rough.floors(np.array([row for _, row in left]))
                good = (excess <= 0).all(axis=1) & np.isfinite(costs).all(axis=1)
                good &= ~(crowd.known.beats(costs) | self.known.beats(costs))
                left = [one for one, able in zip(left, good, strict=True) if able]
            if left:
                values = rough.evaluate(np.array([row for _, row in left]))
                meets = met(rough, values)
                rows.extend(one for one, good in zip(left, meets, strict=True) if good)
                crowd.add(values, meets)

        take(begin)
        done: set[int] = set()
        while len(seen) < NETWORKS and not self._told():
            i = next((i for i in crowd.members() if i not in done), None)
            if i is None:
                break
            done.add(i)
            candidate, row = rows[i]
            moves = rough.nets.canonical(network_moves(rough.nets.genes, row[:n]))
            take([(candidate, _on(at, move, n)) for move in moves])
        return [rows[i] for i in crowd.members()]

    def _told(self) -> bool:
        self.stopped = self.stopped or self.stop()
        return self.stopped

    def _others(self, at: Spot) -> list[tuple[Name, Row]]:
        """Other designs of the front and known ones, with networks of the same genes."""
        phase = self.result.genome(at.name.candidate)[0]
        out = []
        for name in [*(found.name for found in self.result.front), *(s.name for s in self.found)]:
            own, row = self.result.located(name)
            if own is phase and name != at.name:
                out.append((name, row))
        return out

    def _price(self, at: Spot, asked: list[tuple[int, Row]]) -> bool:
        """Price networks on the chip of a design that bounds do not rule out; False once to stop."""
        if self._told():
            return False
        if not asked:
            return True
        rows = np.array([row for _, row in asked])
        if at.phase.bounds_hold:
            costs, excess = at.phase.floors(rows)
            good = (excess <= 0).all(axis=1) & np.isfinite(costs).all(axis=1)
            left = np.flatnonzero(good & ~self.known.beats(costs))
        else:
            left = np.arange(len(rows))
        if not len(left):
            return True
        values = at.phase.evaluate(rows[left])
        spots = [Spot(self._named(at, *asked[i]), at.phase, rows[i]) for i in left]
        self.keep(spots, values)
        return True

    def _named(self, at: Spot, candidate: int, row: Row) -> Name:
        """The design of a genome on the chip of another: a candidate with its network, or near it."""
        same = at.name._replace(candidate=candidate, genome=())
        own = self.result.genome(candidate)[1]
        keys = at.phase.keys(np.array([own, row]))
        n = len(at.phase.nets.genes)
        both = at.phase.nets.canonical(np.array([own[:n], row[:n]]))
        if at.name.base and (both[0] == both[1]).all():
            return same
        if not at.name.base and keys[0] == keys[1]:
            return same
        return same._replace(genome=tuple(row.tolist()))

    # -- chips for one network -----------------------------------------------------------------------

    def chip(self, at: Spot) -> Spot | None:
        """A better chip for a design's network, see `Descent`; None if there is none by the exact mapper."""
        column, space = self._column(), self.result.chips_of(at.name)
        if column is None or space is None or self.priced >= PRICED or self._told():
            return None
        chips, row = space
        pricer = self.result.setup.searcher
        net = at.row[: len(at.phase.nets.genes)]
        found = Descent(at.phase, pricer, self._sketcher(at), chips, net, column, self._told)
        at_home = at.name.base and not at.name.sizes
        start = found.start(row, self.result.config.seed) if at_home else row
        made = found.best(start, PRICED - self.priced)
        if made is None and (start != row).any():
            made = start
        self.priced += len(found.known)
        one = None if made is None else spot(self.result, self._on_chip(at, made), self.patience)
        if one is None or self._told():
            return None
        values = one.phase.evaluate(one.row[None])
        self.keep([one], values)
        before = at.phase.evaluate(at.row[None])[0, column]
        return one if met(one.phase, values)[0] and values[0, column] < before * (1 - LESS) else None

    def _sketcher(self, at: Spot) -> NetworkPricer:
        return self.result.setup.sketcher(self.result.genome(at.name.candidate)[0].pricer.model)

    def _column(self) -> int | None:
        """Of the first objective that mappings decide, if bounds are known of it."""
        names = [name for name in self.goals.objectives if self.goals.metrics[name].mapped]
        return self.goals.column[names[0]] if names else None

    def _on_chip(self, at: Spot, chip: Row) -> Name:
        if at.name.base:
            return at.name._replace(sizes=tuple(chip.tolist()))
        row = at.row.copy()
        at.phase.genome.split(row[None])[1][:] = chip
        return at.name._replace(genome=tuple(row.tolist()))


def met(phase: Phase, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[n] whether designs have a mapping and meet all limits, as far as their values are known."""
    fits = np.isfinite(phase.goals.costs(values)).all(axis=1)
    return np.asarray(fits & (phase.excess(values) <= 0).all(axis=1))


def _on(at: Spot, row: Row, n: int) -> Row:
    """The chip of one with the network of another."""
    return np.append(row[:n], at.row[n:])
