"""`Optimiser`: proposes genomes and learns from what they cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import cast

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.phase import Phase
from accelsim.errors import AccelsimError, nearest

_HOME = {
    "nsga2": "accelsim.cosearch.optimisers.nsga2:Nsga2",
    "random": "accelsim.cosearch.optimisers.random:RandomSearch",
    "cmaes": "accelsim.cosearch.optimisers.cmaes:CmaEs",
}


class Optimiser(ABC):
    """Ask, evaluate, tell, generation by generation.

    Contract, held by tests/cosearch/test_optimisers.py: `ask` gives at most `population` rows, all fresh
    (`Phase.fresh`), none only if there are none left; what it asks depends on the seed and on what it was
    told alone, so that a replay of the told generations restores it bit for bit.
    """

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        self.phase = phase
        self.population = population
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def ask(self) -> Genomes:
        """Genomes of the next generation."""

    @abstractmethod
    def tell(self, rows: Genomes, costs: NDArray[np.float64], excess: NDArray[np.float64]) -> None:
        """What the rows last asked for cost: [n, objectives] to minimise, and [n, limits], > 0 if missed."""

    def state(self) -> str:
        """The random numbers' state, for the record."""
        return str(self.rng.bit_generator.state)


def optimiser_names() -> tuple[str, ...]:
    """Names that `load_optimiser` knows."""
    return tuple(_HOME)


def check_optimiser(name: str, objectives: int) -> None:
    """Raises AccelsimError for an unknown name or one that takes a single objective only."""
    if name not in _HOME:
        raise AccelsimError(
            f"optimiser: must be one of {', '.join(_HOME)}, but got {name!r}{nearest(str(name), _HOME)}"
        )
    if name == "cmaes" and objectives > 1:
        raise AccelsimError(
            f"optimiser cmaes: takes one objective, but got {objectives}; name one objective and limit the "
            "others, as in --objectives edp --min-accuracy 75"
        )


def load_optimiser(name: str, phase: Phase, population: int, seed: int) -> Optimiser:
    """An optimiser by name; where there is no gene there is nothing to learn, and one row to draw."""
    check_optimiser(name, len(phase.goals.objectives))
    module, _, cls = _HOME[name if phase.genome.genes else "random"].partition(":")
    return cast(Optimiser, getattr(import_module(module), cls)(phase, population, seed))
