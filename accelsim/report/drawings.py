"""Drawings: the memories of a machine, and a loop nest as boxes in boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accelsim.hardware import Accelerator
from accelsim.hardware.axis import Axis
from accelsim.hardware.memory import Memory
from accelsim.hardware.ports import ports_text
from accelsim.mapping.cost import LayerCost
from accelsim.report.style import FAINT, INK, TENSOR_STYLES, new_figure
from accelsim.report.text import size_text
from accelsim.workloads.layer import DIMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FILLS = {"dram": "#eef1f3", "sram": "#d3dee5", "register": "#aec1cd"}
_HOLD: dict[str, Any] = {"ha": "left", "va": "center"}


def hierarchy_figure(hardware: Accelerator) -> Figure:
    """The memories, outermost on top, with size, ports and energy; what fans out below each; the MACs.

    A line a tensor runs down the right side, with a dot at each memory that holds it, a ring
    where the mapper may let it pass by.
    """
    heights = [1.2 + 0.62 * bool(m.fanout) + 0.17 * max(0, len(m.fanout) - 1) for m in hardware.memories]
    total = sum(heights) + 1.0
    figure = new_figure(6.6, 0.92 * total)
    axis = _canvas(figure, 10.0, total)
    y = total
    dots: dict[str, list[float]] = {t: [] for t in TENSOR_STYLES}
    open_: dict[str, list[float]] = {t: [] for t in TENSOR_STYLES}
    for m, memory in enumerate(hardware.memories):
        _box(axis, 0.2, y - 1.02, 7.6, 0.94, _FILLS[memory.technology])
        many = hardware.instances(m)
        axis.text(0.4, y - 0.31, memory.name, weight="bold", fontsize=10, color=INK, **_HOLD)
        axis.text(
            7.6, y - 0.31, f"{many:,} x" if many > 1 else "", fontsize=9, color=INK, ha="right", va="center"
        )
        axis.text(0.4, y - 0.59, memory_text(hardware, m), fontsize=7.5, color=INK, **_HOLD)
        axis.text(0.4, y - 0.83, f"{ports_text(hardware, m)} B/cycle", fontsize=7.5, color=INK, **_HOLD)
        for tensor in memory.holds:
            (open_ if tensor in memory.holds_choice else dots)[tensor].append(y - 0.55)
        if memory.fanout:
            _fan(axis, y - 1.02, y - heights[m], memory)
        else:
            axis.plot([4, 4], [y - 1.02, y - heights[m] - 0.08], color=FAINT, linewidth=1)
        y -= heights[m]
    _box(axis, 1.8, y - 0.7, 4.4, 0.6, "#12304a")
    bits = hardware.precision_bits
    text = f"{hardware.num_pes:,} MACs, {bits.weight} x {bits.input} bits into {bits.psum}"
    axis.text(4, y - 0.31, text, fontsize=8.5, color="white", ha="center", va="center")
    energy = f"{hardware.costs.mac.energy_pj:.3g} pJ a MAC"
    axis.text(4, y - 0.53, energy, fontsize=7, color="white", ha="center", va="center")
    for i, (t, (colour, line)) in enumerate(TENSOR_STYLES.items()):
        x = 8.35 + 0.55 * i
        axis.plot([x, x], [y - 0.4, total - 0.45], color=colour, linestyle=line, linewidth=1.4)
        axis.plot([x] * len(dots[t]), dots[t], "o", color=colour, markersize=6)
        axis.plot([x] * len(open_[t]), open_[t], "o", color=colour, markersize=6, markerfacecolor="white")
        axis.plot([x], [y - 0.4], "v", color=colour, markersize=6)
        axis.text(x, total - 0.12, t, fontsize=9, color=colour, ha="center", va="center", weight="bold")
    axis.set_title(
        f"{hardware.name}: {hardware.technology_nm:g} nm, {hardware.clock_mhz:g} MHz, "
        f"{hardware.area_mm2:.3g} mm$^2$" + ("" if hardware.components else " without control and wiring"),
        fontsize=9,
    )
    return figure


def memory_text(hardware: Accelerator, m: int) -> str:
    """Size, energy of a bit read, and how fills are hidden."""
    memory = hardware.memories[m]
    parts = memory.parts()
    size = "unlimited" if not parts else ", ".join(
        size_text(n) if t == "all" else f"{t} {size_text(n)}" for t, n in parts.items()
    )  # fmt: skip
    access = hardware.resolved_energy(m)
    reads = sorted({round(read, 12) for read, _ in access.values()})
    energy = f"{reads[0]:.3g}" if reads[0] == reads[-1] else f"{reads[0]:.3g} to {reads[-1]:.3g}"
    how = "double-buffered" if memory.double_buffered else "fills hidden" if memory.overlaps else ""
    own, kept = memory.precision_bits, hardware.kept_bits(m)
    widths = "" if own is None else ", ".join(
        f"{key} {getattr(kept, key)}" for key in ("weight", "input", "output", "psum") if getattr(own, key)
    )  # fmt: skip
    texts = [size, f"{energy} pJ/bit read", how, widths and f"bits: {widths}"]
    return "; ".join(text for text in texts if text)


def _fan(axis: Axes, top: float, bottom: float, memory: Memory) -> None:
    from matplotlib.patches import Polygon

    shape = [(2.2, top), (5.8, top), (7.2, bottom - 0.08), (0.8, bottom - 0.08)]
    axis.add_patch(Polygon(shape, closed=True, facecolor="#f7f4ec", edgecolor=FAINT, linewidth=0.6, hatch=""))
    lines = [axis_text(x) for x in memory.fanout]
    step = (top - bottom) / (len(lines) + 0.6)
    for i, line in enumerate(lines):
        axis.text(4, top - step * (i + 0.75), line, fontsize=7, color=INK, ha="center", va="center")


def axis_text(one: Axis) -> str:
    """Name, lanes and capabilities."""
    able = [name for name in ("multicast", "reduction", "forwarding") if getattr(one, name)]
    lanes = f" on the lanes of {one.shares}" if one.shares else ""
    return f"{one.axis} x{one.size}{lanes}{': ' + ', '.join(able) if able else ''}"


def nest_figure(cost: LayerCost) -> Figure:
    """The loop nest: a box a memory with the tile that it holds and how full it is, loops inside, dark bands
    where the array works side by side.
    """  # fmt: skip
    rows = _nest_rows(cost)
    depth = len(cost.mapping.levels)
    figure = new_figure(7.0, 0.24 * (len(rows) + depth) + 0.9)
    lines = len(rows) + 0.5 * depth + 0.4
    axis = _canvas(figure, 10.0, lines)
    y = lines - 0.2
    level = 0
    fills = ["#f3f6f8", "#dde7ed", "#c3d3dd", "#a9bfcc", "#8fabbb"]
    bottom = 0.2
    for kind, text in rows:
        x = 0.2 + 0.35 * level
        if kind == "memory":
            y -= 0.25
            room = 0.22 * level
            _box(axis, x, bottom + room, 9.6 - 0.7 * level, y - bottom - room, fills[level % 5])
            axis.text(x + 0.12, y - 0.5, text, fontsize=8, weight="bold", color=INK, **_HOLD)
            level += 1
        elif kind == "spatial":
            _box(axis, x - 0.1, y - 0.92, 9.6 - 0.7 * (level - 1) - 0.5, 0.84, "#12304a")
            axis.text(x + 0.05, y - 0.5, text, fontsize=8, color="white", family="monospace", **_HOLD)
        else:
            style = "italic" if kind == "end" else "normal"
            axis.text(x, y - 0.5, text, fontsize=8, color=INK, family="monospace", style=style, **_HOLD)
        y -= 1
    title = f"{cost.layer.name or cost.layer} on {cost.hardware.name}: {cost.latency_cycles:,.0f} cycles"
    axis.set_title(title, fontsize=9)
    return figure


def _nest_rows(cost: LayerCost) -> list[tuple[str, str]]:
    """(memory | loop | spatial | end, text) from the outermost line to the innermost."""
    inside = dict(cost.layer.dims)
    used: dict[str, list[str]] = {}
    for row in cost.capacity:
        share = "" if row["size_bits"] is None else f" {row['used_bits'] / row['size_bits']:.0%}"
        used.setdefault(row["memory"], []).append(f"{row['tensor']}{share}")
    rows = []
    for level in cost.mapping.levels:
        held = " ".join(f"{d}{n}" for d, n in inside.items() if n > 1) or "one element"
        full = ", ".join(used.get(level.memory, []))
        rows.append(("memory", f"{level.memory}   tile {held}   [{full}]"))
        outer = [d for d in DIMS if d not in level.order]
        for dim in (*outer, *level.order):
            union = level.tile.get(dim, inside[dim])
            if union < inside[dim]:
                trips = -(-inside[dim] // union)
                rows.append(("loop", f"for {dim} in 0:{inside[dim]}:{union}  ({trips} steps)"))
            inside[dim] = union
        for name, (dim, factor) in level.spatial.items():
            rows.append(("spatial", f"{dim} side by side over {name}: {factor}"))
            inside[dim] = -(-inside[dim] // factor)
    rows.append(("end", "multiply-accumulate" if cost.layer.multiplies else cost.layer.op))
    return rows


def _canvas(figure: Figure, width: float, height: float) -> Axes:
    axis: Axes = figure.subplots()
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    return axis


def _box(axis: Axes, x: float, y: float, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.08"
    patch = FancyBboxPatch((x, y), width, height, style, facecolor=colour, edgecolor=INK, linewidth=0.7)
    return axis.add_patch(patch)
