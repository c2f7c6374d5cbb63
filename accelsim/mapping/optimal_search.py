"""`Search`: branch and bound of one layer on one machine, driven from Python, done by `cost_models.exact`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.certificate import Certificate, Front, FrontPoint, OptimalResult
from accelsim.mapping.found import Status
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_space import SHAPES, Tiles, axis_sets, canonical_orders, tile_values
from accelsim.mapping.template import Objective
from accelsim.pack import Batch, Machine, pack_layer, price
from accelsim.workloads.layer import Layer
from cost_models.exact.records import Counters, Incumbent, Options, Spatial, Waiting
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_OBJECTIVES: tuple[str, ...] = get_args(Objective)  # by their numbers in the kernel
_FRONT = 3  # number of the front among the kernel's objectives
_FRONT_ROOM = 1 << 14
_NEVER = np.iinfo(np.int64).max
_RULES = ("tile", "loop order", "kernel", "capacity", "box")  # as in `cost_models.exact.best`
_LOOK_S = 0.02  # between two looks at the clock from outside the kernels
_MOST_CHOICES = 1 << 17  # spatial choices of one search
_FIRST = 1 << 16  # boxes of dividing tiles looked at before all others, some tenths of a second at most
_FIRST_OF_FRONT = (
    1 << 14
)  # fewer, as the limits by which NACOS-Bench takes fronts as proved were set with these
_FIRST_CHOICES = 1 << 12
_FEW_BOXES = 1 << 11  # that there is room for in the beginning
_MOST_BOXES = 1 << 18  # then boxes are searched depth first, which takes longer


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
            first = _FIRST_OF_FRONT if self.number == _FRONT else _FIRST
            self.stop[1] = min(most, int(self.nodes[0]) + first)
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
                self.problem, self.machine, self.spatial, self.glance, ranked, options, _MOST_BOXES, waiting,
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
            self.problem, self.machine, self.axes, shape, self.floor, self.found, most, self.stop
        )
        self.by_spatial += beaten
        return bool(whole)

    def _roofline(self) -> NDArray[np.float64]:
        """Cycles, and pJ without leakage, that no mapping at all is below."""
        from cost_models.loopnest.roofline import bound_batch

        latency, energy = np.empty(1), np.empty(1)
        bound_batch(self.problem[None], self.machine, latency, energy)
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
            int(self.found.choice[0]) >= 0 or self.space.holds(batch),
        )
        return OptimalResult(batch, mapping, certificate)
