"""Figures of the validation page: theirs against ours, and Eyeriss layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.validation.result import Case, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#00629b", "#d1495b", "#edae49", "#00798c", "#5b8e7d", "#9c89b8")
MARKERS = "osD^vP"


def scatter(report: Report, groups: dict[str, list[Case]], unit: str, band: float) -> Figure:
    """Theirs against ours, logarithmic, with the diagonal and the lines `1 + band` above and below it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axis = figure.subplots()
    values = [v for cases in groups.values() for c in cases for v in (c.theirs, c.ours) if v > 0]
    low, high = 0.7 * min(values), 1.4 * max(values)
    axis.plot([low, high], [low, high], color="#444444", linewidth=0.9)
    for factor in (1 + band, 1 / (1 + band)):
        axis.plot([low, high], [low * factor, high * factor], color="#999999", linewidth=0.7, linestyle=":")
    for i, (name, cases) in enumerate(groups.items()):
        many = len(cases) > 200
        axis.scatter(
            [c.theirs for c in cases], [c.ours for c in cases], s=4 if many else 26,
            alpha=0.35 if many else 0.9, linewidths=0, color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[(i + i // len(COLOURS)) % len(MARKERS)],
            label=f"{name} ({len(cases)})",
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axis.set_xlabel(f"theirs ({unit})")
    axis.set_ylabel(f"ours ({unit})")
    axis.set_title(f"{report.title}; dotted: {band:.0%} off", fontsize="medium")
    largest = max(map(len, groups.values()))
    axis.legend(frameon=False, fontsize="small", loc="upper left", markerscale=3 if largest > 200 else 1)
    axis.set_aspect("equal")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def eyeriss(report: Report) -> Figure:
    """Processing latency, buffer and DRAM traffic by layer, measured and ours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6.4), layout="constrained")
    axes = figure.subplots(2, 3, width_ratios=(1, 1, 1))
    figure.suptitle("Eyeriss, measured (dark) and ours (light); above: AlexNet, below: VGG16")
    for row, network in zip(axes, ("AlexNet", "VGG16"), strict=True):
        for axis, quantity in zip(row, ("processing ms", "buffer MB", "DRAM MB"), strict=True):
            cases = [
                c
                for c in report.cases
                if c.name.startswith(network) and c.quantity.startswith(quantity) and "total" not in c.name
            ]
            told = any("tells" in c.quantity for c in cases)
            x = range(len(cases))
            axis.bar([i - 0.2 for i in x], [c.theirs for c in cases], 0.4, color=COLOURS[0])
            axis.bar([i + 0.2 for i in x], [c.ours for c in cases], 0.4, color=COLOURS[2])
            axis.set_xticks(list(x), [c.name.split()[1].replace("CONV", "") for c in cases])
            axis.set_title(quantity + (" (tells the mapping)" if told else ""), fontsize="medium")
            axis.spines[["top", "right"]].set_visible(False)
            for i, case in enumerate(cases):
                height = max(case.theirs, case.ours)
                axis.text(i, height, f"{case.error:+.0%}", ha="center", va="bottom", fontsize=7)
            axis.margins(y=0.12)
    return figure


def figures(report: Report) -> dict[str, Figure]:
    """File stem -> figure, of the sources that have one."""
    groups = report.groups()
    if report.key == "eyeriss":
        return {"validation_eyeriss": eyeriss(report)}
    if report.key == "edgetpu":
        latencies = {name.removeprefix("ms, "): cases for name, cases in groups.items() if name[:2] == "ms"}
        return {"validation_edgetpu": scatter(report, latencies, "ms", 1.0)}
    if report.key == "devices":
        kinds: dict[str, list[Case]] = {}
        for case in groups["ms"]:
            kinds.setdefault(case.name.split(", ")[1], []).append(case)
        return {"validation_devices": scatter(report, kinds, "ms", 0.5)}
    if report.key == "maestro":
        runtime = {name: cases for name, cases in groups.items() if name.startswith("runtime")}
        by_flow: dict[str, list[Case]] = {}
        for cases in runtime.values():
            for case in cases:
                by_flow.setdefault(case.name.split()[1], []).append(case)
        return {"validation_maestro": scatter(report, by_flow, "cycles", 1.0)} if by_flow else {}
    return {}
