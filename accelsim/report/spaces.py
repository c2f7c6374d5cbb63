"""Subnets of a space as a table on a terminal and as CSV."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from accelsim.accuracy import AccuracyError, AccuracySource, default_source, load_source
from accelsim.csv_text import csv_text
from accelsim.report.grid import plain
from accelsim.workloads.spaces import Space, load_space

COLUMNS = ("subnet", "macs", "params", "accuracy", "error", "kind", "source")


def space_rows(
    name: str | Space, sample: int = 10, seed: int = 0, accuracy: str | None = None
) -> list[dict[str, Any]]:
    """A row a drawn subnet: COLUMNS, accuracies in per cent.

    `accuracy` is a source as `load_source` understands it. Without one that of the space answers, and where
    there is none the last four columns are None. Raises AccelsimError.
    """
    space = load_space(name)
    source: AccuracySource | None = None
    try:
        found = load_source(accuracy or default_source(space), space)
        space, source = found.restrict(space), found
    except AccuracyError:
        if accuracy:
            raise
    genomes = space.sample(np.random.default_rng(seed), sample)
    known = source.predict(space, genomes, mixed=True) if source else None
    rows = []
    for i, (genome, macs, params) in enumerate(zip(genomes, space.macs(genomes), space.params(genomes))):
        row: dict[str, Any] = {"subnet": str(space.decode(genome)), "macs": int(macs), "params": int(params)}
        answer = known[i] if known is not None else None
        row |= {
            "accuracy": round(answer.value, 3) if answer else None,
            "error": round(answer.error, 3) if answer else None,
            "kind": answer.kind if answer else None,
            "source": answer.source if answer else None,
        }
        rows.append(row)
    return rows


def space_csv(name: str | Space, sample: int = 10, seed: int = 0, accuracy: str | None = None) -> str:
    """A line a drawn subnet, as `space_rows`."""
    return csv_text(COLUMNS, space_rows(name, sample, seed, accuracy))


def space_table(
    name: str | Space, sample: int = 10, seed: int = 0, accuracy: str | None = None
) -> RenderableType:  # fmt: skip
    """Drawn subnets as a table, with the size of the space above and the accuracy's source below."""
    space = load_space(name)
    rows = space_rows(space, sample, seed, accuracy)
    heading = Text(f"{space.name}: {space.size:.3g} subnets, {len(space.genes)} genes", style="bold")
    source = rows[0]["source"] or "no accuracy: this space needs a source, such as table:FILE"
    return Group(heading, _Subnets(rows), Text(f"accuracy: {source}"))


class _Subnets:
    """A row a subnet; where encodings find no room they stand below, each on one line, to be copied."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [row["subnet"] for row in self.rows]
        beside = max(map(len, names)) + 50 <= options.max_width
        table = plain()
        table.add_column("subnet", justify="left" if beside else "right", no_wrap=True)
        for title in ("MACs", "params", "top-1 %"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("kind", no_wrap=True)
        for number, row in enumerate(self.rows, 1):
            known = row["accuracy"] is not None
            table.add_row(
                row["subnet"] if beside else str(number),
                f"{row['macs'] / 1e6:.1f} M" if row["macs"] >= 1e6 else f"{row['macs'] / 1e3:.1f} k",
                f"{row['params'] / 1e6:.2f} M" if row["params"] >= 1e5 else f"{row['params'] / 1e3:.1f} k",
                f"{row['accuracy']:.2f} ± {row['error']:.2f}" if known else "-",
                row["kind"] or "-",
            )
        yield table
        if not beside:
            lines = "\n".join(f"{number} {name}" for number, name in enumerate(names, 1))
            yield Text(lines, no_wrap=True, overflow="ignore")
