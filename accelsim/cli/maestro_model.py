"""`accelsim evaluate --model maestro`: the same dataflow by both models."""

from __future__ import annotations

from accelsim.errors import AccelsimError


def run(
    hardware: str,
    network: str | None,
    layer: str | None,
    dataflow: str,
    compat: bool,
    batch: int | None,
    resolution: int | None,
    sizes: tuple[list[str] | None, list[str] | None, bool],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print both models side by side. `hardware` and `network` may be MAESTRO's own files, ending in .m.

    `sizes` are what --dim, --input and --allow-unknown say.
    """
    from accelsim.cli.app import console, progress
    from accelsim.cli.network import load
    from accelsim.hardware import load_hardware
    from accelsim.mapping.maestro import (
        MaestroError,
        MaestroMachine,
        load_dataflow,
        read_machine,
        read_network,
        with_dataflow,
    )
    from accelsim.mapping.maestro.compare import compare
    from accelsim.workloads.layer_text import parse_layer

    if hardware.endswith(".m"):
        machine, name = read_machine(hardware), hardware
    else:
        accelerator = load_hardware(hardware)
        machine, name = MaestroMachine.from_accelerator(accelerator), accelerator.name
    skipped: list[str] = []
    if network is not None and network.endswith(".m"):
        if batch is not None or resolution is not None or any(sizes):
            raise AccelsimError("evaluate: sizes, --batch and --resolution do not change MAESTRO's files")
        whole = read_network(network)
        title, items = whole.name, list(whole.layers)
    else:
        flow = load_dataflow(dataflow)
        if layer is not None:
            shapes, title = [parse_layer(layer)], layer
        else:
            net = load(str(network), batch, resolution, *sizes)
            shapes, title = list(net.layers), net.name
        items = []
        for shape in shapes:
            try:
                items.append(with_dataflow(shape, flow))
            except MaestroError as fault:
                if layer is not None:
                    raise
                skipped.append(shape.name or str(fault))
        title += f", {flow.name or dataflow}"
    pairs = []
    with progress("pricing layers") as tick:
        for done, item in enumerate(items, 1):
            pairs.append(compare(item, machine, compat=compat))
            if tick is not None:
                tick(done, len(items))
    if as_json:
        import json

        from accelsim import __version__

        out = {"version": __version__, "machine": machine.__dict__, "compat": compat}
        print(json.dumps(out | {"layers": [pair.to_dict() for pair in pairs]}, indent=1))
        return
    from accelsim.report import maestro

    if as_csv:
        print(maestro.table_csv(pairs), end="")
        return
    say = f"{title} on {name}: {machine.pes} PEs" + (", counted as the tool does" if compat else "")
    console().print(maestro.report(say, pairs, skipped))
