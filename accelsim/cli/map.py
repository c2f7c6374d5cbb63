"""`accelsim map`: find mappings of a network or a layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from accelsim.cli.app import (
    Hardware,
    LayerText,
    NetworkName,
    Wide,
    app,
    console,
    one_layer,
    progress,
    until_stopped,
)
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load
from accelsim.cli.options import (
    AsCsv,
    AsJson,
    Budget,
    EngineName,
    MapperName,
    ObjectiveName,
    Scheduler,
    Seed,
    Workers,
)
from accelsim.cli.useful import check_form, check_mapper, check_workers, refuse
from accelsim.errors import AccelsimError

TileSizes = Literal["divisors", "all", "legal"]


@app.command("map")
def map_(
    context: typer.Context,
    hardware: Hardware,
    network: NetworkName = None,
    layers: LayerText = None,
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
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    fuse: Annotated[
        str | None,
        typer.Option(
            help="auto: look for the best stacks of layers too; none; or a schedule file, whose stacks are "
            "mapped anew. Default: as the hardware says."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--out", "-o", "--save", help="Write mapping JSON, which `evaluate --mapping` reads."),
    ] = None,
    emit: Annotated[
        str | None,
        typer.Option(
            help="Print instead of a report: c, mlir (linalg and its schedule), tvm, or timeloop (its YAML)."
        ),
    ] = None,
    nests: Annotated[
        bool,
        typer.Option(
            "--nests", help="Of a network: show the loop nests of its layers too.", callback=check_form
        ),
    ] = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Find mappings of a network or a layer. Ctrl-C ends the search with the best mappings so far."""
    import json

    from accelsim.costing import map_network
    from accelsim.emit import EMITTERS
    from accelsim.emit import emit as emitted
    from accelsim.files import check_writable, write_whole
    from accelsim.mapping.mapper import map_layer
    from accelsim.report.mappings import layer_mapping_report, network_mapping_report
    from accelsim.workloads.layer_text import parse_layer

    check_writable(save)
    layer = one_layer(layers)
    if (network is None) == (layer is None):
        raise AccelsimError("map: give either a network or --layer")
    _check_useful(context, mapper, layer is not None, emit is not None)
    check_workers(context, scheduler)
    if emit is not None:
        EMITTERS.check(emit)
        if fuse not in (None, "none"):
            raise AccelsimError("map: --emit writes layers one by one; use --fuse none with it")
    if layer is not None and any((batch is not None, resolution is not None, dims, shapes, allow_unknown)):
        raise AccelsimError("map: sizes, --batch and --resolution are for networks; --layer has N, P, Q")
    net = None if network is None else load(network, batch, resolution, dims, shapes, allow_unknown)
    with progress("proving mappings" if mapper == "optimal" else "mapping layers") as tick:
        if net is None:
            one = parse_layer(str(layer))
            found, stopped = until_stopped(
                lambda stop: map_layer(
                    hardware, one, mapper, objective, budget, seed, tiles=tiles, seconds=seconds, cancel=stop
                )
            )
            report, saved = layer_mapping_report(found), found.mapping.to_dict()
            pairs = [(one, found.mapping)]
        else:
            result, stopped = until_stopped(
                lambda stop: map_network(
                    hardware, net, mapper, objective, budget, seed, tiles=tiles, seconds=seconds,
                    engine=engine, workers=workers, scheduler=scheduler, fuse=fuse, cancel=stop,
                    progress=tick,
                )
            )  # fmt: skip
            report, saved = network_mapping_report(result, nests=nests), result.to_dict()
            pairs = [(r.cost.layer, r.mapping) for r in result.results]
    if save is not None:
        write_whole(save, json.dumps(saved, indent=1) + "\n")
    if as_json:
        figures = found.cost.to_dict() if net is None else result.cost.to_dict()
        print(json.dumps({"cost": figures, "mapping": saved}, indent=1))
    elif as_csv:
        from accelsim.report import tables

        print(
            tables.layer_csv(found.cost) if net is None else tables.network_csv(result.cost),
            end="",
        )
    elif emit is None:
        console().print(report)
    else:
        what = network or str(layer)
        print(emitted(emit, pairs, f"accelsim map {hardware} {what} --mapper {mapper}", hardware), end="")
    if stopped:
        print("accelsim: stopped on request; these are the best mappings found so far", file=sys.stderr)
        raise typer.Exit(130)


def _check_useful(context: typer.Context, mapper: str, alone: bool, emits: bool) -> None:
    """Refuse options that would change nothing; `alone`: a single layer is mapped."""
    from accelsim.mapping.mapper import SEARCHING

    if alone:
        why = "for networks, not a single --layer"
        refuse(context, why, "engine", "workers", "scheduler", "nests", "fuse")
    if emits:
        refuse(context, "--emit prints its text alone", "as_json", "as_csv", "wide", "nests")
    if mapper in SEARCHING:
        refuse(context, f"for --mapper optimal, but the mapper is {mapper}", "seconds", "tiles")
    check_mapper(context, mapper)
