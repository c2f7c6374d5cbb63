"""`SweepTable`: the rows of a sweep, as CSV, JSON or Parquet, as a grid, and their Pareto front."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.csv_text import csv_text
from accelsim.errors import AccelsimError, nearest
from accelsim.files import check_suffix, write_whole
from accelsim.shown import Shown
from accelsim.sweeps.axes import SweepAxis
from accelsim.text_file import MOST_BYTES, read_bytes

FORMATS = (".csv", ".json", ".parquet")

FIGURES = (
    "latency_cycles", "latency_s", "energy_pj", "edp_js", "utilisation", "macs", "num_pes", "onchip_bytes",
    "area_mm2", "peak_memory_bytes", "flash_bytes",
)  # fmt: skip
"""Columns with a number where the point works."""

MOST_CELLS = 5_000_000
"""Of a Parquet file that is read, whose rows may take nothing but a count."""

YOUNG = ("peak_memory_bytes", "flash_bytes")
"""Those of them that older files lack."""


@dataclass(frozen=True, repr=False)
class SweepTable(Shown):
    """A row per point, network and objective, in the order of the axes.

    Columns: the paths of the axes, `network`, `objective`, FIGURES, and `status`: "ok", or why the point
    cannot work; then its figures are None.
    """

    axes: tuple[SweepAxis, ...]
    rows: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def brief(self) -> str:
        """Axes, networks and how many points work."""
        axes = " x ".join(axis.path for axis in self.axes)
        return f"{axes} for {', '.join(self.networks)}: {len(self.ok.rows)} of {len(self.rows)} points work"

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows, a dict each, in the order of `columns`."""
        return [{name: row[name] for name in self.columns} for row in self.rows]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return (*(axis.path for axis in self.axes), "network", "objective", *FIGURES, "status")

    @property
    def ok(self) -> SweepTable:
        """The rows of points that work."""
        return self.where(status="ok")

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks."""
        return tuple(dict.fromkeys(row["network"] for row in self.rows))

    def where(self, **equal: Any) -> SweepTable:
        """The rows whose columns have the given values."""
        rows = (r for r in self.rows if all(r[self._known(k)] == v for k, v in equal.items()))
        return SweepTable(self.axes, tuple(rows))

    def column(self, name: str) -> NDArray[Any]:
        """One column; a missing figure is NaN."""
        values = [row[self._known(name)] for row in self.rows]
        if name in FIGURES:
            return np.array([np.nan if v is None else v for v in values], float)
        return np.array(values)

    def best(self, value: str = "edp_js") -> dict[str, Any]:
        """The row with the smallest value. Raises AccelsimError where no point works."""
        rows = [row for row in self.ok.rows if row[self._known(value)] is not None]
        if not rows:
            raise AccelsimError("no point of the sweep works")
        return min(rows, key=lambda row: float(row[value]))

    def front(self, x: str = "latency_s", y: str = "energy_pj") -> SweepTable:
        """Rows that no other row of the same network beats in both columns, by rising `x`."""
        rows: list[dict[str, Any]] = []
        for network in self.networks:
            best = np.inf
            here = self.ok.where(network=network)
            for row in sorted(here.rows, key=lambda r: (r[self._known(x)], r[self._known(y)])):
                if row[y] < best:
                    best = row[y]
                    rows.append(row)
        return SweepTable(self.axes, tuple(rows))

    def grid(self, value: str = "edp_js") -> NDArray[np.float64]:
        """Smallest value at each combination of the axes, float64[len of each axis]; NaN where none works."""
        out = np.full([len(axis.values) for axis in self.axes], np.inf)
        places = [{value: i for i, value in enumerate(axis.values)} for axis in self.axes]
        for row in self.rows:
            at = tuple(place[row[axis.path]] for axis, place in zip(self.axes, places))
            if row[self._known(value)] is not None:
                out[at] = min(out[at], row[value])
        return np.where(np.isinf(out), np.nan, out)

    # -- files ---------------------------------------------------------------------------------------

    def to_csv(self) -> str:
        """A header and a line a row; what is missing is empty."""
        return csv_text(self.columns, self.rows)

    def to_json(self) -> str:
        """A list of objects, one a row."""
        return json.dumps(self.to_rows(), indent=1) + "\n"

    def write(self, path: Path | str) -> None:
        """Write .csv, .json or .parquet (which needs `pip install accelsim[parquet]`), all at once."""
        path = Path(path)
        check_suffix(path, FORMATS)
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            write_whole(path, self._parquet())
        else:
            write_whole(path, (self.to_csv() if suffix == ".csv" else self.to_json()).encode())

    def _parquet(self) -> bytes:
        arrow, parquet = parquet_modules()
        columns = {
            name: arrow.array([row[name] for row in self.rows], arrow.float64() if name in FIGURES else None)
            for name in self.columns
        }
        out = io.BytesIO()
        parquet.write_table(arrow.table(columns), out)
        return out.getvalue()

    def _known(self, name: str) -> str:
        if name not in self.columns:
            raise AccelsimError(f"a sweep has no column {name!r}{nearest(name, self.columns)}")
        return name


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file. Raises AccelsimError for what is none, or holds too much; needs pyarrow."""
    _, parquet = parquet_modules()
    data = read_bytes(path, MOST_BYTES)
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        told = file.metadata
        sizes = [told.row_group(i).total_byte_size for i in range(told.num_row_groups)]
        if told.num_rows * max(told.num_columns, 1) > MOST_CELLS or sum(sizes) > MOST_BYTES:
            raise AccelsimError(f"{path}: may have at most {MOST_CELLS:,} cells in {MOST_BYTES >> 20} MiB")
        return list(file.read().to_pylist())
    except AccelsimError:
        raise
    except Exception as fault:  # of several libraries
        raise AccelsimError(f"{path}: not a Parquet file that can be read: {fault!s:.200}") from None


def parquet_modules() -> tuple[Any, Any]:
    """(pyarrow, pyarrow.parquet). Raises AccelsimError with the command that installs them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise AccelsimError("Parquet files need pyarrow: pip install 'accelsim[parquet]'") from None
    return pyarrow, pyarrow.parquet
