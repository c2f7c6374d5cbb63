"""Results as tables on a terminal and as CSV."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.csv_text import csv_text
from accelsim.mapping.cost import LayerCost
from accelsim.network_cost import NetworkCost
from accelsim.report.grid import Grid, number, plain, text
from accelsim.report.text import quantity


def energy_table(split: dict[str, float], title: str = "Energy") -> Table:
    """Energy by memory, MAC, array and leakage."""
    table = plain(title)
    table.add_column("part")
    table.add_column("energy", justify="right")
    table.add_column("share", justify="right")
    total = sum(split.values())
    for name, pj in sorted(split.items(), key=lambda item: -item[1]):
        table.add_row(name, quantity(pj * 1e-12, "J"), f"{pj / total:.1%}" if total else "-")
    return table


def layer_report(cost: LayerCost, *, explain: bool = False) -> RenderableType:
    """One layer: totals, latency split, energy split, loop nest; with `explain` all traffic and space."""
    parts: list[RenderableType] = [_heading(cost)]
    time = plain("Latency")
    time.add_column("part")
    time.add_column("cycles", justify="right")
    for name, cycles in cost.latency_split.items():
        mark = "  <- binds" if name == cost.bound_by else ""
        time.add_row(name, f"{cycles:,.0f}{mark}")
    parts += [time, energy_table(cost.memory_energy_pj()), Text("Loop nest", style="bold italic")]
    parts.append(Text(cost.mapping.nest(cost.layer)))
    if explain:
        parts += [_traffic_table(cost), _access_table(cost), _space_table(cost)]
    return Group(*parts)


def network_report(cost: NetworkCost, *, explain: bool = False) -> RenderableType:
    """A row a layer, then the totals."""
    table = Grid(
        [
            text("layer", 12, 28),
            text("shape", 14, 34, drop=2),
            *(number("MACs", 1), number("cycles"), number("energy"), number("util.")),
            text("bound by", 14, drop=1),
        ],
        f"{cost.network.name} on {cost.hardware.name}",
    )
    for one in cost.layers:
        table.add_row(
            one.layer.name,
            str(one.layer),
            quantity(one.macs, "").strip() if one.macs else "-",
            f"{one.latency_cycles:,.0f}",
            quantity(one.energy_pj * 1e-12, "J"),
            f"{one.utilisation:.0%}",
            one.bound_by,
        )
    parts: list[RenderableType] = [table, Text(""), energy_table(cost.memory_energy_pj), Text("")]
    if cost.stacks:
        from accelsim.report.fusion import stacks_table

        parts[1:1] = [Text(""), stacks_table(cost)]
    if explain:
        from accelsim.report.fusion import stack_report

        for stack in cost.stacks:
            parts += [stack_report(stack), Text("")]
        for one in cost.layers:
            parts += [layer_report(one, explain=True), Text("")]
    parts.append(_network_totals(cost))
    return Group(*parts)


def network_csv(cost: NetworkCost) -> str:
    """A line a layer, and after them a line a piece of each stack and one for the stack."""
    return _csv(cost.to_rows())


def layer_csv(cost: LayerCost) -> str:
    """One line."""
    return _csv(cost.to_rows())


def _csv(rows: list[dict[str, Any]]) -> str:
    return csv_text(list(rows[0]), rows)


def _heading(cost: LayerCost) -> Text:
    name = f"{cost.layer.name}: " if cost.layer.name else ""
    resident = f", {cost.resident} on chip" if cost.resident else ""
    heading = Text(f"{name}{cost.layer} on {cost.hardware.name}{resident}\n", style="bold")
    heading.append(
        f"latency {cost.latency_cycles:,.0f} cycles ({quantity(cost.latency_s, 's')}), bound by "
        f"{cost.bound_by}; energy {quantity(cost.energy_pj * 1e-12, 'J')}; EDP {cost.edp_js:.3g} Js; "
        f"utilisation {cost.utilisation:.1%} (array {cost.utilisation_spatial:.1%})\n",
        style="not bold",
    )
    return heading


def _network_totals(cost: NetworkCost) -> Text:
    totals = Text()
    totals.append(f"latency {quantity(cost.latency_s, 's')} ({cost.latency_cycles:,.0f} cycles at ")
    rate = cost.network.batch / cost.latency_s
    many = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
    totals.append(f"{cost.hardware.clock_mhz:g} MHz), {many} inferences/s\n")
    overhead_us = cost.hardware.network.overhead_us
    if overhead_us:
        totals.append(f"of which {quantity(overhead_us * 1e-6, 's')} an inference beyond its layers\n")
    totals.append(f"energy {quantity(cost.energy_pj * 1e-12, 'J')}, EDP {cost.edp_js:.3g} Js, ")
    totals.append(f"utilisation {cost.utilisation:.1%}, area {cost.hardware.area_mm2:.3g} mm2")
    if cost.hardware.estimated:
        totals.append(f"\n{len(cost.hardware.estimated)} hardware figures come from the technology fit")
        totals.append(" (--json lists them)")
    if cost.fusion is not None:
        proof = cost.fusion
        sure = (
            "no schedule of the space is better" if proof.proved else f"one could be {proof.gap:.1%} better"
        )
        totals.append(
            f"\n{len(cost.stacks)} stacks; {sure}: {proof.choices:,} choices, {proof.unfit:,} do not fit, "
            f"{proof.beaten:,} beaten by their bound, {proof.priced:,} priced"
        )
    for note in cost.network.notes:
        totals.append(f"\nnote: {note}")
    return totals


def _traffic_table(cost: LayerCost) -> Grid:
    columns = [text("tensor", 6), text("from", 4), text("to", 4), number("fills", 2), number("parent")]
    table = Grid([*columns, number("child"), number("psum reads", 1)], "Traffic (elements)")
    for row in cost.traffic:
        psum = row.get("parent_psum_reads")
        numbers = (row["fills"], row["parent_words"], row["child_words"], psum)
        cells = ("" if n is None else f"{n:,}" for n in numbers)
        table.add_row(row["tensor"], row["parent"], row["child"], *cells)
    return table


def _access_table(cost: LayerCost) -> Grid:
    columns = [text("memory", 6), text("tensor", 6), text("direction", 5), number("words"), number("bits", 1)]
    table = Grid([*columns, number("energy")], "Accesses")
    for row in cost.accesses:
        pj = cost.energy_split_pj[row["memory"]][row["tensor"]][row["direction"]]
        energy = quantity(pj * 1e-12, "J")
        table.add_row(
            row["memory"], row["tensor"], row["direction"], f"{row['words']:,}", f"{row['bits']:,}", energy
        )
    return table


def _space_table(cost: LayerCost) -> Grid:
    columns = [text("memory", 6), text("tensor", 6), number("used"), number("size")]
    table = Grid(columns, "Capacity (bits of one instance)")
    for row in cost.capacity:
        size = "unlimited" if row["size_bits"] is None else f"{row['size_bits']:,}"
        table.add_row(
            row["memory"], row["tensor"], f"{row['used_bits']:,}", size + (" shared" * row["shared"])
        )
    return table
