"""`accelsim list` and `accelsim schema`: what is shipped, and the formats of files."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import app
from accelsim.cli.options import AsJson


@app.command("list")
def list_shipped(as_json: AsJson = False) -> None:
    """List the shipped machines, networks, subnet spaces, sources of accuracy, benchmarks and metrics."""
    from accelsim.accuracy import KNOWN
    from accelsim.cosearch.metrics import METRICS, load_metric
    from accelsim.hardware import hardware_names, load_hardware, microcontroller_names
    from accelsim.nacos.nets import SPACES
    from accelsim.workloads.load import network_names
    from accelsim.workloads.spaces import space_names

    standing = {name: KNOWN.load(name).standing() for name in KNOWN.names()}
    if as_json:
        import json

        names = {
            "accelerators": hardware_names(), "microcontrollers": microcontroller_names(),
            "networks": network_names(), "spaces": space_names(), "metrics": METRICS.names(),
            "benchmarks": tuple(SPACES), "accuracies": KNOWN.names(),
            "unranked": [name for name in KNOWN.names() if not KNOWN.load(name).ranked()],
        }  # fmt: skip
        print(json.dumps({what: list(some) for what, some in names.items()}, indent=1))
        return
    print("accelerators:")
    for name in hardware_names():
        hw = load_hardware(name)
        memory = f"{hw.onchip_bytes / 1024:8.1f} KiB on chip"
        print(f"  {name:14} {hw.num_pes:5} MACs, {memory}, {hw.area_mm2:.3g} mm2")
    print("microcontrollers:")
    for name in microcontroller_names():
        flash, sram = (memory.total_bytes / 1024 for memory in load_hardware(name).memories)
        print(f"  {name:14} {sram:5,.0f} KiB SRAM, {flash:5,.0f} KiB Flash")
    print("networks:\n  " + "\n  ".join(network_names()))
    print("spaces:\n  " + "\n  ".join(space_names()))
    print("accuracies:")
    for name, said in standing.items():
        print(f"  {name:14} {said}".rstrip())
    print("benchmarks:\n  " + "\n  ".join(SPACES))
    print("metrics:")
    for metric in map(load_metric, METRICS.names()):
        print(f"  {metric.name:14} {metric.unit:4} --{metric.bound.replace('_', '-')}")


@app.command()
def schema(
    kind: Annotated[
        str,
        typer.Argument(
            help="hardware (or machine), network, mapping, study (of --json), design, table.",
            autocompletion=complete.kinds,
        ),
    ] = "hardware",
) -> None:
    """Print the JSON Schema of a kind of file."""
    import json

    from accelsim.schemas import schema as schema_of

    print(json.dumps(schema_of(kind), indent=1))
