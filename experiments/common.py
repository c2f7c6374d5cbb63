"""What the experiments share: their options, figures of several networks, and tables that are kept."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import accelsim
from accelsim.cosearch.finish import PATIENCE
from accelsim.cosearch.result import SearchResult
from accelsim.errors import AccelsimError
from accelsim.files import check_folder, make_folder


def at_least_one(text: str) -> int:
    """Of an option that counts: a number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, but got {text!r}")
    return int(text)


def folder(text: str) -> Path:
    """Of an option that names a folder, which is made."""
    with refused():
        make_folder(Path(text))
        check_folder(Path(text))
    return Path(text)


def chip(name: str) -> str:
    """Of an option that names a chip to search around."""
    with refused():
        if accelsim.load_hardware(name).search is None:
            raise AccelsimError(f"{name} has no `search` section, which says what may vary")
    return name


def chip_names(text: str) -> list[str]:
    """Of an option that names several, with commas between."""
    return [chip(name) for name in text.split(",")]


@contextmanager
def refused() -> Iterator[None]:
    """What accelsim refuses is a fault of the command line."""
    try:
        yield
    except AccelsimError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def options(
    doc: str, name: str, evaluations: int | None = None, model: bool = False, seeds: int | None = None,
    chips: Sequence[str] = (),
) -> argparse.Namespace:  # fmt: skip
    """`--quick`, `--out` and, for scripts that search, `--evaluations` and `--seeds`; the folder is made.

    With `model` also `--model`, and what its second one takes: `--mappings`; with `chips` also `--chips`, to
    name some of these. `args.settings` is what a search takes besides its question.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that all runs, proves nothing")
    parser.add_argument("--out", type=folder, default=f"results/{name}", help="folder for the results")
    if evaluations is not None:
        text = f"candidates a search, {evaluations} unless given"
        parser.add_argument("--evaluations", type=at_least_one, default=evaluations, help=text)
    if seeds is not None:
        text = f"searches each, {seeds} unless given"
        parser.add_argument("--seeds", type=at_least_one, default=seeds, help=text)
    if model:
        parser.add_argument("--model", choices=("accelsim", "maestro"), default="accelsim")
        text = "dataflows a layer, maestro only"
        parser.add_argument("--mappings", type=at_least_one, default=200, help=text)
    if chips:
        parser.add_argument("--chips", default=",".join(chips), help="all unless given, with commas between")
    chosen = parser.parse_args()
    if chips:
        chosen.chips = chosen.chips.split(",")
        if unknown := [name for name in chosen.chips if name not in chips]:
            parser.error(f"--chips: must be some of {','.join(chips)}, but got {unknown[0]!r}")
    if chosen.quick:
        chosen.evaluations, chosen.seeds = 8, 1
    chosen.finish = 0 if chosen.quick else PATIENCE
    if evaluations is not None:
        quick = {"population": 8, "budget": 20} if chosen.quick else {}
        chosen.settings = {"evaluations": chosen.evaluations, "finish": chosen.finish, "workers": 2} | quick
    return chosen


def priced(
    chip: accelsim.Accelerator,
    networks: Sequence[str | accelsim.Network],
    mapper: str = "genetic",
    budget: int = 2000,
) -> tuple[float, float]:
    """(seconds, joules) of one inference, geometric means over the networks, mapped for the lowest EDP."""
    costs = [accelsim.map_network(chip, net, mapper, "edp", budget, workers=2).cost for net in networks]
    return geometric_mean(c.latency_s for c in costs), geometric_mean(c.energy_pj * 1e-12 for c in costs)


def exact(chip: accelsim.Accelerator, networks: Sequence[str | accelsim.Network]) -> tuple[float, float]:
    """`priced` by the exact mapper, which prices `PATIENCE` mappings a layer at most."""
    return priced(chip, networks, "optimal", PATIENCE)


def ranged(values: Sequence[float], show: Callable[[float], str] = "{:.2f}".format) -> str:
    """The median, and where there are several the range."""
    if len(values) < 2:
        return show(values[0])
    return f"{show(median(values))} ({show(min(values))} to {show(max(values))})"


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Print a table; keep it as CSV and, beside that, as Markdown."""
    names = list(rows[0])
    table = Table(title=path.stem, title_justify="left", box=None, header_style="bold")
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=150, highlight=False).print(table, "")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    lines = [names, ["---"] * len(names), *([str(x) for x in row.values()] for row in rows)]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def front_costs(result: SearchResult) -> NDArray[np.float64]:
    """Costs [designs, objectives] to minimise of a front as reported, logarithms where they span decades."""
    goals = result.setup.goals
    return goals.log_costs(goals.costs(np.array([list(found.metrics.values()) for found in result.front])))
