"""`accelsim memory`: where a network's activations live, and how much room they take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import app, console
from accelsim.cli.look import with_look
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load
from accelsim.cli.options import AsCsv, AsJson
from accelsim.errors import AccelsimError


@app.command()
@with_look
def memory(
    network: Annotated[
        str,
        typer.Argument(
            help="A shipped network, a subnet as SPACE:ENCODING, or an .onnx or .json file.",
            autocompletion=complete.networks,
        ),
    ],
    hardware: Annotated[
        str | None,
        typer.Option(
            help="Take its widths, and say whether its home of activations is enough.",
            autocompletion=complete.machines,
        ),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Inputs at once.")] = None,
    resolution: Annotated[
        int | None, typer.Option(help="Input height and width, or sequence length.")
    ] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    in_place_depthwise: Annotated[
        bool, typer.Option("--in-place-depthwise/--no-in-place-depthwise", help="Depthwise over its input.")
    ] = True,
    in_place_add: Annotated[
        bool, typer.Option("--in-place-add", help="Element-wise layers write over an operand.")
    ] = False,
    workspace: Annotated[
        str | None,
        typer.Option(
            help="Buffers beside the tensors: none or tinyengine. Default: the hardware's, or none."
        ),
    ] = None,
    alignment: Annotated[
        int | None,
        typer.Option(help="Bytes that each tensor is rounded up to. Default: the hardware's, or 1."),
    ] = None,
    patches: Annotated[
        str | None, typer.Option(help="LAYER:N runs the layers up to LAYER in N x N patches of its output.")
    ] = None,
    reorder: Annotated[
        bool, typer.Option("--reorder/--no-reorder", help="Look for the order with the smallest peak.")
    ] = True,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", "--figure", help="Draw memory over time: .png, .svg or .pdf."),
    ] = None,
) -> None:
    """Plan a network's activations: the peak, who makes it, the order, and an address for every tensor."""
    import json

    from accelsim.hardware import load_hardware
    from accelsim.liveness import Rules, memory_plan, rules_of
    from accelsim.report.memory import memory_csv, memory_figure, memory_report

    if plot is not None:
        from accelsim.report.style import check_path

        check_path(plot)
    net = load(network, batch, resolution, dims, shapes, allow_unknown)
    chip = load_hardware(hardware) if hardware is not None else None
    own = rules_of(chip)
    rules = Rules(
        in_place_depthwise,
        in_place_add,
        own.workspace if workspace is None else workspace,
        own.alignment if alignment is None else alignment,
    )
    plan = memory_plan(net, chip, rules, patches=_patches(patches), reorder=reorder)
    if as_json:
        print(json.dumps(plan.to_dict(), indent=1))
    elif as_csv:
        print(memory_csv(plan), end="")
    else:
        console().print(memory_report(plan, chip))
    if plot is not None:
        memory_figure(plan, plot)


def _patches(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    layer, _, grid = text.rpartition(":")
    if not layer or not (grid.isascii() and grid.isdigit()):
        raise AccelsimError(f"--patches {text}: write it like stage3.0.project:4, a layer and patches a side")
    return layer, int(grid)
