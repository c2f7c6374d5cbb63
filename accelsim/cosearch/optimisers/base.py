"""`Optimiser`: proposes genomes and learns from what they cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.phase import Phase
from accelsim.errors import AccelsimError
from accelsim.names import Registry

OPTIMISERS = Registry(
    "optimiser",
    {
        "nsga2": "accelsim.cosearch.optimisers.nsga2:Nsga2",
        "age_moea": "accelsim.cosearch.optimisers.age_moea:AgeMoea",
        "sms_emoa": "accelsim.cosearch.optimisers.sms_emoa:SmsEmoa",
        "moead": "accelsim.cosearch.optimisers.moead:Moead",
        "surrogate": "accelsim.cosearch.optimisers.surrogate:Surrogate",
        "random": "accelsim.cosearch.optimisers.random:RandomSearch",
        "cmaes": "accelsim.cosearch.optimisers.cmaes:CmaEs",
    },
    "accelsim.optimiser",
    "accelsim.cosearch.optimisers.base:Optimiser",
)


class Optimiser(ABC):
    """Ask, evaluate, tell, generation by generation.

    Contract, held by tests/cosearch/test_optimisers.py: `ask` gives at most `population` rows, all fresh
    (`Phase.fresh`), none only if there are none left; what it asks depends on the seed and on what it was
    told alone, so that a replay of the told generations restores it bit for bit.
    """

    one_objective = False
    """Whether it can only have one."""

    def __init__(self, phase: Phase, population: int, seed: int) -> None:
        self.phase = phase
        self.population = population
        self.rng = np.random.default_rng(seed)
        self.bounded: NDArray[np.bool_] | None = None
        """[n] which of the rows told next were not mapped, so that costs are bounds; None: none."""

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
    return OPTIMISERS.names()


def check_optimiser(name: str, objectives: int) -> None:
    """Raises AccelsimError for an unknown name or one that takes a single objective only."""
    if OPTIMISERS.load(name).one_objective and objectives > 1:
        raise AccelsimError(
            f"optimiser {name}: takes one objective, but got {objectives}; name one objective and limit the "
            "others, as in --objectives edp --min-accuracy 75"
        )


def load_optimiser(name: str, phase: Phase, population: int, seed: int) -> Optimiser:
    """An optimiser by name; where there is no gene there is nothing to learn, and one row to draw."""
    check_optimiser(name, len(phase.goals.objectives))
    kind = OPTIMISERS.load(name if phase.genome.genes else "random")
    return cast(Optimiser, kind(phase, population, seed))
