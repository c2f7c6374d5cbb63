"""Figures of searches: how one went, and the front that it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.cosearch.goals import front as front_rows
from accelsim.errors import AccelsimError
from accelsim.report.style import FAINT, INK, LINES, SEQUENTIAL, STYLES, log_scale, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def search_figure(
    generations: ArrayLike,
    hypervolume: ArrayLike,
    best_edp: ArrayLike,
    *,
    xlabel: str = "generation",
    title: str = "",
    labels: list[str] | None = None,
) -> Figure:
    """Hypervolume and best energy-delay product (Js) over generations [n] or evaluations.

    Both may be [n], or [runs, n] (seeds): then the median and the range are drawn, or with `labels`, one
    each, a line a run.
    """
    x = np.asarray(generations, float)
    figure = new_figure(6.0, 4.6)
    above, below = figure.subplots(2, 1, sharex=True)
    for axis, values, what in ((above, hypervolume, "hypervolume"), (below, best_edp, "best EDP (Js)")):
        _runs(axis, x, np.atleast_2d(np.asarray(values, float)), labels)
        axis.set_ylabel(what)
        tidy(axis, grid="y")
    best = np.asarray(best_edp, float)
    if np.nanmax(best) > 5 * np.nanmin(best):
        below.set_yscale("log")
    below.set_xlabel(xlabel)
    above.set_title(title)
    if labels:
        below.legend(frameon=False, fontsize="small")
    return figure


def _runs(axis: Axes, x: NDArray[Any], values: NDArray[Any], labels: list[str] | None) -> None:
    if values.shape[1:] != x.shape:
        raise AccelsimError(f"needs one value a generation, but got {values.shape[1:]} for {x.shape}")
    if labels:
        for i, (label, row) in enumerate(zip(labels, values, strict=True)):
            axis.plot(x, row, LINES[i % len(LINES)], color=STYLES[(0, 1, 5, 9)[i % 4]][0], label=label)
        return
    if len(values) > 1:
        axis.fill_between(x, values.min(axis=0), values.max(axis=0), color="#cfd8dc", linewidth=0)
    axis.plot(x, np.median(values, axis=0), color=STYLES[0][0])


def front_of(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of float64[n, k] (all to be minimised) no other row dominates; of equal ones the first."""
    keep = np.zeros(len(points), bool)
    keep[front_rows(points, np.ones(len(points), bool))] = True
    return keep


def knee_of(points: NDArray[np.float64]) -> int:
    """Row of float64[n, k] (to be minimised) closest to the ideal point, each column scaled to 0 .. 1.

    The knee in the sense of the compromise solution (Yu, Management Science 19(8), 1973), Euclidean.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - low) / np.where(high > low, high - low, 1.0)
    return int(np.argmin((scaled**2).sum(axis=1)))


def front_figure(
    energy_pj: ArrayLike,
    latency_s: ArrayLike,
    accuracy: ArrayLike | None = None,
    *,
    baseline: tuple[float, ...] | None = None,
    front: ArrayLike | None = None,
    best: int | None = None,
    title: str = "",
) -> Figure:
    """Designs by latency and energy, coloured by accuracy (per cent), the Pareto front drawn out.

    energy_pj, latency_s, accuracy  float64[n]; designs off the front are shown small
    baseline  energy, latency and, if there is one, accuracy of what the designs are compared with
    front     bool[n], a front by other objectives than latency, energy and accuracy
    best      row to mark; without it the knee, the front's design closest to the ideal point, on log axes

    With accuracies a second panel shows accuracy over energy-delay product.
    """
    energy, latency = np.asarray(energy_pj, float), np.asarray(latency_s, float)
    goals = [np.log(latency), np.log(energy)]
    quality = None
    if accuracy is not None:
        quality = np.asarray(accuracy, float)
        goals.append(-quality)
    if not len(energy) or any(len(goal) != len(energy) for goal in goals):
        raise AccelsimError(f"a front needs as many figures of each kind, but got {[*map(len, goals)]}")
    table = np.stack(goals, axis=1)
    members = front_of(table) if front is None else np.asarray(front, bool)
    word = "knee" if best is None else "best"
    if best is None:
        rows = np.flatnonzero(members)
        best = int(rows[knee_of(table[rows])])
    figure = new_figure(9.6 if quality is not None else 5.6, 4.2)
    panels = figure.subplots(1, 2) if quality is not None else [figure.subplots()]
    left = panels[0]
    shown = _scatter(left, latency * 1e3, energy * 1e-9, quality, members)
    left.set(xlabel="latency (ms)", ylabel="energy (mJ)")
    if quality is None:
        rows = np.flatnonzero(
            members
        )  # of other objectives than these two, the line joins those best by both
        order = rows[front_of(table[rows, :2])]
        order = order[np.argsort(latency[order])]
        left.step(latency[order] * 1e3, energy[order] * 1e-9, where="post", color=STYLES[0][0], zorder=1)
    at = None if baseline is None else (baseline[1] * 1e3, baseline[0] * 1e-9)
    _mark(left, latency[best] * 1e3, energy[best] * 1e-9, at, word)
    log_scale(left)
    tidy(left, grid="xy")
    if quality is not None:
        right = panels[1]
        edp = energy * 1e-12 * latency
        _scatter(right, edp * 1e6, quality, quality, members)
        order = np.flatnonzero(front_of(np.stack([edp, -quality], axis=1)))
        order = order[np.argsort(edp[order])]
        right.step(edp[order] * 1e6, quality[order], where="post", color=STYLES[0][0], linewidth=1, zorder=1)
        right.set(xlabel="energy-delay product (\u00b5Js)", ylabel="accuracy (%)")
        full = baseline is not None and len(baseline) > 2
        at = (baseline[0] * 1e-6 * baseline[1], baseline[2]) if baseline is not None and full else None
        _mark(right, edp[best] * 1e6, quality[best], at, word)
        log_scale(right, "x")
        tidy(right, grid="xy")
        figure.colorbar(shown, ax=left, label="accuracy (%)")
    handles, names = left.get_legend_handles_labels()
    left.legend(handles, names, frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure


def _scatter(axis: Axes, x: Any, y: Any, colour: Any, front: NDArray[np.bool_]) -> Any:
    style: dict[str, Any] = {"color": STYLES[0][0]} if colour is None else {"cmap": SEQUENTIAL}
    if colour is not None:
        style |= {"vmin": colour.min(), "vmax": colour.max()}
    shown = None
    for mask, look in (
        (~front, {"s": 8, "alpha": 0.35, "linewidth": 0, "zorder": 2}),
        (front, {"s": 34, "edgecolor": INK, "linewidth": 0.5, "zorder": 3, "label": "front"}),
    ):
        own = {} if colour is None else {"c": colour[mask]}
        shown = axis.scatter(x[mask], y[mask], **look, **style, **own)
    return shown


def _mark(axis: Axes, x: float, y: float, baseline: tuple[float, float] | None, word: str) -> None:
    axis.scatter([x], [y], 150, facecolor="none", edgecolor=STYLES[1][0], linewidth=1.8, zorder=4, label=word)
    axis.annotate(word, (x, y), xytext=(9, 7), textcoords="offset points", fontsize=8, color=STYLES[1][0])
    if baseline is not None:
        axis.scatter(*baseline, 130, marker="*", color=FAINT, edgecolor=INK, zorder=4, label="baseline")
        axis.annotate(
            "baseline", baseline, xytext=(8, -10), textcoords="offset points", fontsize=8, color=INK
        )
