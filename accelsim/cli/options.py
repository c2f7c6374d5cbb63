"""Options that mean the same in every command."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.useful import check_form

MapperName = Annotated[
    str,
    typer.Option(
        "--mapper",
        help="How each layer is mapped: genetic, optimal, cmaes, random or template.",
        autocompletion=complete.mappers,
    ),
]
ObjectiveName = Annotated[
    str,
    typer.Option("--objectives", "--objective", help="What mappings minimise: edp, latency or energy."),
]
Budget = Annotated[
    int | None,
    typer.Option(
        "--budget",
        help="Mappings priced a layer, the template's, up to 1000, first. Default: 2000; optimal: no limit.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of all random choices.")]
ModelName = Annotated[str, typer.Option("--model", help="Who prices the layers: accelsim or maestro.")]
Fuse = Annotated[
    str | None,
    typer.Option(
        help="auto: price the best stacks of layers that a quick search finds too; none; or a schedule file, "
        "whose stacks are mapped anew. Default: as the hardware says."
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="threads, processes or dask.",
        autocompletion=complete.engines,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", help="Threads or processes, default one a processor; the result does not depend on them."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", callback=check_form)]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV.", callback=check_form)]
Scheduler = Annotated[str | None, typer.Option("--scheduler", help="Address of a running Dask scheduler.")]
