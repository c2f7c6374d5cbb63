"""The figure of a network: energy, latency and utilisation of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.costing import NetworkCost
from accelsim.mapping.cost import LayerCost
from accelsim.report.style import check_path, face, layer_ticks, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_path", "network_figure", "save", "title_of"]


def network_figure(cost: NetworkCost) -> Figure:
    """Energy, latency and utilisation of every layer, in execution order."""
    from matplotlib.patches import Patch

    parts = list(cost.memory_energy_pj)
    count = len(cost.layers)
    figure = new_figure(max(7.0, min(14.0, 0.16 * count + 4.0)), 6.6)
    energy, latency, use = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.4))
    figure.suptitle(
        f"{cost.network.name} on {cost.hardware.name}: {cost.latency_s * 1e3:.3g} ms, "
        f"{cost.energy_pj * 1e-9:.3g} mJ, EDP {cost.edp_js:.3g} Js"
    )
    x = range(count)
    bottom = [0.0] * count
    for i, part in enumerate(parts):
        heights = [one.memory_energy_pj()[part] * 1e-6 for one in cost.layers]
        energy.bar(x, heights, 0.85, bottom, label=part, **face(i))
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
    energy.set_ylabel("energy (uJ)")
    energy.legend(ncols=len(parts), fontsize="small", frameon=False, loc="upper right")
    energy.set_ylim(0, 1.15 * max(bottom))

    bounds = sorted({one.bound_by for one in cost.layers}, key=lambda name: (name != "compute", name))
    for i, bound in enumerate(bounds):
        rows = [j for j in x if cost.layers[j].bound_by == bound]
        cycles = [cost.layers[j].latency_cycles / 1e3 for j in rows]
        latency.bar(rows, cycles, 0.85, **face(i))
    handles = [Patch(label=bound, **face(i)) for i, bound in enumerate(bounds)]
    latency.legend(handles=handles, ncols=len(bounds), fontsize="small", frameon=False, title="bound by")
    latency.set_ylabel("latency (kcycles)")
    latency.set_ylim(0, 1.45 * max(one.latency_cycles / 1e3 for one in cost.layers))

    use.bar(x, [100 * one.utilisation for one in cost.layers], 0.85, color="#607d8b")
    use.set_ylabel("utilisation (%)")
    use.set_ylim(0, 100)
    layer_ticks(use, [one.layer.name for one in cost.layers])
    for axis in (energy, latency, use):
        tidy(axis)
        axis.tick_params(axis="x", length=0)
    return figure


def title_of(cost: NetworkCost | LayerCost) -> str:
    """What runs on what."""
    what = cost.network.name if isinstance(cost, NetworkCost) else cost.layer.name or str(cost.layer)
    return f"{what} on {cost.hardware.name}"
