"""Figures of a finished search, from its result alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.metrics import mean
from accelsim.errors import AccelsimError
from accelsim.report.fronts import front_figure, search_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from accelsim.cosearch.result import SearchResult


def result_figure(result: SearchResult) -> Figure:
    """Designs that meet the limits, the search's front and best marked; the base chip on the best's network.

    Raises AccelsimError if there is none.
    """
    best = result.best
    if best is None:
        raise AccelsimError("plot: no candidate meets the limits, so there is nothing to draw")
    own = [found.index for found in result.front if found.evaluated]
    others = np.setdiff1d(np.flatnonzero(result.feasible), own)

    def column(name: str) -> NDArray[np.float64]:
        """Of the other candidates as the search has them, then of the front as it is reported."""
        return np.append(result.column(name)[others], [found.metrics[name] for found in result.front])

    base = [mapped.cost for mapped in result.baseline(best)]
    energy = mean((cost.energy_pj for cost in base), result.config.weights)
    latency = mean((cost.latency_s for cost in base), result.config.weights)
    accuracy = column("accuracy")
    known = not np.isnan(accuracy).all()
    return front_figure(
        column("energy") * 1e12,
        column("latency"),
        accuracy if known else None,
        baseline=(energy, latency, best.metrics["accuracy"]) if known else (energy, latency),
        front=np.arange(len(accuracy)) >= len(others),
        best=len(others) + result.front.index(best),
        title=f"{result.config.space or best.network} in the envelope of {result.setup.base.name}: "
        f"{int(result.feasible.sum()):,} designs",
    )


def progress_figure(result: SearchResult) -> Figure:
    """Hypervolume and best energy-delay product after each generation."""
    ends = np.cumsum([len(g.rows) for g in result.generations])
    costs = result.log_costs()
    good = result.feasible & np.isfinite(costs).all(axis=1)
    if not good.any():
        raise AccelsimError("plot: no candidate meets the limits, so there is nothing to draw")
    reference = costs[good].max(axis=0)
    edp = np.where(result.feasible, result.column("edp"), np.inf)
    best = [float(np.nanmin(edp[:end])) for end in ends]
    return search_figure(
        ends,
        [result.hypervolume(reference, int(end)) for end in ends],
        [value if np.isfinite(value) else np.nan for value in best],
        xlabel="candidates",
    )
