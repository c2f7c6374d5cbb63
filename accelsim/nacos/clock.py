"""`Clock`: evaluations as an optimiser pays for them, in mappings priced and accuracies asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import map_layer
from accelsim.nacos.tables import PERCENTS

if TYPE_CHECKING:
    from accelsim.nacos.bench import Bench

_RANKS = np.array([0.0, *(percent / 100 for percent in PERCENTS)])


class Clock:
    """What was mapped so far. A layer mapped before on a chip in the same way is known and costs nothing."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.total = {"evaluations": 0, "mappings": 0, "accuracies": 0}
        self._known: dict[tuple[Any, ...], tuple[float, float]] = {}
        self._asked: set[int] = set()

    def evaluate(
        self, i: int, chip: str, mappings: int = 500, seed: int = 0, mapper: str | None = None
    ) -> tuple[dict[str, Any], dict[str, int], dict[str, int]]:
        """A network on a chip, each layer under the best mapping for EDP that so many priced mappings find.

        mapper  a mapper by name, which really searches, with this budget and seed; None: a draw of what the
                template and the best of so many random mappings would cost, from the tables' quantiles (their
                logarithms between, the proved optimum at rank 0). The template counts as known

        Returns (figures as of `Bench.query_by_index`, what this cost, what all cost so far). Costs count
        evaluations, mappings priced, and accuracies asked for, each network's once.
        """
        bench = self.bench
        i, row = bench._number(i), bench._head(i, chip)
        if mappings < 1 or seed < 0:
            raise AccelsimError(
                f"nacos: mappings must be from 1 and seed from 0, but got {mappings} and {seed}"
            )
        made = bench._schedule(chip)
        latency, energy = made.overhead
        cost = {"evaluations": 1, "mappings": 0, "accuracies": 0}
        for n in np.flatnonzero(bench.nets.counts[i]).tolist():
            key = chip, n, mappings, seed, mapper
            if key not in self._known:
                if mapper is None:
                    self._known[key], spent = self.sampled(made.first + n, mappings, seed), mappings
                else:
                    found = map_layer(bench.chip(chip), bench.nets.layers[n], mapper, "edp", mappings, seed)
                    self._known[key] = found.cost.latency_cycles, found.cost.energy_pj
                    spent = found.evaluations + found.start_evaluations
                cost["mappings"] += spent
            times = int(bench.nets.counts[i, n])
            latency += times * self._known[key][0]
            energy += times * self._known[key][1]
        if bench.accuracies is not None and i not in self._asked:
            self._asked.add(i)
            cost["accuracies"] = 1
        for name, value in cost.items():
            self.total[name] += value
        word = f"best of {mappings}" if mapper is None else f"{mapper} {mappings}"
        return row | {"schedule": word} | bench._figures(chip, latency, energy), cost, dict(self.total)

    def sampled(self, pair: int, mappings: int, seed: int) -> tuple[float, float]:
        """Cycles and pJ of the better of the template and the best of so many random mappings."""
        tables = self.bench.tables
        rng = np.random.default_rng([seed, pair, mappings])
        fitting = rng.binomial(mappings, tables.fits[pair] / self.bench.manifest.draws)
        start = float(tables.template.latency[pair]), float(tables.template.energy[pair])
        if not fitting:
            return start
        rank = -np.expm1(np.log1p(-rng.random()) / fitting)  # the least of so many uniform numbers
        front = tables.of(pair)
        best = int(np.argmin(front.latency * front.energy))
        rows = slice(pair * len(PERCENTS), (pair + 1) * len(PERCENTS))
        found = tuple(
            float(np.exp(np.interp(rank, _RANKS, np.log([value[best], *more[rows]]))))
            for value, more in (
                (front.latency, tables.drawn.latency), (front.energy, tables.drawn.energy)
            )
        )  # fmt: skip
        return min(start, (found[0], found[1]), key=lambda two: two[0] * two[1])
