"""The figure of a network: energy, latency and utilisation of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from accelsim.costing import NetworkCost
from accelsim.mapping.cost import LayerCost
from accelsim.report.style import check_path, face, layer_ticks, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_path", "network_figure", "save", "title_of"]


def network_figure(cost: NetworkCost) -> Figure:
    """Energy, latency and utilisation of every layer and stack, in execution order."""
    from matplotlib.patches import Patch

    parts = list(cost.memory_energy_pj)
    bars = _bars(cost)
    count = len(bars)
    figure = new_figure(max(7.0, min(14.0, 0.16 * count + 4.0)), 6.6)
    energy, latency, use = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.4))
    figure.suptitle(
        f"{cost.network.name} on {cost.hardware.name}: {cost.latency_s * 1e3:.3g} ms, "
        f"{cost.energy_pj * 1e-9:.3g} mJ, EDP {cost.edp_js:.3g} Js"
    )
    x = range(count)
    bottom = [0.0] * count
    for i, part in enumerate(parts):
        heights = [one.energy_pj.get(part, 0.0) * 1e-6 for one in bars]
        energy.bar(x, heights, 0.85, bottom, label=part, **face(i))
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
    energy.set_ylabel("energy (uJ)")
    energy.legend(ncols=len(parts), fontsize="small", frameon=False, loc="upper right")
    energy.set_ylim(0, 1.15 * max(bottom))

    bounds = sorted({one.bound_by for one in bars}, key=lambda name: (name != "compute", name))
    for i, bound in enumerate(bounds):
        rows = [j for j in x if bars[j].bound_by == bound]
        cycles = [bars[j].latency_cycles / 1e3 for j in rows]
        latency.bar(rows, cycles, 0.85, **face(i))
    handles = [Patch(label=bound, **face(i)) for i, bound in enumerate(bounds)]
    latency.legend(handles=handles, ncols=len(bounds), fontsize="small", frameon=False, title="bound by")
    latency.set_ylabel("latency (kcycles)")
    latency.set_ylim(0, 1.45 * max(one.latency_cycles / 1e3 for one in bars))

    use.bar(x, [100 * one.utilisation for one in bars], 0.85, color="#607d8b")
    use.set_ylabel("utilisation (%)")
    use.set_ylim(0, 100)
    layer_ticks(use, [one.name for one in bars])
    for axis in (energy, latency, use):
        tidy(axis)
        axis.tick_params(axis="x", length=0)
    return figure


class _Bar(NamedTuple):
    """A layer, or a stack of them."""

    name: str
    energy_pj: dict[str, float]
    latency_cycles: float
    bound_by: str
    utilisation: float


def _bars(cost: NetworkCost) -> list[_Bar]:
    place = {name: i for i, name in enumerate(cost.network.names)}
    found = [
        (place.get(one.layer.name, i), _Bar(
            one.layer.name, one.memory_energy_pj(), one.latency_cycles, one.bound_by, one.utilisation
        ))
        for i, one in enumerate(cost.layers)
    ]  # fmt: skip
    for stack in cost.stacks:
        use = stack.macs_needed / (stack.latency_cycles * cost.hardware.num_pes)
        name = f"{stack.layers[0]} .. {stack.layers[-1]}"
        bar = _Bar(name, stack.memory_energy_pj, stack.latency_cycles, stack.bound_by, use)
        found.append((place[stack.layers[0]], bar))
    return [bar for _, bar in sorted(found, key=lambda item: item[0])]


def title_of(cost: NetworkCost | LayerCost) -> str:
    """What runs on what."""
    what = cost.network.name if isinstance(cost, NetworkCost) else cost.layer.name or str(cost.layer)
    return f"{what} on {cost.hardware.name}"
