"""What pymoo's evolutionary algorithms share here: whole-number genomes, fresh rows, a start by bounds.

Crossover takes each gene from either parent. Mutation moves a few genes, half of them by a short step (sizes
have an order) and half anywhere (choices have none). Costs that span decades enter as logarithms, as the
hypervolume does.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.core.termination import NoTermination

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers.base import Optimiser
from accelsim.cosearch.optimisers.ranked import WORST, ranked
from accelsim.cosearch.optimisers.starts import starts
from accelsim.cosearch.phase import Phase

DONORS = 4
"""Promising draws whose networks (and mapping genes) the chips around the base are tried with."""

STEP = 0.1
"""Typical step of a mutation as a share of the gene's range."""


class Draw(Sampling):
    """The base chip and some around it; then random rows, some way to it, of many the best by bounds."""

    def __init__(self, phase: Phase, near: float, screened: int, settled: float) -> None:
        super().__init__()
        self.phase, self.near, self.screened, self.settled = phase, near, screened, settled

    def _do(self, problem: Any, n_samples: int, *, random_state: np.random.Generator, **_: Any) -> Genomes:
        rows = self.phase.draw(random_state, self.screened * n_samples, near=self.near)
        if len(rows) <= n_samples:
            return rows
        best = ranked(*self.phase.floors(rows), self.phase)
        first = starts(self.phase, rows[best[:DONORS]], math.ceil(self.settled * n_samples))
        own = self.phase.own(rows[best[0]])
        if len(own):
            other = [key not in self.phase.keys(own) for key in self.phase.keys(first)]
            first = np.concatenate([own, first[np.array(other, bool)]])
        taken = set(self.phase.keys(first))
        keys = self.phase.keys(rows)
        rest = [i for i in best.tolist() if keys[i] not in taken][: n_samples - len(first)]
        return np.concatenate([first, rows[np.sort(np.array(rest, int))]])


class Fresh(DuplicateElimination):
    """Drops rows that repeat or break the envelope; pymoo mates again until the generation is full."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.phase = phase

    def do(self, pop: Any, *args: Any, **_: Any) -> Any:
        """What is left of `pop`, all unlike each other and unlike those in `args`."""
        if not len(pop):
            return pop
        others: set[bytes] = set()
        for other in args:
            if len(other):
                others.update(self.phase.keys(other.get("X").astype(np.int64)))
        return pop[self.phase.fresh(pop.get("X").astype(np.int64), others)]


class Cross(Crossover):
    """Each gene from either parent."""

    def __init__(self, prob: float) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=prob)

    def _do(self, problem: Any, X: Any, *, random_state: np.random.Generator, **_: Any) -> Any:
        swap = random_state.random(X.shape[1:]) < 0.5
        return np.stack([np.where(swap, X[1], X[0]), np.where(swap, X[0], X[1])])


class Mutate(Mutation):
    """So many genes a row, on average."""

    def __init__(self, upper: NDArray[np.int64], genes: float) -> None:
        super().__init__(prob=1.0)
        self.upper, self.genes = upper, genes

    def _do(self, problem: Any, X: Any, *, random_state: np.random.Generator, **_: Any) -> Any:
        rng = random_state
        change = rng.random(X.shape) < self.genes / max(1, (self.upper > 0).sum())
        far = rng.integers(0, self.upper + 1, X.shape)
        step = np.ceil(rng.exponential(STEP * (self.upper + 1), X.shape)).astype(np.int64)
        near = np.clip(X + np.where(rng.random(X.shape) < 0.5, step, -step), 0, self.upper)
        return np.where(change, np.where(rng.random(X.shape) < 0.5, near, far), X)


class Evolution(Optimiser):
    """An algorithm of pymoo by ask and tell.

    near      share of the base chip's genes in the first generation: whoever drew its envelope knew what is
              useful
    settled   share of the first generation that is the base chip and chips around it, see `starts`
    screened  draws for each candidate of the first generation, of which the one with the best bound comes
    crossed   share of offspring that have two parents
    mutated   genes that change in a row, on average
    """

    near = 0.5
    settled = 0.125
    screened = 4
    crossed = 0.9
    mutated = 2.0
    constrained = True
    """Whether the algorithm knows of limits; for one that does not they are added to the costs."""

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        super().__init__(phase, population, seed)
        genes = len(phase.genome.genes)
        limits = len(phase.goals.limits) + 1
        problem = Problem(
            n_var=genes,
            n_obj=len(phase.goals.objectives),
            n_ieq_constr=limits if self.constrained else 0,
            xl=np.zeros(genes),
            xu=phase.genome.upper.astype(float),
        )
        self.algorithm = self.make(
            sampling=Draw(phase, self.near, self.screened, self.settled),
            crossover=Cross(self.crossed),
            mutation=Mutate(phase.genome.upper, self.mutated),
        )
        self.algorithm.setup(problem, termination=NoTermination(), seed=seed, verbose=False)
        self._asked: Any = None

    @abstractmethod
    def make(self, **operators: Any) -> Any:
        """pymoo's algorithm; `operators` are its sampling, crossover and mutation."""

    def ask(self) -> Genomes:
        """Offspring; random rows in the first generation and where mating finds nothing new."""
        self._asked = self.algorithm.ask()
        rows = np.zeros((0, len(self.phase.genome.genes)), np.int64)
        if self._asked is not None and len(self._asked):
            rows = self._asked.get("X").astype(np.int64)
        if len(rows) < self.population:
            missing = self.population - len(rows)
            more = self.phase.draw(self.algorithm.random_state, missing, set(self.phase.keys(rows)))
            rows = np.concatenate([rows, more])
            self._asked = Population.new(X=rows)
        return rows

    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """Survival of the fittest: limits first."""
        points = self.phase.goals.log_costs(costs)
        known = np.isfinite(points).all(axis=1, keepdims=True)
        points = np.where(known, points, WORST)
        missed = np.where(np.isfinite(excess), excess, 1.0)
        if self.constrained:
            self._asked.set("G", missed)
        else:
            points += 1e6 * np.maximum(missed, 0.0).sum(axis=1, keepdims=True)
        self._asked.set("F", points)
        self.algorithm.tell(infills=self._asked)

    def state(self) -> str:
        """Of pymoo's random numbers."""
        return str(self.algorithm.random_state.bit_generator.state)
