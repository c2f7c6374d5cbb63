"""`Shown`: how results look at a prompt and in a notebook, and as a pandas table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    import pandas

EXACT = 1e15
"""Whole numbers below are shown digit by digit."""

MOST_ROWS = 50
"""Rows of a table in a notebook."""


class Shown:
    """Base of results. A class gives `brief` and `to_rows`, and may name the columns for notebooks."""

    SHOWN_COLUMNS: ClassVar[Sequence[str]] = ()

    def brief(self) -> str:
        """What it is and its main figures, in one line."""
        raise NotImplementedError

    def to_rows(self) -> list[dict[str, Any]]:
        """Flat rows, units in the names."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.brief()}>"

    def _repr_html_(self) -> str:
        """The brief and the first rows, for notebooks."""
        rows = self.to_rows()
        columns = [
            name for name in self.SHOWN_COLUMNS or (rows[0] if rows else ()) if rows and name in rows[0]
        ]
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(_cell(row.get(name)) for name in columns) + "</tr>" for row in rows[:MOST_ROWS]
        )
        more = f"<p>{len(rows) - MOST_ROWS:,} more rows</p>" if len(rows) > MOST_ROWS else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
        return f"<p><b>{escape(self.brief())}</b></p>{table}{more}"

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a data frame. Without pandas AccelsimError says which command installs it."""
        try:
            import pandas
        except ImportError:
            raise AccelsimError("data frames need pandas: pip install 'accelsim[pandas]'") from None
        return pandas.DataFrame(self.to_rows())


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td style='text-align:left'>{escape('' if value is None else str(value))}</td>"
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < EXACT)
    words = "unlimited" if value == inf else f"{value:,.0f}" if whole else f"{value:.4g}"
    return f"<td style='white-space:nowrap'>{words}</td>"
