"""The order of rows by limits, fronts, and how far apart they stand in a front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from accelsim.cosearch.phase import Phase

WORST = 1e30
"""Cost of what could not be priced."""


def ranked(
    costs: NDArray[np.float64], excess: NDArray[np.float64], phase: Phase, spread: bool = True
) -> NDArray[np.int64]:
    """Order of rows: limits first, then fronts, in each those that stand apart, the first of equals.

    Without `spread` rows stand in a front as they came.
    """
    miss = np.maximum(np.where(np.isfinite(excess), excess, 1.0), 0.0).sum(axis=1)
    points = phase.goals.log_costs(costs)
    points = np.where(np.isfinite(points), points, np.sign(points) * WORST)
    points[np.isnan(points)] = WORST
    rank, apart = np.empty(len(costs)), np.zeros(len(costs))
    for i, front in enumerate(NonDominatedSorting().do(points)):
        rank[front] = i
        if spread:
            apart[front] = -get_crowding_function("cd").do(points[front])
    return np.lexsort((np.arange(len(costs)), apart, rank, miss))
