"""The exact mapper: branch and bound over tiles, loop orders and spatial factors.

The search proves that no mapping of its `MapSpace` beats its result, or, when stopped early, by how much one
could at most.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import Mapper, Status, Task
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_space import Tiles, canonical_orders, tile_values
from accelsim.mapping.template import template
from accelsim.pack import Batch, Machine, pack_layer, pack_machine, price
from accelsim.workloads.layer import Layer
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Objective = Literal["edp", "latency", "energy"]
_OBJECTIVES = ("edp", "latency", "energy")
_FRONT = 3  # number of the front among the kernel's objectives
_FRONT_ROOM = 1 << 14
_NEVER = np.iinfo(np.int64).max
_RULES = ("sorted list", "tile", "loop order", "kernel")
_LOOK_S = 0.02  # between two looks at the clock from outside the kernels
_QUOTA = 200_000  # candidates between two looks at the clock, some hundredths of a second


@dataclass(frozen=True)
class Certificate:
    """What a search proved. Values are in the objective's unit: cycles, pJ, or pJ x cycles.

    optimum      value of the mapping returned
    lower_bound  no mapping of the space is below it
    gap          optimum / lower_bound - 1
    space_size   tilings times spatial choices times distinct loop orders
    nodes        candidates looked at
    pruned       how many branches each rule cut
    evaluations  mappings priced by the kernel
    complete     whether the search ended by itself: then gap is 0
    tiles        what the space holds, see `MapSpace`
    """

    objective: Objective
    optimum: float
    lower_bound: float
    space_size: float
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool
    tiles: Tiles = "divisors"

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
    space_size: float
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool


@dataclass(frozen=True)
class FrontPoint:
    """A mapping of a front."""

    latency_cycles: float
    energy_pj: float
    batch: Batch
    mapping: Mapping


def optimal(
    hardware: Accelerator,
    layer: Layer,
    *,
    objective: Objective = "edp",
    tiles: Tiles = "divisors",
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
    search = _Search(hardware, layer, objective, resident, pack_machine(hardware), tiles)
    if start == "template":
        found = template(hardware, layer, resident=resident, objective=objective)
        if found is not None:
            search.begin(found[0])
    return search.result(search.run(budget_s, max_nodes, budget, cancel) == "optimal")


def optimal_front(
    hardware: Accelerator,
    layer: Layer,
    *,
    tiles: Tiles = "divisors",
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
    search = _Search(hardware, layer, "front", resident, pack_machine(hardware), tiles)
    for objective in get_args(Objective) if start == "template" else ():
        found = template(hardware, layer, resident=resident, objective=objective)
        if found is not None:
            search.begin(found[0])
    return search.front(search.run(budget_s, max_nodes, budget, cancel) == "optimal")


class OptimalMapper(Mapper):
    """`optimal` among the mappers. Without a budget the proof takes what it takes."""

    name = "optimal"
    budget = None

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best mapping of the space, or the start if that is better, with the certificate."""
        search = _Search(
            task.hardware, task.layer, task.objective, task.resident, task.machine, task.tiles
        )  # fmt: skip
        search.begin(start)
        status = search.run(task.seconds, None, task.budget, task.cancelled)
        found = search.result(status == "optimal")
        assert found is not None  # it begins at the start
        return found.batch, found.certificate.evaluations, status, found.certificate


class _Lists(NamedTuple):
    """Candidates for the tiles of memories 1 .. M - 1, see `cost_models.bound_search.descend`."""

    tiles: NDArray[np.int64]
    bits: NDArray[np.int64]
    energy: NDArray[np.float64]
    cycles: NDArray[np.float64]
    first: NDArray[np.int64]
    ahead: NDArray[np.float64]  # bound on all from a row of the first list on


class _Search:
    """State of one search; see `cost_models.bound_search` for the kernels."""

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
        self.values, self.masks = tile_values(self.space.sizes, tiles)
        self.orders = canonical_orders(hardware, self.problem)
        self.exact = tiles == "divisors"
        room = _FRONT_ROOM if objective == "front" else 1
        self.best = np.full((room, 2), np.inf)
        self.held = np.zeros(1, np.int64)
        self.tile = np.ones((room, self.M, L.NDIM), np.int32)
        self.order = np.zeros((room, self.M, L.NDIM), np.int8)
        self.choice = np.zeros(room, np.int64)
        self.given: list[Batch] = []
        self.nodes = np.zeros(2, np.int64)
        self.pruned = np.zeros(4, np.int64)
        self.stop = np.array([0, _NEVER, _NEVER])
        self.by_spatial = self.too_large = self.too_dear = 0
        self.lower_bound = np.inf

    def begin(self, batch: Batch) -> None:
        """Start from a known mapping, or one more."""
        _, latency, energy = price(self.problem, self.machine, batch)
        self.given.append(batch)
        points = self.best[: self.held[0]].tolist() if self.held[0] else []
        marks = self.choice[: self.held[0]].tolist()
        if self.number == _FRONT:
            points.append([latency[0], energy[0]])
            marks.append(-len(self.given))
            ranked = sorted(zip(points, marks, strict=True))
            kept: list[tuple[list[float], int]] = []
            for point, mark in ranked:
                if not kept or point[1] < kept[-1][0][1]:
                    kept.append((point, mark))
        else:
            value = {"latency": latency, "energy": energy, "edp": latency * energy}[self.objective]
            kept = [([value[0], np.inf], -len(self.given))]
        self.held[0] = len(kept)
        for row, (point, mark) in enumerate(kept):
            self.best[row], self.choice[row] = point, mark

    @property
    def _fixed(self) -> tuple[Any, ...]:
        spatial = self.space.spatial
        return (self.problem, *self.machine, self.exact, spatial.union, spatial.dim, spatial.factor)

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
        from cost_models.bound_search import spatial_bounds

        S = len(self.space.spatial.dim)
        bounds, latency, energy = np.empty(S), np.empty(S), np.empty(S)
        spatial_bounds(*self._fixed, self.number, bounds, latency, energy)
        ranked = np.argsort(bounds, kind="stable")
        for rank, b in enumerate(ranked):
            if self.number == _FRONT:
                if self._dominated(latency[b : b + 1], energy[b : b + 1])[0]:
                    self.by_spatial += 1
                    continue
            elif bounds[b] >= self.best[0, 0]:
                self.by_spatial += len(ranked) - rank
                break
            later = float(bounds[ranked[rank + 1]]) if rank + 1 < len(ranked) else np.inf
            if self._stop(deadline, cancel):
                self.lower_bound = float(bounds[b])
                return False
            lists = self._lists(int(b))
            at = 0
            while lists is not None and at < lists.first[2]:
                if self._stop(deadline, cancel):
                    ahead = -np.inf if self.stop[0] and at == 0 else float(lists.ahead[at])
                    self.lower_bound = min(later, max(float(bounds[b]), ahead))
                    return False
                at = self._descend(int(b), lists, at)
            if lists is None and self.stop[0]:  # it may have been cut short
                self.lower_bound = float(bounds[b])
                return False
        return True

    def _descend(self, b: int, lists: _Lists, at: int) -> int:
        """Search part of a spatial choice; returns the row of the first list to go on from."""
        from cost_models.bound_search import descend

        at = descend(
            *self._fixed, b, self.number, self.orders, self.values, self.masks, lists.tiles, lists.bits,
            lists.energy, lists.cycles, lists.first, at, _QUOTA, self.stop, self.best, self.held, self.tile,
            self.order, self.choice, self.nodes, self.pruned,
        )  # fmt: skip
        return int(at)

    def _stop(self, deadline: float, cancel: Callable[[], bool] | None) -> bool:
        """Whether to stop now; within a kernel call `stop` says so."""
        if self.stop[0] or self.nodes[0] >= self.stop[1] or self.nodes[1] >= self.stop[2]:
            return True
        return self._told(deadline, cancel)

    def _lists(self, b: int) -> _Lists | None:
        """Candidates for each memory's tile, cheapest first; None if a memory has none left."""
        from cost_models.bound_search import list_tiles

        found = []
        base = steps = 0.0
        for c in range(1, self.M):
            *arrays, large, dear, base, steps = list_tiles(
                *self._fixed, b, c, self.number, self.best, self.held, self.values, self.masks, self.stop
            )
            self.too_large += large
            self.too_dear += dear
            if not len(arrays[0]) or self.stop[0]:
                return None
            key = arrays[3] if self.objective == "latency" else arrays[2]
            rows = np.lexsort((arrays[2] if self.objective == "latency" else arrays[3], key))
            found.append([array[rows] for array in arrays])
        least = [float(arrays[2].min()) for arrays in found]
        for c, arrays in enumerate(found):
            value, hopeless = self._value(steps, base + sum(least) - least[c] + arrays[2], arrays[3], c + 1)
            keep = ~hopeless
            self.too_dear += int(hopeless.sum())
            if not keep.any():
                return None
            found[c] = [array[keep] for array in arrays]
            if c == 0:
                ahead = np.minimum.accumulate(value[keep][::-1])[::-1]
        first = np.cumsum([0, 0, *(len(arrays[0]) for arrays in found)])
        tiles, bits, energy, cycles = (np.concatenate(column) for column in zip(*found, strict=True))
        return _Lists(tiles, bits, energy, cycles, first, ahead)

    def _value(
        self, steps: float, pj: NDArray[np.float64], cycles: NDArray[np.float64], c: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(lower bounds on the objective, whether they rule out): energy without leakage, the time of `c`."""
        exposed = self.machine.memory[c, L.OVERLAPS] == 0.0
        latency = (steps + cycles if exposed else np.maximum(steps, cycles)) * (1.0 - 1e-12)
        energy = (pj + float(self.machine.machine[L.LEAK_PJ]) * latency) * (1.0 - 1e-12)
        if self.number == _FRONT:
            return latency * energy, self._dominated(latency, energy)
        value = {"latency": latency, "energy": energy, "edp": latency * energy}[self.objective]
        return value, value >= self.best[0, 0]

    def _dominated(self, latency: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether a point of the front is nowhere worse."""
        points = self.best[: self.held[0]]
        at = np.searchsorted(points[:, 0], latency, side="right") - 1
        if not len(points):
            return np.zeros(len(latency), np.bool_)
        return np.asarray((at >= 0) & (points[np.maximum(at, 0), 1] <= energy))

    def _batch(self, row: int) -> Batch:
        """The mapping in a row of what was found."""
        choice = int(self.choice[row])
        if choice < 0:
            return self.given[-choice - 1]
        spatial = self.space.spatial
        rows, here = slice(row, row + 1), slice(choice, choice + 1)
        return Batch(self.tile[rows].copy(), self.order[rows].copy(), spatial.dim[here], spatial.factor[here])

    @property
    def _pruned(self) -> dict[str, int]:
        pruned = dict(zip(_RULES, map(int, self.pruned), strict=True))
        return pruned | {
            "spatial bound": self.by_spatial,
            "capacity": self.too_large,
            "tile bound": self.too_dear,
        }

    def front(self, complete: bool) -> Front:
        """All points found."""
        points = []
        for row in range(int(self.held[0])):
            batch = self._batch(row)
            mapping = Mapping.from_arrays(self.hardware, self.layer, batch)
            points.append(FrontPoint(float(self.best[row, 0]), float(self.best[row, 1]), batch, mapping))
        return Front(
            tuple(points),
            float(self.space.size),
            int(self.nodes[0]),
            self._pruned,
            int(self.nodes[1]),
            time.perf_counter() - self.began,
            complete,
        )

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
        certificate = Certificate(
            cast(Objective, self.objective),
            optimum,
            optimum if complete else min(optimum, float(self.lower_bound)),
            float(self.space.size),
            int(self.nodes[0]),
            self._pruned,
            int(self.nodes[1]),
            time.perf_counter() - self.began,
            complete,
            self.space.tiles,
        )
        batch = self._batch(0)
        return OptimalResult(batch, Mapping.from_arrays(self.hardware, self.layer, batch), certificate)
