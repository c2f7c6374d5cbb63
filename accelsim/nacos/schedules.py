"""What schedules cost whole networks on a chip, from the tables of its layers.

Latency and energy of a network are sums over its layers. The best energy-delay product is not the sum of
best ones: of all ways to choose a point of each layer's front it is the least product of two sums. A product
of positive numbers is least at a corner of the sums' convex hull, and such a corner is where every layer is
at its own corner for one price of a cycle in energy. So one walk along the slopes of all hulls meets it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.exact import prune
from accelsim.fusion.paths import value_of
from accelsim.nacos.tables import PERCENTS, Rows, Tables

OBJECTIVES = ("edp", "latency", "energy")

SCHEDULES = ("proved", "template", *(f"q{percent}" for percent in PERCENTS))
"""proved: the optimum of the network; template: the deterministic mapping; qN: each layer under the random
mapping below which N % of those that fit lie."""


class NetCosts(NamedTuple):
    """Cycles and pJ, without the overhead of an inference."""

    latency: NDArray[np.float64]
    energy: NDArray[np.float64]

    def of(self, objective: str) -> NDArray[np.float64]:
        """cycles, pJ, or their product."""
        return np.asarray(value_of(self.latency, self.energy, objective))


class ChipSchedules:
    """One chip: its layers' tables, and networks as counts int64[nets, layers] of layers."""

    def __init__(self, tables: Tables, chip: int, layers: int, overhead: tuple[float, float]) -> None:
        self.tables, self.first, self.layers, self.overhead = tables, chip * layers, layers, overhead

    @cached_property
    def fronts(self) -> list[NetCosts]:
        """Of each layer."""
        pairs = range(self.first, self.first + self.layers)
        return [NetCosts(rows.latency, rows.energy) for rows in map(self.tables.of, pairs)]

    @cached_property
    def walk(self) -> NDArray[np.int64]:
        """int64[steps, layers]: points of the layers' fronts from least latency to least energy."""
        now = np.zeros(self.layers, np.int64)
        edges = []
        for i, front in enumerate(self.fronts):
            corners = hull(front.latency, front.energy)
            for a, b in itertools.pairwise(corners):
                gain = (front.energy[a] - front.energy[b]) / (front.latency[b] - front.latency[a])
                edges.append((-gain, i, b))
        steps = [now.copy()]
        for _, i, to in sorted(edges):
            now[i] = to
            steps.append(now.copy())
        return np.array(steps)

    @cached_property
    def _walked(self) -> NetCosts:
        """[steps, layers]."""
        starts = self.tables.start[self.first : self.first + self.layers]
        rows = starts + self.walk
        return NetCosts(self.tables.front.latency[rows], self.tables.front.energy[rows])

    def along(self, counts: NDArray[np.int64]) -> NetCosts:
        """[nets, steps] of networks with the overhead of an inference."""
        latency, energy = (counts @ each.T + more for each, more in zip(self._walked, self.overhead))
        return NetCosts(np.asarray(latency), np.asarray(energy))

    def proved(self, counts: NDArray[np.int64], objective: str) -> tuple[NetCosts, NDArray[np.int64]]:
        """The optimum of each network [nets], and the point of each layer's front int64[nets, layers]."""
        found = self.along(counts)
        best = np.argmin(found.of(objective), axis=1)
        rows = np.arange(len(counts))
        return NetCosts(found.latency[rows, best], found.energy[rows, best]), self.walk[best]

    def stored(self, schedule: str) -> Rows:
        """The mapping of each layer under the template or a quantile."""
        pairs = np.arange(self.first, self.first + self.layers)
        if schedule == "template":
            return self.tables.template.take(pairs)
        return self.tables.drawn.take(pairs * len(PERCENTS) + PERCENTS.index(int(schedule[1:])))

    def fixed(self, counts: NDArray[np.int64], schedule: str) -> NetCosts:
        """[nets] under the template or a quantile; infinite where a layer has no such mapping."""
        rows = self.stored(schedule)
        with np.errstate(invalid="ignore"):
            out = [
                np.where(counts > 0, counts * each, 0.0).sum(axis=1) + more
                for each, more in zip((rows.latency, rows.energy), self.overhead)
            ]
        return NetCosts(*out)


def hull(latency: NDArray[np.float64], energy: NDArray[np.float64]) -> list[int]:
    """Corners of the lower left hull of a front, by rising latency."""
    out: list[int] = []
    for i in range(len(latency)):
        while len(out) > 1:
            a, b = out[-2:]
            left = (energy[a] - energy[b]) * (latency[i] - latency[a])
            if left > (energy[a] - energy[i]) * (latency[b] - latency[a]):
                break
            out.pop()
        out.append(i)
    return out


def whole_front(fronts: Sequence[NetCosts], counts: NDArray[np.int64]) -> NetCosts:
    """The exact latency-energy front of one network: sums of points of its layers' fronts that none beats.

    Layers that a network runs several times may be scheduled each in its own way.
    """
    total = NetCosts(np.zeros(1), np.zeros(1))
    for front, times in zip(fronts, counts.tolist()):
        for _ in range(times):
            latency = (total.latency[:, None] + front.latency).ravel()
            energy = (total.energy[:, None] + front.energy).ravel()
            keep = prune(np.column_stack([latency, energy]))
            total = NetCosts(latency[keep], energy[keep])
    return total
