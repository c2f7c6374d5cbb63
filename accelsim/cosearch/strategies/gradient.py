"""Blocks first, then networks by gradient, after Wu et al., "Compiler-Aware Neural Architecture Search for
On-Mobile Real-time Super-Resolution" (ECCV 2022): widths and depth relaxed, the speed of blocks from a table.
"""  # fmt: skip

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.relaxed import STEPS, Loss, Relaxed
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies.blockwise import SUMS, BlockwiseExact
from accelsim.errors import AccelsimError

TARGETS = 24
"""Values of the first objective between its ends, each a descent of its own."""

WEIGHT = 4.0
"""Of the miss of a target, in natural logarithms, beside the second objective."""

Floats = NDArray[np.float64]


class Gradient(BlockwiseExact):
    """Phase `table`, then `front`: the best of all networks that the descents came by, priced whole.

    One or two objectives. With two, each descent has a target for the first and improves the second: the loss
    is the second (its logarithm; a score as it is, scaled) and the miss of the target.
    """

    def __init__(self, setup: Setup) -> None:
        self._seen = 0
        super().__init__(setup)

    def first(self) -> Phase:
        """Every block of the space."""
        phase = super().first()
        goals = self.setup.goals
        known = (*SUMS, "accuracy")
        if len(goals.objectives) > 2 or not {*known} >= {*goals.objectives}:
            raise AccelsimError(
                f"strategy gradient: takes one or two objectives of {', '.join(known)}, but got "
                f"{', '.join(goals.objectives)}"
            )
        if goals.uses_accuracy and self._effects is None:
            raise AccelsimError(
                f"strategy gradient: accuracies by {self.setup.config.accuracy!r} do not add up over genes "
                "and so have no slope; use blockwise"
            )
        return phase

    def front_rows(self) -> Genomes:
        """The front of all networks that the descents came by."""
        goals = self.setup.goals
        effects = self._effects if goals.uses_accuracy else None
        scores = None if effects is None else [-effect for effect in effects]
        relaxed = Relaxed(self._nets.space, self._columns(tuple(NAMES)), scores)
        rng = np.random.default_rng(self.setup.config.seed)
        losses = [self._loss(name) for name in goals.objectives]
        ends = [relaxed.descend(loss, rng) for loss in losses]
        found = [rows for rows, _ in ends]
        if len(losses) == 2:
            values = [np.array([losses[0](s)[0] for s in sums]) for _, sums in ends]
            low = min(part.min() for part in values)
            high = values[1][int(np.argmin([losses[1](s)[0] for s in ends[1][1]]))]
            for target in np.linspace(low, high, TARGETS + 2)[1:-1]:
                found.append(relaxed.descend(_aimed(losses[0], losses[1], float(target)), rng)[0])
        self._seen = STEPS * len(found)
        rows = np.unique(self._nets.space.canonical(np.concatenate(found)), axis=0)
        return self.best_of(rows)

    def _loss(self, name: str) -> Loss:
        """Logarithm of a figure that is a product of sums; a score, which may be negative, scaled."""
        if name in SCORES:
            at, scale = SCORES[name], self._scale(name)

            def score(sums: Floats) -> tuple[float, Floats]:
                slope = np.zeros_like(sums)
                slope[at] = 1 / scale
                return float(sums[at] / scale), slope

            return score
        columns = [NAMES[figure] for figure in SUMS[name]]

        def product(sums: Floats) -> tuple[float, Floats]:
            slope = np.zeros_like(sums)
            slope[columns] = 1 / sums[columns]
            return float(np.log(sums[columns]).sum()), slope

        return product

    def _scale(self, name: str) -> float:
        """The range of a score over the space, roughly: so that it weighs like a logarithm."""
        space = self._nets.space
        if name != "accuracy":
            largest = space.largest()
            return float((space.params if name == "params" else space.macs)(largest)[0])
        assert self._effects is not None
        return float(sum(np.ptp(effect) for effect in self._effects)) or 1.0

    def notes(self) -> tuple[str, ...]:
        """How many networks the descents came by."""
        if self._rows is None or not len(self._rows):
            return super().notes()
        return (
            f"gradient: {len(self._rows)} of {self._seen} networks on the way of "
            f"{self._seen // STEPS} descents are priced; blockwise_exact finds the true front",
            *self.sum_notes(),
        )


NAMES = {"latency": 0, "energy": 1, "macs": 2, "params": 3, "work": 4}
"""Columns of the sums; a score of accuracy comes last."""

SCORES = {"work": 4, "params": 3, "accuracy": -1}
"""Columns of what is better the more there is of it, negatives."""


def _aimed(first: Loss, second: Loss, target: float) -> Loss:
    """The second, and the miss of the first's target."""

    def loss(sums: Floats) -> tuple[float, Floats]:
        value, slope = second(sums)
        here, steep = first(sums)
        if here > target:
            value, slope = value + WEIGHT * (here - target), slope + WEIGHT * steep
        return value, slope

    return loss
