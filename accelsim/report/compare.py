"""Networks on several machines side by side: a table, flat rows and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any

from accelsim.network_cost import NetworkCost
from accelsim.report.grid import Grid, number, text
from accelsim.report.style import INK, face, new_figure, tidy
from accelsim.report.text import quantity, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure


RANGE = 20.0
"""How many times the smallest the largest bar may be on an axis that begins at 0."""


def compare_rows(costs: Sequence[NetworkCost]) -> list[dict[str, Any]]:
    """A row a network and machine; gains are those over the network's first machine, times less."""
    first: dict[str, NetworkCost] = {}
    rows = []
    for cost in costs:
        base = first.setdefault(cost.network.name, cost)
        rows.append(
            {
                "network": cost.network.name,
                "hardware": cost.hardware.name,
                "latency_s": cost.latency_s,
                "energy_pj": cost.energy_pj,
                "edp_js": cost.edp_js,
                "utilisation": cost.utilisation,
                "area_mm2": cost.hardware.area_mm2,
                "num_pes": cost.hardware.num_pes,
                "latency_gain": base.latency_s / cost.latency_s,
                "energy_gain": base.energy_pj / cost.energy_pj,
                "edp_gain": base.edp_js / cost.edp_js,
            }
        )
    return rows


def compare_table(costs: Sequence[NetworkCost]) -> Grid:
    """The rows for a terminal."""
    columns = [text("network", 8, 24), text("hardware", 10), number("latency"), number("energy")]
    columns += [number("EDP, Js"), number("util.", 3), number("mm2", 4)]
    gains = [number("speed-up", 2), number("energy gain", 2), number("EDP gain", 1)]
    grid = Grid([*columns, *gains], "Gains: how many times less than on the network's first machine")
    for row in compare_rows(costs):
        grid.add_row(
            row["network"],
            row["hardware"],
            quantity(row["latency_s"], "s"),
            quantity(row["energy_pj"] * 1e-12, "J"),
            f"{row['edp_js']:.3g}",
            f"{row['utilisation']:.0%}",
            f"{row['area_mm2']:.3g}",
            times(row["latency_gain"], "slower"),
            *(times(row[f"{name}_gain"]) for name in ("energy", "edp")),
        )
    return grid


def compare_figure(costs: Sequence[NetworkCost]) -> Figure:
    """Latency, energy and EDP: a group of bars a network, a bar a machine, its figure above it.

    Axes begin at 0 where all bars can be seen so; else they are logarithmic and begin at a power of ten.
    """
    from matplotlib.ticker import NullLocator

    networks = list(dict.fromkeys(cost.network.name for cost in costs))
    machines = list(dict.fromkeys(cost.hardware.name for cost in costs))
    figure = new_figure(max(4.4, 1.6 + 0.6 * len(machines) * len(networks)), 6.4)
    width = 0.8 / len(machines)
    panels = (
        ("latency", "s", "latency_s", 1.0),
        ("energy", "J", "energy_pj", 1e-12),
        ("EDP", "Js", "edp_js", 1.0),
    )
    figure.set_figwidth(max(3.2, 1.6 + 0.55 * len(machines) * len(networks)) + 1.0)
    axes = figure.subplots(3, 1, sharex=True)
    for axis, (label, unit, name, scale) in zip(axes, panels):
        most, least = (pick(getattr(cost, name) * scale for cost in costs) for pick in (max, min))
        for i, machine in enumerate(machines):
            here = [cost for cost in costs if cost.hardware.name == machine]
            at = [networks.index(cost.network.name) + (i - (len(machines) - 1) / 2) * width for cost in here]
            heights = [getattr(cost, name) * scale for cost in here]
            bars = axis.bar(at, heights, width * 0.92, label=machine, **face(i))
            words = [f"{one:.3g}" if unit == "Js" else quantity(one, unit) for one in heights]
            axis.bar_label(bars, words, fontsize=7, padding=1)
        if most > RANGE * least > 0:
            axis.set(yscale="log", ylim=(10 ** floor(log10(least)), 3 * most))
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.set_ylim(0, 1.15 * most)
        axis.set_ylabel(f"{label}, {unit}")
        tidy(axis, grid="y")
    axes[-1].set_xticks(range(len(networks)), networks, color=INK)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure
