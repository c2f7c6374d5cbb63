"""Screening: all candidates of a generation are looked at, those that may enter the front are sketched.

First by lower bounds: what some known design beats whatever its mappings are is not mapped at all. The others
are sketched, with few evaluations (`accelsim.mapping.sketch`). The search goes by that; what may be on its
front is mapped in full once, when it ends (see `hopeful` and `finish`).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.goals import front

if TYPE_CHECKING:
    from accelsim.cosearch.genes import Genomes
    from accelsim.cosearch.phase import Phase

BOUNDED, SKETCHED, MAPPED = 0, 1, 2
LEVELS = ("bounded", "sketched", "mapped")
"""What a candidate's figures are: bounds that no mapping beats, or of a sketch, or of the mapper asked for.
Those of which no mapping is asked, as they miss a limit anyway, count as mapped."""


class Known:
    """Costs [k, objectives] of what is best so far, of one phase."""

    def __init__(self, objectives: int) -> None:
        self.costs = np.zeros((0, objectives))

    def __len__(self) -> int:
        return len(self.costs)

    def add(self, costs: NDArray[np.float64], feasible: NDArray[np.bool_]) -> None:
        """Take candidates in."""
        costs = np.concatenate([self.costs, costs])
        feasible = np.concatenate([np.ones(len(self), bool), feasible])
        self.costs = costs[front(costs, feasible)]

    def beats(self, costs: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[n]: whether a known design is better in one objective and not worse in any."""
        known, asked = self.costs[None], costs[:, None]
        beats = (known <= asked).all(axis=2) & (known < asked).any(axis=2)
        return np.asarray(np.any(beats, axis=1))


def screened(phase: Phase, rows: Genomes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Metrics float64[n, metrics] as of `Phase.evaluate`, and the level of each row, see `LEVELS`."""
    levels = np.full(len(rows), MAPPED)
    if phase.sketcher is None:
        return phase.evaluate(rows), levels
    values, todo = _bounded(phase, rows, levels)
    sketch = copy.copy(phase)
    sketch.pricer = phase.sketcher
    values[todo] = sketch.evaluate(rows[todo])
    levels[todo[np.isfinite(_latency(phase, values[todo]))]] = SKETCHED
    unlikely = todo[levels[todo] != SKETCHED]  # what no sketch fits, and what misses a limit already
    values[unlikely] = phase.evaluate(rows[unlikely])
    return values, levels


def _latency(phase: Phase, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[:, phase.goals.column["latency"]])


def _bounded(
    phase: Phase, rows: Genomes, levels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Bounds of all rows, and the rows that may still enter the front; the others' level is set."""
    values = np.full((len(rows), len(phase.goals.metrics)), np.nan)
    if not len(phase.known) or not phase.bounds_hold:
        return values, np.arange(len(rows))
    values = phase.least(rows)
    mapped = np.isfinite(_latency(phase, values))
    with np.errstate(invalid="ignore"):
        beaten = phase.known.beats(phase.goals.costs(values)) | (phase.excess(values) > 0).any(axis=1)
    out = mapped & beaten
    levels[out] = BOUNDED
    return values, np.flatnonzero(~out)
