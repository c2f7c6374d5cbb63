"""`Game`: one run of an optimiser on a task, every evaluation counted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import load_mapper
from accelsim.mapping.task import Task
from accelsim.nacos.schedules import NetCosts
from accelsim.nacos.tasks import COSTS, BenchTask, in_units, values

Places = Sequence[tuple[int, int]]
"""(network, number of the chip among those of the task)."""


class Schedules:
    """What a way of mapping finds for every layer on every chip of a task.

    latency, energy, spent  float64[chips, layers]: cycles, pJ, mappings priced
    """

    def __init__(self, task: BenchTask, mappings: int, mapper: str | None, seed: int) -> None:
        self.task, bench, L = task, task.bench, len(task.bench.nets.layers)
        self.latency, self.energy, self.spent = np.zeros((3, len(task.chips), L))
        if mappings < 1:
            raise AccelsimError(f"mappings: must be a whole number from 1, but got {mappings}")
        for c, name in enumerate(task.chips):
            if mapper is None:
                first = bench.chips.index(name) * L
                found = [bench.clock.sampled(first + n, mappings, seed) for n in range(L)]
                self.latency[c], self.energy[c] = np.array(found).T
                self.spent[c] = mappings
            else:
                chip = bench.chip(name)
                asks = [Task(chip, layer, "edp", mappings, seed) for layer in bench.nets.layers]
                self.latency[c], self.energy[c], self.spent[c] = load_mapper(mapper).batch_ways(asks).T

    def totals(self, c: int) -> NetCosts:
        """Cycles and pJ [nets] on chip number `c`, the overhead of an inference included."""
        counts, more = self.task.bench.nets.counts, self.task.bench.overhead(self.task.chips[c])
        return NetCosts(counts @ self.latency[c] + more[0], counts @ self.energy[c] + more[1])

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """[chips, nets, objectives] to minimise, logarithms where values span decades."""
        task, bench = self.task, self.task.bench
        out = np.empty((len(task.chips), len(bench), len(task.objectives)))
        for c, chip in enumerate(task.chips):
            totals = self.totals(c)
            for k, name in enumerate(task.objectives):
                made = name in COSTS
                out[c, :, k] = in_units(totals, name, bench.chip(chip)) if made else values(bench, name, chip)
        return task.costs(out.reshape(-1, out.shape[2])).reshape(out.shape)


class Game:
    """Candidates are (network, chip); what was evaluated is known and costs nothing again.

    limit  evaluations after which `done` holds; what is asked beyond is not evaluated
    """

    def __init__(self, task: BenchTask, schedules: Schedules, limit: int) -> None:
        self.task, self.schedules, self.limit = task, schedules, limit
        self.nets, self.chips = len(task.bench), len(task.chips)
        self.order: list[int] = []
        self.paid = 0
        self._when: list[int] = []
        self.known: NDArray[np.bool_] = np.zeros((self.chips, self.nets), bool)
        self._tables: list[tuple[int, int]] = []

    @property
    def costs(self) -> NDArray[np.float64]:
        """Those of the schedules, as `Schedules.costs`."""
        return self.schedules.costs

    @property
    def done(self) -> bool:
        """Whether nothing more may be evaluated, or all is known."""
        return self.paid >= self.limit or bool(self.known.all())

    def ask(self, places: Places) -> list[tuple[int, int]]:
        """Evaluate; returns those of the places that are known now, in their order."""
        out = []
        for net, chip in places:
            if not self.known[chip, net]:
                if self.paid >= self.limit:
                    continue
                self.known[chip, net] = True
                self.order.append(chip * self.nets + net)
                self.paid += 1
                self._when.append(self.paid)
            out.append((net, chip))
        return out

    def table(self, chip: int, blocks: int) -> bool:
        """Map all layers on a chip, at the price of so many evaluations; False where that is too much."""
        if self.paid + blocks > self.limit:
            self.paid = self.limit
            return False
        self.paid += blocks
        self._tables.append((self.paid, chip))
        return True

    def cost(self, places: Places) -> NDArray[np.float64]:
        """[n, objectives] of places that are known."""
        at = np.array(places, np.int64).reshape(-1, 2)
        return np.asarray(self.costs[at[:, 1], at[:, 0]])

    def after(self, paid: int) -> NDArray[np.int64]:
        """What was evaluated after so many evaluations, in order, as chip times networks plus network."""
        return np.array(self.order[: bisect_right(self._when, paid)], np.int64)

    def spent(self, paid: int) -> tuple[float, int]:
        """(mappings priced, networks whose accuracy was asked for) after so many evaluations."""
        found = self.after(paid)
        used: NDArray[np.bool_] = np.zeros((self.chips, len(self.task.bench.nets.layers)), bool)
        runs = self.task.bench.nets.counts > 0
        for chip in np.unique(found // self.nets):
            used[chip] = runs[found[found // self.nets == chip] % self.nets].any(axis=0)
        tables = [chip for cost, chip in self._tables if cost <= paid]
        used[tables] = True
        asked = self.nets if tables else len(np.unique(found % self.nets))
        return float(self.schedules.spent[used].sum()), asked
