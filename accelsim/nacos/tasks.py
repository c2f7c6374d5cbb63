"""`BenchTask`: what to search a benchmark for, and by how much points miss the known answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.cosearch.goals import front
from accelsim.cosearch.metrics import load_metric
from accelsim.errors import AccelsimError, nearest

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.nacos.bench import Bench
    from accelsim.nacos.schedules import NetCosts

KEYS = {
    "edp": "edp_js", "latency": "latency_s", "energy": "energy_pj", "accuracy": "accuracy", "work": "macs",
    "params": "params", "area": "area_mm2",
}  # fmt: skip
"""Objective -> key of rows."""

COSTS = ("edp", "latency", "energy")

Points = ArrayLike | Sequence[dict[str, Any]]
"""float [n, objectives] in the units of KEYS, or rows with those keys."""


@dataclass(frozen=True)
class BenchTask:
    """Objectives over all networks on one chip, or on all, under all schedules.

    chips       names
    objectives  one of edp, latency and energy, and any of accuracy, work, params (more is better) and area
    at_least    with one objective: accuracy in per cent, or MACs where the bench has no accuracies, that
                counts
    """

    bench: Bench = field(repr=False)
    chips: tuple[str, ...]
    objectives: tuple[str, ...]
    at_least: float | None = None

    @classmethod
    def of(
        cls, bench: Bench, chip: str | None, objectives: Sequence[str], at_least: float | None
    ) -> BenchTask:
        """Checked. Raises AccelsimError."""
        given = tuple(objectives.split(",")) if isinstance(objectives, str) else tuple(objectives)
        for name in given:
            if name not in KEYS:
                raise AccelsimError(f"objectives: no {name!r}{nearest(str(name), KEYS)}")
        if not given:
            raise AccelsimError("objectives: at least one")
        if sum(name in COSTS for name in given) != 1 or len(set(given)) < len(given):
            others = ", ".join(name for name in KEYS if name not in COSTS)
            raise AccelsimError(
                f"objectives: must hold one of {', '.join(COSTS)} and any of {others}, each once, but got "
                f"{', '.join(given)}; latency and energy of one network are both in `schedule_front`"
            )
        if bench.accuracies is None and "accuracy" in given:
            raise AccelsimError(
                "objectives: accuracy is absent: no accuracies ship with the tables; bring a file, as in "
                "accuracy='table:FILE', or take work (MACs, more is better)"
            )
        if at_least is not None and len(given) > 1:
            raise AccelsimError("at_least: is for tasks with one objective; a front has all trades")
        if chip is not None:
            bench.chip(chip)
        return cls(bench, bench.chips if chip is None else (chip,), given, at_least)

    @property
    def keys(self) -> tuple[str, ...]:
        """Of rows, in the order of the objectives."""
        return tuple(KEYS[name] for name in self.objectives)

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [n, objectives] as costs to minimise, logarithms (base 10) of those that span decades."""
        out = np.array(values, float)
        for i, metric in enumerate(map(load_metric, self.objectives)):
            sign = -1.0 if metric.maximise else 1.0
            with np.errstate(divide="ignore", invalid="ignore"):
                out[:, i] = sign * (np.log10(out[:, i]) if metric.logarithmic else out[:, i])
        return out

    @cached_property
    def every(self) -> NDArray[np.float64]:
        """[chips * nets, objectives] values of all networks under their proved schedules."""
        columns = [[values(self.bench, name, chip) for chip in self.chips] for name in self.objectives]
        return np.column_stack([np.concatenate(column) for column in columns])

    @cached_property
    def _costs(self) -> NDArray[np.float64]:
        """[chips * nets, objectives] costs of `every`."""
        return self.costs(self.every)

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        """[objectives] costs that hypervolumes are measured from: the worst of each, schedules proved."""
        return np.asarray(self._costs.max(axis=0))

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """Rows of `every` on the true front."""
        return front(self._costs, np.repeat(True, len(self._costs)))

    @cached_property
    def front(self) -> list[tuple[int, str]]:
        """(network, chip) of the true front, by the first objective."""
        return [(int(row % len(self.bench)), self.chips[row // len(self.bench)]) for row in self._rows]

    @cached_property
    def whole(self) -> float:
        """Hypervolume of the true front. Raises AccelsimError where an objective is the same for all."""
        for name, least, most in zip(self.objectives, self._costs.min(axis=0), self.reference):
            if not least < most:
                raise AccelsimError(
                    f"objectives: {name} is the same for all networks on {', '.join(self.chips)}, so that no "
                    "hypervolume can be measured; leave it out, or take all chips"
                )
        return self.hypervolume_of(self._costs[self._rows])

    def hypervolume(self, points: NDArray[np.float64]) -> float:
        """Of values [n, objectives]."""
        return self.hypervolume_of(self.costs(points))

    def hypervolume_of(self, costs: NDArray[np.float64]) -> float:
        """Of costs [n, objectives], as `costs` makes them."""
        from moocore import hypervolume

        costs = costs[(costs < self.reference).all(axis=1)]  # not a number is less than nothing
        if not len(costs):
            return 0.0
        costs = costs[front(costs, np.repeat(True, len(costs)))]
        return float(hypervolume(costs, ref=self.reference))

    @cached_property
    def counts(self) -> NDArray[np.bool_]:
        """[nets] whether a network meets `at_least`."""
        if self.at_least is None:
            return np.repeat(True, len(self.bench))
        name = "work" if self.bench.accuracies is None else "accuracy"
        return values(self.bench, name, self.chips[0]) >= self.at_least

    @cached_property
    def optimum(self) -> float:
        """With one objective: the least value among networks that count. Raises AccelsimError for none."""
        return float(self._counting.min())

    @cached_property
    def _counting(self) -> NDArray[np.float64]:
        """[chips, nets], infinite where a network does not count."""
        if not self.counts.any():
            raise AccelsimError(f"at_least: no network reaches {self.at_least:g}")
        return np.where(self.counts, self.every[:, 0].reshape(len(self.chips), -1), np.inf)


def values(bench: Bench, name: str, chip: str) -> NDArray[np.float64]:
    """float64[nets] of an objective, in the unit of its key."""
    if name in COSTS:
        return in_units(bench.totals(chip, "proved", name), name, bench.chip(chip))
    if name == "area":
        return np.full(len(bench), bench.chip(chip).area_mm2)
    if name == "accuracy":
        assert bench.accuracies is not None
        return np.asarray(bench.accuracies.value)
    return np.asarray({"work": bench.nets.macs, "params": bench.nets.params}[name], float)


def in_units(costs: NetCosts, name: str, chip: Accelerator) -> NDArray[np.float64]:
    """float64[nets] of latency, energy or EDP of networks on a chip, in the unit of its key."""
    seconds = costs.latency / (chip.clock_mhz * 1e6)
    return {"latency": seconds, "energy": costs.energy}.get(name, costs.energy * 1e-12 * seconds)


def best_of(task: BenchTask) -> tuple[int, str]:
    """(network, chip) of the optimum of a task with one objective."""
    if len(task.objectives) > 1:
        raise AccelsimError("best: is of tasks with one objective; `true_front` has the others")
    chip, net = divmod(int(np.argmin(task._counting)), len(task.bench))
    return net, task.chips[chip]


def regret(points: Points, task: BenchTask) -> float:
    """By how much points miss the true answer, which is 0.

    One objective: best value over the optimum, less 1, infinite without points that count. Rows say by their
    `index` which network they are of; plain values are taken to count. Several: 1 less the share of the true
    front's hypervolume. Points under no schedule of the tables' spaces may pass it: then it is negative.
    """
    rows: Any = list(points) if isinstance(points, Sequence) else points
    if len(rows) and isinstance(rows[0], dict):
        if len(task.objectives) == 1:
            rows = [row for row in rows if task.counts[row["index"]]]
        rows = [[row[key] for key in task.keys] for row in rows]
    found = np.asarray(rows, float).reshape(-1, len(task.objectives))
    if len(task.objectives) == 1:
        return float(found.min() / task.optimum - 1.0) if len(found) else float("inf")
    return 1.0 - task.hypervolume(found) / task.whole
