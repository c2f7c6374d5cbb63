"""What a search minimises or maximises, and what it may not exceed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.metrics import ALWAYS, METRICS, Candidate, Metric, load_metric
from accelsim.errors import AccelsimError


class Record(NamedTuple):
    """What a study keeps of a metric, beside its values: `source` is its name in the registry."""

    name: str
    source: str
    unit: str
    maximise: bool
    needs: tuple[str, ...]
    logarithmic: bool
    version: str


class Kept(Metric):
    """A metric whose values are read from a study; whoever computed them is not here."""

    def __init__(self, record: Record) -> None:
        (self.name, _, self.unit, self.maximise, self.needs, self.logarithmic, self.version) = record

    def of(self, candidate: Candidate) -> float:
        """Only what was kept is known."""
        raise AccelsimError(f"metric {self.name}: is known only as far as the study kept it")


@dataclass(frozen=True)
class Goals:
    """Objectives by name, and limits: a largest value by name, a smallest for what is maximised.

    metrics  name -> metric, one a column of `values`: `ALWAYS`, and what objectives and limits name
    sources  name -> name in the registry
    """

    objectives: tuple[str, ...]
    limits: Mapping[str, float]
    metrics: Mapping[str, Metric]
    sources: Mapping[str, str]

    @classmethod
    def of(
        cls,
        objectives: Sequence[str | Metric | type[Metric]] | str | Metric | type[Metric],
        limits: Mapping[Any, float],
        columns: Mapping[str, Metric] | None = None,
    ) -> Goals:
        """Goals of metrics, their classes or names; `columns` are those of a study, by their sources.

        Raises AccelsimError for unknown names, repeats, or limits that are no positive numbers.
        """
        if isinstance(objectives, str):
            objectives = objectives.replace(",", " ").split()
        elif not isinstance(objectives, Sequence):
            objectives = [objectives]
        found = dict(columns or {name: load_metric(name) for name in ALWAYS})

        def named(metric: Any) -> str:
            if isinstance(metric, str) and metric.startswith(("max_", "min_")):
                inner = metric[4:]
                name = named(next((s for s, known in found.items() if known.name == inner), inner))
                known = next(known for known in found.values() if known.name == name)
                if known.bound != metric:
                    better = "more" if known.maximise else "less"
                    raise AccelsimError(
                        f"{metric}: of {name}, {better} is better; its limit is {known.bound}"
                    )
                return name
            source = metric if isinstance(metric, str) and metric in found else METRICS.name_of(metric)
            if source not in found:
                found[source] = load_metric(source)
            return found[source].name

        wanted = tuple(named(metric) for metric in objectives)
        bounds = {named(metric): value for metric, value in limits.items()}
        metrics = {metric.name: metric for metric in found.values()}
        sources = {metric.name: source for source, metric in found.items()}
        if len(metrics) < len(found):
            both = next(s for s, metric in found.items() if sources[metric.name] != s)
            name = found[both].name
            raise AccelsimError(f"objectives: {both} and {sources[name]} are both named {name}")
        if not wanted:
            raise AccelsimError(f"objectives: name at least one of {', '.join(METRICS.names())}")
        if len(set(wanted)) != len(wanted):
            raise AccelsimError(f"objectives: {', '.join(wanted)} names one twice")
        for name, value in bounds.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise AccelsimError(f"{metrics[name].bound}: must be a number above 0, but got {value!r}")
        return cls(wanted, {n: float(bounds[n]) for n in metrics if n in bounds}, metrics, sources)

    @cached_property
    def column(self) -> dict[str, int]:
        """Metric name -> its column in `values`."""
        return {name: i for i, name in enumerate(self.metrics)}

    @property
    def detailed(self) -> tuple[Metric, ...]:
        """Metrics that need the cost of each layer."""
        return tuple(metric for metric in self.metrics.values() if "layers" in metric.needs)

    def records(self) -> tuple[Record, ...]:
        """What a study keeps of each column's metric."""
        return tuple(record(metric, self.sources[name]) for name, metric in self.metrics.items())

    @property
    def uses_accuracy(self) -> bool:
        """Whether an accuracy source is needed."""
        return any("accuracy" in self.metrics[name].needs for name in (*self.objectives, *self.limits))

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, objectives] to minimise, from `values` [n, metrics]."""
        signs = [-1.0 if self.metrics[name].maximise else 1.0 for name in self.objectives]
        return np.asarray(values[:, [self.column[name] for name in self.objectives]] * signs)

    def log_costs(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Costs to minimise [n, objectives], logarithms of metrics that span decades."""
        out = costs.astype(float)
        for i, name in enumerate(self.objectives):
            metric = self.metrics[name]
            if metric.logarithmic:
                sign = -1.0 if metric.maximise else 1.0
                with np.errstate(divide="ignore", invalid="ignore"):
                    out[:, i] = sign * np.log10(sign * out[:, i])
        return out

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, limits]: how far each limit is missed, relative to the limit; at most 0 where it holds.

        What is not known (NaN) counts as missed by the whole limit.
        """
        out = np.empty((len(values), len(self.limits)))
        for i, (name, limit) in enumerate(self.limits.items()):
            miss = values[:, self.column[name]] / limit - 1.0
            out[:, i] = -miss if self.metrics[name].maximise else miss
        return np.where(np.isnan(out), 1.0, out)

    def early(self) -> list[int]:
        """Indices of limits that hold or not whatever the mappings are."""
        return [i for i, name in enumerate(self.limits) if not self.metrics[name].mapped]

    def words(self) -> str:
        """The goals as a sentence for reports."""
        parts = [("maximise " if self.metrics[n].maximise else "minimise ") + n for n in self.objectives]
        for name, limit in self.limits.items():
            sign = ">=" if self.metrics[name].maximise else "<="
            parts.append(f"{name} {sign} {limit:g} {self.metrics[name].unit}".rstrip())
        return ", ".join(parts)


def record(metric: Metric, source: str) -> Record:
    """What a study keeps of a metric."""
    m = metric
    return Record(m.name, source, m.unit, m.maximise, tuple(m.needs), m.logarithmic, m.version)


def columns_of(records: Sequence[Record], going_on: bool) -> dict[str, Metric]:
    """Metrics of a study's columns, by their sources.

    To go on, each must be what it was; raises AccelsimError otherwise. To look, those of a user's own are
    taken as the study describes them, and their code is not called for.
    """
    out: dict[str, Metric] = {}
    for kept in records:
        out[kept.source] = Kept(kept)
        if not going_on and kept.source not in METRICS.home:
            continue
        try:
            metric = load_metric(kept.source)
        except AccelsimError as fault:
            raise AccelsimError(f"it needs the metric {kept.name}, version {kept.version}: {fault}") from None
        if record(metric, kept.source) == kept:
            out[kept.source] = metric
        elif going_on:
            raise AccelsimError(
                f"its metric {kept.name} has changed: it was {_words(kept)}, and now is "
                f"{_words(record(metric, kept.source))}; go on with what it began with, or begin a new study"
            )
    return out


def _words(kept: Record) -> str:
    best = "most" if kept.maximise else "least"
    return f"version {kept.version} (in {kept.unit or 'numbers'}, {best} is best)"


def front(costs: NDArray[np.float64], feasible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that no feasible row is better than, ordered by the first objective; of equals the first."""
    rows = np.flatnonzero(feasible & np.isfinite(costs).all(axis=1))
    if not len(rows):
        return rows
    _, first = np.unique(costs[rows], axis=0, return_index=True)
    rows = rows[first]  # sorted by the first objective, then the next
    if costs.shape[1] == 1:
        return rows[:1]
    from moocore import is_nondominated

    return np.asarray(rows[is_nondominated(costs[rows])])
