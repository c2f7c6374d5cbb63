"""`accelsim evaluate`: price a network or a layer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from accelsim.cli.look import with_look
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
from accelsim.cli.useful import check_form, check_mapper, check_workers, given, refuse
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.devices import DeviceCost
    from accelsim.mapping.cost import LayerCost
    from accelsim.network_cost import NetworkCost


SEARCHED = ("mapper", "objective", "budget", "seed", "engine", "workers", "scheduler")
"""Options that say how mappings are searched."""

MAPPED = "says how mappings are searched, and the file given names all of them"


@app.command()
@with_look
def evaluate(
    context: typer.Context,
    hardware: Hardware,
    network: NetworkName = None,
    layers: LayerText = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping JSON to price as it is, instead of searching.")
    ] = None,
    mapper: MapperName = "genetic",
    objective: ObjectiveName = "edp",
    budget: Budget = None,
    seed: Seed = 0,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    fuse: Annotated[
        str | None,
        typer.Option(
            help="auto: look for the best stacks; none; or a schedule file. Default: the hardware's."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Inputs at once; default: the network's own, mostly 1.")
    ] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show fills, reads, writes and capacity.", callback=check_form),
    ] = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the layers of a network: .png, .svg or .pdf.")
    ] = None,
    plot_stacks: Annotated[
        Path | None,
        typer.Option("--plot-stacks", help="Also draw the steps and the room of fused stacks, likewise."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="accelsim, or maestro: both models side by side on one dataflow.")
    ] = "accelsim",
    dataflow: Annotated[
        str | None, typer.Option("--dataflow", help="Of MAESTRO: a shipped name or a file; default kcp_ws.")
    ] = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="With --model maestro: count as the tool, defects included.")
    ] = False,
) -> None:
    """Price a network or a layer on an accelerator."""
    from accelsim.costing import evaluate as run
    from accelsim.hardware import load_hardware
    from accelsim.network_cost import NetworkCost
    from accelsim.pricing.given import read_fuse
    from accelsim.pricing.given_mapping import given_run, maps_all
    from accelsim.workloads.layer_text import parse_layer

    layer = one_layer(layers)
    if (network is None) == (layer is None):
        raise AccelsimError("evaluate: give either a network or --layer")
    if layer is not None:
        why = "for networks; give --layer its N, P and Q"
        refuse(context, why, "batch", "resolution", "dims", "shapes", "allow_unknown")
        refuse(context, "draws networks, not a single --layer", "plot", "plot_stacks")
    _check_paths(plot, plot_stacks)
    if _by_maestro(model, dataflow is not None or compat):
        from accelsim.cli import maestro_model

        if useless := given(context, *SEARCHED, "fuse", "mapping", "explain", "plot", "plot_stacks"):
            raise AccelsimError(f"evaluate: --model maestro takes --dataflow, and no {useless}")
        if network is not None and network.endswith(".m"):
            refuse(context, "MAESTRO's files bring their own", "dataflow")
        flow = dataflow or "kcp_ws"
        sizes = (dims, shapes, allow_unknown)
        maestro_model.run(hardware, network, layer, flow, compat, batch, resolution, sizes, as_json, as_csv)
        return
    schedule = _given(mapping)
    _check_useful(context, mapper, scheduler, layer is not None, schedule is not None)
    hw = load_hardware(hardware)
    workload: Any
    if layer is not None:
        workload = parse_layer(layer)
    else:
        workload = load(str(network), batch, resolution, dims, shapes, allow_unknown)
        fuse = read_fuse(fuse)  # type: ignore[assignment]
        held = fuse if schedule is None else schedule
        if isinstance(held, dict) and hw.microcontroller is None and maps_all(given_run(hw, workload, held)):
            refuse(context, MAPPED, *SEARCHED)
    if hw.microcontroller is not None and (explain or plot or plot_stacks):
        raise AccelsimError(
            f"evaluate: {hw.name} is a microcontroller: it has no mappings for --explain and --plot to show"
        )
    if hw.microcontroller is not None:
        refuse(context, f"for machines with mappings, but {hw.name} is a microcontroller", *SEARCHED)
    with progress("proving mappings" if mapper == "optimal" else "mapping and pricing layers") as tick:
        cost, stopped = until_stopped(
            lambda stop: run(
                hw, workload, schedule, mapper, objective, budget, seed, engine=engine, workers=workers,
                scheduler=scheduler, fuse=fuse, cancel=stop, progress=tick,
            )
        )  # fmt: skip
    if isinstance(cost, NetworkCost):
        _draw(cost, plot, plot_stacks)
    _print(cost, as_json, as_csv, explain)
    if network is not None and ":" in network and not as_json and not as_csv:
        _print_accuracy(network, resolution)
    if stopped:
        print("accelsim: stopped on request; priced under the best mappings so far", file=sys.stderr)
        raise typer.Exit(130)


def _check_paths(*files: Path | None) -> None:
    named = [Path(os.path.realpath(file)) for file in files if file is not None]
    if len(set(named)) < len(named):
        raise AccelsimError(f"evaluate: --plot and --plot-stacks are both {named[0].name}; give each its own")
    if any(file is not None for file in files):
        from accelsim.report import style

        for file in files:
            if file is not None:
                style.check_path(file)


def _draw(cost: NetworkCost, layers: Path | None, stacks: Path | None) -> None:
    if stacks is not None and not cost.stacks:
        raise AccelsimError("--plot-stacks: no layers are fused here, so there is nothing to draw")
    if layers is not None:
        from accelsim.report import figures

        figures.save(figures.network_figure(cost), layers)
    if stacks is not None:
        from accelsim.report import save
        from accelsim.report.stack_figure import stacks_figure

        save(stacks_figure(cost), stacks)


def _check_useful(
    context: typer.Context, mapper: str, scheduler: str | None, alone: bool, mapped: bool
) -> None:
    """Refuse options that would change nothing; `alone`: a single layer is priced."""
    if alone:
        refuse(context, "for networks, not a single --layer", "engine", "workers", "scheduler", "fuse")
    if alone and mapped:
        refuse(context, MAPPED, *SEARCHED)
    check_mapper(context, mapper)
    check_workers(context, scheduler)


def _by_maestro(model: str, told: bool) -> bool:
    """Whether MAESTRO's model prices; `told`: its options were given."""
    if model not in ("accelsim", "maestro"):
        raise AccelsimError(f"evaluate: --model must be accelsim or maestro, but got {model!r}")
    if told and model != "maestro":
        raise AccelsimError("evaluate: --dataflow and --compat need --model maestro")
    return model == "maestro"


def _given(mapping: Path | None) -> dict[str, Any] | None:
    """What a mapping file holds."""
    from accelsim.json_text import read_json

    if mapping is None:
        return None
    given = read_json(mapping, "--mapping")
    if not isinstance(given, dict):
        raise AccelsimError(f"--mapping {mapping}: must hold an object, but holds {str(given)[:60]}")
    return given


def _print(cost: LayerCost | NetworkCost | DeviceCost, as_json: bool, as_csv: bool, explain: bool) -> None:
    from accelsim.devices import DeviceCost
    from accelsim.network_cost import NetworkCost
    from accelsim.report import tables

    if as_json:
        import json

        print(json.dumps(cost.to_dict(), indent=1))
        return
    if isinstance(cost, DeviceCost):
        from accelsim.csv_text import csv_text
        from accelsim.report.devices import device_report

        row = {key: value for key, value in cost.to_dict().items() if key != "memory"}
        table, report = csv_text(list(row), [row]), device_report(cost)
    elif isinstance(cost, NetworkCost):
        table, report = tables.network_csv(cost), tables.network_report(cost, explain=explain)
    else:
        table, report = tables.layer_csv(cost), tables.layer_report(cost, explain=explain)
    if as_csv:
        print(table, end="")
    else:
        console().print(report)


def _print_accuracy(name: str, resolution: int | None) -> None:
    """What is known about the accuracy of the subnet `SPACE:ENCODING`, or why nothing is."""
    from accelsim.accuracy import AccuracyError, default_source, load_source
    from accelsim.workloads.spaces import load_space

    space_name, _, encoding = name.partition(":")
    space = load_space(space_name)
    if resolution is not None:
        space = space.at(resolution)
    try:
        source = load_source(default_source(space), space)
        answer = source.accuracy(space.parse(encoding), space)
        print(f"top-1 {answer}: {answer.source}")
    except AccuracyError as fault:
        print(f"top-1 unknown: {fault}")
