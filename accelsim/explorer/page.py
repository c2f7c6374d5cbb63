"""What a file holds, and the page made of it."""

from __future__ import annotations

import csv
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.files import check_suffix, write_whole
from accelsim.text_file import read_text

SUFFIXES = (".html", ".htm")
TABLES = (".csv", ".json", ".parquet")
"""Of files that hold a table or a cost; all others are taken for studies."""


def load(path: Path | str, *, designs: int = 8) -> dict[str, Any]:
    """The data of a page from a study, a sweep's .csv, .json or .parquet, or the JSON of a network's cost.

    Raises AccelsimError where it is none of them.
    """
    path = Path(path)
    if not path.is_file():
        raise AccelsimError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return page_data(_rows_of_csv(path), title=path.stem)
    if suffix == ".parquet":
        from accelsim.sweeps.table import read_parquet

        return page_data(read_parquet(path), title=path.stem)
    if suffix == ".json":
        from accelsim.json_text import read_json

        data = read_json(path, "report")
        try:
            return page_data(data, title=path.stem)
        except AccelsimError as fault:
            raise AccelsimError(f"{path}: {fault}") from None
    from accelsim.cosearch.run import load_study

    return page_data(load_study(path), designs=designs)


def page_data(thing: Any, *, designs: int = 8, title: str = "sweep", live: bool = False) -> dict[str, Any]:
    """The data of a page: of a SearchResult, a SweepTable or its rows, a NetworkCost or its JSON."""
    from accelsim.cosearch.result import SearchResult
    from accelsim.explorer.cost import cost_page
    from accelsim.explorer.study import study_page
    from accelsim.explorer.table import table_page
    from accelsim.network_cost import NetworkCost
    from accelsim.sweeps import SweepTable

    if isinstance(thing, SearchResult):
        return study_page(thing, designs=designs, live=live)
    if isinstance(thing, SweepTable):
        return table_page(thing.to_rows(), title)
    if isinstance(thing, NetworkCost):
        return cost_page(thing.to_dict())
    if isinstance(thing, list) and thing and all(isinstance(row, dict) for row in thing):
        return table_page(thing, title)
    if isinstance(thing, dict):
        return cost_page(thing)
    raise AccelsimError("a page shows a study, the table of a sweep, or the cost of a network")


def html(data: dict[str, Any]) -> str:
    """The page, everything inside it. Without plotly AccelsimError says what installs it."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise AccelsimError("pages need plotly: pip install 'accelsim[report]'") from None
    assets = files("accelsim.explorer") / "assets"
    page = (assets / "page.html").read_text("utf-8")
    inside = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    parts = {
        "@CSS@": (assets / "page.css").read_text("utf-8"),
        "@DATA@": inside,
        "@PLOTLY@": get_plotlyjs(),
        "@SCRIPT@": (assets / "page.js").read_text("utf-8"),
    }
    for mark, text in parts.items():  # split, not replace: data may hold a mark
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def write_page(thing: Any, path: Path | str, *, designs: int = 8) -> Path:
    """Write the page of a result (see `page_data`), whole or not at all; returns its path."""
    path = Path(path)
    check_suffix(path, SUFFIXES)
    data = thing if isinstance(thing, dict) and "kind" in thing else page_data(thing, designs=designs)
    return write_whole(path, html(data).encode())


def _rows_of_csv(path: Path) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(read_text(path)), restkey="more columns than the first line")
    try:
        return [{k: _number(v) for k, v in row.items()} for row in reader]
    except csv.Error as fault:
        raise AccelsimError(f"{path}: line {reader.line_num}: not CSV: {fault}") from None


def _number(cell: Any) -> Any:
    if cell is None or cell == "" or isinstance(cell, list):
        return None
    try:
        return int(cell)
    except ValueError:
        try:
            return float(cell)
        except ValueError:
            return cell
