"""NSGA-II (Deb et al., IEEE TEC 6(2) 2002) as pymoo has it, on whole-number genomes.

Crossover takes each gene from either parent. Mutation moves a few genes, half of them by a short step (sizes
have an order) and half anywhere (choices have none).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.core.termination import NoTermination

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.base import Optimiser
from accelsim.cosearch.phase import Phase

WORST = 1e30
"""Cost of what could not be priced."""

NEAR_BASE = 0.5
"""Share of the base chip's genes in the first generation: whoever drew its envelope knew what is useful."""

CROSSED = 0.9
MUTATED_GENES = 2.0
STEP = 0.1
"""Typical step of a mutation as a share of the gene's range."""


class _Draw(Sampling):
    """Fresh random rows, half-way to the base chip."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.phase = phase

    def _do(self, problem: Any, n_samples: int, *, random_state: np.random.Generator, **_: Any) -> Genomes:
        return self.phase.draw(random_state, n_samples, near=NEAR_BASE)


class _Fresh(DuplicateElimination):
    """Drops rows that repeat or break the envelope; pymoo mates again until the generation is full."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.phase = phase

    def do(self, pop: Any, *args: Any, **_: Any) -> Any:
        if not len(pop):
            return pop
        others: set[bytes] = set()
        for other in args:
            if len(other):
                others.update(self.phase.keys(other.get("X").astype(np.int64)))
        return pop[self.phase.fresh(pop.get("X").astype(np.int64), others)]


class _Cross(Crossover):
    """Each gene from either parent."""

    def __init__(self) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=CROSSED)

    def _do(self, problem: Any, X: Any, *, random_state: np.random.Generator, **_: Any) -> Any:
        swap = random_state.random(X.shape[1:]) < 0.5
        return np.stack([np.where(swap, X[1], X[0]), np.where(swap, X[0], X[1])])


class _Mutate(Mutation):
    """About two genes a row."""

    def __init__(self, upper: NDArray[np.int64]) -> None:
        super().__init__(prob=1.0)
        self.upper = upper

    def _do(self, problem: Any, X: Any, *, random_state: np.random.Generator, **_: Any) -> Any:
        rng = random_state
        change = rng.random(X.shape) < MUTATED_GENES / max(1, (self.upper > 0).sum())
        far = rng.integers(0, self.upper + 1, X.shape)
        step = np.ceil(rng.exponential(STEP * (self.upper + 1), X.shape)).astype(np.int64)
        near = np.clip(X + np.where(rng.random(X.shape) < 0.5, step, -step), 0, self.upper)
        return np.where(change, np.where(rng.random(X.shape) < 0.5, near, far), X)


class Nsga2(Optimiser):
    """pymoo's NSGA-II by ask and tell."""

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        super().__init__(phase, population, seed)
        genes = len(phase.genome.genes)
        problem = Problem(
            n_var=genes,
            n_obj=len(phase.goals.objectives),
            n_ieq_constr=len(phase.goals.limits) + 1,
            xl=np.zeros(genes),
            xu=phase.genome.upper.astype(float),
        )
        self.algorithm = NSGA2(
            pop_size=population,
            sampling=_Draw(phase),
            crossover=_Cross(),
            mutation=_Mutate(phase.genome.upper),
            eliminate_duplicates=_Fresh(phase),
        )
        self.algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
        self._asked: Any = None

    def ask(self) -> Genomes:
        """Offspring; random rows in the first generation and where mating finds nothing new."""
        genes = len(self.phase.genome.genes)
        self._asked = self.algorithm.ask()
        rows = np.zeros((0, genes), np.int64)
        if self._asked is not None and len(self._asked):
            rows = self._asked.get("X").astype(np.int64)
        if len(rows) < self.population:
            missing = self.population - len(rows)
            more = self.phase.draw(self.algorithm.random_state, missing, set(self.phase.keys(rows)))
            rows = np.concatenate([rows, more])
            self._asked = Population.new(X=rows)
        return rows

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Survival of the fittest: limits first, then rank and crowding."""
        known = np.isfinite(costs).all(axis=1, keepdims=True)
        self._asked.set("F", np.where(known, costs, WORST))
        self._asked.set("G", np.where(np.isfinite(excess), excess, 1.0))
        self.algorithm.tell(infills=self._asked)

    def state(self) -> str:
        """Of pymoo's random numbers."""
        return str(self.algorithm.random_state.bit_generator.state)
