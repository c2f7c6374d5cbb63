"""`accelsim new` and `accelsim check`: hardware files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import Hardware, Wide, app, console
from accelsim.cli.look import with_look
from accelsim.cli.options import AsJson
from accelsim.errors import AccelsimError


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the machine; NAME.json is written.")],
    like: Annotated[
        str | None,
        typer.Option(
            help="Shipped accelerator or JSON file to start from. Default: example.",
            autocompletion=complete.machines,
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(help="A made-up machine instead: systolic, or weight_, output_ or row_stationary."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", "--output", help="File to write instead.")
    ] = None,
) -> None:
    """Write a hardware file to start from, with notes on what to change."""
    from accelsim.files import check_writable, write_whole
    from accelsim.hardware import templates
    from accelsim.hardware.start import start_from
    from accelsim.json_text import format_json

    path = output or Path(name if name.endswith(".json") else f"{name}.json")
    if like is not None and template is not None:
        raise AccelsimError("new: give either --like or --template")
    start = (like or "example") if template is None else templates.template(template)
    data = start_from(path.stem if output is None else name, start)
    if path.exists():
        raise AccelsimError(f"{path}: is there already; choose another name or remove it")
    check_writable(path)
    write_whole(path, format_json(data))
    print(f"{path} written; edit it, then: accelsim check {path}")


@app.command()
@with_look
def check(
    hardware: Hardware,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the memory hierarchy: .png, .svg or .pdf.")
    ] = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Check a hardware file: its faults, or what the machine can do and what to look at again."""
    import json

    from accelsim.hardware import load_hardware
    from accelsim.hardware.microcontroller import refuse
    from accelsim.report import style
    from accelsim.report.hardware import hardware_facts, hardware_report

    if plot is not None:
        style.check_path(plot)
    hw = load_hardware(hardware)
    if hw.microcontroller is not None:
        from accelsim.report.devices import device_facts, device_sheet

        if plot is not None:
            refuse(hw)
        if as_json:
            print(json.dumps(device_facts(hw), indent=1))
            return
        console().print(device_sheet(hw), soft_wrap=True)
        return
    if plot is not None:
        from accelsim.report.drawings import hierarchy_figure

        style.save(hierarchy_figure(hw), plot)
    if as_json:
        print(json.dumps(hardware_facts(hw), indent=1))
    else:
        console().print(hardware_report(hw), soft_wrap=True)
