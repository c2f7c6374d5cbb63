"""`accelsim network`: what a network file holds, and the options that ONNX files need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.app import Wide, app, console
from accelsim.cli.options import AsCsv, AsJson
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.workloads.network import Network

Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", help="Size of a symbol of an ONNX file, as in --dim seq=128; may be repeated."),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--input", help="Shape of an ONNX file's input, as in 3x48x320 or mask=1x128; repeatable."),
]
AllowUnknown = Annotated[
    bool,
    typer.Option("--allow-unknown", help="Price unknown ONNX operators as element-wise estimates."),
]


def load(
    network: str, batch: int | None, resolution: int | None, dims: list[str] | None,
    shapes: list[str] | None, allow_unknown: bool,
) -> Network:  # fmt: skip
    """The network that an argument and the options of a command line name. Raises AccelsimError."""
    from accelsim.workloads.load import load_network

    sizes = {}
    for text in dims or []:
        name, sign, size = text.rpartition("=")
        if not name or not _whole(size):
            raise AccelsimError(f"--dim {text}: write a symbol and its size, as in --dim seq=128")
        sizes[name] = int(size)
    inputs = {}
    for text in shapes or []:
        name, sign, shape = text.rpartition("=")
        parts = shape.split("x")
        if (sign and not name) or not all(map(_whole, parts)):
            raise AccelsimError(f"--input {text}: write a shape, as in 3x48x320 or mask=1x128")
        inputs[name] = tuple(map(int, parts))
    return load_network(
        network, batch=batch, resolution=resolution, dims=sizes, inputs=inputs, allow_unknown=allow_unknown
    )


def load_all(
    networks: list[str], batch: int | None, resolution: int | None, dims: list[str] | None,
    shapes: list[str] | None, allow_unknown: bool,
) -> list[Network]:  # fmt: skip
    """Several networks; what is only for ONNX files goes to those among them. Raises AccelsimError."""
    files = [name for name in networks if name.lower().endswith(".onnx")] or networks
    return [
        load(name, batch, resolution, dims, shapes, allow_unknown)
        if name in files
        else load(name, batch, resolution, None, None, False)
        for name in networks
    ]


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 13


@app.command("network")
def network_(
    network: Annotated[
        str,
        typer.Argument(
            help="A shipped network, a subnet as SPACE:ENCODING, or a file.", autocompletion=complete.networks
        ),
    ],
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Input height and width, or length.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    save: Annotated[
        Path | None,
        typer.Option("--out", "-o", "--save", help="Write network JSON, which every command reads."),
    ] = None,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show a network's layers, counts and notes; turn any file that can be read into network JSON."""
    import json

    from accelsim.files import check_writable, write_whole
    from accelsim.report.grid import Grid, number, text

    check_writable(save)
    net = load(network, batch, resolution, dims, shapes, allow_unknown)
    if save is not None:
        write_whole(save, json.dumps(net.to_dict(), indent=1) + "\n")
    if as_json:
        print(json.dumps(net.to_dict(), indent=1))
        return
    rows: list[dict[str, Any]] = [
        {
            "layer": layer.name,
            "nest": str(layer),
            "macs": layer.macs,
            "weights": net.weights_of[i],
            "inputs": sum(e.elements for e in net.inputs_of[i]),
        }
        for i, layer in enumerate(net.layers)
    ]
    if as_csv:
        from accelsim.csv_text import csv_text

        print(csv_text(list(rows[0]), rows), end="")
        return
    title = f"{net.name}: {len(net.layers)} layers, inputs {'x'.join(map(str, net.input_shape))}"
    columns = [text("layer"), text("nest", 12), number("MACs"), number("weights", 1), number("inputs", 2)]
    table = Grid(columns, title)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    console().print(table)
    print(f"batch {net.batch}, {net.macs:,} MACs, {net.weights:,} weights, {net.params:,} parameters")
    ends = ", ".join(net.names[i] for i in net.outputs[:4]) + (", ..." if len(net.outputs) > 4 else "")
    print(f"{net.input_elements:,} elements come in, {net.output_elements:,} leave from {ends}")
    reasons: dict[str, list[str]] = {}
    for edge in net.whole_edges:
        what, _, why = edge.partition(": ")
        reasons.setdefault(why, []).append(what)
    for why, edges in reasons.items():
        more = f" and {len(edges) - 2} more" if len(edges) > 2 else ""
        print(f"no windows: {why}: {', '.join(edges[:2])}{more}")
    for note in net.notes:
        print(f"note: {note}")
