"""What a search minimises or maximises, and what it may not exceed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest


@dataclass(frozen=True)
class Metric:
    """A figure of a candidate. `unit` is that of the stored value; `mapped` figures need mappings."""

    name: str
    unit: str
    mapped: bool
    maximise: bool = False


METRICS = {
    m.name: m
    for m in (
        Metric("edp", "Js", True),
        Metric("latency", "s", True),
        Metric("energy", "J", True),
        Metric("power", "mW", True),
        Metric("area", "mm2", False),
        Metric("macs", "", False),
        Metric("accuracy", "%", False, maximise=True),
    )
}
NAMES = tuple(METRICS)
COLUMN = {name: i for i, name in enumerate(NAMES)}


@dataclass(frozen=True)
class Goals:
    """Objectives by name, and limits: a largest value by name, a smallest for what is maximised."""

    objectives: tuple[str, ...]
    limits: Mapping[str, float]

    @classmethod
    def of(cls, objectives: Sequence[str], limits: Mapping[str, float]) -> Goals:
        """Raises AccelsimError for unknown names, repeats, or limits that are no positive numbers."""
        if isinstance(objectives, str):
            objectives = [word for word in objectives.replace(",", " ").split() if word]
        for name in (*objectives, *limits):
            if name not in NAMES:
                raise AccelsimError(f"objectives: unknown metric {name!r}{nearest(str(name), NAMES)}")
        if not objectives:
            raise AccelsimError(f"objectives: name at least one of {', '.join(NAMES)}")
        if len(set(objectives)) != len(objectives):
            raise AccelsimError(f"objectives: {', '.join(objectives)} names one twice")
        for name, value in limits.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                word = "min" if METRICS[name].maximise else "max"
                raise AccelsimError(f"{word}_{name}: must be a number above 0, but got {value!r}")
        return cls(tuple(objectives), {name: float(limits[name]) for name in NAMES if name in limits})

    @property
    def uses_accuracy(self) -> bool:
        """Whether an accuracy source is needed."""
        return "accuracy" in self.objectives or "accuracy" in self.limits

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, objectives] to minimise, from `values` [n, metrics]."""
        signs = [-1.0 if METRICS[name].maximise else 1.0 for name in self.objectives]
        return np.asarray(values[:, [COLUMN[name] for name in self.objectives]] * signs)

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, limits]: how far each limit is missed, relative to the limit; at most 0 where it holds.

        What is not known (NaN) counts as missed by the whole limit.
        """
        out = np.empty((len(values), len(self.limits)))
        for i, (name, limit) in enumerate(self.limits.items()):
            miss = values[:, COLUMN[name]] / limit - 1.0
            out[:, i] = -miss if METRICS[name].maximise else miss
        return np.where(np.isnan(out), 1.0, out)

    def early(self) -> list[int]:
        """Indices of limits that hold or not whatever the mappings are."""
        return [i for i, name in enumerate(self.limits) if not METRICS[name].mapped]

    def words(self) -> str:
        """The goals as a sentence for reports."""
        parts = [("maximise " if METRICS[n].maximise else "minimise ") + n for n in self.objectives]
        for name, limit in self.limits.items():
            sign = ">=" if METRICS[name].maximise else "<="
            parts.append(f"{name} {sign} {limit:g} {METRICS[name].unit}".rstrip())
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"objectives": list(self.objectives), "limits": dict(self.limits)}


def front(costs: NDArray[np.float64], feasible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that no feasible row is better than, ordered by the first objective; of equals the first."""
    rows = np.flatnonzero(feasible & np.isfinite(costs).all(axis=1))
    if not len(rows):
        return rows
    _, first = np.unique(costs[rows], axis=0, return_index=True)
    rows = rows[first]  # sorted by the first objective, then the next
    if costs.shape[1] == 1:
        return rows[:1]
    keep: list[int] = []
    for row in rows:
        better = costs[keep] <= costs[row] if keep else np.zeros((0, costs.shape[1]), bool)
        if not better.all(axis=1).any():
            keep.append(int(row))
    return np.array(keep, np.int64)
