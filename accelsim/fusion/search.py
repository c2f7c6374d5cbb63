"""The best cuts of a network into stacks: bounds first, then mappings, then a shortest path.

Costs add up over stacks, so a schedule is a path over cuts, from before the first layer to after the last.
For EDP a path is judged by the product of its two sums: at every cut the sums that no other path beats in
both are kept, less those that even the least that is to come cannot make better than the best path known.

Choices start as bounds: compulsory traffic and peak compute of each piece, loads and stores. The best path of
bounds is found, what it uses is mapped and priced, and so on until the best path has nothing left to price:
then nothing that was not priced can be part of a better one. Equal stacks are priced at once, wherever they
lie, so that rounds do not grow with the blocks that a network repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.choices import Offers, Question
from accelsim.fusion.menu import Menus, StackSpace
from accelsim.fusion.paths import Path, Points, best_path
from accelsim.fusion.schedule import Stack
from accelsim.fusion.widths import widths_of
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Floats = NDArray[np.float64]
Answers = tuple[Floats, Floats, Floats]
"""Cycles and pJ float64[n] of n pieces, infinite where nothing fits, and the cycles float64[n, M, users] that
each keeps the users of the memories busy."""

FULL = StackSpace()

SLACK = 1e-9
"""Bounds are this much lower than computed, so that rounding drops nothing that is better or as good."""

MOST = 10_000
"""Distinct pieces that are mapped, unless asked for more: 10 to 20 CPU seconds with the template."""


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
    singles: Floats,
    answer: Callable[[Sequence[Question]], Answers],
    objective: str = "edp",
    *,
    menus: Menus | None = None,
    most: int = MOST,
    seconds: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    overhead: tuple[float, float] = (0.0, 0.0),
    below: float = np.inf,
) -> tuple[tuple[Stack, ...], FusionCertificate]:
    """The stacks of the best schedule, in order, and what is proved.

    singles   float64[layers, 2] cycles and pJ of the layers one by one, nothing resident
    answer    prices pieces; equal ones are asked for again
    menus     of the space that is searched, FULL unless given
    most      distinct pieces mapped, after which the best schedule so far is returned, with its gap
    seconds   after which the best schedule so far is returned, with its gap
    overhead  cycles and pJ that every schedule takes beside its layers
    below     a value that is known without stacks: only what is better is looked for
    """
    started = time.monotonic()
    search = StackSearch(hardware, network, singles, objective, menus or Menus(FULL), overhead, below)
    mapped: set[tuple[Layer, str, bytes]] = set()
    while questions := search.ask():
        search.tell(answer(questions))
        mapped.update((layer, resident, reserved.tobytes()) for layer, resident, reserved in questions)
        late = seconds is not None and time.monotonic() - started > seconds
        if late or cancelled() or len(mapped) >= most:
            break
    return search.chosen(), search.certificate()


@dataclass
class _Options:
    """What is left of an arc's choices; equal stacks after equal layers share one.

    points  float64[n, 2] cycles and pJ, bounds until they are priced
    priced  bool[n]
    offer   int64[n], of the arc's choices
    spans   how many stacks share it
    """

    points: Floats
    priced: NDArray[np.bool_]
    offer: NDArray[np.int64]
    spans: int = 0


class StackSearch:
    """Options of every stack. `ask` and `tell` take turns."""

    def __init__(
        self,
        hardware: Accelerator,
        network: Network,
        singles: Floats,
        objective: str,
        menus: Menus,
        overhead: tuple[float, float],
        below: float = np.inf,
    ) -> None:
        self.offers = Offers(hardware, menus.of(network, widths_of(hardware, network)))
        self.count, self.objective, self.overhead = len(network.layers), objective, overhead
        self.best, self.bound = below, 0.0
        self.count_priced = self.beaten = 0
        self._options: dict[tuple[int, int], _Options] = {}
        self._path: Path = []
        self._todo: list[tuple[tuple[int, int], int, int]] = []
        for i, single in enumerate(singles):
            self._options[i, i + 1] = _Options(single[None], np.ones(1, bool), np.zeros(0, np.int64))
        self._open(singles)
        self._judge()

    def ask(self) -> list[Question]:
        """The pieces of what the best path of bounds has left to price; none once it is proved best."""
        self.bound, path = self._best_path(self._bounds())
        out: list[Question] = []
        self._todo = []
        asked = set()
        for key, n in path:
            options = self._options[key]
            if not options.priced[n] and (id(options), n) not in asked:
                asked.add((id(options), n))
                pieces = self.offers.pieces((key[0], key[1] - 1), int(options.offer[n]))
                self._todo.append((key, n, len(pieces)))
                out += pieces
        return out

    def tell(self, answers: Answers) -> None:
        """Answers to what was asked."""
        ends = accumulate(size for *_, size in self._todo)
        for (key, n, size), end in zip(self._todo, ends):
            cycles, pj, busy = (column[end - size : end] for column in answers)
            options = self._options[key]
            self.count_priced += options.spans
            options.priced[n] = True
            options.points[n] = np.inf
            if np.isfinite(cycles).all():
                at = int(options.offer[n])
                options.points[n] = self.offers.price((key[0], key[1] - 1), at, cycles, pj, busy)
        self._judge()

    def chosen(self) -> tuple[Stack, ...]:
        """The stacks of the best schedule of what is priced, in order."""
        return tuple(
            self.offers.stack((key[0], key[1] - 1), int(self._options[key].offer[n]))
            for key, n in self._path
            if key[1] - key[0] > 1
        )

    def figures(self) -> tuple[float, float]:
        """(cycles, pJ) of the best schedule of what is priced."""
        sums = np.zeros(2)
        for key, n in self._path:
            sums += self._options[key].points[n]
        return float(sums[0]) + self.overhead[0], float(sums[1]) + self.overhead[1]

    def certificate(self) -> FusionCertificate:
        """What is proved by now."""
        bound, _ = self._best_path(self._bounds())
        unfit = self.offers.size - self.offers.fitting
        return FusionCertificate(
            self.best, min(bound, self.best), self.offers.size, unfit, self.beaten, self.count_priced
        )

    def _open(self, singles: Floats) -> None:
        """Leave out what, even by its bound, the layers one by one are as good as."""
        known: dict[tuple[int, bytes], _Options] = {}
        for (first, last), arc in self.offers.arcs.items():
            alone = singles[first].copy()
            for single in singles[first + 1 : last + 1]:
                alone += single
            options = known.get((id(arc), alone.tobytes()))
            if options is None:
                bounds = arc.bounds * (1.0 - SLACK)
                good = np.flatnonzero((bounds < alone).any(axis=1))
                options = _Options(bounds[good], np.zeros(len(good), bool), good)
                known[id(arc), alone.tobytes()] = options
            self.beaten += len(arc.bounds) - len(options.offer)
            if len(options.offer):
                options.spans += 1
                self._options[first, last + 1] = options

    def _bounds(self) -> Points:
        return {key: options.points for key, options in self._options.items()}

    def _best_path(self, points: Points) -> tuple[float, Path]:
        """What is better than the best that is known, else that and no path."""
        return best_path(self.count, points, self.objective, self.overhead, self.best)

    def _judge(self) -> None:
        """The best schedule of what is priced."""
        real: dict[int, Floats] = {}
        for options in self._options.values():
            if id(options) not in real and options.priced.any():
                real[id(options)] = np.where(options.priced[:, None], options.points, np.inf)
        points = {key: real[id(x)] for key, x in self._options.items() if id(x) in real}
        value, path = self._best_path(points)
        if path:
            self.best, self._path = value, path
