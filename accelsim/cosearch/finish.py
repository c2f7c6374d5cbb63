"""The designs that a search reports are mapped anew by the exact mapper, and set against the base chip.

A search maps many candidates, each a little; what it reports deserves more. The front is finished, with the
next best while it is short, as ranks may change. Where the search fused layers, its stacks get such mappings
too, if they are then better than layers one by one. Then each network of the front runs on the base chip too,
as it is and with the freedoms of the design, mapped with the same care, and takes the place of the design
where that is better. Where the exact mapper does not help a whole network, as it works layer by layer, the
search's own mapping stays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.freed import Granted, extended, granted_by, on_base, spread_of
from accelsim.cosearch.goals import front
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.screen import BOUNDED, MAPPED

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult
    from accelsim.fusion import Stack

PATIENCE = 3_000
"""Boxes that the exact mapper looks at for a layer.

A hundred times as many moved every fourth layer of MobileNetV2 on Eyeriss by 0.05 % in the mean, 0.53 % at
most, and none on NVDLA 256, Edge TPU and `example` (`map_layer(.., "optimal", budget=..)`).
"""

LEAST = 8
"""Designs that are finished at least, if there are as many."""

EXACT = "optimal"

Name = tuple[int, bool, Granted]
"""Candidate, whether on the base chip, and with which freedoms."""


@dataclass(frozen=True)
class Finished:
    """A design with mappings worth reporting.

    candidate  the one whose network, and unless `base` whose chip it is
    base       whether it is the base chip with the candidate's network
    values     a value a metric, under the better mappings; None where not known
    before     the same under the search's own mappings; with `granted`, where none are looked for, `values`
    mapper     whose mappings are better: EXACT, or "" for the search's own
    patience   candidates that the exact mapper looked at for a layer, at most
    fused      whether the better mappings of EXACT are of the search's stacks, each piece mapped anew
    granted    freedoms of the candidate's chip that the base chip has here
    spread     dimensions that the better mappings spread over axes; "" where that is not known
    """

    candidate: int
    base: bool
    values: tuple[float | None, ...]
    before: tuple[float | None, ...]
    mapper: str
    patience: int
    fused: bool = False
    granted: Granted = ()
    spread: str = ""

    @property
    def name(self) -> Name:
        """What tells it from other designs."""
        return self.candidate, self.base, self.granted

    def to_dict(self) -> dict[str, Any]:
        """JSON form; the last three only where they say something, as older studies had none."""
        late = ("fused", "granted", "spread")
        return {key: value for key, value in asdict(self).items() if key not in late or value}


def read_finished(text: str) -> list[Finished]:
    """Designs in JSON form. Raises ValueError for what is none."""
    from pydantic import TypeAdapter

    return TypeAdapter(list[Finished]).validate_json(text, strict=True)


def finish(
    result: SearchResult, patience: int, stop: Callable[[], bool], keep: Callable[[Finished], None]
) -> bool:
    """Finish what the result would report; `keep` gets each design once, those that are known excepted.

    Nothing to do where the mappings are fixed, or the model has none. Returns whether it was stopped.
    """
    if not patience or not result.setup.exact:
        return False
    for made in _designs(result, patience):
        if stop():
            return True  # what began later is cut short
        keep(made)
        result.finish(made)
    return False


def _designs(result: SearchResult, patience: int) -> Iterator[Finished]:
    for candidate in _pool(result):
        if (candidate, False, ()) not in result.finished:
            phase, row = result.genome(candidate)
            yield _made(result, phase, row, result.values[candidate], (candidate, False, ()), patience)
    for found in result.front:
        if not found.base:
            yield from _on_base(result, found.index, (), patience)
    yield from _with_freedoms(result, patience)


def _with_freedoms(result: SearchResult, patience: int) -> Iterator[Finished]:
    """Networks of the front on the base chip with freedoms of the best design, and of their own.

    The best's also with each freedom more that the space has, and with each fewer: one that a mapping uses
    may cost more than it gains. Until nothing new comes.
    """
    own: dict[Name, list[Granted]] = {}
    done: set[tuple[int, Granted]] = set()

    def wanted() -> Iterator[tuple[int, Granted]]:
        for n, found in enumerate(result.front):
            if found.name not in own:
                own[found.name] = granted_by(result, found)
            more = own[found.name]
            best = result.front[0].granted
            if n == 0:
                most = best if found.base else (*more, ())[0]
                less = [most[:at] + most[at + 1 :] for at in range(len(most))]
                more = [*more, *extended(result.genome(found.index)[0], most), *less]
            yield from ((found.index, granted) for granted in ([best] if best else []) + more)

    while (chosen := next((one for one in wanted() if one not in done), None)) is not None:
        done.add(chosen)
        yield from _on_base(result, *chosen, patience)


def _on_base(result: SearchResult, candidate: int, granted: Granted, patience: int) -> Iterator[Finished]:
    """A candidate's network on the base chip with some freedoms, if that is new and may enter the front."""
    placed = on_base(result, candidate, granted)
    if placed is None:
        return
    on, home = placed
    at = None if granted else result.evaluated(on, home)  # the search itself may have come by
    name = (candidate, True, granted) if at is None else (at, False, ())
    if name not in result.finished and _may_enter(result, on, home):
        mapped = at is not None and result.feasible[at] and result.levels[at] == MAPPED
        before = result.values[at] if mapped else None if granted else on.evaluate(home[None])[0]
        yield _made(result, on, home, before, name, patience)


def _pool(result: SearchResult) -> list[int]:
    """Candidates to finish: the front, then the next fronts until there are enough."""
    costs = result.setup.goals.costs(result.values)
    left = result.feasible & (result.levels != BOUNDED)
    out: list[int] = []
    while len(out) < LEAST:
        rows = front(costs, left).tolist()
        if not rows:
            break
        out += rows
        left[rows] = False
    return out


def _may_enter(result: SearchResult, phase: Phase, row: NDArray[np.int64]) -> bool:
    """Whether the lower bounds leave room for the row in the front."""
    if phase.fuses:  # the bounds are of layers one by one
        return True
    costs, excess = phase.floors(row[None])
    known = np.array([list(found.metrics.values()) for found in result.front])
    better = result.setup.goals.costs(known) < costs * (1 - 1e-9 * np.sign(costs))
    return bool((excess <= 0).all() and not better.all(axis=1).any())


def _made(
    result: SearchResult, phase: Phase, row: NDArray[np.int64], before: NDArray[np.float64] | None,
    name: Name, patience: int,
) -> Finished:  # fmt: skip
    exact = copy.copy(phase)
    exact.pricer, exact.mappings = result.setup.finisher(patience), None
    exact.fuse = False
    values, fused = exact.evaluate(row[None])[0], bool(phase.stacks)
    spread = "" if fused or not np.isfinite(values).any() else spread_of(exact, row)
    if phase.fuse and any(found := stacks_for(phase, row)):
        exact.stacks = found
        other = exact.evaluate(row[None])[0]
        apart, together = result.setup.goals.costs(np.array([values, other])).tolist()
        if together < apart:
            values, fused = other, True
    before = values if before is None else before
    rows = np.array([values, before])
    now, was = result.setup.goals.costs(rows)
    miss = np.maximum(phase.excess(rows), 0.0)
    better = bool((now <= was).all() and (miss[0] <= miss[1]).all()) or not np.isfinite(was).all()
    best = values if better else before
    mapper = EXACT if better else ""
    candidate, base, granted = name
    fused &= better
    spread = spread if better and not fused else ""
    return Finished(candidate, base, _plain(best), _plain(before), mapper, patience, fused, granted, spread)


def stacks_for(phase: Phase, row: NDArray[np.int64]) -> tuple[tuple[Stack, ...], ...]:
    """The stacks of each network of a genome: those that its phase finds, or that are given."""
    return tuple(phase.pricer.stacks(run) for run in phase.runs(row))


def _plain(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in values.tolist())


@dataclass(frozen=True)
class Moved:
    """What finishing did.

    designs, at_home   how many were finished, and how many of those are the base chip
    gains              before / after of the first objective that mappings decide, a number a design that had
                       mappings before
    best_before        the candidate that was best before, by the first objective
    swaps              pairs of designs whose order by the first objective changed, of `pairs`
    """

    designs: int
    at_home: int
    gains: tuple[float, ...]
    best_before: int
    swaps: int
    pairs: int


def moved(result: SearchResult) -> Moved | None:
    """None where nothing was finished."""
    done = list(result.finished.values())
    if not done:
        return None
    goals = result.setup.goals
    values, before = (np.array([getattr(d, x) for d in done], float) for x in ("values", "before"))
    new, old = goals.costs(values)[:, 0], goals.costs(before)[:, 0]
    names = [name for name in goals.objectives if goals.metrics[name].mapped] or ["edp"]
    column = goals.column[names[0]]
    own = np.flatnonzero([not d.base for d in done])
    first, second = np.triu_indices(len(own), 1)
    a, b = own[first], own[second]
    swaps = (np.sign(old[a] - old[b]) * np.sign(new[a] - new[b])) < 0
    return Moved(
        len(done),
        len(done) - len(own),
        tuple((before[:, column] / values[:, column])[[not d.granted for d in done]].tolist()),
        done[int(own[np.argmin(old[own])])].candidate,
        int(swaps.sum()),
        len(first),
    )
