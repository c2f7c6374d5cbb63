"""The report of a sweep on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.errors import AccelsimError, not_one_of
from accelsim.report.grid import Grid, number
from accelsim.report.text import quantity, size_text
from accelsim.sweeps.axes import SweepAxis
from accelsim.sweeps.table import FIGURES, SweepTable

_SHOWN = 10
"""Points in the report."""


def check_value(value: str) -> str:
    """A column with figures, or AccelsimError."""
    if value not in FIGURES:
        raise AccelsimError(f"value: {not_one_of(value, FIGURES)}")
    return value


def sweep_report(table: SweepTable, value: str = "edp_js") -> RenderableType:
    """Per network and objective the best points by a column, and what does not work."""
    parts: list[RenderableType] = []
    for network, objective in dict.fromkeys((r["network"], r["objective"]) for r in table.rows):
        here = table.where(network=network, objective=objective)
        good = sorted(here.ok.rows, key=lambda r: float(r[check_value(value)]))
        front = {id(row) for row in here.front().rows}
        title = f"{network}, mapped for {objective}: {len(good)} of {len(here)} points work"
        columns = [number(axis.label) for axis in table.axes]
        columns += [number("latency"), number("energy"), number("EDP, Js"), number("util.", 3)]
        grid = Grid([*columns, number("mm2", 2), number("front", 1)], title)
        for row in good[:_SHOWN]:
            grid.add_row(
                *(tick_text(axis, row[axis.path]) for axis in table.axes),
                quantity(row["latency_s"], "s"),
                quantity(row["energy_pj"] * 1e-12, "J"),
                f"{row['edp_js']:.3g}",
                f"{row['utilisation']:.0%}",
                f"{row['area_mm2']:.3g}",
                "yes" if id(row) in front else "",
            )
        parts += [grid, Text("")]
        if len(good) > _SHOWN:
            rest = f"the {_SHOWN} best by {value}; {len(good) - _SHOWN} more\n"
            parts.insert(-1, Text(rest, style="dim"))
    reasons = Counter(row["status"] for row in table.rows if row["status"] != "ok")
    for reason, count in reasons.most_common(5):
        parts.append(Text(f"{count} cannot work: {reason}"))
    if len(reasons) > 5:
        parts.append(Text(f"{len(reasons) - 5} more reasons stand in the table's status column"))
    return Group(*parts)


def tick_text(axis: SweepAxis, value: Any) -> str:
    """A value of an axis; sizes with a binary prefix."""
    if "size_bytes" in axis.path and isinstance(value, int):
        return size_text(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
