"""The exact mapper: branch and bound over tiles, loop orders and spatial factors.

The search proves that no mapping of its `MapSpace` beats its result, or, when stopped early, by how much one
could at most.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.hardware.holding import ways_for
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.genetic import GeneticMapper
from accelsim.mapping.mapper import DEFAULT_BUDGET, Mapper, MappingResult, Status, Task
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_space import (
    SHAPES,
    Tiles,
    axis_sets,
    canonical_orders,
    spatial_choices,
    tile_values,
)
from accelsim.mapping.optimal_ways import Ways
from accelsim.mapping.template import template
from accelsim.pack import Batch, Machine, pack_layer, pack_machine, price
from accelsim.workloads.layer import Layer
from cost_models.exact.records import Counters, Incumbent, Options, Spatial, Waiting
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Objective = Literal["edp", "latency", "energy"]
_OBJECTIVES = ("edp", "latency", "energy")
_FRONT = 3  # number of the front among the kernel's objectives
_FRONT_ROOM = 1 << 14
_NEVER = np.iinfo(np.int64).max
_RULES = ("tile", "loop order", "kernel", "capacity", "box")  # as in `cost_models.exact.best`
_LOOK_S = 0.02  # between two looks at the clock from outside the kernels
PATIENCE = 4_000_000
"""Boxes of tiles after which a search without any limit ends."""

_MOST_CHOICES = 1 << 17  # spatial choices of one search
_COUNTED = 1 << 13  # ways to use the array of which the mappings are counted: some hundredths of a second
_FIRST = 1 << 14  # boxes of dividing tiles looked at before all others, some hundredths of a second
_FIRST_CHOICES = 1 << 12
_FEW_BOXES = 1 << 11  # that there is room for in the beginning
_MOST_BOXES = 1 << 18  # then boxes are searched depth first, which takes longer


@dataclass(frozen=True)
class Certificate:
    """What a search proved. Values are in the objective's unit: cycles, pJ, or pJ x cycles.

    optimum      value of the mapping returned
    lower_bound  no mapping of the space is below it
    gap          optimum / lower_bound - 1
    space_size   tilings times spatial choices times distinct loop orders
    nodes        boxes of tiles looked at
    pruned       how many branches each rule cut
    evaluations  mappings priced by the kernel
    complete     whether the search ended by itself: then nothing in the space is better
    tiles        what the space holds, see `MapSpace`
    dataflow     whether the hardware's dataflow section limits the space
    inside       whether the mapping returned is a member of the space; if not it was given to start from
    ways         ways to hold in the space; `pruned` says of how many no mapping had to be looked at
    """

    objective: Objective
    optimum: float
    lower_bound: float
    space: MapSpace = field(repr=False, compare=False)
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool
    tiles: Tiles
    dataflow: bool
    inside: bool
    ways: int = 1

    @property
    def space_size(self) -> float:
        """Mappings in the space; infinite where their number takes too long to find out."""
        return _size(self.space)

    @property
    def covers(self) -> str:
        """The space in words."""
        tiles = {"divisors": "dividing tiles", "all": "tiles of all trip counts", "legal": "all legal tiles"}
        limits = "the chip's dataflow" if self.dataflow else "any dataflow"
        holds = f", {self.ways} ways to hold" if self.ways > 1 else ""
        return f"{tiles[self.tiles]} in {limits}{holds}"

    @property
    def gap(self) -> float:
        """How far the result may be above the optimum, relative to the lower bound."""
        if self.optimum <= self.lower_bound:
            return 0.0
        return self.optimum / self.lower_bound - 1.0 if self.lower_bound > 0 else math.inf


@dataclass(frozen=True)
class OptimalResult:
    """A mapping, as kernel arrays with one row and as an object, and its certificate."""

    batch: Batch
    mapping: Mapping
    certificate: Certificate

    @property
    def cost(self) -> float:
        """The objective's value: cycles, pJ, or pJ x cycles."""
        return self.certificate.optimum


@dataclass(frozen=True)
class Front:
    """The best trades of latency for energy: nothing in the space is nowhere worse than a point, and better.

    points       by rising latency and falling energy
    complete     whether the search ended by itself; otherwise there may be better points
    Others as in `Certificate`.
    """

    points: tuple[FrontPoint, ...]
    space: MapSpace = field(repr=False, compare=False)
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool

    @property
    def space_size(self) -> float:
        """As in `Certificate`."""
        return _size(self.space)


@dataclass(frozen=True)
class FrontPoint:
    """A mapping of a front."""

    latency_cycles: float
    energy_pj: float
    batch: Batch
    mapping: Mapping


def _size(space: MapSpace) -> float:
    """Number of mappings; infinite where there are too many ways to use the array."""
    try:
        spatial_choices(space.hardware, space.layer, space.tiles, _COUNTED)
        return float(space.size)
    except AccelsimError:
        return math.inf


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
    if objective not in _OBJECTIVES:
        raise AccelsimError(f"objective: must be one of {', '.join(_OBJECTIVES)}, but got {objective!r}")
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
    """`optimal` among the mappers. With neither a budget nor seconds it ends after `patience` candidates.

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
        most = self.patience if task.seconds is None and task.budget is None else None
        left = None if task.budget is None else task.budget - spent
        status = search.run(task.seconds, most, left, task.cancelled)
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
        found = GeneticMapper().map_ways(replace(task, budget=budget, spent=0))
        if found is None:
            return None
        machine = found.cost.hardware
        number = next(i for i, way in enumerate(task.ways) if way.hardware is machine)
        return number, found.mapping.arrays(machine, task.layer), found.start_evaluations, found.evaluations


class Search:
    """State of one search; see `cost_models.exact.search` for the kernel."""

    def __init__(
        self,
        hardware: Accelerator,
        layer: Layer,
        objective: str,
        resident: str,
        machine: Machine,
        tiles: Tiles,
    ) -> None:
        self.began = time.perf_counter()
        self.hardware, self.layer, self.objective, self.resident = hardware, layer, objective, resident
        self.number = _FRONT if objective == "front" else _OBJECTIVES.index(objective)
        self.problem = pack_layer(layer, resident)
        self.machine = machine
        self.M = len(hardware.memories)
        self.space = MapSpace(hardware, layer, tiles)
        values, orders = tile_values(self.space.sizes, tiles), canonical_orders(hardware, self.problem)
        self.options = Options(SHAPES.index(tiles), values, orders)
        self.found = Incumbent.nothing(self.number, _FRONT_ROOM if objective == "front" else 1, self.M)
        self.given: list[Batch | None] = []
        self.best, self.held = self.found.value, self.found.held
        stop = np.array([0, _NEVER, _NEVER])
        self.counters = Counters(stop, np.zeros(2, np.int64), np.zeros(len(_RULES), np.int64))
        self.stop, self.nodes, self.pruned = self.counters
        self.by_spatial = 0
        self.lower_bound = np.inf
        self.spatial = Spatial(
            np.zeros((0, self.M, L.MAX_AXES), np.int8),
            np.zeros((0, self.M, L.MAX_AXES), np.int32),
            np.zeros((0, self.M, L.NDIM), np.int32),
        )
        self.glance = np.empty(0)
        self.axes = axis_sets(hardware)
        self.floor = self._roofline()

    def begin(self, batch: Batch) -> None:
        """Start from a known mapping, or one more."""
        _, latency, energy = price(self.problem, self.machine, batch)
        value = {"latency": latency, "energy": energy, "edp": latency * energy}.get(self.objective)
        point = [latency[0], energy[0]] if value is None else [value[0], np.inf]
        self._meet([(point, batch)])

    def cut(self, other: Search) -> None:
        """Look for nothing that does not beat what another search of the same layer has found."""
        if other is not self:
            rows = range(int(other.held[0]))
            self._meet([(other.best[row].tolist(), None) for row in rows if other._batch(row) is not None])

    def _meet(self, found: list[tuple[list[float], Batch | None]]) -> None:
        """Take points up that none here beats, their mappings, or None for those of another search."""
        rows = range(int(self.held[0]))
        ranked = [(self.best[row].tolist(), int(self.found.choice[row])) for row in rows]
        for point, batch in found:
            self.given.append(batch)
            ranked.append((point, -len(self.given)))
        ranked.sort(key=lambda item: item[0])  # of equals, the first that came
        kept: list[tuple[list[float], int]] = []
        for point, mark in ranked:
            if not kept or (self.number == _FRONT and point[1] < kept[-1][0][1]):
                kept.append((point, mark))
        self.held[0] = len(kept)
        for row, (point, mark) in enumerate(kept):
            self.best[row], self.found.choice[row] = point, mark

    @property
    def _all(self) -> tuple[float, float]:
        """Cycles and pJ that no mapping at all is below."""
        leak = float(self.machine.machine[L.LEAK_PJ])
        return float(self.floor[0]), float(self.floor[1] + leak * self.floor[0])

    @property
    def least(self) -> float:
        """What no mapping at all is below; for a front, what goes first."""
        latency, energy = self._all
        return {"latency": latency, "energy": energy}.get(self.objective, latency * energy)

    @property
    def hopeless(self) -> bool:
        """Whether that is no better than what is known."""
        if self.number != _FRONT:
            return self.least >= float(self.best[0, 0])
        latency, energy = self._all
        points = self.best[: self.held[0]]
        return bool(((points[:, 0] <= latency) & (points[:, 1] <= energy)).any())

    def run(
        self,
        budget_s: float | None,
        max_nodes: int | None,
        budget: int | None,
        cancel: Callable[[], bool] | None,
    ) -> Status:
        """Search until done (optimal) or told to stop; `lower_bound` covers what is left."""
        self.stop[1] = _NEVER if max_nodes is None else max_nodes
        self.stop[2] = _NEVER if budget is None else budget
        deadline = math.inf if budget_s is None else self.began + budget_s
        with self._watched(deadline, cancel):
            if self._search(deadline, cancel):
                return "optimal"
        return "cancelled" if cancel is not None and cancel() else "budget"

    @contextmanager
    def _watched(self, deadline: float, cancel: Callable[[], bool] | None) -> Iterator[None]:
        """Have a thread look at the clock and at `cancel`, while the kernels run."""
        if deadline == math.inf and cancel is None:
            yield
            return
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_LOOK_S):
                if self._told(deadline, cancel):
                    self.stop[0] = 1
                    return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _told(self, deadline: float, cancel: Callable[[], bool] | None) -> bool:
        return time.perf_counter() >= deadline or (cancel is not None and cancel())

    def _search(self, deadline: float, cancel: Callable[[], bool] | None) -> bool:
        """Search boxes of tiles in all spatial choices; first a while those that divide, which are few."""
        if self._told(deadline, cancel):
            self.stop[0] = 1
        if self.options.shape:
            most = int(self.stop[1])
            self.stop[1] = min(most, int(self.nodes[0]) + _FIRST)
            self._list_choices(0, _FIRST_CHOICES)
            self._boxes(Options(0, tile_values(self.space.sizes, "divisors"), self.options.orders))
            self.stop[1] = most
            for row in range(int(self.held[0])):  # spatial choices are about to be listed anew
                if self.found.choice[row] >= 0:
                    self.given.append(self._batch(row))
                    self.found.choice[row] = -len(self.given)
        cut = self._spread()  # bound on what was left out for its size
        left = self._boxes(self.options)
        self.lower_bound = min(cut, left)
        return self.lower_bound == np.inf or (
            left == np.inf and self.number != _FRONT and bool(cut >= self.best[0, 0])
        )

    def _boxes(self, options: Options) -> float:
        """Search the spatial choices that are listed; what nothing left to do there is below."""
        from cost_models.exact.open import AT
        from cost_models.exact.search import search

        ranked = np.argsort(self.glance, kind="stable")
        waiting = Waiting.empty(_FEW_BOXES, self.M)
        while True:
            left = search(
                self.problem, *self.machine, self.spatial, self.glance, ranked, options, _MOST_BOXES, waiting,
                self.counters, self.found,
            )  # fmt: skip
            if left == np.inf:
                self.by_spatial += len(ranked) - int(waiting.state[AT])
            if left == np.inf or self._stopped:
                return float(left)
            waiting = waiting.grown()

    @property
    def _stopped(self) -> bool:
        return bool(self.stop[0] or self.nodes[0] >= self.stop[1] or self.nodes[1] >= self.stop[2])

    def _spread(self) -> float:
        """List spatial choices with what they cost at a glance; bound on those that were left out."""
        if self._list_choices(self.options.shape, _MOST_CHOICES):
            return np.inf
        if self.options.shape and not self.stop[0]:  # too many: search those that divide at least
            self._list_choices(0, _MOST_CHOICES)
        return self.least

    def _list_choices(self, shape: int, most: int) -> bool:
        """List spatial choices that may be worth a look; returns whether these are all."""
        from cost_models.exact.spread import list_spreads

        self.spatial, self.glance, beaten, whole = list_spreads(
            self.problem, *self.machine, self.axes, shape, self.floor, self.found, most, self.stop
        )
        self.by_spatial += beaten
        return bool(whole)

    def _roofline(self) -> NDArray[np.float64]:
        """Cycles, and pJ without leakage, that no mapping at all is below."""
        from cost_models.loopnest.roofline import bound_batch

        latency, energy = np.empty(1), np.empty(1)
        bound_batch(self.problem[None], *self.machine, latency, energy)
        leak = float(self.machine.machine[L.LEAK_PJ])
        return np.array([latency[0], energy[0] - leak * latency[0]]) * (1.0 - 1e-12)

    def _batch(self, row: int) -> Batch | None:
        """The mapping in a row of what was found; None if another search found it."""
        choice = int(self.found.choice[row])
        if choice < 0:
            return self.given[-choice - 1]
        spatial = self.spatial
        rows, here = slice(row, row + 1), slice(choice, choice + 1)
        return Batch(
            self.found.tile[rows].copy(),
            self.found.order[rows].copy(),
            spatial.dim[here],
            spatial.factor[here],
        )

    @property
    def cuts(self) -> dict[str, int]:
        """How many branches each rule cut."""
        return dict(zip(_RULES, map(int, self.pruned), strict=True)) | {"spatial bound": self.by_spatial}

    def front(self, complete: bool) -> Front:
        """All points found."""
        points = []
        for row in range(int(self.held[0])):
            batch = self._batch(row)
            if batch is None:
                continue
            mapping = Mapping.from_arrays(self.hardware, self.layer, batch)
            points.append(FrontPoint(float(self.best[row, 0]), float(self.best[row, 1]), batch, mapping))
        return Front(
            tuple(points),
            self.space,
            int(self.nodes[0]),
            self.cuts,
            int(self.nodes[1]),
            time.perf_counter() - self.began,
            complete,
        )

    @property
    def own(self) -> bool:
        """Whether the best is this search's own."""
        return bool(self.held[0]) and self._batch(0) is not None

    def result(self, complete: bool) -> OptimalResult | None:
        """The best mapping and what is proved about it."""
        if not self.held[0] and not complete:
            raise AccelsimError(
                f"the search of a mapping of {self.layer} ended after {int(self.nodes[0])} candidates, "
                "before it met one that fits; give it more time or nodes"
            )
        if not self.held[0]:
            return None
        optimum = float(self.best[0, 0])
        batch = self._batch(0)
        assert batch is not None
        mapping = Mapping.from_arrays(self.hardware, self.layer, batch)
        flow = self.hardware.dataflow
        certificate = Certificate(
            cast(Objective, self.objective),
            optimum,
            optimum if complete else min(optimum, float(self.lower_bound)),
            self.space,
            int(self.nodes[0]),
            self.cuts,
            int(self.nodes[1]),
            time.perf_counter() - self.began,
            complete,
            self.space.tiles,
            bool(flow.axes or flow.orders),
            int(self.found.choice[0]) >= 0 or mapping in self.space,
        )
        return OptimalResult(batch, mapping, certificate)
