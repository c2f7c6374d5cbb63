"""CMA-ES for a single objective: NAAS's evolution strategy (Lin, Yang and Han, DAC 2021, section 2.2).

Genomes are points of the unit cube cut into equal steps. A candidate outside the envelope is drawn again
until the generation is full, as NAAS does; limits of the goals rank behind everything that meets them.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.base import Optimiser
from accelsim.cosearch.phase import Phase

SIGMA = 0.3
"""First spread, as a share of a gene's range."""

ROUNDS = 50
"""Rounds of drawing anew before the rest of a generation is drawn uniformly."""


class CmaEs(Optimiser):
    """The covariance matrix adaptation of Hansen's `cma`."""

    one_objective = True

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        super().__init__(phase, population, seed)
        import cma

        self._points: NDArray[np.float64] = np.zeros((0, 0))
        self._counts = (phase.genome.upper + 1).astype(float)
        options = {
            "popsize": max(2, population),
            "bounds": [0.0, 1.0],
            "randn": lambda *shape: self.rng.standard_normal(shape),
            "seed": np.nan,  # cma's own generator is not used
            "verbose": -9,
            "verb_log": 0,
            "maxiter": np.inf,
            "tolfun": 0,
            "tolx": 0,
            "tolfunhist": 0,
            "tolflatfitness": np.inf,
            "tolstagnation": np.inf,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._es = cma.CMAEvolutionStrategy(np.full(len(self._counts), 0.5), SIGMA, options)

    def ask(self) -> Genomes:
        """Fresh rows around the mean; uniform ones where none turn up."""
        genes = len(self._counts)
        points = np.zeros((0, genes))
        rows = np.zeros((0, genes), np.int64)
        for _ in range(ROUNDS):
            drawn = np.array(self._es.ask(self.population))
            made = self._rows(drawn)
            keep = self.phase.fresh(made, set(self.phase.keys(rows)))
            points = np.concatenate([points, drawn[keep]])[: self.population]
            rows = np.concatenate([rows, made[keep]])[: self.population]
            if len(rows) == self.population:
                break
        else:
            more = self.phase.draw(self.rng, self.population - len(rows), set(self.phase.keys(rows)))
            rows = np.concatenate([rows, more])
            points = np.concatenate([points, (more + 0.5) / self._counts])
        self._points = points
        return rows

    def _rows(self, points: NDArray[np.float64]) -> Genomes:
        return np.asarray(np.minimum((points * self._counts).astype(np.int64), self.phase.genome.upper))

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Moves the mean to the best and adapts the covariance; a generation that is not full is skipped."""
        if len(rows) < self._es.popsize:
            return
        value = costs[:, 0]
        miss = np.maximum(np.where(np.isfinite(excess), excess, 1.0), 0.0).sum(axis=1)
        order = np.lexsort((np.where(np.isfinite(value), value, np.inf), miss))
        rank = np.empty(len(rows))
        rank[order] = np.arange(len(rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that points were drawn elsewhere, or in an earlier round
            self._es.tell(list(self._points), list(rank))
