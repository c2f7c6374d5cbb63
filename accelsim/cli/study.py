"""`accelsim study`: look at, go on with and export the record of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli.app import Wide, app, console
from accelsim.cli.look import with_look
from accelsim.cli.options import AsCsv, AsJson, EngineName, Scheduler, Workers
from accelsim.cli.search import (
    Apart,
    Finish,
    Plot,
    check_outputs,
    finish,
    patience,
    watching,
)
from accelsim.cli.useful import check_reported, check_workers
from accelsim.errors import AccelsimError

studies = typer.Typer(
    no_args_is_help=True, help="List, show, resume and export studies of `accelsim search`."
)
app.add_typer(studies, name="study")

Trust = Annotated[
    bool, typer.Option("--trust", help="Import the code that the study names as package.module:Thing.")
]
StudyFile = Annotated[Path, typer.Argument(help="A study file.")]


@studies.command("list")
def list_studies(
    folder: Annotated[Path, typer.Argument(help="Folder to look in.")] = Path("."),
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the study files of a folder."""
    import json

    from accelsim.cosearch.study import Study, summary
    from accelsim.csv_text import csv_text
    from accelsim.report.grid import Grid, number, text

    if not folder.is_dir():
        raise AccelsimError(f"{folder}: is not a folder")
    table = Grid(
        [
            text("study", 16), text("what", 12, 60), text("strategy", 14, drop=3), number("candidates"),
            number("of"), number("feasible", 1), number("seconds", 2),
        ]
    )  # fmt: skip
    damaged = []
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.study")):
        try:
            with Study.open(path) as study:
                config, numbers = study.config, summary(study)
                what = f"{config.hardware.get('name')}, " + (
                    config.space or ", ".join(str(net.get("name")) for net in config.networks)
                )
                how = f"{config.strategy}, {config.optimiser}"
                rows.append(
                    {
                        "study": str(path),
                        "hardware": config.hardware.get("name"),
                        "space": config.space,
                        "networks": [net.get("name") for net in config.networks],
                        "strategy": config.strategy,
                        "optimiser": config.optimiser,
                        "evaluations": study.evaluations,
                        **numbers,
                    }
                )
                table.add_row(
                    str(path),
                    what,
                    how,
                    f"{numbers['candidates']:,}",
                    f"{study.evaluations:,}",
                    f"{numbers['feasible']:,}",
                    f"{numbers['seconds']:.1f}",
                )
        except AccelsimError as fault:
            damaged.append(f"{path} unreadable: {fault}")
            rows.append({"study": str(path), "fault": str(fault)})
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    if as_csv:
        flat = [row | {"networks": " ".join(row.get("networks", ()))} for row in rows]
        columns = dict.fromkeys(["study", *(key for row in flat for key in row)])
        print(csv_text(list(columns), flat), end="")
        return
    if not table.rows and not damaged:
        console().print(f"no study in {folder}")
        return
    if table.rows:
        console().print(table)
    for line in damaged:
        console().print(line)


@studies.command()
@with_look
def show(
    context: typer.Context,
    file: StudyFile,
    plot: Plot = None,
    apart: Apart = False,
    trust: Trust = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show what a study found so far.

    Mappings, and the layers that were known already, count the work that was done: after a break,
    layers of earlier generations are mapped again and count again.
    """
    from accelsim.cosearch.run import load_study

    check_outputs(plot=plot)
    result = load_study(file, trust=trust)
    check_reported(context, result.setup)
    result.apart = apart
    finish(result, plot=plot, as_json=as_json, as_csv=as_csv)


@studies.command()
def resume(
    context: typer.Context,
    file: StudyFile,
    evaluations: Annotated[
        int | None, typer.Option(help="Candidates in all; default: as the search was begun with.")
    ] = None,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    finishing: Finish = None,
    export: Annotated[
        Path | None, typer.Option("--out", "-o", "--export", help="Folder for the front's designs and a CSV.")
    ] = None,
    trust: Trust = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Go on with a study; the result is that of one uninterrupted search."""
    from accelsim.cosearch.run import load_study
    from accelsim.cosearch.run import resume as go_on

    check_outputs(export)
    check_workers(context, scheduler)
    if finishing is not None:
        check_reported(context, load_study(file, trust=trust).setup)
    with watching() as (stop, watch):
        result = go_on(
            file,
            evaluations,
            engine=engine,
            workers=workers,
            scheduler=scheduler,
            cancel=stop,
            watch=watch,
            finish=patience(finishing),
            trust=trust,
        )
    finish(result, export, as_json=as_json, as_csv=as_csv)


@studies.command()
def export(
    context: typer.Context,
    file: StudyFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")],
    most: Annotated[int | None, typer.Option(help="At most so many designs.", min=1)] = None,
    apart: Apart = False,
    trust: Trust = False,
) -> None:
    """Write a CSV of all candidates, and hardware, network and mapping JSON of the front's designs."""
    from accelsim.cosearch.export import export as write
    from accelsim.cosearch.run import load_study

    check_outputs(out)
    result = load_study(file, trust=trust)
    check_reported(context, result.setup)
    result.apart = apart
    files = write(result, out, most=most)
    print(f"wrote {len(files)} files to {out}")
