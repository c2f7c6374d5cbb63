"""The best path over cuts, where each arc has several (latency, energy) points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = dict[tuple[int, int], Floats]
"""Per (cut, later cut) float64[n, 2], latency and energy of the choices for the layers between.

Equal ones may be one array.
"""

Extra = tuple[float, float]
"""Cycles and pJ."""

ROUNDING = 1e-12

Path = list[tuple[tuple[int, int], int]]
"""Arcs and which of their points."""


def best_path(
    count: int, points: Points, objective: str, overhead: Extra = (0.0, 0.0), below: float = np.inf
) -> tuple[float, Path]:
    """(value, path) of the best way from cut 0 to cut `count`; (`below`, []) where none is better than that.

    Values are cycles, pJ, or cycles x pJ for edp; `overhead` are cycles and pJ beside all layers.
    """
    distinct = {id(choice): choice for choice in points.values()}
    rest = _least(count, points, {name: x.min(axis=0, initial=np.inf) for name, x in distinct.items()})
    fronts = {name: _front(choice, objective) for name, choice in distinct.items()}
    labels: list[tuple[Floats, NDArray[np.int64]]] = [(np.zeros((1, 2)), np.zeros((1, 3), np.int64))]
    into: list[list[int]] = [[] for _ in range(count + 1)]
    for a, b in points:
        into[b].append(a)
    for cut in range(1, count + 1):
        sums, back = [], []
        for a in sorted(into[cut]):
            before, choice = labels[a][0], points[a, cut]
            usable = fronts[id(choice)]
            if not len(before) or not len(usable):
                continue
            total = before[:, None, :] + choice[None, usable, :]
            came = np.empty((len(before), len(usable), 3), np.int64)
            came[..., 0], came[..., 1], came[..., 2] = a, np.arange(len(before))[:, None], usable
            sums.append(total.reshape(-1, 2))
            back.append(came.reshape(-1, 3))
        if not sums:
            labels.append((np.zeros((0, 2)), np.zeros((0, 3), np.int64)))
            continue
        total, came = np.concatenate(sums), np.concatenate(back)
        reach = _value(total + rest[cut], objective, overhead)
        if cut < count:  # the least adds up in another order: leave room for its rounding
            reach *= 1.0 - ROUNDING
        alive = np.flatnonzero(reach < below)
        keep = alive[_front(total[alive], objective)]
        labels.append((total[keep], came[keep]))
    total, _ = labels[count]
    if not len(total):
        return below, []
    values = _value(total, objective, overhead)
    at, cut = int(values.argmin()), count
    path: Path = []
    best = float(values[at])
    while cut:
        came_from = labels[cut][1][at].tolist()
        path.append(((came_from[0], cut), came_from[2]))
        cut, at = came_from[0], came_from[1]
    return best, path[::-1]


def value_of(latency: Any, energy: Any, objective: str) -> Any:
    """The objective, of numbers or arrays."""
    return {"latency": latency, "energy": energy}.get(objective, latency * energy)


def _value(sums: Floats, objective: str, overhead: Extra) -> Floats:
    return np.asarray(value_of(sums[:, 0] + overhead[0], sums[:, 1] + overhead[1], objective))


def _front(sums: Floats, objective: str) -> NDArray[np.int64]:
    """Finite rows that no other row beats; for one figure its smallest."""
    if objective != "edp":
        column = sums[:, 1 if objective == "energy" else 0]
        best = column.argmin() if len(sums) else 0
        return np.flatnonzero(column[best : best + 1] < np.inf) + best
    order = np.lexsort((sums[:, 1], sums[:, 0]))
    energy = sums[order, 1]
    better = energy < np.inf
    better[1:] &= energy[1:] < np.minimum.accumulate(energy)[:-1]
    return np.asarray(order[better])


def _least(count: int, points: Points, least: dict[int, Floats]) -> Floats:
    """float64[cuts, 2] the least of either that the rest of a path can take; `least` is that of each arc."""
    out = np.full((count + 1, 2), np.inf)
    out[count] = 0.0
    for (a, b), choice in sorted(points.items(), key=lambda item: -item[0][0]):
        out[a] = np.minimum(out[a], out[b] + least[id(choice)])
    return out
