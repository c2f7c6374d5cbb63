"""Reports of the validation on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.report.grid import Grid, number, text
from accelsim.validation.result import Case, Report, Summary

FEW = 60
"""Cases that a report lists in full unless asked for all."""


def figure(value: float) -> str:
    """Four significant digits, whole numbers in full."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def percent(error: float) -> str:
    """A relative error; a ratio where it is beyond tenfold."""
    if error == 0:
        return "0"
    return f"{error:+.2%}" if abs(error) < 0.1 else f"{error:+.0%}" if abs(error) < 9 else f"x{error + 1:.3g}"


def summary_rows(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    """A row a quantity: source, truth, quantity, cases, exact, within, explained, off, mean error, worst."""
    rows = []
    for report in reports:
        for quantity, cases in report.groups().items():
            one = Summary.of(quantity, cases)
            counts = [str(one.verdicts[v]) if one.verdicts[v] else "-" for v in ("exact", "within")]
            counts += [str(one.verdicts[v]) if one.verdicts[v] else "-" for v in ("explained", "off")]
            worst = percent(one.worst.error)
            mean = f"{one.mean_error:.2%}" if one.mean_error < 9 else percent(one.mean_error)
            rows.append((report.title, report.truth, quantity, str(one.count), *counts, mean, worst))
    return rows


def summary_table(reports: Sequence[Report]) -> RenderableType:
    """One line a quantity, then the rank correlations."""
    counts = (("cases", 2), ("exact", 3), ("within", 3), ("explained", 3), ("off", 1))
    columns = [text("source", 6), text("quantity", 12), *(number(name, drop) for name, drop in counts)]
    table = Grid([*columns, number("mean |error|"), number("worst")], "Summary")
    for row in summary_rows(reports):
        table.add_row(row[0], *row[2:])
    ranks = [rank_line(report, i) for report in reports for i in range(len(report.ranks))]
    return Group(table, *map(Text, ranks))


def rank_line(report: Report, number: int) -> str:
    """One rank correlation in words."""
    rank = report.ranks[number]
    text = f"{report.title}, {rank.name}: Spearman {rank.ours:.3f} over {rank.count}"
    if rank.baseline is not None:
        text += f", {rank.baseline_name} {rank.baseline:.3f}"
    return text + (f" (aim {rank.aim:g})" if rank.aim is not None else "")


def report_view(report: Report, *, every: bool = False) -> RenderableType:
    """The cases of one source, what was assumed and fitted, and what was found."""
    columns = [text("case", 10), text("quantity", 10), number("theirs"), number("ours"), number("error")]
    table = Grid([*columns, number("verdict", 1)], f"{report.title}: {report.truth}")
    shown = report.cases if every else listed(report)
    for case in shown:
        table.add_row(
            case.name,
            case.quantity,
            figure(case.theirs),
            figure(case.ours),
            percent(case.error),
            case.verdict,
        )
    parts: list[RenderableType] = [table]
    if len(shown) < len(report.cases):
        parts.append(Text(f"{len(report.cases) - len(shown)} more cases: --all lists them"))
    for name in ("assumptions", "fitted", "findings", "skipped"):
        parts += [Text(f"{name}: {text}") for text in getattr(report, name)]
    return Group(*parts, Text(""))


def listed(report: Report) -> list[Case]:
    """All cases of a small report; of a large one the worst of each quantity, those that are off first."""
    if len(report.cases) <= FEW:
        return list(report.cases)
    out = []
    for cases in report.groups().values():
        rank = {"off": 0, "explained": 1}
        ordered = sorted(cases, key=lambda c: (rank.get(c.verdict, 2), -abs(c.error)))
        out += ordered[:5] if len(cases) > 12 else cases
    return out
