"""How all figures look, and how they are written: for paper and screen, readable in grey."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.errors import AccelsimError, nearest, not_one_of, printable
from accelsim.files import check_suffix, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

STYLES = (
    ("#12304a", ""),
    ("#b5452c", ""),
    ("#e39b4b", "//"),
    ("#6f9a5b", ""),
    ("#9db7c9", ".."),
    ("#3f7d74", "\\\\"),
    ("#c9b458", "xx"),
    ("#8d7bab", ""),
    ("#d98f7c", "++"),
    ("#5c6770", "--"),
)
"""Face colour and hatching of parts, on pages too; neighbours differ in lightness or hatching."""

TENSOR_STYLES = {"W": ("#12304a", "-"), "I": ("#c4603f", "--"), "O": ("#a3c48d", "-.")}
"""Colour and line of each tensor."""

MARKERS = "osD^vPX<>*"
LINES = ("-", "--", "-.", ":")
SEQUENTIAL = "cividis"
"""Colour map whose lightness rises evenly."""

INK = "#1c2a33"
FAINT = "#8a979f"


LOOKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grey": {},
    "paper": {"font.family": "serif", "mathtext.fontset": "stix", "font.size": 8, "axes.linewidth": 0.5},
}
"""Names for `look`: as it is, in shades of grey, and serif type with thin lines."""


class _Look(NamedTuple):
    grey: bool = False
    size: tuple[float, float] | None = None


_PLAIN = _Look()
_look: ContextVar[_Look] = ContextVar("look", default=_PLAIN)


@contextmanager
def look(
    style: str = "plain", size: tuple[float, float] | str | None = None, font: str | None = None
) -> Iterator[None]:
    """Figures made and saved inside have this look, whichever function makes them.

    style  a name of LOOKS
    size   width and height in inches, also as "3.5x2.4"; None: the figure's own
    font   family and points, as "Times New Roman 8", or one of them; None: the style's

    Raises AccelsimError for an unknown style or font and for a size that is none.
    """
    import matplotlib as mpl

    if style not in LOOKS:
        raise AccelsimError(f"style {not_one_of(style, LOOKS)}")
    settings: Any = LOOKS[style] | ({} if font is None else _font(font))
    token = _look.set(_Look(style == "grey", None if size is None else _size(size)))
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _look.reset(token)


def _size(value: tuple[float, float] | str) -> tuple[float, float]:
    parts = value.lower().split("x") if isinstance(value, str) else list(value)
    try:
        width, height = map(float, parts)
    except ValueError:
        width = height = 0.0
    if not (0.5 <= width <= 100 and 0.5 <= height <= 100):
        raise AccelsimError(
            f"size must be width x height in inches, 0.5 to 100 each, as 3.5x2.4, but got {value!r}"
        )
    return width, height


def _font(text: str) -> dict[str, Any]:
    from matplotlib.font_manager import get_font_names

    words = text.split()
    out: dict[str, Any] = {}
    if words and words[-1].replace(".", "", 1).isdigit():
        out["font.size"] = float(words.pop())
        if not 2 <= out["font.size"] <= 72:
            raise AccelsimError(f"font must have 2 to 72 points, but got {text!r}")
    if words:
        known = {name.lower(): name for name in ("serif", "sans-serif", "monospace", *get_font_names())}
        family = " ".join(words)
        if family.lower() not in known:
            hint = nearest(family, tuple(known.values()))
            raise AccelsimError(
                f"font {family!r} is not installed here{hint}; serif, sans-serif, monospace always are"
            )
        out["font.family"] = known[family.lower()]
    if not out:
        raise AccelsimError(f"font must be a family, points or both, as in 'serif 8', but got {text!r}")
    return out


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, or of the size that `look` gives."""
    from matplotlib.figure import Figure

    return Figure(figsize=_look.get().size or (width, height), layout="constrained")


def _grey(figure: Figure) -> None:
    """Every colour as the grey of its luminance; hatches, dashes and markers stay."""
    from matplotlib.colors import to_rgba
    from matplotlib.image import AxesImage

    def shade(colour: Any) -> tuple[float, float, float, float]:
        r, g, b, a = to_rgba(colour)
        y = 0.2126 * r + 0.7152 * g + 0.0722 * b
        return y, y, y, a

    for artist in figure.findobj():
        if isinstance(artist, AxesImage):
            artist.set_cmap("gray")
            continue
        for part in ("facecolor", "edgecolor", "color", "markerfacecolor", "markeredgecolor"):
            read, write = getattr(artist, f"get_{part}", None), getattr(artist, f"set_{part}", None)
            if read is None or write is None or (part == "color" and hasattr(artist, "get_facecolor")):
                continue
            found = read()
            if isinstance(found, str) and found in ("none", "auto"):
                continue
            try:
                write(shade(found))
            except ValueError:  # a colour each, of a collection
                write([shade(one) for one in found])


MANY = 150
"""Bars, beyond which edges and gaps would hide the colours."""


def face(i: int, bars: int = 1) -> dict[str, Any]:
    """Options of part number `i`, one of so many bars."""
    colour, hatch = STYLES[i % len(STYLES)]
    edge = 0.3 if bars <= MANY else 0.0
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": edge}


def bar_width(bars: int) -> float:
    """Of a bar among so many, 1 where no gap is left."""
    return 0.85 if bars <= MANY else 1.0


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
        digits = "1235" if high > 8 * low else "12357" if high > 3 * low else "123456789"

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
    check_suffix(path, FORMATS)
    return path


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG, SVG or PDF, text as text; the same figure gives the same bytes.

    Raises AccelsimError for another suffix or an unwritable path.
    """
    import warnings

    import matplotlib as mpl

    path = check_path(Path(path))
    suffix = path.suffix.lower()
    if _look.get().grey:
        _grey(figure)
    options: dict[str, Any] = {"dpi": 160} if suffix == ".png" else {"metadata": {_DATE[suffix]: None}}
    out = io.BytesIO()
    text: Any = {"svg.hashsalt": "accelsim", "svg.fonttype": "none", "pdf.fonttype": 42}
    with warnings.catch_warnings(), mpl.rc_context(text):
        warnings.filterwarnings("ignore", "Glyph")  # a box stands for a letter that no font has
        figure.savefig(out, format=suffix[1:], **options)
    content = out.getvalue()
    if suffix == ".svg":  # which bears no control characters, but names from files may
        content = "\n".join(printable(line) for line in content.decode().split("\n")).encode()
    write_whole(path, content)


_DATE = {".svg": "Date", ".pdf": "CreationDate"}
