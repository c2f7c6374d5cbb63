"""Fronts and scores of NACOS-Bench as tables on a terminal, and regret over the clock as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.report.grid import Grid, number, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from accelsim.nacos import Bench
    from accelsim.nacos.score import Score


def front_table(bench: Bench, rows: list[dict[str, Any]]) -> RenderableType:
    """A row a point of a true front, and below where accuracies are from."""
    numbers = {"EDP, Js": 0, "latency, ms": 0, "energy, uJ": 2, "MACs, M": 0, "params, M": 3, "top-1 %": 0}
    grid = Grid(
        [text("network", 8), text("chip", 12), *(number(*one) for one in numbers.items()), number("mm2", 1)],
        f"NACOS-Bench {bench.manifest.space}, data {bench.manifest.data}: {len(rows)} points",
    )
    for row in rows:
        known = row["accuracy"] is not None
        accuracy = f"{row['accuracy']:.2f} ± {row['accuracy_error']:.2f}" if known else "-"
        grid.add_row(
            row["arch"], row["chip"], f"{row['edp_js']:.4g}", f"{row['latency_s'] * 1e3:.4g}",
            f"{row['energy_pj'] * 1e-6:.4g}", f"{row['macs'] / 1e6:.1f}", f"{row['params'] / 1e6:.2f}",
            accuracy, f"{row['area_mm2']:.3g}",
        )  # fmt: skip
    source = bench.accuracies
    words = "absent; none ships, give --accuracy table:FILE" if source is None else source.source
    return Group(grid, Text(f"accuracy: {words}"))


def score_table(score: Score) -> RenderableType:
    """A row an optimiser: median regret and quartiles after each share of the space, and what it took."""
    from accelsim.nacos.score import SHARES

    heads = [f"after {share:g} %" for share in SHARES]
    ends = [number("mappings", 2), number("accuracies", 1)]
    grid = Grid([text("optimiser", 10), *(number(head) for head in heads), *ends], score.brief())
    rows = score.to_rows()
    for name in score.regrets:
        own = [row for row in rows if row["optimiser"] == name]
        cells = [f"{r['regret']:.2g} ({r['regret_q25']:.2g} to {r['regret_q75']:.2g})" for r in own]
        grid.add_row(name, *cells, f"{own[-1]['mappings']:,.0f}", f"{own[-1]['accuracies']:,.0f}")
    below = (
        f"regret: 1 less the share of the true front's hypervolume; median and quartiles. The space has "
        f"{score.size:,} candidates. All of them evaluated leave {rows[0]['floor']:.2g}, for want of better "
        "schedules. Mappings priced, and accuracies asked for, after the last share."
    )
    return Group(grid, Text(below))


def score_figure(score: Score) -> Figure:
    """Median regret of each optimiser over evaluations, quartiles shaded; what schedules leave, dashed."""
    import numpy as np

    from accelsim.report.style import MARKERS, STYLES, new_figure, tidy

    figure = new_figure(6.4, 3.8)
    axis = figure.subplots()
    colours = [STYLES[i][0] for i in (0, 1, 2, 3, 5, 7)]  # the dark ones
    for i, (name, found) in enumerate(score.regrets.items()):
        low, middle, high = np.quantile(np.maximum(found, 1e-6), [0.25, 0.5, 0.75], axis=0)
        colour = colours[i % len(colours)]
        axis.fill_between(score.at, low, high, color=colour, alpha=0.18, linewidth=0)
        axis.plot(
            score.at, middle, color=colour, marker=MARKERS[i % len(MARKERS)], markersize=3.5, markevery=3,
            label=name, linewidth=1.4,
        )  # fmt: skip
    left = float(np.median(score.floor))
    axis.axhline(max(left, 1e-6), color="#607d8b", linestyle="--", linewidth=1.0, label="all evaluated")
    axis.set(xscale="log", yscale="log", xlabel="evaluations (a network on a chip)", ylabel="regret")
    axis.set_title(score.brief(), fontsize="small")
    axis.legend(fontsize="small", frameon=False, ncols=2)
    tidy(axis, grid="xy")
    return figure
