"""A network on a microcontroller, and a microcontroller by itself, as text."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.devices import DeviceCost
from accelsim.hardware import Accelerator
from accelsim.hardware.microcontroller import controller
from accelsim.report.memory import memory_report
from accelsim.report.text import quantity


def device_report(cost: DeviceCost) -> RenderableType:
    """Latency, SRAM and Flash beside what there is, then who lives where at the peak."""
    hw, made = cost.hardware, controller(cost.hardware)
    lines = [
        f"{cost.network.name} on {hw.name}: {cost.macs:,} MACs",
        f"latency {quantity(cost.latency_s, 's')}: {cost.latency_cycles:,.0f} cycles at {hw.clock_mhz:g} MHz"
        f", {made.macs_per_cycle:g} MACs a cycle",
        _room("SRAM", cost.plan.peak, cost.sram),
        _room("Flash", cost.plan.flash, cost.flash),
        "energy and area are not known",
    ]
    return Group(Text("\n".join(lines)), Text(""), memory_report(cost.plan, hw))


def device_sheet(hardware: Accelerator) -> RenderableType:
    """What a microcontroller is, each figure with its source."""
    made = controller(hardware)
    flash, sram = hardware.memories
    mine = "  ".join(f"{key}: {source}\n" for key, source in made.sources.items())
    return Text(
        f"{hardware.name}: a microcontroller at {hardware.clock_mhz:g} MHz\n"
        f"{flash.name:6} {flash.total_bytes / 1024:,.0f} KiB for weights and "
        f"{made.code_bytes / 1024:,.0f} KiB of code\n"
        f"{sram.name:6} {sram.total_bytes / 1024:,.0f} KiB for activations, workspaces of "
        f"{made.workspace} and {made.runtime_bytes / 1024:,.0f} KiB of runtime\n"
        f"rate   {made.macs_per_cycle:g} MACs a cycle, "
        f"{quantity(made.macs_per_cycle * hardware.clock_mhz * 1e6, 'MAC/s')}\n"
        f"sources\n  {mine}"
        "It has no array and no mappings, no energy and no area: evaluate, memory and search take it."
    )


def device_facts(hardware: Accelerator) -> dict[str, Any]:
    """The same as JSON."""
    made = controller(hardware)
    flash, sram = hardware.memories
    return {
        "hardware": hardware.name,
        "hardware_hash": hardware.hash,
        "clock_mhz": hardware.clock_mhz,
        "macs_per_cycle": made.macs_per_cycle,
        "flash_bytes": flash.total_bytes,
        "code_bytes": made.code_bytes,
        "sram_bytes": sram.total_bytes,
        "runtime_bytes": made.runtime_bytes,
        "workspace": made.workspace,
        "sources": dict(made.sources),
    }


def _room(name: str, used: int, size: int) -> str:
    left = size - used
    how = f"{left / 1024:,.1f} KiB left" if left >= 0 else f"does not fit: {-left / 1024:,.1f} KiB missing"
    return f"{name:6} {used / 1024:,.1f} of {size / 1024:,.0f} KiB, {how}"
