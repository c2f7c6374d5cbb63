"""Fronts of NACOS-Bench as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.report.grid import Grid, number, text

if TYPE_CHECKING:
    from accelsim.nacos import Bench


def front_table(bench: Bench, rows: list[dict[str, Any]]) -> RenderableType:
    """A row a point of a true front, and below where accuracies are from."""
    numbers = {"EDP, Js": 0, "latency, ms": 0, "energy, uJ": 2, "MACs, M": 0, "params, M": 3, "top-1 %": 0}
    grid = Grid(
        [text("network", 8), text("chip", 12), *(number(*one) for one in numbers.items()), number("mm2", 1)],
        f"NACOS-Bench {bench.manifest.space}, data {bench.manifest.data}: {len(rows)} points",
    )
    for row in rows:
        known = row["accuracy"] is not None
        accuracy = f"{row['accuracy']:.2f} ± {row['accuracy_error']:.2f}" if known else "-"
        grid.add_row(
            row["arch"], row["chip"], f"{row['edp_js']:.4g}", f"{row['latency_s'] * 1e3:.4g}",
            f"{row['energy_pj'] * 1e-6:.4g}", f"{row['macs'] / 1e6:.1f}", f"{row['params'] / 1e6:.2f}",
            accuracy, f"{row['area_mm2']:.3g}",
        )  # fmt: skip
    source = bench.accuracies
    words = "absent; none ships, give --accuracy table:FILE" if source is None else source.source
    return Group(grid, Text(f"accuracy: {words}"))
