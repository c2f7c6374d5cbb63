"""`accelsim map`: find mappings of a network or a layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from accelsim.cli.app import Hardware, LayerText, NetworkName, app, console, progress, until_stopped
from accelsim.cli.options import Budget, EngineName, MapperName, ObjectiveName, Scheduler, Seed, Workers
from accelsim.errors import AccelsimError

TileSizes = Literal["divisors", "all", "legal"]


@app.command("map")
def map_(
    hardware: Hardware,
    network: NetworkName = None,
    layer: LayerText = None,
    mapper: MapperName = "genetic",
    objective: ObjectiveName = "edp",
    budget: Budget = None,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds a layer, after which optimal gives its best and the gap.")
    ] = None,
    tiles: Annotated[
        TileSizes, typer.Option(help="Tile sizes that optimal searches: divisors, all or legal.")
    ] = "all",
    seed: Seed = 0,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write mapping JSON, which `evaluate --mapping` reads.")
    ] = None,
) -> None:
    """Find mappings of a network or a layer. Ctrl-C ends the search with the best mappings so far."""
    import json

    from accelsim.costing import map_network
    from accelsim.files import check_writable, write_whole
    from accelsim.mapping.mapper import map_layer
    from accelsim.report.mappings import layer_mapping_report, network_mapping_report
    from accelsim.workloads.layer_text import parse_layer

    check_writable(save)
    if (network is None) == (layer is None):
        raise AccelsimError("map: give either a network or --layer")
    with progress("mapping layers") as tick:
        if layer is not None:
            one = parse_layer(layer)
            found, stopped = until_stopped(
                lambda stop: map_layer(
                    hardware, one, mapper, objective, budget, seed, tiles=tiles, seconds=seconds, cancel=stop
                )
            )
            report, saved = layer_mapping_report(found), found.mapping.to_dict()
        else:
            result, stopped = until_stopped(
                lambda stop: map_network(
                    hardware, str(network), mapper, objective, budget, seed, tiles=tiles, seconds=seconds,
                    engine=engine, workers=workers, scheduler=scheduler, cancel=stop, progress=tick,
                )
            )  # fmt: skip
            report, saved = network_mapping_report(result), result.to_dict()
    if save is not None:
        write_whole(save, json.dumps(saved, indent=1) + "\n")
    console().print(report)
    if stopped:
        print("accelsim: stopped on request; these are the best mappings found so far", file=sys.stderr)
        raise typer.Exit(130)
