"""`accelsim sweep`: networks on every variation of an accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import Hardware, Wide, app, console, progress, until_stopped
from accelsim.cli.look import with_look
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load_all
from accelsim.cli.options import (
    AsCsv,
    AsJson,
    Budget,
    EngineName,
    Fuse,
    MapperName,
    ModelName,
    Scheduler,
    Seed,
    Workers,
)
from accelsim.cli.useful import check_mapper, check_workers, refuse
from accelsim.errors import AccelsimError


@app.command()
@with_look
def sweep(
    context: typer.Context,
    hardware: Hardware,
    networks: Annotated[
        list[str],
        typer.Argument(
            help="One or several networks, as for `evaluate`.",
            autocompletion=complete.networks,
        ),
    ],
    vary: Annotated[
        list[str],
        typer.Option(
            help="PATH=SPEC, once for each figure: a list (16KiB,64KiB), or a range with a factor "
            "(16KiB:512KiB:x2) or a step (4:32:+4). PATH as in memories.GLB.fanout.rows.size."
        ),
    ],
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    mapper: MapperName = "genetic",
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objectives",
            "--objective",
            help="What mappings minimise: edp (default), latency or energy; several, as edp,energy, give a "
            "row each.",
        ),
    ] = None,
    budget: Budget = None,
    seed: Seed = 0,
    model: ModelName = "accelsim",
    fuse: Fuse = None,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", "--output", help="Write .csv, .json or .parquet; once interrupted, goes on."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw .png, .svg or .pdf: lines, a heat map, or for more axes the Pareto front."),
    ] = None,
    value: Annotated[str, typer.Option(help="Column that is reported and drawn.")] = "edp_js",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an unfinished sweep.")] = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Price networks on every combination of varied figures."""
    from accelsim.report import figures, sweep_figures, sweeps
    from accelsim.sweeps import sweep as run

    sweeps.check_value(value)
    check_mapper(context, mapper, model)
    check_workers(context, scheduler)
    if output is None:
        refuse(context, "forgets an unfinished sweep of --out, which is not given", "fresh")
    if plot is None and (as_json or as_csv):
        refuse(context, "a column of the report or of --plot, and neither is made here", "value")
    objectives = [name for words in objective or ["edp"] for name in words.split(",")]
    if plot is not None:
        figures.check_path(plot)
    given = load_all(networks, batch, resolution, dims, shapes, allow_unknown)
    try:
        with progress("pricing machines") as tick:
            table, _ = until_stopped(
                lambda stop: run(
                    hardware, given, vary, mapper=mapper, objective=objectives, budget=budget,
                    seed=seed, model=model, fuse=fuse, engine=engine, workers=workers, scheduler=scheduler,
                    out=output, fresh=fresh, cancel=stop, progress=tick,
                ),
                useless=True,
            )  # fmt: skip
    except KeyboardInterrupt:
        left = f"; the same command goes on from {output}.part" if output is not None else ""
        raise KeyboardInterrupt(left) from None
    if not table.ok.rows:
        raise AccelsimError(f"no point of the sweep works: {table.rows[0]['status']}")
    if plot is not None:
        figures.save(sweep_figures.sweep_figure(table, value), plot)
    if as_json:
        print(table.to_json(), end="")
    elif as_csv:
        print(table.to_csv(), end="")
    else:
        console().print(sweeps.sweep_report(table, value))
