"""A memory plan as text, and as a figure of what is live over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.csv_text import csv_text
from accelsim.liveness import MemoryPlan
from accelsim.report.grid import plain
from accelsim.report.style import bar_width, check_path, face, layer_ticks, new_figure, save, tidy

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


def memory_report(plan: MemoryPlan, hardware: Accelerator | None = None) -> RenderableType:
    """The peak and who makes it, what other orders and layouts would take, flash."""
    table = plain(f"Live at the peak, {plan.layer}")
    table.add_column("tensor made by")
    table.add_column("KiB", justify="right")
    for name, size in sorted(plan.tensors.items(), key=lambda item: -item[1]):
        table.add_row(name, _kib(size))
    if plan.workspace:
        table.add_row("(workspaces)", _kib(plan.workspace))
    lines = [f"peak {_kib(plan.peak)} KiB, of which workspaces {_kib(plan.workspace)}"]
    if plan.patches is None:
        better = f"{_kib(plan.given_peak)} KiB in the given order, no order below {_kib(plan.lowest_peak)}"
        lines.append(better)
    else:
        stage, whole = plan.patches, plan.network.macs
        loose = whole + stage.macs_unclipped - stage.macs_layers
        lines.append(
            f"{stage.grid}x{stage.grid} patches up to {stage.last}: peak {_kib(stage.peak)} KiB at "
            f"{stage.layer}; MACs {plan.macs / whole - 1:+.1%} of the network, "
            f"{stage.macs / stage.macs_layers - 1:+.1%} of the stage; patches not clipped "
            f"at the borders {loose / whole - 1:+.1%} and "
            f"{stage.macs_unclipped / stage.macs_layers - 1:+.1%}"
        )
    code = "with code" if hardware is not None and hardware.microcontroller is not None else "without code"
    lines.append(f"addresses take {_kib(plan.arena)} KiB, flash {_kib(plan.flash)} KiB {code}")
    if hardware is not None:
        lines.append(_fits(plan, hardware))
    return Group(table, Text("\n" + "\n".join(lines)))


def memory_csv(plan: MemoryPlan) -> str:
    """A line a tensor: its layer, its address, its bytes, and whether it lives at the peak."""
    sizes = {layer: size for _, live in plan.steps for layer, size in live.items()}
    rows = [
        {"tensor": name, "address": at, "bytes": sizes[name], "at_peak": name in plan.tensors}
        for name, at in plan.addresses.items()
    ]
    return csv_text(list(rows[0]), rows)


def _fits(plan: MemoryPlan, hardware: Accelerator) -> str:
    home = next((m for m in hardware.memories[1:] if {"I", "O"} <= set(m.holds)), None)
    if home is None:
        return f"{hardware.name} has no memory on chip that holds inputs and outputs"
    size = sum(home.parts().values())
    room = size - plan.peak
    return f"{home.name} of {hardware.name} has {_kib(size)} KiB: " + (
        f"{_kib(room)} KiB are left" if room >= 0 else f"{_kib(-room)} KiB are missing"
    )


def memory_figure(plan: MemoryPlan, path: Path) -> None:
    """Bars of what is live while each layer runs: the result, and what waits. Raises AccelsimError."""
    check_path(path)
    names = [layer for layer, _ in plan.steps]
    figure = new_figure(max(6.4, min(14.0, 0.16 * len(names) + 4.0)), 4.0)
    axis = figure.subplots()
    width = bar_width(len(names))
    made = [live.get(layer, 0) / 1024 for layer, live in plan.steps]
    rest = [(sum(live.values()) - live.get(layer, 0)) / 1024 for layer, live in plan.steps]
    axis.bar(range(len(names)), rest, width, label="read, or waiting", **face(4, len(names)))
    axis.bar(range(len(names)), made, width, rest, label="result", **face(0, len(names)))
    axis.axhline(plan.live / 1024, color=face(1)["facecolor"], linewidth=1, label=f"peak, {plan.layer}")
    axis.set_ylabel("live activations (KiB)")
    axis.set_title(f"{plan.network.name}: {plan.live / 1024:.1f} KiB", fontsize="medium")
    axis.legend(fontsize="small", frameon=False)
    layer_ticks(axis, names)
    tidy(axis)
    save(figure, path)


def _kib(size: float) -> str:
    return f"{size / 1024:,.1f}"
