"""The exact mapper: branch and bound over divisor tiles, loop orders and spatial factors.

Every tile divides the one outside it. The search proves that no such mapping beats its result, or, when
stopped early, by how much one could at most.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import Mapper, Status, Task
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.optimal_space import canonical_orders, divisors, spatial_choices
from accelsim.mapping.template import template
from accelsim.pack import Batch, Machine, pack_layer, pack_machine, price
from accelsim.workloads.layer import DIMS, Layer
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Objective = Literal["edp", "latency", "energy"]
_OBJECTIVES = ("edp", "latency", "energy")
_RULES = ("sorted list", "tile", "loop order", "kernel")
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


def optimal(
    hardware: Accelerator,
    layer: Layer,
    *,
    objective: Objective = "edp",
    tiles: str = "divisors",
    budget_s: float | None = None,
    max_nodes: int | None = None,
    resident: str = "",
    cancel: Callable[[], bool] | None = None,
    start: Literal["template", "none"] = "template",
) -> OptimalResult | None:
    """The best mapping of a layer with tiles that divide, and the proof; None if none fits.

    The search begins at the `template` mapping, whose tiles need not divide: it is returned if nothing in
    the space is better. `budget_s` (seconds), `max_nodes` and `cancel` (a function that says whether to
    stop, asked every tenth of a second or so) end the search early; if that is before any mapping was met,
    AccelsimError is raised. `resident` names tensors that lie on chip.
    """
    if objective not in _OBJECTIVES:
        raise AccelsimError(f"objective: must be one of {', '.join(_OBJECTIVES)}, but got {objective!r}")
    if tiles != "divisors":
        raise AccelsimError(f"tiles: the optimal mapper searches divisors only, but got {tiles!r}")
    search = _Search(hardware, layer, objective, resident, pack_machine(hardware))
    if start == "template" and (found := template(hardware, layer, resident=resident)) is not None:
        search.begin(found[0])
    complete = search.run(budget_s, max_nodes, cancel)
    return search.result(complete)


class OptimalMapper(Mapper):
    """`optimal` among the mappers. The proof takes what it takes: `budget` does not bound it."""

    name = "optimal"

    def search(self, task: Task, start: Batch) -> tuple[Batch, int, Status, Any]:
        """The best dividing mapping, or the start if that is better, with the certificate."""
        search = _Search(task.hardware, task.layer, task.objective, task.resident, task.machine)
        search.begin(start)
        complete = search.run(None, None, task.cancelled)
        found = search.result(complete)
        assert found is not None  # it begins at the start
        certificate = found.certificate
        return found.batch, certificate.evaluations, "optimal" if complete else "cancelled", certificate


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
        self, hardware: Accelerator, layer: Layer, objective: Objective, resident: str, machine: Machine
    ) -> None:
        self.began = time.perf_counter()
        self.hardware, self.layer, self.objective, self.resident = hardware, layer, objective, resident
        self.number = _OBJECTIVES.index(objective)
        self.problem = pack_layer(layer, resident)
        self.machine = machine
        self.M = len(hardware.memories)
        self.sizes = [getattr(layer, d) for d in DIMS]
        self.divisors, self.masks = divisors(self.sizes)
        self.orders = canonical_orders(hardware, self.problem)
        self.axis_dim, self.axis_factor, self.union, ways = spatial_choices(hardware, self.sizes)
        self.space_size = ways * math.prod(int((orders[:, 0] >= 0).sum()) for orders in self.orders[:-1])
        self.best = np.array([np.inf])
        self.batch: Batch | None = None
        self.nodes = np.zeros(2, np.int64)
        self.pruned = np.zeros(4, np.int64)
        self.stop = np.array([0, np.iinfo(np.int64).max])
        self.by_spatial = self.too_large = self.too_dear = 0
        self.lower_bound = np.inf

    def begin(self, batch: Batch) -> None:
        """Start from a known mapping."""
        _, latency, energy = price(self.problem, self.machine, batch)
        value = {"latency": latency, "energy": energy, "edp": latency * energy}[self.objective]
        self.best[0] = value[0]
        self.batch = batch

    @property
    def _fixed(self) -> tuple[NDArray[Any], ...]:
        return (self.problem, *self.machine, self.union, self.axis_dim, self.axis_factor)

    def run(
        self, budget_s: float | None, max_nodes: int | None, cancel: Callable[[], bool] | None
    ) -> bool:  # fmt: skip
        """Search until done (True) or told to stop; `lower_bound` covers what is left."""
        if max_nodes is not None:
            self.stop[1] = max_nodes
        if budget_s is None:
            return self._search(budget_s, max_nodes, cancel)
        left = max(0.0, budget_s - (time.perf_counter() - self.began))
        timer = threading.Timer(left, self.stop.__setitem__, (0, 1))
        timer.daemon = True
        timer.start()
        try:
            return self._search(budget_s, max_nodes, cancel)
        finally:
            timer.cancel()

    def _search(
        self, budget_s: float | None, max_nodes: int | None, cancel: Callable[[], bool] | None
    ) -> bool:  # fmt: skip
        from cost_models.bound_search import spatial_bounds

        bounds = np.empty(len(self.union))
        spatial_bounds(*self._fixed, self.number, bounds)
        ranked = np.argsort(bounds, kind="stable")
        for rank, b in enumerate(ranked):
            if bounds[b] >= self.best[0]:
                self.by_spatial += len(ranked) - rank
                break
            later = float(bounds[ranked[rank + 1]]) if rank + 1 < len(ranked) else np.inf
            lists = self._lists(int(b))
            at = 0
            while lists is not None and at < lists.first[2]:
                if self._stop(budget_s, max_nodes, cancel):
                    self.lower_bound = min(later, max(float(bounds[b]), float(lists.ahead[at])))
                    return False
                at = self._descend(int(b), lists, at)
            if lists is None and self._stop(budget_s, max_nodes, cancel):
                self.lower_bound = later
                return not np.isfinite(later)
        return True

    def _descend(self, b: int, lists: _Lists, at: int) -> int:
        """Search part of a spatial choice; returns the row of the first list to go on from."""
        from cost_models.bound_search import descend

        before = float(self.best[0])
        batch = Batch.empty(1, self.M)
        at = descend(
            *self._fixed, b, self.number, self.orders, self.divisors, self.masks, lists.tiles, lists.bits,
            lists.energy, lists.cycles, lists.first, at, _QUOTA, self.stop, self.best, batch.tile,
            batch.order, self.nodes, self.pruned,
        )  # fmt: skip
        if self.best[0] < before:
            axes = self.axis_dim[b : b + 1], self.axis_factor[b : b + 1]
            self.batch = Batch(batch.tile, batch.order, *axes)
        return int(at)

    def _stop(self, budget_s: float | None, max_nodes: int | None, cancel: Callable[[], bool] | None) -> bool:
        """Whether to stop now; in a long kernel call the clock and the nodes are watched by `stop`."""
        if budget_s is not None and time.perf_counter() - self.began >= budget_s:
            return True
        if max_nodes is not None and self.nodes[0] >= max_nodes:
            return True
        return cancel is not None and cancel()

    def _lists(self, b: int) -> _Lists | None:
        """Candidates for each memory's tile, cheapest first; None if a memory has none left."""
        from cost_models.bound_search import list_tiles

        found = []
        base = steps = 0.0
        for c in range(1, self.M):
            *arrays, large, dear, base, steps = list_tiles(
                *self._fixed, b, c, self.number, float(self.best[0]), self.divisors, self.masks
            )
            self.too_large += large
            self.too_dear += dear
            if not len(arrays[0]):
                return None
            key = arrays[3] if self.objective == "latency" else arrays[2]
            rows = np.lexsort((arrays[2] if self.objective == "latency" else arrays[3], key))
            found.append([array[rows] for array in arrays])
        least = [float(arrays[2].min()) for arrays in found]
        leak = float(self.machine.machine[L.LEAK_PJ])
        for c, arrays in enumerate(found):
            value = self._value(steps, base + sum(least) - least[c] + arrays[2], leak, arrays[3], c + 1)
            keep = value < self.best[0]
            self.too_dear += int((~keep).sum())
            if not keep.any():
                return None
            found[c] = [array[keep] for array in arrays]
            if c == 0:
                ahead = np.minimum.accumulate(value[keep][::-1])[::-1]
        first = np.cumsum([0, 0, *(len(arrays[0]) for arrays in found)])
        tiles, bits, energy, cycles = (np.concatenate(column) for column in zip(*found, strict=True))
        return _Lists(tiles, bits, energy, cycles, first, ahead)

    def _value(
        self, steps: float, pj: NDArray[np.float64], leak: float, cycles: NDArray[np.float64], c: int
    ) -> NDArray[np.float64]:  # fmt: skip
        """Lower bounds on the objective from energy without leakage and the time that memory `c` takes."""
        exposed = self.machine.memory[c, L.OVERLAPS] == 0.0
        latency = steps + cycles if exposed else np.maximum(steps, cycles)
        energy = pj + leak * latency
        value = {"latency": latency, "energy": energy, "edp": latency * energy}[self.objective]
        return np.asarray(value * (1.0 - 1e-12))

    def result(self, complete: bool) -> OptimalResult | None:
        """The best mapping and what is proved about it."""
        if self.batch is None and not complete:
            raise AccelsimError(
                f"the search of a mapping of {self.layer} ended after {int(self.nodes[0])} candidates, "
                "before it met one that fits; give it more time or nodes"
            )
        if self.batch is None:
            return None
        optimum = float(self.best[0])
        pruned = dict(zip(_RULES, map(int, self.pruned), strict=True))
        pruned |= {"spatial bound": self.by_spatial, "capacity": self.too_large, "tile bound": self.too_dear}
        certificate = Certificate(
            self.objective,
            optimum,
            optimum if complete else min(optimum, float(self.lower_bound)),
            self.space_size,
            int(self.nodes[0]),
            pruned,
            int(self.nodes[1]),
            time.perf_counter() - self.began,
            complete,
        )
        mapping = Mapping.from_arrays(self.hardware, self.layer, self.batch)
        return OptimalResult(self.batch, mapping, certificate)
