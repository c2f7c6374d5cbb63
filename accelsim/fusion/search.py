"""The best cuts of a network into stacks: bounds first, then mappings, then a shortest path.

Costs add up over stacks, so a schedule is a path over cuts, from before the first layer to after the last.
For EDP a path is judged by the product of its two sums: at every cut the sums that no other path beats in
both are kept, less those that even the least that is to come cannot make better than the best path known.

Choices start as bounds: compulsory traffic and peak compute of each piece, loads and stores. The best path of
bounds is found, what it uses is mapped and priced, and so on until the best path has nothing left to price:
then nothing that was not priced can be part of a better one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.choices import Choices
from accelsim.fusion.paths import Points, best_path
from accelsim.fusion.schedule import Stack
from accelsim.fusion.stack_cost import Solve, StackCost, price_stack
from accelsim.mapping.mapping import MappingError
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.cost import LayerCost

LONGEST = 12
"""Layers of a stack at most, unless asked for more."""

SLACK = 1e-9
"""Bounds are this much lower than computed, so that rounding drops nothing that is better or as good."""

MOST = 400
"""Choices that are mapped and priced, unless asked for more: seconds, and most proofs need half of them."""


@dataclass(frozen=True)
class FusionCertificate:
    """What is proved about a fused schedule.

    value, bound  the objective found (cycles, pJ, or cycles x pJ), and what no schedule of the space is below
    choices       stacks x tiles x kept x weights in the space
    unfit         of those too large for the home, or never finishing what others read
    beaten        of those that their bound alone shows to be no better than the layers one by one
    priced        of those that were mapped and priced
    """

    value: float
    bound: float
    choices: int
    unfit: int
    beaten: int
    priced: int

    @property
    def proved(self) -> bool:
        """Whether nothing in the space is better."""
        return self.bound >= self.value

    @property
    def gap(self) -> float:
        """By which share a schedule could be better than what was found."""
        return max(0.0, 1.0 - self.bound / self.value)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return vars(self) | {"proved": self.proved, "gap": self.gap}


def fuse(
    hardware: Accelerator,
    network: Network,
    singles: Sequence[LayerCost],
    solve: Solve,
    objective: str = "edp",
    *,
    longest: int = LONGEST,
    most: int = MOST,
    seconds: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    overhead: tuple[float, float] = (0.0, 0.0),
) -> tuple[tuple[StackCost, ...], FusionCertificate]:
    """The stacks of the best schedule, in order, and what is proved.

    singles   costs of the layers one by one, nothing resident
    solve     finds the mapping of a piece
    longest   layers of a stack at most
    most      choices priced, after which the best schedule so far is returned, with its gap
    seconds   after which the best schedule so far is returned, with its gap
    overhead  cycles and pJ that every schedule takes beside its layers
    """
    started = time.monotonic()
    search = _Search(hardware, network, singles, solve)
    search.open(longest)
    count = len(network.layers)
    best, bound, chosen = np.inf, 0.0, []
    while True:
        value, path = best_path(count, search.real(), objective, overhead, best)
        if path:
            best, chosen = value, [search.costs[key, n] for key, n in path if (key, n) in search.costs]
        bound, path = best_path(count, search.points, objective, overhead, best)
        todo = [arc for arc in path if not search.priced[arc[0]][arc[1]]]
        late = seconds is not None and time.monotonic() - started > seconds
        if not todo or late or cancelled() or search.count_priced >= most:
            break
        for key, n in todo:
            search.price(key, n)
    certificate = FusionCertificate(
        best, min(bound, best), search.space, search.unfit, search.beaten, search.count_priced
    )
    return tuple(chosen), certificate


class _Search:
    """Points of every arc, bounds until they are priced."""

    def __init__(
        self, hardware: Accelerator, network: Network, singles: Sequence[LayerCost], solve: Solve
    ) -> None:
        self.hardware, self.network, self.solve = hardware, network, solve
        self.points: Points = {}
        self.priced: dict[tuple[int, int], NDArray[np.bool_]] = {}
        self.stacks: dict[tuple[int, int], list[Stack]] = {}
        self.costs: dict[tuple[tuple[int, int], int], StackCost] = {}
        self.space = self.unfit = self.beaten = self.count_priced = 0
        for i, cost in enumerate(singles):
            self.points[i, i + 1] = np.array([[cost.latency_cycles, cost.energy_pj]])
            self.priced[i, i + 1] = np.ones(1, bool)

    def open(self, longest: int) -> None:
        """Bound every choice of every stack, and leave out what the layers one by one beat already."""
        count = len(self.network.layers)
        choices = Choices(self.hardware, self.network)
        for first in range(count):
            alone = self.points[first, first + 1][0].copy()
            for last in range(first + 1, min(count, first + longest)):
                alone += self.points[last, last + 1][0]
                found = choices.of(first, last)
                if found is None:
                    continue
                self.space += found.size
                self.unfit += found.size - len(found.stacks)
                bounds = np.stack([found.latency, found.energy], axis=1) * (1.0 - SLACK)
                good = np.flatnonzero((bounds < alone).any(axis=1))
                self.beaten += len(found.stacks) - len(good)
                if len(good):
                    key = first, last + 1
                    self.points[key], self.priced[key] = bounds[good], np.zeros(len(good), bool)
                    self.stacks[key] = [found.stacks[n] for n in good]

    def real(self) -> Points:
        """Points that are priced; the others are out of reach."""
        return {
            k: np.where(self.priced[k][:, None], v, np.inf)
            for k, v in self.points.items()
            if self.priced[k].any()
        }

    def price(self, key: tuple[int, int], n: int) -> None:
        """Map and price one choice; infinite where its pieces find no mapping in what the stack leaves."""
        self.count_priced += 1
        self.priced[key][n] = True
        try:
            cost = price_stack(self.hardware, self.network, self.stacks[key][n], self.solve)
        except MappingError:
            self.points[key][n] = np.inf
            return
        self.points[key][n] = cost.latency_cycles, cost.energy_pj
        self.costs[key, n] = cost
