"""The speed of the cost model as a table and a figure."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from accelsim.bench import Speed, Waits
from accelsim.report.grid import Grid, number, text
from accelsim.report.style import MARKERS, STYLES, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bench_report(speed: Speed, whole: Waits | None = None) -> RenderableType:
    """Mappings a second by layer and memories, and by batch size; what a user waits for, if measured."""
    memories = sorted({m for _, m, _ in speed.kinds})
    columns = [text("layer", 10), number("memories"), number("tiles that divide"), number("any tiles")]
    table = Grid(columns, "Mappings a second, one core")
    for layer in dict.fromkeys(layer for layer, _, _ in speed.kinds):
        for m in memories:
            cells = (f"{speed.kinds[layer, m, tiles]:,.0f}" for tiles in ("dividing", "any"))
            table.add_row(layer, f"{m}", *cells)
    batches = Grid(
        [number("mappings a call"), number("mappings a second")],
        "By batch size (3x3, three memories, dividing)",
    )
    for size, rate in speed.batches.items():
        batches.add_row(f"{size:,}", f"{rate:,.0f}")
    how = f"{platform.machine()}, Python {platform.python_version()}; best round, CPU time"
    parts: list[RenderableType] = [table, Text(""), batches]
    if whole is not None:
        waits = Grid([text("", 30), number("")], "What a user waits for")
        waits.add_row("first result, empty cache", f"{whole.cold_s:.1f} s")
        waits.add_row("first result, filled cache", f"{whole.warm_s:.2f} s")
        waits.add_row("joint search", f"{whole.candidates_per_second:,.1f} candidates/s")
        parts += [Text(""), waits]
    return Group(*parts, Text(how, style="dim"))


def bench_figure(speed: Speed) -> Figure:
    """Mappings a second over the batch size, and bars by layer and memories."""
    figure = new_figure(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    x, y = list(speed.batches), [n / 1e6 for n in speed.batches.values()]
    left.plot(x, y, marker=MARKERS[0], color=STYLES[0][0])
    left.set(xscale="log", xlabel="mappings a call", ylabel="million mappings a second", ylim=(0, None))
    tidy(left, grid="y")
    layers = list(dict.fromkeys(layer for layer, _, _ in speed.kinds))
    memories = sorted({m for _, m, _ in speed.kinds})
    width = 0.8 / (2 * len(memories))
    for i, m in enumerate(memories):
        for j, tiles in enumerate(("dividing", "any")):
            at = [n - 0.4 + width * (2 * i + j + 0.5) for n in range(len(layers))]
            heights = [speed.kinds[layer, m, tiles] / 1e6 for layer in layers]
            look = {"color": STYLES[(0, 5, 4)[i % 3]][0], "hatch": "////" if j else ""}
            right.bar(at, heights, width, edgecolor="white", linewidth=0.3, label=f"{m}, {tiles}", **look)
    right.set_xticks(range(len(layers)), layers)
    right.legend(frameon=False, fontsize="small", ncols=len(memories), title="memories, tiles")
    right.set_ylim(0, 1.4 * max(speed.kinds.values()) / 1e6)
    tidy(right, grid="y")
    return figure
