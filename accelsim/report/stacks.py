"""Where the time and the energy go: stacked bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.mapping.cost import LayerCost
from accelsim.network_cost import NetworkCost
from accelsim.report.figures import title_of
from accelsim.report.fusion import title
from accelsim.report.style import (
    INK,
    MARKERS,
    STYLES,
    TENSOR_STYLES,
    bar_width,
    face,
    layer_ticks,
    new_figure,
    tidy,
)
from accelsim.report.text import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def latency_stack(cost: LayerCost) -> dict[str, float]:
    """Cycles that add up to the latency: useful and idle lanes while computing, the port that holds compute
    up ("waits for GLB read"), fills that nothing hides, the ramps, and the start of the layer.
    """  # fmt: skip
    split = cost.latency_split
    compute = cost.compute_cycles
    useful = compute * cost.utilisation_spatial if cost.macs else 0.0
    exposed, up, down = (split[name] for name in ("exposed fills", "ramp-up", "ramp-down"))
    out = {"multiplies": useful, "lanes idle": compute - useful}
    if not cost.macs:
        out = {"other operators": compute}
    start = split.get("layer start", 0.0)
    waits = cost.latency_cycles - compute - exposed - up - down - start
    if waits > 1e-9 * cost.latency_cycles:
        out[f"waits for {max(cost.port_cycles, key=cost.port_cycles.__getitem__)}"] = waits
    return out | {"exposed fills": exposed, "ramps": up + down} | ({"layer start": start} if start else {})


def latency_figure(cost: NetworkCost | LayerCost) -> Figure:
    """Latency stack of each layer; a marker shows how long its busiest port would need by itself.

    Fused stacks follow, a bar each.
    """
    layers = cost.layers if isinstance(cost, NetworkCost) else (cost,)
    fused = cost.stacks if isinstance(cost, NetworkCost) else ()
    names = [one.layer.name or str(one.layer) for one in layers] + [title(one) for one in fused]
    count = len(names)
    stacks = [latency_stack(one) for one in layers] + [{"fused stacks": one.latency_cycles} for one in fused]
    order = ["multiplies", "lanes idle", "other operators"]
    waits = sorted({name for stack in stacks for name in stack if name.startswith("waits")})
    ends = ("exposed fills", "ramps", "layer start", "fused stacks")
    parts = [p for p in (*order, *waits, *ends) if any(s.get(p) for s in stacks)]
    figure = new_figure(max(6.4, min(14.0, 0.16 * count + 4.0)), 4.6)
    axis = figure.subplots()
    bottom, width = [0.0] * count, bar_width(count)
    for i, part in enumerate(parts):
        heights = [stack.get(part, 0.0) / 1e3 for stack in stacks]
        axis.bar(range(count), heights, width, bottom, label=part, **face(i, count))
        bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
    busiest = [max(one.port_cycles, key=one.port_cycles.__getitem__) for one in layers]
    ports = list(dict.fromkeys(port for one in layers for port in one.port_cycles if port in busiest))
    for i, port in enumerate(ports):
        at = [n for n, name in enumerate(busiest) if name == port]
        axis.scatter(
            at, [layers[n].port_cycles[port] / 1e3 for n in at], 14, marker=MARKERS[i % len(MARKERS)],
            color=INK, linewidth=0.5, facecolor="white", label=f"{port} alone", zorder=3,
        )  # fmt: skip
    axis.set_ylabel("latency (kcycles)")
    axis.set_ylim(0, 1.08 * max(bottom))
    layer_ticks(axis, names)
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside upper center", fontsize="small", frameon=False,
        ncols=max(1, min(int(figure.get_figwidth() / 1.7), len(parts) + len(ports))), title=title_of(cost),
    )  # fmt: skip
    tidy(axis)
    return figure


def energy_figure(cost: NetworkCost | LayerCost) -> Figure:
    """Energy of MACs, array, leakage, components and each memory, the memories' by tensor and direction.

    What fused stacks and the overhead of an inference take is a part of its own.
    """
    layers = cost.layers if isinstance(cost, NetworkCost) else (cost,)
    names = [memory.name for memory in cost.hardware.memories]
    static = list(cost.hardware.static_mw)
    bars = ["mac", "array", *static, *reversed(names)]
    plain = 2 + len(static)
    total = dict.fromkeys(bars, 0.0)
    figure = new_figure(max(5.6, 0.8 * len(bars) + 2.2), 3.8)
    axis = figure.subplots()
    fixed = [sum(one.energy_split_pj[bar] for one in layers) for bar in bars[:plain]]
    axis.bar(range(plain), fixed, 0.62, color=STYLES[9][0], edgecolor="white")
    total |= dict(zip(bars[:plain], fixed))
    for tensor, (colour, _) in TENSOR_STYLES.items():
        for way, hatch in (("read", ""), ("write", "////")):
            heights = [
                sum(one.energy_split_pj[name].get(tensor, {}).get(way, 0.0) for one in layers)
                for name in bars[plain:]
            ]
            bottom = [total[name] for name in bars[plain:]]
            axis.bar(
                range(plain, len(bars)), heights, 0.62, bottom, color=colour, hatch=hatch, edgecolor="white",
                linewidth=0.4, label=f"{tensor} {way}",
            )  # fmt: skip
            for name, height in zip(bars[plain:], heights, strict=True):
                total[name] += height
    if isinstance(cost, NetworkCost) and (cost.stacks or cost.overhead_cycles):
        splits = [stack.memory_energy_pj for stack in cost.stacks]
        splits.append(cost.hardware.static_energy_pj(cost.overhead_cycles))
        heights = [sum(split.get(bar, 0.0) for split in splits) for bar in bars]
        parts = (("fused stacks", cost.stacks), ("overhead", cost.overhead_cycles))
        label = ", ".join(name for name, there in parts if there)
        axis.bar(range(len(bars)), heights, 0.62, list(total.values()), label=label, **face(5))
        total = {bar: pj + height for (bar, pj), height in zip(total.items(), heights)}
    whole = sum(total.values())
    for i, bar in enumerate(bars):
        label = f"{quantity(total[bar] * 1e-12, 'J')}\n{total[bar] / whole:.0%}"
        axis.annotate(
            label, (i, total[bar]), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    axis.set_xticks(range(len(bars)), ["MAC", *bars[1:]])
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_ylim(0, 1.15 * max(total.values()))
    axis.set_title(f"{title_of(cost)}: {quantity(whole * 1e-12, 'J')}")
    axis.legend(frameon=False, fontsize="small", ncols=3, loc="upper left")
    tidy(axis)
    return figure
