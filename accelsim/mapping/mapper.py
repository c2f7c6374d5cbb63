"""`Mapper`: what all ways to find a mapping have in common, and `map_layer`, which picks one by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.arguments import wrong
from accelsim.errors import AccelsimError, not_one_of
from accelsim.mapping.cost import explain, price_mapping
from accelsim.mapping.found import MappingResult, Status
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.pairs import START
from accelsim.mapping.task import DEFAULT_BUDGET, Task, never
from accelsim.mapping.template import Objective, template
from accelsim.names import Registry
from accelsim.pack import Batch, count, pack_layer, pack_machine
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Cancel = Callable[[], bool] | Event


class Mapper(ABC):
    """A way to find a mapping of a layer.

    `map` and `batch` take the memories to hold all of `holds`. Where the chip leaves that open, verbs ask
    `map_ways` and `batch_ways`, which try every way to hold, each with the task's budget.

    Contract, which tests/mapping/test_mappers.py holds every mapper to: the mapping is legal and within
    the chip's dataflow; it is never worse than the template mapping; the same task gives the same mapping
    again, on any number of threads; at most `budget` evaluations are spent, or the template's if those are
    more; once `task.cancelled()` is true, `search` returns its best so far.
    """

    name: str
    budget: int | None = DEFAULT_BUDGET
    """Evaluations a layer if none are asked for; None: as many as it takes."""
    start_budget = START
    """Evaluations that the template mapping takes at most."""

    @abstractmethod
    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """(mapping with one row, evaluations, status, certificate or None), from the template mapping."""

    def map(self, task: Task) -> MappingResult | None:
        """Best mapping found, or None if not even the smallest tiles fit."""
        found = self._start(task)
        if found is None:
            return None
        start, spent = found
        batch, evaluations, status, certificate = self.search(replace(task, spent=spent), start)
        if batch is not start and task.score(batch)[0] > task.score(start)[0]:
            batch = start
        mapping = Mapping.from_arrays(task.hardware, task.layer, batch)
        cost = price_mapping(task.hardware, task.layer, mapping, resident=task.resident)
        return MappingResult(
            mapping, cost, evaluations, spent, status, self.name, task.objective, task.seed, certificate
        )

    def batch(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """What `map` finds for each task, in figures: cycles, pJ and evaluations float64[n, 3].

        Cycles and pJ are infinite where nothing fits. The tasks differ in their chip, layer and what is
        resident alone, and the chips have the same number of memories, so that a mapper may override this
        by one kernel call (see `accelsim.mapping.batch`); searches and sweeps ask nothing else.
        """
        out = np.full((len(tasks), 3), np.inf)
        out[:, 2] = 0.0
        for row, task in zip(out, tasks, strict=True):
            found = self.map(task)
            if found is not None:
                spent = found.evaluations + found.start_evaluations
                row[:] = found.cost.latency_cycles, found.cost.energy_pj, spent
        return out

    def batch_busy(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`batch`, and the cycles float64[n, M, 6] that each mapping keeps the users of each memory busy.

        What fusing layers asks for; overridden like `batch`.
        """
        figures = np.full((len(tasks), 3), np.inf)
        busy = np.zeros((len(tasks), len(tasks[0].hardware.memories), L.NUSER))
        for i, task in enumerate(tasks):
            found = self.map(task)
            if found is None:
                figures[i, 2] = 0.0
                continue
            spent = found.evaluations + found.start_evaluations
            figures[i] = found.cost.latency_cycles, found.cost.energy_pj, spent
            busy[i] = found.cost.busy_cycles
        return figures, busy

    def map_ways(self, task: Task) -> MappingResult | None:
        """The best of `map` over all ways to hold, the first of equals; None if none fits.

        So that leaving a mapper more choice never gives a worse mapping. Evaluations are those of all ways.
        """
        found = [one for way in task.ways if (one := self.map(way)) is not None]
        if len(found) < 2:
            return found[0] if found else None
        ended = {one.status for one in found}
        return replace(
            min(found, key=lambda one: one.value),
            evaluations=sum(one.evaluations for one in found),
            start_evaluations=sum(one.start_evaluations for one in found),
            status=next(word for word in ("cancelled", "budget", "done") if word in ended),
        )

    def batch_ways(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """What `map_ways` finds for each task, as `batch` says it."""
        return _best_ways(tasks, self.batch([way for task in tasks for way in task.ways]))[0]

    def busy_ways(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What `map_ways` finds for each task, as `batch_busy` says it."""
        found, busy = self.batch_busy([way for task in tasks for way in task.ways])
        figures, rows = _best_ways(tasks, found)
        return figures, busy[rows]

    def _start(self, task: Task) -> tuple[Batch, int] | None:
        """The mapping to start from, and the evaluations that it took."""
        if task.start == "none":
            smallest = Batch.empty(1, len(task.hardware.memories))
            return (smallest, 1) if np.isfinite(task.score(smallest)[0]) else None
        return template(
            task.hardware,
            task.layer,
            resident=task.resident,
            reserved_bits=task.reserved_bits,
            objective=task.objective,
            evaluations=self.start_budget,
        )


def _best_ways(
    tasks: Sequence[Task], found: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[int] | slice]:
    """Figures of the tasks from those of all their ways, and the rows of the best ways."""
    if len(found) == len(tasks):
        return found, slice(None)
    first = np.cumsum([0, *(len(task.ways) for task in tasks[:-1])])
    rows = best_rows(found[:, 0], found[:, 1], first, tasks[0].objective)
    return np.column_stack([found[rows, :2], np.add.reduceat(found[:, 2], first)]), rows


def best_rows(
    latency: NDArray[np.float64], energy: NDArray[np.float64], first: NDArray[np.int64], objective: Objective
) -> list[int]:
    """The best row of each group, the first of equals; `first` has where groups begin."""
    values = {"latency": latency, "energy": energy}.get(objective, latency * energy)
    return [a + int(np.argmin(values[a:b])) for a, b in zip(first, [*first[1:], len(values)], strict=True)]


class TemplateMapper(Mapper):
    """The deterministic mapping that all others start from."""

    name = "template"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The start itself."""
        return start, 0, "done", None

    def batch(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """In one kernel call."""
        from accelsim.mapping.batch import map_at_once

        return map_at_once(tasks, 0, self.start_budget)

    def batch_busy(self, tasks: Sequence[Task]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In two kernel calls."""
        from accelsim.mapping.batch import map_with_busy

        return map_with_busy(tasks, 0, self.start_budget)


MAPPERS = Registry(
    "mapper",
    {
        "template": "accelsim.mapping.mapper:TemplateMapper",
        "random": "accelsim.mapping.random:RandomMapper",
        "genetic": "accelsim.mapping.genetic:GeneticMapper",
        "genetic_importance": "accelsim.mapping.naas:ImportanceGeneticMapper",
        "genetic_index": "accelsim.mapping.naas:IndexGeneticMapper",
        "cmaes": "accelsim.mapping.cmaes:CmaesMapper",
        "optimal": "accelsim.mapping.optimal:OptimalMapper",
    },
    "accelsim.mapper",
    "accelsim.mapping.mapper:Mapper",
)


def mapper_names() -> tuple[str, ...]:
    """Names that `map_layer` knows."""
    return MAPPERS.names()


def load_mapper(mapper: str | Mapper | type[Mapper]) -> Mapper:
    """A mapper by name or class, or itself. Raises AccelsimError for an unknown name."""
    return cast(Mapper, MAPPERS.make(mapper))


SEARCHING = tuple(name for name in MAPPERS.home if name != "optimal")
"""Shipped mappers that read neither tiles nor seconds."""


def check_exact(mapper: object, tiles: str, seconds: float | None) -> None:
    """Raises AccelsimError where options of the exact mapper would change nothing in a shipped one."""
    told = {"tiles": tiles != "all", "seconds": seconds is not None}
    if mapper in SEARCHING and any(told.values()):
        useless = ", ".join(name for name, given in told.items() if given)
        raise AccelsimError(f"{useless}: for the mapper optimal, but the mapper is {mapper}")


def check_options(
    objective: str, budget: int | None, seed: int, tiles: str = "all", seconds: float | None = None
) -> Objective:
    """The objective. Raises AccelsimError for options out of range."""
    if objective not in get_args(Objective):
        raise AccelsimError(f"objective: {not_one_of(objective, get_args(Objective))}")
    whole = isinstance(budget, int) and not isinstance(budget, bool)
    if budget is not None and not (whole and 0 <= budget < 2**62):
        raise AccelsimError(
            f"budget: must be a whole number of evaluations from 0 to 2^62 - 1, but got {budget!r}"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise AccelsimError(f"seed: must be a whole number from 0 to 2^63 - 1, but got {seed!r}")
    if tiles not in get_args(Tiles):
        raise AccelsimError(f"tiles: {not_one_of(tiles, get_args(Tiles))}")
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds >= 0):
        raise AccelsimError(f"seconds: must be a number from 0, but got {seconds!r}")
    return cast(Objective, objective)


def as_question(cancel: Cancel | None) -> Callable[[], bool]:
    """A function that tells whether to stop."""
    if cancel is None:
        return never
    return cancel.is_set if isinstance(cancel, Event) else cancel


def map_layer(
    hardware: Accelerator | str | dict[str, Any],
    layer: Layer,
    mapper: str | Mapper | type[Mapper] = "genetic",
    objective: str = "edp",
    budget: int | None = None,
    seed: int = 0,
    *,
    tiles: Tiles = "all",
    seconds: float | None = None,
    cancel: Cancel | None = None,
) -> MappingResult:
    """Find a mapping of a layer.

    hardware   an `Accelerator`, or anything that `load_hardware` reads
    mapper     a name from `mapper_names`, a `Mapper`, or its class
    objective  edp, latency or energy
    budget     evaluations in all, those of the template mapping first, which always completes; by default
               2000, and as many as it takes for the exact mapper, which counts from the template on
    tiles      divisors, all or legal: the space of the exact mapper, see `MapSpace`; of no other shipped one
    seconds    after which the exact mapper returns its best so far
    cancel     function or event; once true, the best so far is returned

    Raises AccelsimError where something cannot be read or no mapping fits.
    """
    from accelsim.hardware import load_hardware

    wanted = check_options(objective, budget, seed, tiles, seconds)
    check_exact(mapper, tiles, seconds)
    hw = load_hardware(hardware)
    if not isinstance(layer, Layer):
        raise wrong("layer", "a Layer", layer)
    task = Task(hw, layer, wanted, budget, seed, cancelled=as_question(cancel), seconds=seconds, tiles=tiles)
    result = load_mapper(mapper).map_ways(task)
    if result is None:
        raise nothing_fits(hw, layer)
    return result


def nothing_fits(hw: Accelerator, layer: Layer) -> AccelsimError:
    """Why not even the smallest tiles will do: the chip has room for them, but counts can be too large."""
    hw = hw.for_layer(layer)
    batch = Batch.empty(1, len(hw.memories))
    counts = count(pack_layer(layer), pack_machine(hw), batch)
    why = explain(hw, layer, batch, counts) if counts.status[0] else "every mapping tried is illegal"
    return AccelsimError(f"no mapping of {layer.name or layer} fits {hw.name}: {why.split(': ', 1)[-1]}")
