"""Figures of sweeps: lines, heat maps and fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.report.fronts import knee_of
from accelsim.report.style import INK, LINES, MARKERS, SEQUENTIAL, STYLES, log_scale, new_figure, tidy
from accelsim.report.sweeps import check_value, tick_text
from accelsim.sweeps.axes import SweepAxis
from accelsim.sweeps.table import SweepTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "latency_cycles": "latency (cycles)", "latency_s": "latency (s)", "energy_pj": "energy (pJ)",
    "edp_js": "EDP (Js)", "utilisation": "utilisation", "macs": "MACs", "num_pes": "MAC units",
    "onchip_bytes": "bytes on chip", "area_mm2": "area (mm2)",
    "peak_memory_bytes": "peak of activations (bytes)", "flash_bytes": "weights (bytes)",
}  # fmt: skip


def sweep_figure(table: SweepTable, value: str = "edp_js") -> Figure:
    """Lines for one varied figure, heat maps for two, the latency-energy front for more or none."""
    if not table.ok.rows:
        raise AccelsimError("no point of the sweep works")
    check_value(value)
    wide = [axis for axis in table.axes if len(axis.values) > 1]
    if len(wide) == 1:
        return lines_figure(table, value)
    if len(wide) == 2:
        return heat_figure(table, value)
    return sweep_front_figure(table)


def lines_figure(table: SweepTable, value: str = "edp_js") -> Figure:
    """A value over the one varied figure, a line a network and objective; each line's best is marked."""
    (axis,) = [a for a in table.axes if len(a.values) > 1]
    figure = new_figure(6.0, 3.8)
    plot = figure.subplots()
    groups = dict.fromkeys((r["network"], r["objective"]) for r in table.rows)
    several = len({objective for _, objective in groups}) > 1
    x: Any = axis.values if axis.numeric else range(len(axis.values))
    for i, (network, objective) in enumerate(groups):
        y = table.where(network=network, objective=objective).column(value)
        look: dict[str, Any] = {"color": STYLES[(0, 1, 5, 9, 7)[i % 5]][0], "linestyle": LINES[i % 4]}
        label = f"{network}, for {objective}" if several else network
        plot.plot(x, y, marker=MARKERS[i % len(MARKERS)], markersize=4, label=label, **look)
        if np.isfinite(y).any():
            best = int(np.nanargmin(y))
            plot.plot(x[best], y[best], "o", markersize=11, fillstyle="none", color=look["color"])
    finite = table.column(value)
    if np.nanmax(finite) > 4 * np.nanmin(finite) > 0:
        plot.set_yscale("log")
    _scale(plot, axis)
    plot.set(xlabel=axis.label, ylabel=LABELS[value])
    plot.legend(frameon=False, fontsize="small")
    tidy(plot, grid="y")
    return figure


def heat_figure(table: SweepTable, value: str = "edp_js") -> Figure:
    """A value over the two varied figures, a map a network; a ring at the best, crosses where none works."""
    first, second = (a for a in table.axes if len(a.values) > 1)
    names = table.networks
    figure = new_figure(1.2 + 4.2 * len(names), 4.0)
    for plot, network in zip(np.ravel(figure.subplots(1, len(names))), names, strict=True):
        values = table.where(network=network).grid(value).reshape(len(first.values), len(second.values))
        shown = plot.imshow(values.T, cmap=SEQUENTIAL, aspect="auto", origin="lower", norm=_norm(values))
        plot.plot(*np.argwhere(np.isnan(values)).T, "x", color=INK, markersize=5)
        if np.isfinite(values).any():
            best = np.unravel_index(np.nanargmin(values), values.shape)
            plot.plot(*best, "o", markersize=13, fillstyle="none", markeredgewidth=1.8, color="white")
        for side, one in ((plot.xaxis, first), (plot.yaxis, second)):
            step = max(1, -(-len(one.values) // 12))
            ticks = range(0, len(one.values), step)
            side.set_ticks(ticks, [tick_text(one, one.values[i]) for i in ticks], fontsize="small")
        plot.tick_params(axis="x", rotation=45)
        plot.set(xlabel=first.label, ylabel=second.label, title=network)
        figure.colorbar(shown, ax=plot, label=LABELS[value])
    return figure


def sweep_front_figure(table: SweepTable) -> Figure:
    """Latency and energy of all points that work, each network's front drawn out and its knee marked."""
    figure = new_figure(6.0, 4.2)
    plot = figure.subplots()
    for i, network in enumerate(table.networks):
        here = table.ok.where(network=network)
        if not here.rows:
            continue
        colour, marker = STYLES[(0, 1, 5, 9, 7)[i % 5]][0], MARKERS[i % len(MARKERS)]
        x, y = here.column("latency_s") * 1e3, here.column("energy_pj") * 1e-9
        plot.scatter(x, y, 10, color=colour, marker=marker, alpha=0.35, linewidth=0)
        best = here.front()
        fx, fy = best.column("latency_s") * 1e3, best.column("energy_pj") * 1e-9
        plot.step(fx, fy, where="post", color=colour, marker=marker, markersize=5, label=network)
        knee = knee_of(np.log(np.stack([fx, fy], axis=1)))
        plot.plot(fx[knee], fy[knee], "o", markersize=13, fillstyle="none", markeredgewidth=1.6, color=colour)
        at = (fx[knee], fy[knee])
        plot.annotate("knee", at, xytext=(8, 6), textcoords="offset points", fontsize=8, color=colour)
    plot.set(xlabel="latency (ms)", ylabel="energy (mJ)")
    log_scale(plot)
    plot.legend(frameon=False, fontsize="small")
    tidy(plot, grid="xy")
    return figure


def _scale(plot: Axes, axis: SweepAxis) -> None:
    """A logarithmic axis where values grow by factors, and ticks at the values where they are few."""
    if not axis.numeric:
        plot.set_xticks(range(len(axis.values)), [str(v) for v in axis.values])
        return
    values = np.array(axis.values, float)
    if len(values) > 2 and values.min() > 0 and np.ptp(np.log(values)) > 2:
        plot.set_xscale("log", base=2)
    few = axis.values[:: -(-len(values) // 10)]
    plot.set_xticks(few, [tick_text(axis, v) for v in few], rotation=30)
    plot.tick_params(axis="x", which="minor", bottom=False)


def _norm(values: Any) -> Any:
    from matplotlib.colors import LogNorm

    low, high = np.nanmin(values), np.nanmax(values)
    return LogNorm(low, high) if high > 4 * low > 0 else None
