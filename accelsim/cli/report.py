"""`accelsim report`: a page to explore a study, a sweep or a network's cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.app import app
from accelsim.cli.useful import refuse
from accelsim.errors import AccelsimError


@app.command()
def report(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="A study, a sweep's .csv, .json or .parquet, or the JSON that `evaluate --json` prints."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Page to write; default: FILE with .html.")
    ] = None,
    designs: Annotated[
        int, typer.Option(help="Designs of a study's front drawn in detail.", min=1, max=1000)
    ] = 8,
    live: Annotated[
        bool, typer.Option("--live", help="Follow a running search: serve the page on this machine alone.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of --live; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Write one HTML file that shows a result and works offline, or with --live follow a search."""
    if live:
        if out is not None:
            raise AccelsimError("report: --live serves a page, --out writes one; leave one of them out")
        refuse(context, "a page that follows a search draws none in detail", "designs")
        from accelsim.explorer.live import serve, wait_for

        if not file.exists():
            print(f"accelsim: waits until {file} is there; Ctrl-C ends it", file=sys.stderr, flush=True)
        wait_for(file)
        with serve(file, port) as server:
            print(f"http://127.0.0.1:{server.server_port}/ follows {file}; Ctrl-C ends it", flush=True)
            server.serve_forever()
        return
    from accelsim.explorer import load, write_page
    from accelsim.explorer.page import SUFFIXES, TABLES
    from accelsim.files import check_suffix

    refuse(context, "of the server of --live", "port")
    if file.suffix.lower() in TABLES:
        refuse(context, f"of a study's front, and {file} is no study", "designs")

    path = out or file.with_suffix(".html")
    check_suffix(path, SUFFIXES)
    print(write_page(load(file, designs=designs), path))
