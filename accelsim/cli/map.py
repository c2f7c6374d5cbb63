"""`accelsim map`: find mappings of a network or a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.app import Hardware, LayerText, NetworkName, app, console, progress
from accelsim.errors import AccelsimError


@app.command("map")
def map_(
    hardware: Hardware,
    network: NetworkName = None,
    layer: LayerText = None,
    mapper: Annotated[
        str, typer.Option(help="How to search: genetic, optimal, cmaes, random or template.")
    ] = "genetic",
    objective: Annotated[str, typer.Option(help="What to minimise: edp, latency or energy.")] = "edp",
    budget: Annotated[
        int, typer.Option(help="Evaluations a layer, beyond the template's; optimal takes what it takes.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    workers: Annotated[int, typer.Option(help="Threads; the answer does not depend on them.")] = 1,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write mapping JSON, which `evaluate --mapping` reads.")
    ] = None,
) -> None:
    """Find mappings of a network or a layer."""
    import json

    from accelsim.costing import map_network
    from accelsim.mapping.mapper import map_layer
    from accelsim.report.mappings import layer_mapping_report, network_mapping_report
    from accelsim.workloads.layer_text import parse_layer

    if (network is None) == (layer is None):
        raise AccelsimError("map: give either a network or --layer")
    if layer is not None:
        found = map_layer(hardware, parse_layer(layer), mapper, objective, budget, seed)
        report, saved = layer_mapping_report(found), found.mapping.to_dict()
    else:
        with progress("mapping layers") as tick:
            result = map_network(
                hardware, str(network), mapper, objective, budget, seed, workers=workers, progress=tick
            )
        report, saved = network_mapping_report(result), result.to_dict()
    if save is not None:
        try:
            save.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
        except OSError as fault:
            raise AccelsimError(f"--save {save}: {fault.strerror or fault}") from None
    console().print(report)
