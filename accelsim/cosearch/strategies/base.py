"""`Strategy`: in which order networks, mappings and chips are searched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.optimisers import Optimiser, load_optimiser
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.screen import BOUNDED
from accelsim.cosearch.setup import Setup
from accelsim.names import Registry

STRATEGIES = Registry(
    "strategy",
    {
        "nested": "accelsim.cosearch.strategies.nested:Nested",
        "joint": "accelsim.cosearch.strategies.joint:Joint",
        "sequential": "accelsim.cosearch.strategies.sequential:Sequential",
        "holistic": "accelsim.cosearch.strategies.holistic:Holistic",
        "single": "accelsim.cosearch.strategies.single:Single",
        "blockwise": "accelsim.cosearch.strategies.blockwise:Blockwise",
        "gradient": "accelsim.cosearch.strategies.gradient:Gradient",
        "blockwise_exact": "accelsim.cosearch.strategies.blockwise:BlockwiseExact",
    },
    "accelsim.strategy",
    "accelsim.cosearch.strategies.base:Strategy",
)


class Strategy(ABC):
    """One or more phases, one after another, each with an optimiser of its own.

    Contract, held by tests/cosearch/test_strategies.py: what is asked for depends on the set-up's seed and
    on what was told alone. Replaying `tell` restores a strategy; `follow` restores only its phases, which is
    enough to decode genomes.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.phase = self.first()
        self._phases = 0
        self._optimiser: Optimiser | None = None

    @abstractmethod
    def first(self) -> Phase:
        """The phase that the search begins with."""

    def next(self, rows: Genomes, values: NDArray[np.float64]) -> Phase | None:
        """The phase after this one, once it is due; asked after each generation.

        No rows: nothing is left to evaluate in this phase.
        """
        return None

    @property
    def optimiser(self) -> Optimiser:
        """Of the current phase."""
        if self._optimiser is None:
            config = self.setup.config
            seed = config.seed + 1_000_003 * self._phases
            self._optimiser = load_optimiser(config.optimiser, self.phase, config.population, seed)
        return self._optimiser

    def ask(self) -> Genomes:
        """Genomes of the next generation; none if the space of the last phase is exhausted.

        A phase whose space is exhausted makes room for the next one.
        """
        rows = self.optimiser.ask()
        while not len(rows) and self.skip():
            rows = self.optimiser.ask()
        return rows

    def tell(self, rows: Genomes, values: NDArray[np.float64], levels: NDArray[np.int64]) -> None:
        """Metrics [n, goals.metrics] of the rows last asked for, and their levels [n], see `screen`."""
        self.optimiser.bounded = levels == BOUNDED
        self.optimiser.tell(rows, self.phase.goals.costs(values), self.phase.excess(values))
        self.phase.note(rows)
        self.phase.learn(values)
        self.follow(rows, values)

    def follow(self, rows: Genomes, values: NDArray[np.float64]) -> None:
        """Go to the next phase if it is due."""
        self._go(self.next(rows, values))

    def notes(self) -> tuple[str, ...]:
        """What a report should say of how it went, a sentence each."""
        return ()

    def skip(self) -> bool:
        """Go to the next phase because nothing is left to evaluate in this one; False if it is the last."""
        rows, values = np.zeros((0, len(self.phase.genome.genes)), np.int64), self.phase.goals.metrics
        return self._go(self.next(rows, np.zeros((0, len(values)))))

    def _go(self, following: Phase | None) -> bool:
        if following is None:
            return False
        self.phase = following
        self._phases += 1
        self._optimiser = None
        return True


def strategy_names() -> tuple[str, ...]:
    """Names that `load_strategy` knows."""
    return STRATEGIES.names()


def check_strategy(name: str) -> None:
    """Raises AccelsimError for an unknown name."""
    STRATEGIES.check(name)


def load_strategy(setup: Setup) -> Strategy:
    """The strategy that the configuration names."""
    return cast(Strategy, STRATEGIES.load(setup.config.strategy)(setup))
