"""`accelsim space`: subnets of a space."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import Wide, app, console
from accelsim.cli.options import AsCsv, AsJson


@app.command()
def space(
    name: Annotated[
        str,
        typer.Argument(
            help="A subnet space, as `accelsim list` shows.",
            autocompletion=complete.spaces,
        ),
    ],
    sample: Annotated[int, typer.Option(help="Number of subnets to draw.", min=1, max=100_000)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    accuracy: Annotated[
        str | None,
        typer.Option(
            help="Where accuracies come from: surrogate, published, one-shot, one-shot:FOLDER, "
            "predictor:FILE, table:FILE. Default: surrogate; one-shot for fashion."
        ),
    ] = None,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List subnets of a space with MACs, parameters and accuracy."""
    from accelsim.report.spaces import space_csv, space_rows, space_table

    if as_json:
        import json

        print(json.dumps(space_rows(name, sample, seed, accuracy), indent=1))
    elif as_csv:
        print(space_csv(name, sample, seed, accuracy), end="")
    else:
        console().print(space_table(name, sample, seed, accuracy))
