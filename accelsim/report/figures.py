"""Figures of results, for paper and screen; readable in grey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.costing import NetworkCost
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
# Lightness rises with the distance from the MACs, hatching tells neighbours apart.
_STYLES = (
    ("#0b3954", ""),
    ("#c8553d", ""),
    ("#f4a259", "//"),
    ("#8cb369", ""),
    ("#cfd8dc", ".."),
    ("#5b8e7d", "\\\\"),
    ("#e9c46a", "xx"),
    ("#9c89b8", ""),
)


def network_figure(cost: NetworkCost) -> Figure:
    """Energy, latency and utilisation of every layer, in execution order."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    parts = list(cost.memory_energy_pj)
    count = len(cost.layers)
    figure = Figure(figsize=(max(7.0, min(14.0, 0.16 * count + 4.0)), 6.6), layout="constrained")
    energy, latency, use = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.4))
    figure.suptitle(
        f"{cost.network.name} on {cost.hardware.name}: {cost.latency_s * 1e3:.3g} ms, "
        f"{cost.energy_pj * 1e-9:.3g} mJ, EDP {cost.edp_js:.3g} Js"
    )
    x = range(count)
    bottom = [0.0] * count
    for i, part in enumerate(parts):
        colour, hatch = _STYLES[i % len(_STYLES)]
        heights = [one.memory_energy_pj()[part] * 1e-6 for one in cost.layers]
        energy.bar(
            x, heights, 0.85, bottom, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3, label=part
        )
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
    energy.set_ylabel("energy (uJ)")
    energy.legend(ncols=len(parts), fontsize="small", frameon=False, loc="upper right")
    energy.set_ylim(0, 1.15 * max(bottom))

    bounds = sorted({one.bound_by for one in cost.layers}, key=lambda name: (name != "compute", name))
    for i, bound in enumerate(bounds):
        colour, hatch = _STYLES[i % len(_STYLES)]
        rows = [j for j in x if cost.layers[j].bound_by == bound]
        cycles = [cost.layers[j].latency_cycles / 1e3 for j in rows]
        latency.bar(rows, cycles, 0.85, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3)
    handles = [
        Patch(
            facecolor=_STYLES[i % len(_STYLES)][0],
            hatch=_STYLES[i % len(_STYLES)][1],
            edgecolor="white",
            label=b,
        )
        for i, b in enumerate(bounds)
    ]
    latency.legend(handles=handles, ncols=len(bounds), fontsize="small", frameon=False, title="bound by")
    latency.set_ylabel("latency (kcycles)")
    latency.set_ylim(0, 1.45 * max(one.latency_cycles / 1e3 for one in cost.layers))

    use.bar(x, [100 * one.utilisation for one in cost.layers], 0.85, color="#607d8b")
    use.set_ylabel("utilisation (%)")
    use.set_ylim(0, 100)
    step = max(1, -(-count // 60))
    use.set_xticks(list(x)[::step], [one.layer.name for one in cost.layers][::step], rotation=90, fontsize=6)
    use.set_xlim(-0.8, count - 0.2)
    for axis in (energy, latency, use):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(axis="x", length=0)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF. Raises AccelsimError for another suffix or an unwritable path."""
    if path.suffix.lower() not in FORMATS:
        raise AccelsimError(f"{path}: the suffix must be one of {', '.join(FORMATS)}")
    options: dict[str, Any] = {"dpi": 160} if path.suffix.lower() == ".png" else {}
    try:
        figure.savefig(path, **options)
    except OSError as fault:
        raise AccelsimError(f"{path}: {fault.strerror or fault}") from None
