"""What a front's accuracies can tell, given their error: which designs differ, how surely a limit is met."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.apart import half_widths

if TYPE_CHECKING:
    from accelsim.cosearch.result import SearchResult

_HALF = NormalDist().inv_cdf(0.975)
"""Standard deviations in the half-width of an interval that holds 95 of 100 cases."""


def told_apart(accuracy: NDArray[np.float64], half: NDArray[np.float64]) -> int:
    """Groups of designs, from the worst on: each begins with the first that is surely better than the last
    group's worst, that is by more than the error of a difference of the two.
    """
    order = np.argsort(accuracy, kind="stable")
    groups, worst = 0, -1
    for i in order.tolist():
        if worst < 0 or accuracy[i] - accuracy[worst] > math.hypot(half[i], half[worst]):
            groups, worst = groups + 1, i
    return groups


def chance(accuracy: float, half: float, limit: float) -> float:
    """That the true accuracy is at least the limit, errors being normal."""
    if half <= 0:
        return float(accuracy >= limit)
    return NormalDist(accuracy, half / _HALF).cdf(2 * accuracy - limit)


def accuracy_lines(result: SearchResult) -> list[str]:
    """A sentence each for the front's report."""
    front = result.front
    if result.setup.chips.widths and not result.setup.goals.uses_accuracy:
        return ["precisions vary and no goal asks for accuracy: what narrow ones lose is not judged"]
    mixed = bool(result.config.layer_precision)
    if mixed and not result.setup.goals.uses_accuracy:
        judged = "what narrow ones lose is not judged"
        if "bits" in result.setup.goals.metrics:
            judged = "bits, the mean of operands, stand in for what narrow ones lose, and are no accuracy"
        return [f"precisions of layers vary and no goal asks for accuracy: {judged}"]
    half = half_widths(result, front)
    if half is None or not half.any():
        return []
    accuracy = np.array([found.metrics["accuracy"] for found in front])
    lines = []
    if mixed:
        lines.append(
            "layers differ in precision: a network is taken to do no worse than with all layers at the "
            "narrowest widths that any has, which is an assumption; none gains by wider layers beside those"
        )
    if "accuracy" in result.setup.goals.objectives and len(front) > 1:
        lines.append(
            f"accuracies are within {half.max():.2f} points of the truth in 95 of 100 cases: of these "
            f"{len(front)} designs, {told_apart(accuracy, half)} can be told apart by them"
        )
    limit = result.setup.goals.limits.get("accuracy")
    if limit is not None:
        surely = limit + NormalDist().inv_cdf(0.95) * half[0] / _HALF
        lines.append(
            f"accuracy >= {limit:g} %: the best, at {accuracy[0]:.2f} %, truly has it with a probability of "
            f"{chance(accuracy[0], half[0], limit):.0%}; ask for {surely:.2f} %, or for --min-accuracy-95 "
            f"{limit:g}, to be 95 % sure"
        )
    return lines
