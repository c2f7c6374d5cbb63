"""`accelsim validate`: the model against measured chips and other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.app import Wide, app, console, progress
from accelsim.cli.options import AsCsv, AsJson
from accelsim.cli.useful import check_form
from accelsim.errors import AccelsimError
from accelsim.validation import SOURCES


@app.command()
def validate(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{', '.join(SOURCES)}; default: all.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of reference data; its tables stand in for shipped figures. Default: ../shared."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every case.", callback=check_form)] = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            "--write",
            help="Also write a Markdown page, with its figures in `images` beside it.",
        ),
    ] = None,
) -> None:
    """Hold the model against measured chips and other tools."""
    from accelsim.validation import check, run

    names = list(dict.fromkeys(sources or SOURCES))
    for name in names:
        check(name)
    if data is not None and not data.is_dir():
        raise AccelsimError(f"--data {data}: is not a folder")
    if write is not None:
        from accelsim.files import check_folder

        check_folder(write.parent)
    folder = data if data is not None else Path("../shared")
    reports = []
    with progress("comparing") as tick:
        for i, name in enumerate(names):
            reports.append(run(name, folder))
            if tick is not None:
                tick(i + 1, len(names))
    if write is not None:
        from accelsim.validation.page import write_page

        write_page(reports, write)
    if as_json:
        import json

        print(json.dumps([report.to_dict() for report in reports], indent=1))
        return
    if as_csv:
        from accelsim.csv_text import csv_text

        rows = [{"source": report.key} | case for report in reports for case in report.to_dict()["cases"]]
        columns = ("source", "case", "quantity", "theirs", "ours", "error", "verdict", "rule")
        print(csv_text(columns, rows), end="")
        return
    from accelsim.validation import tables

    out = console()
    for report in reports:
        out.print(tables.report_view(report, every=every))
    out.print(tables.summary_table(reports))
