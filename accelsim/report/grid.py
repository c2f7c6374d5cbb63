"""`Grid`: a table that fits its terminal: numbers whole, texts shortened, lesser columns left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

GAP = 2
"""Cells between columns."""


@dataclass(frozen=True)
class Column:
    """A column of a `Grid`.

    least   cells that the text may be shortened to; None: never shortened, as befits numbers
    most    cells shown at most, where everything would fit
    drop    columns with the largest are left out first; 0: never
    left    aligned left, as text is
    """

    name: str
    least: int | None = None
    most: int | None = None
    drop: int = 0
    left: bool = False


def text(name: str, least: int = 8, most: int | None = None, drop: int = 0) -> Column:
    """A column of words."""
    return Column(name, least, most, drop, left=True)


def number(name: str, drop: int = 0) -> Column:
    """A column of numbers, never cut."""
    return Column(name, drop=drop)


def plain(title: str = "") -> Table:
    """A table without columns yet, in the look of a `Grid`: for rows that always fit."""
    return Table(
        title=title or None, title_justify="left", box=None, header_style="bold", padding=(0, GAP, 0, 0),
        pad_edge=False,
    )  # fmt: skip


@dataclass
class Grid:
    """Rows under columns. Renders as a table no wider than the console, as long as what must stay fits.

    Without rows only the title shows.
    """

    columns: list[Column]
    title: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """One row, a cell a column; missing ones at the end are empty."""
        self.rows.append((*cells, *[""] * (len(self.columns) - len(cells))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, and below it the names of the columns left out."""
        if self.title:
            yield Text(self.title, style="italic")
        if not self.rows:
            return
        natural = [
            max(cell_len(c.name), *(cell_len(row[i]) for row in self.rows))
            for i, c in enumerate(self.columns)
        ]
        shown, widths = fit(self.columns, natural, options.max_width)
        table = plain()
        for i in shown:
            column = self.columns[i]
            table.add_column(
                Text(column.name, overflow="ellipsis", no_wrap=True),
                justify="left" if column.left else "right",
                width=widths[i],
                no_wrap=True,
                overflow="ellipsis",
            )
        for row in self.rows:
            table.add_row(*(row[i] for i in shown))
        yield table
        left_out = [c.name for i, c in enumerate(self.columns) if i not in shown]
        if left_out:
            yield Text(f"not shown for want of room: {', '.join(left_out)}; --wide shows all", style="dim")


def fit(columns: list[Column], natural: list[int], room: int) -> tuple[list[int], dict[int, int]]:
    """(columns shown, width of each) of columns whose longest cells are `natural` wide, in `room` cells.

    First texts are shortened, each towards its least; then columns are left out, by `drop`; what room is left
    goes back to the texts, from the left.
    """
    shown = list(range(len(columns)))

    def least(i: int) -> int:
        shortest = columns[i].least
        return natural[i] if shortest is None else min(natural[i], max(shortest, 1))

    def taken(widths: Iterable[int]) -> int:
        cells = list(widths)
        return sum(cells) + GAP * len(cells)

    while taken(least(i) for i in shown) > room + GAP:
        droppable = [i for i in shown if columns[i].drop]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda i: (columns[i].drop, i)))
    widths = {i: least(i) for i in shown}
    spare = room + GAP - taken(widths.values())
    for i in shown:
        most = columns[i].most
        wish = natural[i] if most is None or room > WIDE else min(natural[i], most)
        more = max(0, min(wish - widths[i], spare))
        widths[i] += more
        spare -= more
    return shown, widths


WIDE = 1000
"""A console at least so wide was asked for whole lines."""
