"""`accelsim map`: find mappings of a network or a layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.app import (
    Budget,
    Hardware,
    LayerText,
    MapperName,
    NetworkName,
    Objective,
    Seconds,
    Seed,
    TileSizes,
    Workers,
    app,
    console,
    default_workers,
    progress,
    until_stopped,
)
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load
from accelsim.errors import AccelsimError


@app.command("map")
def map_(
    hardware: Hardware,
    network: NetworkName = None,
    layer: LayerText = None,
    mapper: MapperName = "genetic",
    objective: Objective = "edp",
    budget: Budget = None,
    seconds: Seconds = None,
    tiles: TileSizes = "divisors",
    seed: Seed = 0,
    workers: Workers = 1,
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write mapping JSON, which `evaluate --mapping` reads.")
    ] = None,
) -> None:
    """Find mappings of a network or a layer. Ctrl-C ends the search with the best mappings so far."""
    import json

    from accelsim.costing import map_network
    from accelsim.mapping.mapper import map_layer
    from accelsim.report.mappings import layer_mapping_report, network_mapping_report
    from accelsim.workloads.layer_text import parse_layer

    if (network is None) == (layer is None):
        raise AccelsimError("map: give either a network or --layer")
    if layer is not None and any((batch is not None, resolution is not None, dims, shapes, allow_unknown)):
        raise AccelsimError("map: --batch, --resolution and sizes are for networks; --layer has N, P, Q")
    net = None if network is None else load(network, batch, resolution, dims, shapes, allow_unknown)
    with progress("mapping layers") as tick:
        if net is None:
            one = parse_layer(str(layer))
            found, stopped = until_stopped(
                lambda stop: map_layer(
                    hardware, one, mapper, objective, budget, seed, tiles=tiles, seconds=seconds, cancel=stop
                )
            )
            report, saved = layer_mapping_report(found), found.mapping.to_dict()
        else:
            result, stopped = until_stopped(
                lambda stop: map_network(
                    hardware, net, mapper, objective, budget, seed, tiles=tiles, seconds=seconds,
                    workers=default_workers(workers), cancel=stop, progress=tick,
                )
            )  # fmt: skip
            report, saved = network_mapping_report(result), result.to_dict()
    if save is not None:
        try:
            save.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
        except OSError as fault:
            raise AccelsimError(f"--save {save}: {fault.strerror or fault}") from None
    console().print(report)
    if stopped:
        print("accelsim: stopped on request; these are the best mappings found so far", file=sys.stderr)
        raise typer.Exit(130)
