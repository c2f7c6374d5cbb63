"""`accelsim nacos`: the benchmark of networks, chips and proved schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.app import Wide, app, console, progress, until_stopped
from accelsim.cli.look import with_look
from accelsim.cli.options import AsCsv, AsJson, ObjectiveName, Seed
from accelsim.errors import AccelsimError

nacos = typer.Typer(
    no_args_is_help=True,
    help="NACOS-Bench: networks on chips under proved schedules; make, ask, verify its tables.",
)
app.add_typer(nacos, name="nacos")

Folder = Annotated[
    Path | None, typer.Option("--tables", help="Folder that `accelsim nacos build` wrote; default: shipped.")
]
SpaceName = Annotated[str, typer.Option("--space", help="The benchmark: macro.")]
AccuracyFrom = Annotated[
    str | None, typer.Option("--accuracy", help="Where accuracies come from, as table:FILE; none ships.")
]
ChipName = Annotated[str, typer.Argument(help="A chip of the tables.", autocompletion=complete.bench_chips)]
ChipChoice = Annotated[
    str | None,
    typer.Option("--chip", help="Only this chip; default: all.", autocompletion=complete.bench_chips),
]


@nacos.command()
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and their manifest.")],
    space: SpaceName = "macro",
    chips: Annotated[int, typer.Option(help="How many, the shipped ones first.", min=1)] = 32,
    seed: Seed = 0,
    max_nodes: Annotated[
        int, typer.Option(help="Boxes of tiles after which a proof, and its chip, is given up.", min=1)
    ] = 500_000,
    draws: Annotated[int, typer.Option(help="Random mappings of each layer on each chip.", min=1)] = 64,
    workers: Annotated[
        int, typer.Option("--workers", help="Threads; the tables do not depend on them.", min=1)
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Make the tables: every layer of the space on every chip. Interrupted, the same command goes on."""
    from accelsim.nacos.build import build as make

    with progress("proving schedules") as tick:
        made, stopped = until_stopped(
            lambda stop: make(
                out, space, chips=chips, seed=seed, max_nodes=max_nodes, draws=draws, workers=workers,
                cancel=stop, progress=tick,
            )
        )  # fmt: skip
    if made is None or stopped:
        typer.echo(f"accelsim: stopped; the same command goes on from {out}.part", err=True)
        raise SystemExit(130)
    left = sum(map(len, made.manifest.left_out.values()))
    if as_json:
        _json(
            {"out": str(out), "space": space, "chips": list(made.manifest.chips), "left_out": left,
             "pairs": made.pairs, "mappings": made.mappings, "sha256": made.manifest.tables}
        )  # fmt: skip
        return
    print(
        f"{out}: {made.pairs:,} pairs of a layer and a chip, {made.mappings:,} mappings, "
        f"{len(made.manifest.chips)} chips; {left} chips left out, as a front was not proved within "
        f"{max_nodes:,} nodes"
    )


@nacos.command()
def query(
    arch: Annotated[str, typer.Argument(help="Code of a network, as 12012012.")],
    chip: ChipName,
    schedule: Annotated[
        str, typer.Option(help="proved, template, or q1 to q99 of random mappings.")
    ] = "proved",
    objective: ObjectiveName = "edp",
    tables: Folder = None,
    space: SpaceName = "macro",
    accuracy: AccuracyFrom = None,
    live: Annotated[bool, typer.Option("--live", help="Price the stored mappings anew.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show a network on a chip under one schedule."""
    bench = _open(tables, space, accuracy)
    i = bench.query_index_by_arch(arch)
    row = bench.query_by_index(i, chip, schedule, objective=objective)
    if live:
        cost = bench.live(i, chip, schedule, objective=objective)
        row |= {
            "live_latency_cycles": cost.latency_cycles, "live_energy_pj": cost.energy_pj,
            "live_edp_js": cost.edp_js,
        }  # fmt: skip
    if as_json:
        _json(row)
    elif as_csv:
        _csv([row])
    else:
        for name, value in row.items():
            print(f"{name:20} {value:,.6g}" if isinstance(value, float) else f"{name:20} {_cell(value)}")


@nacos.command()
def front(
    chip: ChipChoice = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            "--objectives",
            "--objective",
            help="One of edp, latency, energy, and any of accuracy, work, params (more is better), area. "
            "Default: edp,accuracy; without accuracies edp,work.",
        ),
    ] = None,
    tables: Folder = None,
    space: SpaceName = "macro",
    accuracy: AccuracyFrom = None,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show the true front: what no network on any chip under any schedule beats."""
    bench = _open(tables, space, accuracy)
    rows = bench.true_front(chip, objectives or None)
    if as_json:
        _json(rows)
    elif as_csv:
        _csv(rows)
    else:
        from accelsim.report.nacos import front_table

        console().print(front_table(bench, rows))


@nacos.command()
def verify(
    rows: Annotated[int, typer.Option(help="Random rows to price again, to the last bit.", min=0)] = 1000,
    pairs: Annotated[int, typer.Option(help="Random pairs to prove again.", min=0)] = 20,
    seed: Seed = 0,
    tables: Folder = None,
    space: SpaceName = "macro",
    as_json: AsJson = False,
) -> None:
    """Check tables: hashes, random rows priced and random fronts proved again. Exits with 2 on a fault."""
    from accelsim.nacos.verify import verify as check

    bench = _open(tables, space, None)
    with progress("verifying") as tick:
        found = check(bench, rows, pairs, seed, tick)
    made = bench.manifest
    if as_json:
        _json(
            {"rows": found.rows, "pairs": found.pairs, "faults": found.faults, "contract": made.contract,
             "sha256": made.tables}
        )  # fmt: skip
    else:
        print(
            f"{found.rows:,} rows priced and {found.pairs} fronts proved again: {len(found.faults)} differ; "
            f"contract {made.contract}, data {made.data}, SHA-256 {made.tables[:16]}"
        )
    if found.faults:
        raise AccelsimError("; ".join(found.faults[:3]))


@nacos.command()
@with_look
def score(
    optimisers: Annotated[
        str, typer.Option(help="Of random, local, nsga2, nested, sequential, blockwise; default: all.")
    ] = "",
    chip: ChipChoice = None,
    objectives: Annotated[
        str | None,
        typer.Option("--objectives", "--objective", help="Two or more, as in `accelsim nacos front`."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each optimiser.", min=1)] = 10,
    mappings: Annotated[int, typer.Option(help="Priced for each layer on each chip.", min=1)] = 500,
    mapper: Annotated[
        str | None,
        typer.Option(
            "--mapper",
            help="Searches really, as genetic; default: a draw from the tables' random mappings.",
            autocompletion=complete.mappers,
        ),
    ] = None,
    tables: Folder = None,
    space: SpaceName = "macro",
    accuracy: AccuracyFrom = None,
    plot: Annotated[Path | None, typer.Option(help="Draw .png, .svg or .pdf: regret over the clock.")] = None,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Score the shipped optimisers: regret after 1, 3, 10 and 30 % of the space, median and quartiles."""
    from accelsim.nacos.optimisers import OPTIMISERS
    from accelsim.nacos.score import score as run
    from accelsim.report import figures
    from accelsim.report.nacos import score_figure, score_table

    if plot is not None:
        figures.check_path(plot)
    bench = _open(tables, space, accuracy)
    with progress("scoring") as tick:
        found = run(
            bench, optimisers.split(",") if optimisers else [*OPTIMISERS], chip=chip,
            objectives=objectives or None, seeds=seeds, mappings=mappings,
            mapper=mapper, progress=tick,
        )  # fmt: skip
    if plot is not None:
        figures.save(score_figure(found), plot)
    if as_json:
        _json({"data": bench.manifest.data, "about": found.brief(), "rows": found.to_rows()})
    elif as_csv:
        _csv(found.to_rows())
    else:
        console().print(score_table(found))


def _open(tables: Path | None, space: str, accuracy: str | None) -> Any:
    from accelsim.nacos import create

    return create(tables, space, accuracy=accuracy)


def _json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=1))


def _csv(rows: list[dict[str, Any]]) -> None:
    from accelsim.csv_text import csv_text

    print(csv_text(list(rows[0]), rows), end="")


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)
