"""The figure of a network: energy, latency and utilisation of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.mapping.cost import LayerCost
from accelsim.network_cost import NetworkCost
from accelsim.pricing.network import at_work
from accelsim.report.style import bar_width, check_path, face, layer_ticks, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAR = 3.0
"""A bar that many times the next one hides the others."""

MOST_CUT = 3

_ABOVE: dict[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (0, 1), "fontsize": "small", "frameon": False, "borderpad": 0.2,
    "borderaxespad": 0.1, "columnspacing": 1.2,
}  # fmt: skip
"""Where a legend covers no bar."""

__all__ = ["check_path", "cut", "network_figure", "save", "title_of"]


def network_figure(cost: NetworkCost) -> Figure:
    """Energy, latency and utilisation of every layer and stack, in execution order, and the overhead.

    A bar far above all others is cut, its value beside it, so that the others can be read.
    """
    from matplotlib.patches import Patch

    parts = list(cost.memory_energy_pj)
    bars = _bars(cost)
    count, width = len(bars), bar_width(len(bars))
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
        energy.bar(x, heights, width, bottom, label=part, **face(i, count))
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
    energy.set_ylabel("energy (uJ)")
    energy.legend(ncols=max(1, min(len(parts), int(figure.get_figwidth()))), **_ABOVE)
    cut(energy, bottom)

    bounds = sorted({one.bound_by for one in bars}, key=lambda name: (name != "compute", name))
    for i, bound in enumerate(bounds):
        rows = [j for j in x if bars[j].bound_by == bound]
        cycles = [bars[j].latency_cycles / 1e3 for j in rows]
        latency.bar(rows, cycles, width, **face(i, count))
    handles = [Patch(label=_binding(bound), **face(i)) for i, bound in enumerate(bounds)]
    latency.legend(
        handles=handles, ncols=max(1, min(len(bounds), int(figure.get_figwidth() / 1.7))), **_ABOVE
    )
    latency.set_ylabel("latency (kcycles)")
    cut(latency, [one.latency_cycles / 1e3 for one in bars])

    use.bar(x, [100 * one.utilisation for one in bars], width, color="#607d8b")
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
        inside = cost.network.layers[stack.stack.first : stack.stack.last + 1]
        use = at_work(inside, cost.hardware) / stack.latency_cycles
        name = f"{stack.layers[0]} .. {stack.layers[-1]}"
        bar = _Bar(name, stack.memory_energy_pj, stack.latency_cycles, stack.bound_by, use)
        found.append((place[stack.layers[0]], bar))
    bars = [bar for _, bar in sorted(found, key=lambda item: item[0])]
    if cost.overhead_cycles:
        drawn = cost.hardware.static_energy_pj(cost.overhead_cycles)
        bars.append(_Bar("overhead", drawn, cost.overhead_cycles, "overhead", 0.0))
    return bars


def _binding(bound: str) -> str:
    return bound if bound == "overhead" else f"bound by {bound}"


def cut(axis: Axes, heights: Sequence[float], room: float = 1.08) -> None:
    """Set the top of the axis to `room` times the highest bar, leaving out those that would hide the rest.

    Going down, as long as a bar is over `FAR` times the next one, it is cut and its value stands beside it.
    """
    order = sorted(range(len(heights)), key=lambda i: -heights[i])
    over = 0
    for n in range(min(MOST_CUT, len(order) - 1)):
        if heights[order[n]] > FAR * heights[order[n + 1]] > 0:
            over = n + 1
    top = room * heights[order[over]]
    axis.set_ylim(0, top or 1.0)
    for i in order[:over]:
        value = f"{heights[i]:,.0f}" if heights[i] >= 100 else f"{heights[i]:.3g}"
        axis.text(
            i, 0.9 * top, value, ha="center", va="top", rotation=90, fontsize=7, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
        axis.plot([i - 0.55, i + 0.55], [0.93 * top, 0.97 * top], color="white", linewidth=2, zorder=3)


def title_of(cost: NetworkCost | LayerCost) -> str:
    """What runs on what."""
    what = cost.network.name if isinstance(cost, NetworkCost) else cost.layer.name or str(cost.layer)
    return f"{what} on {cost.hardware.name}"
