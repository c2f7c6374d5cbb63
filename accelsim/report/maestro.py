"""Tables of MAESTRO's model beside accelsim's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from accelsim.csv_text import csv_text
from accelsim.mapping.maestro.compare import Pair, reasons
from accelsim.report.grid import Grid, number, text
from accelsim.report.text import quantity
from cost_models.maestro import layout as L

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = (
    "layer", "macs", "cycles_maestro", "cycles_accelsim", "pj_maestro", "pj_accelsim",
    "l2_reads_maestro", "l2_reads_accelsim", "l2_writes_maestro", "l2_writes_accelsim", "trouble",
)  # fmt: skip


def rows(pairs: Sequence[Pair]) -> list[list[str | float]]:
    """One row a layer, in the order of COLUMNS; empty where a model has no answer.

    L2 counts are words sent to and taken from the array, all tensors.
    """
    out: list[list[str | float]] = []
    for pair in pairs:
        theirs, ours = pair.maestro, pair.ours
        sent = theirs.accesses(L.L2_READ) if theirs else {}
        words = pair.l2_ours
        out.append(
            [
                pair.layer.name,
                ours.macs if ours else pair.layer.to_layer().macs,
                theirs.latency_cycles if theirs else "",
                ours.latency_cycles if ours else "",
                theirs.energy_pj if theirs else "",
                ours.energy_pj if ours else "",
                sent["I"] + sent["W"] + theirs.counts[L.PSUM_READ] if theirs else "",
                sum(read for read, _ in words.values()) if ours else "",
                theirs.accesses(L.L2_WRITE)["O"] if theirs else "",
                words["O"][1] if ours else "",
                pair.trouble,
            ]
        )
    return out


def table_csv(pairs: Sequence[Pair]) -> str:
    """CSV, a line a layer."""
    return csv_text(COLUMNS, (dict(zip(COLUMNS, row)) for row in rows(pairs)))


def report(title: str, pairs: Sequence[Pair], skipped: Sequence[str] = ()) -> RenderableType:
    """The layers side by side, their sums, and why the two models differ."""
    heads = (
        ("MACs", 1), ("cycles", 0), ("accelsim", 0), ("ratio", 0),
        ("energy", 0), ("accelsim", 0), ("ratio", 0),
        ("L2 reads", 2), ("accelsim reads", 2), ("L2 writes", 3), ("accelsim writes", 3),
    )  # fmt: skip
    table = Grid([text("layer"), *(number(head, drop) for head, drop in heads)], title)
    lines = rows(pairs)
    for line in lines:
        table.add_row(str(line[0]), *_cells(line))
    both = [line for line in lines if not line[-1]]
    if len(both) > 1:
        total: list[str | float] = ["sum"]
        total += [sum(float(line[i]) for line in both) for i in range(1, len(COLUMNS) - 1)]
        table.add_row("sum" if len(both) == len(lines) else f"sum of {len(both)}", *_cells(total))
    parts: list[RenderableType] = [
        table,
        Text("cycles, energy and L2 words: MAESTRO's model, then accelsim's", style="dim"),
    ]
    for line in lines:
        if line[-1]:
            parts.append(Text(f"{line[0]}: {line[-1]}"))
    found = reasons(pairs)
    if found:
        parts.append(Text("why they differ, and in how many layers:"))
        parts += [Text(f"  {many:3d}  {reason}") for reason, many in found]
    if skipped:
        parts.append(Text(f"not priced (no multiply-accumulates, or dilated): {', '.join(skipped)}"))
    return Group(*parts)


def _cells(line: Sequence[str | float]) -> list[str]:
    def words(value: str | float, scale: float = 1.0, unit: str = "") -> str:
        return "-" if value == "" else quantity(float(value) * scale, unit).strip()

    def ratio(a: str | float, b: str | float) -> str:
        return "-" if a == "" or b == "" or not float(b) else f"{float(a) / float(b):.2f}"

    return [
        words(line[1]),
        words(line[2]), words(line[3]), ratio(line[2], line[3]),
        words(line[4], 1e-12, "J"), words(line[5], 1e-12, "J"), ratio(line[4], line[5]),
        *map(words, line[6:10]),
    ]  # fmt: skip
