"""How all figures look, and how they are written: for paper and screen, readable in grey."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError, nearest
from accelsim.files import check_writable, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

STYLES = (
    ("#12304a", ""),
    ("#b5452c", ""),
    ("#e39b4b", "//"),
    ("#6f9a5b", ""),
    ("#d5dde2", ".."),
    ("#3f7d74", "\\\\"),
    ("#f0d68a", "xx"),
    ("#8d7bab", ""),
    ("#f4f1ea", "++"),
    ("#5c6770", "--"),
)
"""Face colour and hatching of parts; neighbours differ in lightness or hatching."""

TENSOR_STYLES = {"W": ("#12304a", "-"), "I": ("#c4603f", "--"), "O": ("#a3c48d", "-.")}
"""Colour and line of each tensor."""

MARKERS = "osD^vPX<>*"
LINES = ("-", "--", "-.", ":")
SEQUENTIAL = "cividis"
"""Colour map whose lightness rises evenly."""

INK = "#1c2a33"
FAINT = "#8a979f"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def face(i: int) -> dict[str, Any]:
    """Bar options of part number `i`."""
    colour, hatch = STYLES[i % len(STYLES)]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.3}


def tidy(axis: Axes, *, grid: str = "") -> None:
    """No frame on top and right, and if asked for a faint grid along x, y or both."""
    axis.spines[["top", "right"]].set_visible(False)
    if grid:
        axis.grid(axis="both" if grid == "xy" else grid, color="#e3e7ea", linewidth=0.6)  # type: ignore[arg-type]
        axis.set_axisbelow(True)


def log_scale(axis: Axes, which: str = "xy") -> None:
    """Logarithmic axes with plain numbers, at 1, 2, 3 and 5 of each decade where there is room for them."""
    from matplotlib.ticker import FuncFormatter

    for side in which:
        axis.set(**{f"{side}scale": "log"})
        one = getattr(axis, f"{side}axis")
        low, high = one.get_view_interval()
        digits = "1235" if high > 8 * low else "123456789"

        def plain(value: float, _: int, digits: str = digits) -> str:
            return f"{value:g}" if f"{value:.0e}"[0] in digits else ""

        one.set_major_formatter(FuncFormatter(plain))
        if high < 100 * low:
            one.set_minor_formatter(FuncFormatter(plain))
            axis.tick_params(axis=side, which="minor", labelsize="small")  # type: ignore[arg-type]


def layer_ticks(axis: Axes, names: Sequence[str]) -> None:
    """Layer names below the x axis, thinned out where there are many."""
    step = max(1, -(-len(names) // 60))
    axis.set_xticks(list(range(len(names)))[::step], list(names)[::step], rotation=90, fontsize=6)
    axis.set_xlim(-0.8, len(names) - 0.2)
    axis.tick_params(axis="x", length=0)


def check_path(path: Path) -> Path:
    """The path, if a figure can be written there. Raises AccelsimError for its suffix or folder."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise AccelsimError(
            f"{path}: the suffix must be one of {', '.join(FORMATS)}{nearest(suffix, FORMATS)}"
        )
    check_writable(path)
    return path


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG, SVG or PDF, text as text; the same figure gives the same bytes.

    Raises AccelsimError for another suffix or an unwritable path.
    """
    import matplotlib as mpl

    path = check_path(Path(path))
    suffix = path.suffix.lower()
    options: dict[str, Any] = {"dpi": 160} if suffix == ".png" else {"metadata": {_DATE[suffix]: None}}
    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "accelsim", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(out, format=suffix[1:], **options)
    write_whole(path, out.getvalue())


_DATE = {".svg": "Date", ".pdf": "CreationDate"}
