"""Which candidates of a search deserve mappings in full: those that may be on its front.

Round by round: the front of what the search knows, next what none of all these would beat, were its sketch to
fall as much as half of theirs did when they were mapped. What was mapped in full already does not fall.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.finished import Name
from accelsim.cosearch.goals import front
from accelsim.cosearch.screen import BOUNDED, SKETCHED, Known

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult

_LIKELY = 0.25
"""Share mapped of what misses the limits by its sketch, where nothing is known that meets them."""


def hopeful(result: SearchResult, least: int) -> Iterator[list[int]]:
    """Candidates, round by round, `least` in the first if there are as many that meet the limits.

    Those of a round are to be finished before the next is asked for. What comes depends on the search and on
    them alone, so that who was interrupted comes to the same.
    """
    goals = result.setup.goals
    metrics = list(goals.metrics.values())
    decided = [i for i, metric in enumerate(metrics) if metric.mapped and not metric.maximise]
    values, falls = result.values.copy(), np.ones(len(metrics))
    left, sketched = result.levels != BOUNDED, result.levels == SKETCHED
    chosen = _fronts(result, values, left, least)
    if not len(chosen) and (left & sketched).any():
        chosen = _nearest(result, values, left & sketched)
    while len(chosen):
        yield chosen.tolist()
        left[chosen] = False
        before = values[chosen]
        for i in chosen.tolist():
            if (made := result.finished.get(Name(i))) is not None:
                values[i] = np.array(made.values, float)
        if (fell := sketched[chosen]).any():
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = (values[chosen] / before)[fell][:, decided]
            falls[decided] = np.minimum(falls[decided], np.median(np.where(ratio > 0, ratio, 1.0), axis=0))
        chosen = _unbeaten(result, values, left, np.where(sketched[:, None], falls, 1.0))


def _fronts(
    result: SearchResult, values: NDArray[np.float64], left: NDArray[np.bool_], least: int
) -> NDArray[np.int64]:
    """The front, and the next fronts until there are enough."""
    able, out = left & result.feasible, np.zeros(0, np.int64)
    while len(out) < least:
        rows = front(result.setup.goals.costs(values), able)
        if not len(rows):
            break
        out = np.concatenate([out, rows])
        able[rows] = False
    return out


def _nearest(result: SearchResult, values: NDArray[np.float64], able: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Those that miss the limits least."""
    rows = np.flatnonzero(able)
    miss = np.maximum(result.excess(values), 0.0).sum(axis=1)[rows]
    return rows[np.argsort(miss, kind="stable")[: math.ceil(_LIKELY * len(rows))]]


def _unbeaten(
    result: SearchResult, values: NDArray[np.float64], left: NDArray[np.bool_], falls: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Of those that are left what nothing known would beat."""
    costs, known = result.setup.goals.costs, Known(len(result.setup.goals.objectives))
    met = (result.excess(values) <= 0).all(axis=1) & (result.levels != BOUNDED)
    known.add(costs(values), met)
    hoped = values * falls
    miss = np.maximum(result.excess(hoped), 0.0).sum(axis=1)
    able = left & (miss == 0) & ~known.beats(costs(hoped))
    able |= left & met & ~known.beats(costs(values))
    return np.flatnonzero(able)
