"""`accelsim lut`: what every block of a space of subnets costs on a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import Hardware, app, progress, until_stopped
from accelsim.cli.options import (
    AsCsv,
    AsJson,
    Budget,
    EngineName,
    MapperName,
    ModelName,
    ObjectiveName,
    Scheduler,
    Seed,
    Workers,
)
from accelsim.cli.useful import check_mapper, check_workers


@app.command()
def lut(
    context: typer.Context,
    hardware: Hardware,
    space: Annotated[
        str,
        typer.Option(
            help="A subnet space, as `accelsim list` shows.",
            autocompletion=complete.spaces,
        ),
    ],
    output: Annotated[Path, typer.Option("--out", "-o", "--output", help="JSON file to write.")],
    resolution: Annotated[
        list[int] | None, typer.Option(help="Input size, once for each; default: the space's own.")
    ] = None,
    mapper: MapperName = "genetic",
    objective: ObjectiveName = "edp",
    budget: Budget = None,
    seed: Seed = 0,
    model: ModelName = "accelsim",
    check: Annotated[
        int, typer.Option(help="Random subnets whose sums are compared with the whole.", min=0, max=100_000)
    ] = 1000,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Write a table of latency and energy by block, and check its sums against whole subnets."""
    from accelsim.files import check_suffix, write_whole
    from accelsim.hardware import load_hardware
    from accelsim.json_text import format_json
    from accelsim.lut import build_table

    check_suffix(output, (".json",))
    check_mapper(context, mapper, model, draws=check > 0)
    check_workers(context, scheduler)
    hw = load_hardware(hardware)
    with progress("pricing blocks") as tick:
        table, _ = until_stopped(
            lambda stop: build_table(
                hw, space, mapper=mapper, objective=objective, budget=budget, seed=seed, model=model,
                resolutions=tuple(resolution or ()), subnets=check, engine=engine, workers=workers,
                scheduler=scheduler, cancel=stop, progress=tick,
            ),
            useless=True,
        )  # fmt: skip
    text = format_json(table.to_dict(), 160)
    write_whole(output, text)
    if as_json:
        print(text, end="")
        return
    if as_csv:
        from accelsim.csv_text import csv_text

        rows = table.to_rows()
        print(csv_text(list(rows[0]), rows), end="")
        return
    print(f"{output}: {table.space.num_blocks} blocks of {table.space.name} on {hw.name}, mapper {mapper}")
    if not check:
        return
    for name in ("latency", "energy"):
        error = table.check[name]
        print(
            f"{name} of {check} random subnets as a sum: off by {error['mean_relative_error']:+.2%} in the "
            f"mean, {error['largest_relative_error']:.2%} at worst, Kendall's tau {error['kendall_tau']:.4f}"
        )
    if hw.network.keeps:
        print(
            f"{hw.name} keeps activations or weights on chip between blocks, which a sum cannot fully know: "
            "each block is priced in place, in a random subnet"
        )
