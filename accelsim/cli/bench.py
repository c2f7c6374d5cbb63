"""`accelsim bench`: the cost model's speed on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.app import Wide, app, console, progress
from accelsim.cli.look import with_look
from accelsim.cli.options import AsCsv, AsJson


@app.command()
@with_look
def bench(
    seconds: Annotated[float, typer.Option(help="How long to measure.", min=0.1, max=3600)] = 10.0,
    plot: Annotated[Path | None, typer.Option(help="Also draw: .png, .svg or .pdf.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also the first result and a joint search; takes about a minute.")
    ] = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Measure mappings a second by layer kind, memories and batch size, on one core."""
    import json

    from accelsim.bench import bench as run
    from accelsim.bench import whole
    from accelsim.csv_text import csv_text
    from accelsim.report import style
    from accelsim.report.bench import bench_figure, bench_report

    if plot is not None:
        style.check_path(plot)
    with progress("pricing mappings") as tick:
        speed = run(seconds, tick)
    most = whole(_search) if full else None
    if plot is not None:
        style.save(bench_figure(speed), plot)
    if as_json:
        print(json.dumps(speed.to_dict() | ({"whole": most.to_dict()} if most else {}), indent=1))
    elif as_csv:
        rows = [row for part in speed.to_dict().values() for row in part]
        print(csv_text(list({key: None for row in rows for key in row}), rows), end="")
    else:
        console().print(bench_report(speed, most))


def _search(candidates: int) -> object:
    from accelsim.cosearch.run import search

    return search("eyeriss", networks="lenet5", evaluations=candidates, population=16, seed=1, finish=0)
