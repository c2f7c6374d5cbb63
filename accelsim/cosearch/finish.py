"""The designs that a search reports are mapped anew by the exact mapper, and set against the base chip.

A search maps many candidates, each a little; what it reports deserves more. What may be on the front is
finished, round by round as ranks change (see `hopeful`). Where the search fused layers, its stacks get such
mappings too, if they are then better than layers one by one. Then each network of the front runs on the base
chip too, as it is and with the freedoms of the design, mapped with the same care, and takes the place of the
design where that is better; and so do networks, sizes and ports around the best, see `near`. Where the exact
mapper does not help a whole network, as it works layer by layer, the search's own mapping stays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.finished import Finished, Granted, Name
from accelsim.cosearch.freed import extended, granted_by, placed, spread_of
from accelsim.cosearch.hopeful import hopeful
from accelsim.cosearch.near import nearby
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.screen import MAPPED, SKETCHED

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult
    from accelsim.fusion import Stack
    from accelsim.pricing.network import NetworkPricer

PATIENCE = 3_000
"""Boxes that the exact mapper looks at for a layer.

A hundred times as many moved every fourth layer of MobileNetV2 on Eyeriss by 0.05 % in the mean, 0.53 % at
most, and none on NVDLA 256, Edge TPU and `example` (`map_layer(.., "optimal", budget=..)`).
"""

LEAST = 8
"""Designs that are finished at least, if there are as many."""

EXACT = "optimal"

Stop = Callable[[], bool]


def finish(result: SearchResult, patience: int, stop: Stop, keep: Callable[..., None]) -> bool:
    """Finish what the result would report; `keep` gets each design once, those that are known excepted.

    It gets together what cannot be found again once a part of it is kept. Where the mappings are fixed, or
    the model has none, or without patience, candidates that are sketched are mapped as was asked, and that
    is all. Returns whether it was stopped.
    """
    if not patience or not result.setup.exact:
        return _mapped(result, stop, keep)
    while True:
        for one in _designs(result, patience):
            if stop():
                return True  # what began later is cut short
            keep(one)
            result.finish(one)
        if not result.front or result.near == _around(result, patience):
            return False
        names = nearby(result, patience, stop)
        if names is None:
            return True
        new = [name for name in names if name not in result.finished]
        made = [_made(result, *_placed(result, name), None, name, patience) for name in new]
        for one in made:
            result.finish(one)
        result.near = _around(result, patience)
        keep(*made, near=result.near)


def _around(result: SearchResult, patience: int) -> str:
    """What a local search depends on, but for designs that it found itself: that of this has been done."""
    best = result.front[0]
    chip = best.name._replace(candidate=0, genome=()) if best.base else result.design(best).chip.hash
    return f"{len(result)} candidates, {patience}, {chip}"


def _designs(result: SearchResult, patience: int) -> Iterator[Finished]:
    for candidates in hopeful(result, LEAST):
        for candidate in candidates:
            before = result.finished.get(Name(candidate))
            if before is None or not before.patience:
                phase, row = result.genome(candidate)
                yield _made(result, phase, row, result.values[candidate], Name(candidate), patience)
    yield from _on_the_base(result, patience)


def _mapped(result: SearchResult, stop: Stop, keep: Callable[..., None]) -> bool:
    """Map in full what is sketched and may be on the front; whether it was stopped."""
    for candidates in hopeful(result, 1):
        for candidate in candidates:
            if result.levels[candidate] != SKETCHED or Name(candidate) in result.finished:
                continue
            if stop():
                return True
            phase, row = result.genome(candidate)
            values = phase.evaluate(row[None])[0]
            one = Finished(candidate, False, _plain(values), _plain(result.values[candidate]), "", 0)
            keep(one)
            result.finish(one)
    return False


def _placed(result: SearchResult, name: Name) -> tuple[Phase, NDArray[np.int64]]:
    found = placed(result, name)
    assert found is not None  # it was found there
    return found


def _on_the_base(result: SearchResult, patience: int) -> Iterator[Finished]:
    """Networks of the front on the base chip, as it is and with freedoms."""
    for found in result.front:
        if not found.base or found.granted or found.sizes:
            yield from _on_base(result, found.name, (), patience)
    yield from _with_freedoms(result, patience)


def _with_freedoms(result: SearchResult, patience: int) -> Iterator[Finished]:
    """Networks of the front on the base chip with freedoms of the best design, and of their own.

    The best's also with each freedom more that the space has, and with each fewer: one that a mapping uses
    may cost more than it gains. Until nothing new comes.
    """
    own: dict[Name, list[Granted]] = {}
    done: set[tuple[Name, Granted]] = set()

    def wanted() -> Iterator[tuple[Name, Granted]]:
        for n, found in enumerate(result.front):
            if found.name not in own:
                own[found.name] = granted_by(result, found)
            more = own[found.name]
            best = result.front[0].granted
            if n == 0:
                most = best if found.base else (*more, ())[0]
                less = [most[:at] + most[at + 1 :] for at in range(len(most))]
                more = [*more, *extended(result.genome(found.index)[0], most), *less]
            net = Name(found.index, genome=found.genome)
            yield from ((net, granted) for granted in ([best] if best else []) + more)

    while (chosen := next((one for one in wanted() if one not in done), None)) is not None:
        done.add(chosen)
        yield from _on_base(result, *chosen, patience)


def _on_base(result: SearchResult, of: Name, granted: Granted, patience: int) -> Iterator[Finished]:
    """A design's network on the base chip with some freedoms, if that is new and may enter the front."""
    name = Name(of.candidate, True, granted, of.genome)
    found = placed(result, name)
    if found is None:
        return
    on, home = found
    at = None if granted else result.evaluated(on, home)  # the search itself may have come by
    name = name if at is None else Name(at)
    if name not in result.finished and _may_enter(result, on, home):
        mapped = at is not None and result.feasible[at] and result.levels[at] == MAPPED
        before = result.values[at] if mapped else None if granted else on.evaluate(home[None])[0]
        yield _made(result, on, home, before, name, patience)


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
    if phase.fuse and any(found := stacks_for(phase, row, phase.pricer)):
        exact.stacks = found
        other = exact.evaluate(row[None])[0]
        apart, together = result.setup.goals.costs(np.array([values, other])).tolist()
        if together < apart:
            values, fused = other, True
    before = own = values if before is None else before
    better = _no_worse(result, phase, values, own)
    if not better and name.itself and result.levels[name.candidate] == SKETCHED:
        own = phase.evaluate(row[None])[0]
        better = _no_worse(result, phase, values, own)
    best = values if better else own
    mapper = EXACT if better else ""
    fused &= better
    return Finished(
        name.candidate, name.base, _plain(best), _plain(before), mapper, patience, fused, name.granted,
        spread if better and not fused else "", name.genome, name.sizes,
    )  # fmt: skip


def _no_worse(
    result: SearchResult, phase: Phase, values: NDArray[np.float64], before: NDArray[np.float64]
) -> bool:
    """Whether in no objective and no limit; nothing is worse than what is not known."""
    rows = np.array([values, before])
    now, was = result.setup.goals.costs(rows)
    miss = np.maximum(phase.excess(rows), 0.0)
    return bool((now <= was).all() and (miss[0] <= miss[1]).all()) or not np.isfinite(was).all()


def stacks_for(phase: Phase, row: NDArray[np.int64], pricer: NetworkPricer) -> tuple[tuple[Stack, ...], ...]:
    """The stacks of each network of a genome: those that the pricer of its phase finds, or that are given."""
    return tuple(pricer.stacks(run) for run in phase.runs(row))


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
    done = [made for made in result.finished.values() if made.patience]
    if not done:
        return None
    goals = result.setup.goals
    values, before = (np.array([getattr(d, x) for d in done], float) for x in ("values", "before"))
    new, old = goals.costs(values)[:, 0], goals.costs(before)[:, 0]
    names = [name for name in goals.objectives if goals.metrics[name].mapped] or ["edp"]
    column = goals.column[names[0]]
    own = np.flatnonzero([not d.base and d.searched for d in done])
    first, second = np.triu_indices(len(own), 1)
    a, b = own[first], own[second]
    swaps = (np.sign(old[a] - old[b]) * np.sign(new[a] - new[b])) < 0
    return Moved(
        len(done),
        sum(d.base for d in done),
        tuple((before[:, column] / values[:, column])[[d.searched for d in done]].tolist()),
        done[int(own[np.argmin(old[own])])].candidate,
        int(swaps.sum()),
        len(first),
    )
