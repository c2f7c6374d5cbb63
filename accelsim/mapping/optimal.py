"""The exact mapper: branch and bound over tiles, loop orders and spatial factors.

The search proves that no mapping of its `MapSpace` beats its result, or, when stopped early, by how much one
could at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, not_one_of
from accelsim.hardware.holding import ways_for
from accelsim.mapping.certificate import Front, OptimalResult
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.found import MappingResult, Status
from accelsim.mapping.genetic import GeneticMapper
from accelsim.mapping.mapper import Mapper
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_search import Search
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.optimal_ways import Ways
from accelsim.mapping.task import DEFAULT_BUDGET, Task, never
from accelsim.mapping.template import Objective, template
from accelsim.pack import Batch, Machine, pack_machine
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

PATIENCE = 4_000_000
"""Boxes of tiles after which a search without any limit ends."""


def optimal(
    hardware: Accelerator,
    layer: Layer,
    *,
    objective: Objective = "edp",
    tiles: Tiles = "all",
    budget_s: float | None = None,
    max_nodes: int | None = None,
    budget: int | None = None,
    resident: str = "",
    cancel: Callable[[], bool] | None = None,
    start: Literal["template", "none"] = "template",
) -> OptimalResult | None:
    """The best mapping of a layer in its `MapSpace`, and the proof; None if none fits.

    The search begins at the `template` mapping, which need not be in the space: it is returned if nothing in
    there is better. `budget_s` (seconds), `max_nodes`, `budget` (mappings priced) and `cancel` (a function
    that says whether to stop, asked some times a second) end the search early; if that is before any mapping
    was met, AccelsimError is raised. `resident` names tensors that lie on chip.
    """
    if objective not in get_args(Objective):
        raise AccelsimError(f"objective: {not_one_of(objective, get_args(Objective))}")
    hardware = hardware.for_layer(layer)
    machines = ways_for(hardware, layer, resident)
    given = []
    if start == "template":
        given = [template(way, layer, resident=resident, objective=objective) for way in machines]
    warm()
    search = _searches(hardware, layer, objective, resident, tiles)
    for way, found in enumerate(given):
        if found is not None:
            search.begin(way, found[0])
    return search.result(search.run(budget_s, max_nodes, budget, cancel) == "optimal")


def optimal_front(
    hardware: Accelerator,
    layer: Layer,
    *,
    tiles: Tiles = "all",
    budget_s: float | None = None,
    max_nodes: int | None = None,
    budget: int | None = None,
    resident: str = "",
    cancel: Callable[[], bool] | None = None,
    start: Literal["template", "none"] = "template",
) -> Front:
    """The whole latency-energy front of a layer over its `MapSpace`, and whether it is proven.

    Options as in `optimal`. The template mappings for each objective count too. Without points, none fits.
    """
    warm()
    hardware = hardware.for_layer(layer)
    search = _searches(hardware, layer, "front", resident, tiles)
    for way, machine in enumerate(ways_for(hardware, layer, resident)):
        for objective in get_args(Objective) if start == "template" else ():
            found = template(machine, layer, resident=resident, objective=objective)
            if found is not None:
                search.begin(way, found[0])
    return search.front(search.run(budget_s, max_nodes, budget, cancel) == "optimal")


def _searches(
    hardware: Accelerator,
    layer: Layer,
    objective: str,
    resident: str,
    tiles: Tiles,
    machines: Sequence[Machine] | None = None,
) -> Ways:
    """A search for each way to hold; `machines` are their kernel arrays, if those are known."""
    ways = ways_for(hardware, layer, resident)
    packed = machines or [pack_machine(way) for way in ways]
    each = [Search(way, layer, objective, resident, machine, tiles) for way, machine in zip(ways, packed)]
    return Ways(each, MapSpace(hardware, layer, tiles, resident))


@cache
def warm() -> None:
    """Compile the kernels, which no clock should count."""
    from accelsim.hardware import load_hardware

    hardware = load_hardware("example")
    search = Search(hardware, Layer(K=2), "edp", "", pack_machine(hardware), "all")
    search.begin(Batch.empty(1, len(hardware.memories)))
    search.best[0, 0] = np.inf  # so that nothing is cut
    search.run(None, None, None, None)


class OptimalMapper(Mapper):
    """`optimal` among the mappers. Without seconds it ends after `patience` candidates at the latest.

    It begins at what the genetic mapper finds with its default budget, or with less where this one's is
    smaller: never worse than that, and a better bound from the first candidate on.
    """

    name = "optimal"
    budget = None

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience = patience

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """Not used: the search begins with what the genetic mapper found."""
        raise NotImplementedError

    def map(self, task: Task) -> MappingResult | None:
        """The same, also where there is a choice."""
        return self.map_ways(task)

    def batch_ways(self, tasks: Sequence[Task]) -> NDArray[np.float64]:
        """One after another: `map` takes all ways to hold together."""
        return self.batch(tasks)

    def map_ways(self, task: Task) -> MappingResult | None:
        """The best mapping of the space, or the start if that is better, with the certificate."""
        warm()
        begun = self._begin(task)
        if begun is None:
            return None
        way, start, begun_with, spent = begun
        search = _searches(
            task.hardware, task.layer, task.objective, task.resident, task.tiles,
            [way.machine for way in task.ways],
        )  # fmt: skip
        search.begin(way, start)
        most = self.patience if task.seconds is None else None
        left = None if task.budget is None else task.budget - spent // len(task.ways)  # each way has its own
        cancelled = None if task.cancelled is never else task.cancelled  # spares a thread that asks
        status = search.run(task.seconds, most, left, cancelled)
        found = search.result(status == "optimal")
        assert found is not None  # it begins at the start
        sure = found.certificate
        if status == "optimal" and not sure.inside:
            status = "done"
        cost = price_mapping(task.hardware, task.layer, found.mapping, resident=task.resident)
        return MappingResult(
            found.mapping, cost, spent + sure.evaluations, begun_with, status, self.name, task.objective,
            task.seed, sure,
        )  # fmt: skip

    def _begin(self, task: Task) -> tuple[int, Batch, int, int] | None:
        """What to begin with: way to hold, mapping, evaluations of the starts, and those beyond.

        The genetic mapper's best, if there is a start; None if none fits.
        """
        if task.start != "template":
            smallest = [(i, *one) for i, way in enumerate(task.ways) if (one := self._start(way)) is not None]
            return (*smallest[0], 0) if smallest else None
        budget = DEFAULT_BUDGET if task.budget is None else min(task.budget, DEFAULT_BUDGET)
        ways = replace(task, budget=budget, spent=0).ways
        each = [(i, got) for i, way in enumerate(ways) if (got := GeneticMapper().found(way)) is not None]
        if not each:
            return None
        best, first = min(each, key=lambda item: ways[item[0]].score(item[1].batch)[0])
        return best, first.batch, sum(one.begun for _, one in each), sum(one.searched for _, one in each)
