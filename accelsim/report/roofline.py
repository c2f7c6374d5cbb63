"""The roofline of a machine, with the layers of a network as points."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest
from accelsim.hardware import Accelerator
from accelsim.mapping.cost import LayerCost
from accelsim.network_cost import NetworkCost
from accelsim.report.figures import title_of
from accelsim.report.style import FAINT, INK, MARKERS, STYLES, new_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Where a point's name may stand, best first: side of the marker, and points above its middle.
PLACES = tuple((side, up) for up in (-3, -9, 4, -18, 13, -27, 22) for side in (1, -1))


class Roof(NamedTuple):
    """Peak in MACs a cycle, bandwidth in bytes a cycle of all instances of a memory, and where they meet.

    The roof is `min(peak, bandwidth * intensity)` over MACs a byte.
    """

    memory: str
    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """MACs a byte from which on the array, and not this memory, is the limit."""
        return self.peak / self.bandwidth


def roof(hardware: Accelerator, memory: str | None = None) -> Roof:
    """The roof over the ports that read a memory, by default the outermost, all together.

    Raises AccelsimError for an unknown memory.
    """
    names = [m.name for m in hardware.memories]
    name = names[0] if memory is None else memory
    if name not in names:
        raise AccelsimError(f"{hardware.name} has no memory {name!r}{nearest(name, names)}")
    m = names.index(name)
    width = sum(port.rate for port in hardware.ports(m) if any(u.startswith("read") for u in port.users))
    return Roof(name, float(hardware.peak_macs_per_cycle), width * hardware.instances(m))


def points(layers: list[LayerCost], over: Roof) -> NDArray[np.float64]:
    """(MACs a byte, MACs a cycle) float64[n, 2] of layers.

    Bytes are what the busiest port of the memory could move in the cycles that it is busy, so that no layer
    lies above the roof; without a limit on the memory's ports, the bytes that it reads. Infinitely many
    MACs a byte where a layer finds all that it needs on chip.
    """
    out = np.empty((len(layers), 2))
    for i, cost in enumerate(layers):
        busy = max((v for k, v in cost.port_cycles.items() if k.split(" ")[0] == over.memory), default=0.0)
        m = cost.hardware.memory_index(over.memory)
        moved = busy * over.bandwidth if busy else float(cost.counts.bits[0, m, :, 0].sum()) / 8
        out[i] = cost.macs / moved if moved else np.inf, cost.macs / cost.latency_cycles
    return out


def roofline_figure(cost: NetworkCost | LayerCost, memory: str | None = None, *, names: int = 5) -> Figure:
    """The roof over one memory's port (default: the outermost) and every layer that multiplies as a point.

    A marker a kind of layer, its area the share of the latency; the longest of `names` places are named,
    where a name finds room. Layers that move nothing there stand at the right edge.
    """
    hardware = cost.hardware
    over = roof(hardware, memory)
    layers = [x for x in (cost.layers if isinstance(cost, NetworkCost) else (cost,)) if x.macs]
    if not layers:
        raise AccelsimError("a roofline needs a layer that multiplies, outside fused stacks")
    spots = points(layers, over)
    figure = new_figure(6.4, 4.4)
    axis = figure.subplots()
    finite = np.isfinite(over.bandwidth)
    ridge = over.ridge if finite else spots[:, 0].min()
    still = np.isinf(spots[:, 0])
    if still.any():
        ridge = ridge if np.isfinite(ridge) else 1.0
        spots[still, 0] = 4 * max(spots[~still, 0].max(initial=0.0), ridge)
    x = np.array([min(spots[:, 0].min(), ridge) / 2, max(spots[:, 0].max(), ridge) * 2])
    if finite:
        axis.plot(
            [x[0], ridge, x[1]], [x[0] * over.bandwidth, over.peak, over.peak], color=INK, linewidth=1.6
        )
        axis.plot([ridge, ridge], [1e-9, over.peak], color=FAINT, linewidth=0.8, linestyle=":")
        text = f"ridge: {ridge:.3g} MACs/B"
        low = spots[:, 1].min() / 1.7
        axis.text(ridge * 1.06, low, text, fontsize="small", color=FAINT, rotation=90, va="bottom")
        slope = f"{over.memory}: {over.bandwidth:.4g} B/cycle"
    else:
        axis.plot(x, [over.peak, over.peak], color=INK, linewidth=1.6)
        slope = f"{over.memory}: unlimited"
    axis.text(x[1], over.peak * 1.06, f"{over.peak:,.0f} MACs/cycle", ha="right", fontsize="small", color=INK)
    total = sum(x.latency_cycles for x in layers)
    kinds = list(dict.fromkeys(_kind(x) for x in layers))
    for i, kind in enumerate(kinds):
        rows = [j for j, one in enumerate(layers) if _kind(one) == kind]
        area = [_marker_area(layers[j], total) for j in rows]
        axis.scatter(
            spots[rows, 0], spots[rows, 1], s=area, marker=MARKERS[i % len(MARKERS)],
            color=STYLES[(0, 1, 3, 5, 7, 9, 2)[i % 7]][0], alpha=0.75, edgecolor="white", linewidth=0.5,
            label=kind,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlim=x, ylim=(spots[:, 1].min() / 2, over.peak * 1.6))
    edge = "; right edge: nothing moves" if still.any() else ""
    axis.set_xlabel(f"MACs per byte at {over.memory}{edge}")
    axis.set_ylabel("MACs per cycle")
    axis.legend(frameon=False, fontsize="small", loc="upper left", title=slope, markerscale=0.7)
    axis.set_title(title_of(cost))
    tidy(axis, grid="xy")
    sizes = [_marker_area(x, total) for x in layers]
    places: dict[tuple[float, ...], list[int]] = {}
    for j in sorted(range(len(layers)), key=lambda j: -layers[j].latency_cycles):
        places.setdefault(tuple(np.round(np.log10(spots[j]), 2)), []).append(j)
    named = []
    for j, *others in list(places.values())[:names]:
        name = layers[j].layer.name or str(layers[j].layer)
        named.append((j, f"{name} and {len(others)} more" if others else name))
    _name_points(axis, spots, sizes, named)
    return figure


def _marker_area(cost: LayerCost, total: float) -> float:
    """Of a layer's marker, in square points: its share of the latency."""
    return 18 + 900 * cost.latency_cycles / total


def _name_points(
    axis: Axes, spots: NDArray[np.float64], sizes: Sequence[float], named: list[tuple[int, str]]
) -> None:
    """Write names beside their points, most important first; a name that finds no free place is left out."""
    from matplotlib.transforms import Bbox

    axis.get_figure().draw_without_rendering()  # type: ignore[union-attr]
    point = axis.get_figure().dpi / 72  # type: ignore[union-attr]
    half = np.sqrt(sizes) * point / 2
    centres = axis.transData.transform(spots)
    taken = [Bbox.from_extents(x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, half, strict=True)]
    taken += [text.get_window_extent() for text in axis.texts]
    taken += [Bbox.from_extents(x - 1, y - 1, x + 1, y + 1) for line in axis.lines for x, y in _along(line)]
    legend = axis.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    for j, name in named:
        for side, up in PLACES:
            text = axis.annotate(
                name, (spots[j, 0], spots[j, 1]), xytext=(side * (half[j] / point + 3), up),
                textcoords="offset points", fontsize=7, color=INK,
                ha="left" if side > 0 else "right",
            )  # fmt: skip
            box = text.get_window_extent()
            inside = axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1 and axis.bbox.y0 <= box.y0
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()


def _along(line: Line2D) -> NDArray[np.float64]:
    """Points of a drawn line, a few pixels apart, float64[n, 2] in pixels."""
    corners = line.get_transform().transform(line.get_xydata())
    steps = np.linspace(0, 1, 200)[:, None]
    pieces = [a + steps * (b - a) for a, b in itertools.pairwise(corners)]
    return np.concatenate(pieces) if pieces else corners


def _kind(cost: LayerCost) -> str:
    layer = cost.layer
    if layer.op != "conv":
        return layer.op
    if layer.R == layer.S == 1:
        return "1x1 or matrix product"
    return "depthwise" if layer.K == layer.C == 1 and layer.G > 1 else f"{layer.R}x{layer.S}"
