"""Stacks of a network as tables, and what one of them does step by step."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.fusion import StackCost
from accelsim.network_cost import NetworkCost
from accelsim.report.grid import Grid, number, plain, text
from accelsim.report.text import quantity


def stacks_table(cost: NetworkCost) -> Grid:
    """A row a stack."""
    columns = [text("stack", 16, 44), number("layers", 3), number("tile"), number("kept"), number("steps", 4)]
    columns += [number("MACs", 5), number("again", 2), number("loaded", 3), number("stored", 3)]
    columns += [number("cycles"), number("energy"), text("bound by", 8, drop=1)]
    table = Grid(columns, "Fused")
    for stack in cost.stacks:
        table.add_row(
            title(stack),
            str(len(stack.layers)),
            f"{stack.stack.tile[0]}x{stack.stack.tile[1]}",
            stack.stack.kept,
            str(stack.count),
            quantity(stack.macs, "").strip() if stack.macs else "-",
            f"{stack.macs / stack.macs_needed - 1:.1%}" if stack.macs_needed else "-",
            f"{sum(stack.loads.values()):,}",
            f"{sum(stack.stores.values()):,}",
            f"{stack.latency_cycles:,.0f}",
            quantity(stack.energy_pj * 1e-12, "J"),
            stack.bound_by,
        )
    return table


def title(stack: StackCost) -> str:
    """First and last layer."""
    return f"{stack.layers[0]} .. {stack.layers[-1]}"


def stack_report(stack: StackCost) -> RenderableType:
    """What runs in which sizes, words and room per tensor, and what binds."""
    columns = [text("tensor"), text("regions (rows x columns, times)", 12, 60, drop=1), number("loaded")]
    columns += [number(name, drop) for name, drop in (("stored", 0), ("window", 2), ("kept columns", 2))]
    tensors = Grid([*columns, number("kept rows", 2)], title(stack))
    for name, shapes in stack.regions.items():
        room = stack.room[name]
        tensors.add_row(
            name,
            ", ".join(f"{r}x{c} {n}" for r, c, n in shapes),
            f"{stack.loads[name]:,}" if name in stack.loads else "-",
            f"{stack.stores[name]:,}" if name in stack.stores else "-",
            *(f"{room[part]:,}" for part in ("window", "cols", "rows")),
        )
    times = plain("Cycles")
    times.add_column("part")
    times.add_column("cycles", justify="right")
    for name, cycles in {"pieces": stack.compute_cycles, **stack.port_cycles}.items():
        mark = (
            "  <- binds"
            if name == stack.bound_by or (name == "pieces" and stack.bound_by == "compute")
            else ""
        )
        times.add_row(name, f"{cycles:,.0f}{mark}")
    again = stack.macs - stack.macs_needed
    summary = (
        f"{stack.count} steps of {stack.stack.tile[0]}x{stack.stack.tile[1]}, kept {stack.stack.kept}; "
        f"{stack.macs:,} MACs, {again:,} of them again; {stack.latency_cycles:,.0f} cycles, "
        f"{quantity(stack.energy_pj * 1e-12, 'J')}, bound by {stack.bound_by}"
    )
    if stack.weights_loaded:
        summary += "; weights that stay: " + ", ".join(f"{n} {w:,}" for n, w in stack.weights_loaded.items())
    return Group(Text(summary), tensors, times)
