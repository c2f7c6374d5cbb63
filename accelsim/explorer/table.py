"""What the page shows of a sweep's table: parallel coordinates, a map and the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from accelsim.explorer.checked import check_rows
from accelsim.sweeps.axes import label_of
from accelsim.sweeps.table import FIGURES


def table_page(rows: Sequence[dict[str, Any]], title: str = "sweep") -> dict[str, Any]:
    """The page of a sweep's rows, as `SweepTable.to_rows` gives them or its files hold them.

    Raises AccelsimError where the rows are no sweep's.
    """
    check_rows(rows, title)
    names = list(rows[0])
    axes = names[: names.index("network")]
    labels = {axis: label_of(axis) for axis in axes}
    columns = []
    for name in names:
        cells = [row[name] for row in rows if row[name] is not None]
        numeric = bool(cells) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in cells)
        columns.append(
            {
                "name": name,
                "label": labels.get(name, name),
                "numeric": numeric,
                "metric": name in FIGURES and numeric,
                "log": False,
            }
        )
    good = [row for row in rows if row["status"] == "ok"]
    networks = ", ".join(dict.fromkeys(str(row["network"]) for row in rows))
    best = min(good, key=lambda row: float(row["edp_js"]), default=None)
    where = "" if best is None else "; lowest EDP at " + ", ".join(f"{labels[a]} = {best[a]}" for a in axes)
    return {
        "kind": "sweep",
        "title": f"{title}: {networks}",
        "summary": f"{len(good)} of {len(rows)} points work{where}",
        "columns": columns,
        "rows": [[_plain(row[name]) for name in names] for row in rows],
        "axes": axes,
        "value": "edp_js",
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
