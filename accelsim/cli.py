"""`accelsim`: the command line. Heavy imports sit inside the commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Price, map and jointly search networks and accelerators.",
)

NetworkName = Annotated[
    str | None,
    typer.Argument(help="A shipped network, a subnet as SPACE:ENCODING, or an .onnx or .json file."),
]
LayerText = Annotated[
    str | None, typer.Option("--layer", help="One layer, as in 'K=64 C=3 P=112 Q=112 R=7 S=7 stride=2'.")
]
Hardware = Annotated[str, typer.Argument(help="A shipped accelerator (see `accelsim list`) or a JSON file.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a fault of the user's input is one message and exit code 2."""
    try:
        app(arguments, standalone_mode=True)
    except AccelsimError as fault:
        print(f"accelsim: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from accelsim import __version__

        print(f"accelsim {__version__}")
        raise typer.Exit


@app.command("list")
def list_shipped() -> None:
    """List the shipped accelerators, networks and subnet spaces."""
    from accelsim.hardware import hardware_names, load_hardware
    from accelsim.workloads.load import network_names
    from accelsim.workloads.spaces import space_names

    print("accelerators:")
    for name in hardware_names():
        hw = load_hardware(name)
        memory = f"{hw.onchip_bytes / 1024:8.1f} KiB on chip"
        print(f"  {name:14} {hw.num_pes:5} MACs, {memory}, {hw.area_mm2:.3g} mm2")
    print("networks:\n  " + "\n  ".join(network_names()))
    print("spaces:\n  " + "\n  ".join(space_names()))


@app.command()
def evaluate(
    hardware: Hardware,
    network: NetworkName = None,
    layer: LayerText = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping JSON to price as it is; default: the template.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Inputs at once; default: the network's own, mostly 1.")
    ] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show fills, reads, writes and capacity.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line a layer.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the layers of a network: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Price a network or a layer on an accelerator."""
    from accelsim.costing import NetworkCost
    from accelsim.costing import evaluate as run
    from accelsim.hardware import load_hardware
    from accelsim.json_text import read_json
    from accelsim.workloads.layer_text import parse_layer
    from accelsim.workloads.load import load_network

    if (network is None) == (layer is None):
        raise AccelsimError("evaluate: give either a network or --layer")
    if as_json and as_csv:
        raise AccelsimError("evaluate: give either --json or --csv")
    if layer is not None and (batch is not None or resolution is not None):
        raise AccelsimError(
            "evaluate: --batch and --resolution are for networks; give --layer its N, P and Q"
        )
    if plot is not None and layer is not None:
        raise AccelsimError("evaluate: --plot draws networks, not a single --layer")
    hw = load_hardware(hardware)
    workload: Any
    if layer is not None:
        workload = parse_layer(layer)
    else:
        workload = load_network(str(network), batch=batch, resolution=resolution)
    given = read_json(mapping, "--mapping") if mapping is not None else None
    if mapping is not None and not isinstance(given, dict):
        raise AccelsimError(f"--mapping {mapping}: must hold an object, but holds {str(given)[:60]}")
    with _progress("pricing layers") as tick:
        cost = run(hw, workload, given, progress=tick)
    if plot is not None and isinstance(cost, NetworkCost):
        from accelsim.report import figures

        figures.save(figures.network_figure(cost), plot)
    if as_json:
        import json

        print(json.dumps(cost.to_dict(), indent=1))
        return
    from accelsim.report import tables

    if isinstance(cost, NetworkCost):
        table, report = tables.network_csv(cost), tables.network_report(cost, explain=explain)
    else:
        table, report = tables.layer_csv(cost), tables.layer_report(cost, explain=explain)
    if as_csv:
        print(table, end="")
    else:
        _console().print(report)
        if network is not None and ":" in network:
            _print_accuracy(network, resolution)


@app.command("map")
def map_(
    hardware: Hardware,
    network: NetworkName = None,
    layer: LayerText = None,
    mapper: Annotated[
        str, typer.Option(help="How to search: genetic, optimal, random or template.")
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
        with _progress("mapping layers") as tick:
            result = map_network(
                hardware, str(network), mapper, objective, budget, seed, workers=workers, progress=tick
            )
        report, saved = network_mapping_report(result), result.to_dict()
    if save is not None:
        try:
            save.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
        except OSError as fault:
            raise AccelsimError(f"--save {save}: {fault.strerror or fault}") from None
    _console().print(report)


@app.command()
def schema(
    what: Annotated[str, typer.Argument(help="Only `hardware` has a schema so far.")] = "hardware",
) -> None:
    """Print the JSON Schema of the hardware file."""
    import json

    from accelsim.hardware import json_schema

    if what != "hardware":
        raise AccelsimError(f"schema: must be 'hardware', but got {what!r}")
    print(json.dumps(json_schema(), indent=1))


@app.command()
def space(
    name: Annotated[str, typer.Argument(help="A subnet space, as `accelsim list` shows.")],
    sample: Annotated[int, typer.Option(help="Number of subnets to draw.", min=1, max=100_000)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    accuracy: Annotated[
        str | None,
        typer.Option(help="Where accuracies come from: surrogate, published, predictor:FILE or table:FILE."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List subnets of a space with MACs, parameters and accuracy."""
    from accelsim.report.spaces import space_csv, space_table

    if as_csv:
        print(space_csv(name, sample, seed, accuracy), end="")
    else:
        _console().print(space_table(name, sample, seed, accuracy))


@app.command()
def warmup() -> None:
    """Compile the kernels now, so that the first result comes at once."""
    import time

    from accelsim.costing import evaluate as run
    from accelsim.workloads.layer import Layer

    start = time.perf_counter()
    run("example", Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3))
    print(f"kernels ready after {time.perf_counter() - start:.1f} s")


def _print_accuracy(name: str, resolution: int | None) -> None:
    """What is known about the accuracy of the subnet `SPACE:ENCODING`, or why nothing is."""
    from accelsim.accuracy import AccuracyError, load_source
    from accelsim.workloads.spaces import load_space

    space_name, _, encoding = name.partition(":")
    space = load_space(space_name)
    if resolution is not None:
        space = space.at(resolution)
    try:
        source = load_source("surrogate", space)
        answer = source.accuracy(space.parse(encoding), space)
        print(f"top-1 {answer}: {answer.source}")
    except AccuracyError as fault:
        print(f"top-1 unknown: {fault}")


def _console() -> Console:
    from rich.console import Console

    # Files and pipes get whole lines; a terminal gets its own width.
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False, soft_wrap=False)


class _progress:
    """Context manager with a progress bar on a terminal, silent elsewhere; its value takes (done, total)."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.bar: Any = None

    def __enter__(self) -> Any:
        if not sys.stderr.isatty():
            return None
        from rich.console import Console
        from rich.progress import Progress

        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.bar.start()
        task = self.bar.add_task(self.what, total=None)
        return lambda done, total: self.bar.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()


if __name__ == "__main__":
    main()
