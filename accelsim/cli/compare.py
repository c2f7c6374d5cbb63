"""`accelsim compare`: networks on several machines side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import Wide, app, console, progress
from accelsim.cli.look import with_look
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load_all
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
from accelsim.cli.useful import check_mapper, check_workers
from accelsim.errors import AccelsimError, nearest


@app.command()
@with_look
def compare(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            help="Machines, the first of them what others are set against, then networks.",
            autocompletion=complete.machines_and_networks,
        ),
    ],
    mapper: MapperName = "genetic",
    objective: ObjectiveName = "edp",
    budget: Budget = None,
    seed: Seed = 0,
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw it too: .png, .svg or .pdf.")] = None,
) -> None:
    """Price networks on several machines and set them side by side."""
    import json

    from accelsim.costing import evaluate
    from accelsim.csv_text import csv_text
    from accelsim.hardware import hardware_names, load_hardware, microcontroller_names
    from accelsim.hardware.microcontroller import refuse as refuse_device
    from accelsim.network_cost import NetworkCost
    from accelsim.report import style
    from accelsim.report.compare import compare_figure, compare_rows, compare_table
    from accelsim.workloads import network_names

    check_mapper(context, mapper)
    check_workers(context, scheduler)
    if plot is not None:
        style.check_path(plot)
    known = (*hardware_names(), *microcontroller_names())
    machines = [name for name in names if name in known or _is_machine(name)]
    networks = [name for name in names if name not in machines]
    if len(machines) < 2 or not networks:
        for name in networks:
            if not Path(name).suffix and ":" not in name and name not in network_names():
                raise AccelsimError(
                    f"compare: no machine or network is called {name!r}"
                    + nearest(name, [*hardware_names(), *network_names()])
                )
        raise AccelsimError(
            "compare: give at least two machines and a network, as in `accelsim compare eyeriss nvdla_256 "
            f"mobilenet_v2`, but got {len(machines)} machines ({', '.join(machines) or 'none'}) and "
            f"{len(networks)} others ({', '.join(networks) or 'none'})"
        )
    chips = [load_hardware(name) for name in machines]
    for chip in chips:
        refuse_device(chip)
    loaded = load_all(networks, batch, resolution, dims, shapes, allow_unknown)
    costs = []
    with progress("pricing networks") as tick:
        for network in loaded:
            for chip in chips:
                cost = evaluate(
                    chip, network, None, mapper, objective, budget, seed,
                    engine=engine, workers=workers, scheduler=scheduler,
                )  # fmt: skip
                assert isinstance(cost, NetworkCost)
                costs.append(cost)
                if tick is not None:
                    tick(len(costs), len(chips) * len(loaded))
    if plot is not None:
        style.save(compare_figure(costs), plot)
    if as_json:
        print(json.dumps(compare_rows(costs), indent=1))
    elif as_csv:
        rows = compare_rows(costs)
        print(csv_text(list(rows[0]), rows), end="")
    else:
        console().print(compare_table(costs))


def _is_machine(name: str) -> bool:
    """Whether a JSON file describes a machine: it has memories."""
    from accelsim.json_text import read_json

    path = Path(name)
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    data = read_json(path, "compare")
    return isinstance(data, dict) and "memories" in data
