"""`accelsim search`: the joint search over networks, mappings and accelerators."""

from __future__ import annotations

import inspect
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.app import Hardware, Wide, abandoned, app, compiling, console, leave_by_force
from accelsim.cli.look import with_look
from accelsim.cli.network import AllowUnknown, Dims, Shapes, load_all
from accelsim.cli.options import (
    AsCsv,
    AsJson,
    Budget,
    EngineName,
    Fuse,
    MapperName,
    ModelName,
    Scheduler,
    Seed,
    Workers,
)
from accelsim.cli.useful import check_search, check_workers
from accelsim.cosearch.metrics import METRICS, load_metric
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.cosearch.loop import Progress
    from accelsim.cosearch.result import SearchResult
    from accelsim.workloads.network import Network

Finish = Annotated[
    int | None,
    typer.Option(
        "--finish",
        help="Candidates a layer that the exact mapper looks at for the designs reported; 0: none. "
        "Default: 3000.",
    ),
]
Apart = Annotated[
    bool,
    typer.Option(
        "--apart",
        help="Of designs whose accuracies are within the error of each other, leave those that are better in "
        "other objectives.",
    ),
]
Plot = Annotated[Path | None, typer.Option(help="Draw the designs and the front: .png, .svg or .pdf.")]


def with_limits(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose `bounds` are an option for each shipped metric."""
    signature = inspect.signature(command, eval_str=True)
    options = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for metric in map(load_metric, METRICS.home):
        what = (metric.__doc__ or "").partition("\n")[0].rstrip(".")
        words = f"{'Least' if metric.maximise else 'Largest'} {metric.name}: {what}."
        kind = Annotated[float | None, typer.Option(help=words, metavar=metric.unit or "NUMBER")]
        options.append(
            inspect.Parameter(metric.bound, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        )
    command.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    return command


@app.command()
@with_look
@with_limits
def search(
    context: typer.Context,
    hardware: Hardware,
    space: Annotated[
        str | None,
        typer.Option(
            help="A space of subnets, as `accelsim list` shows.",
            autocompletion=complete.spaces,
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="Instead of a space: a network; several count by geometric mean.",
            autocompletion=complete.networks,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Of several networks in the geometric means, as 3,1. Default: all alike."),
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            "--objectives",
            "--objective",
            help=f"Of {', '.join(METRICS.home)}, or package.module:Metric. Default: edp,accuracy; edp.",
            autocompletion=complete.objectives,
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            help="nested, joint, sequential, single, blockwise, blockwise_exact, gradient, holistic.",
            autocompletion=complete.strategies,
        ),
    ] = "nested",
    optimiser: Annotated[
        str,
        typer.Option(
            help="nsga2, age_moea, sms_emoa, moead, surrogate, random, or cmaes for one objective.",
            autocompletion=complete.optimisers,
        ),
    ] = "nsga2",
    evaluations: Annotated[int, typer.Option(help="Candidates, in whole generations.")] = 2000,
    population: Annotated[int, typer.Option(help="Candidates of a generation.")] = 64,
    mapper: MapperName = "genetic",
    budget: Budget = None,
    seed: Seed = 0,
    fix: Annotated[
        str, typer.Option(help="What stays as it is, of hardware, dataflow, network, mapping.")
    ] = "",
    accuracy: Annotated[
        str | None,
        typer.Option(
            help="Where accuracies come from: surrogate, published, one-shot, one-shot:FOLDER, "
            "predictor:FILE, table:FILE. Default: surrogate; one-shot for fashion."
        ),
    ] = None,
    model: ModelName = "accelsim",
    fuse: Fuse = None,
    screen: Annotated[
        bool | None,
        typer.Option(help="Whether what cannot enter the front is not mapped in full. Default: it is not."),
    ] = None,
    layer_precision: Annotated[
        str | None,
        typer.Option(
            help="Bits of weights and activations that each layer may have, as 4x4,4x8. Default: the chip's, "
            "or as its search section says."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Inputs at once.")] = 1,
    resolution: Annotated[int | None, typer.Option(help="Input height and width.")] = None,
    dims: Dims = None,
    shapes: Shapes = None,
    allow_unknown: AllowUnknown = False,
    finishing: Finish = None,
    engine: EngineName = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    study: Annotated[
        Path | None,
        typer.Option(help="File that keeps every candidate; an existing one goes on. Default: by the names."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--out", "-o", "--export", help="Folder for the front's designs and a CSV.")
    ] = None,
    plot: Plot = None,
    apart: Apart = False,
    wide: Wide = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    limit: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE limits any metric, as package.module:Metric=3.5.")
    ] = None,
    **bounds: float | None,
) -> None:
    """Search networks, mappings and accelerators together; every candidate is kept in a study file."""
    from accelsim.cosearch.configure import configure
    from accelsim.cosearch.run import search_configured

    check_outputs(export, plot)
    given: Sequence[str | Network] | None = network or None
    if dims or shapes or allow_unknown:
        given = load_all(
            network or [], None if batch == 1 else batch, resolution, dims, shapes, allow_unknown
        )
        resolution = None
        if not given:
            raise AccelsimError("search: --dim, --input and --allow-unknown are for --network FILE.onnx")
    config = configure(
        hardware,
        space,
        given,
        objectives=objectives,
        limits=dict(_limit(words) for words in limit or ()),
        strategy=strategy,
        optimiser=optimiser,
        population=population,
        mapper=mapper,
        budget=budget,
        seed=seed,
        fix=fix,
        accuracy=accuracy,
        model=model,
        fuse=fuse,
        screen=screen,
        weights=weights,
        layer_precision=layer_precision,
        batch=batch,
        resolution=resolution,
        **bounds,
    )
    check_search(context, config)
    check_workers(context, scheduler)
    path = study or default_study(hardware, space or (network or [""])[0], config.hash)
    with watching() as (stop, watch):
        result = search_configured(
            config, evaluations, path, engine, workers, scheduler, stop, watch, patience(finishing)
        )
    result.apart = apart
    finish(result, export, plot, as_json, as_csv)


def _limit(words: str) -> tuple[str, float]:
    name, _, value = words.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise AccelsimError(f"--limit {words}: write it as NAME=VALUE, as in peak_memory=256e3") from None


def patience(finishing: int | None) -> int:
    """What `--finish` means."""
    from accelsim.cosearch.finish import PATIENCE

    return PATIENCE if finishing is None else finishing


def check_outputs(export: Path | None = None, plot: Path | None = None) -> None:
    """Before a long search: whether its figure and its designs can be written."""
    from accelsim.files import check_folder

    check_folder(export)
    if plot is not None:
        from accelsim.report.style import check_path

        check_path(plot)


def default_study(hardware: str, what: str, config_hash: str) -> Path:
    """`HARDWARE-WHAT-HASH.study` in this folder: the same command goes on, another one begins anew."""
    return Path(f"{Path(hardware).stem}-{Path(what).stem.replace(':', '_')[:40]}-{config_hash[:8]}.study")


def finish(
    result: SearchResult,
    export: Path | None = None,
    plot: Path | None = None,
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """Print the report, write what was asked for; exit code 3 if nothing meets the limits.

    130, as after any Ctrl-C, if the search was interrupted. With `as_json` or `as_csv` nothing else goes to
    standard output.
    """
    out = sys.stderr if as_json or as_csv else sys.stdout
    if result.interrupted:
        print(f"stopped after {len(result.generations)} generations; {resume_hint(result)}", file=out)
        if not result.generations:
            raise typer.Exit(130)
    if as_json:
        import json

        print(json.dumps(result.to_dict(), indent=1))
    elif as_csv:
        from accelsim.cosearch.export import front_csv

        print(front_csv(result), end="")
    else:
        from accelsim.report.search import search_report

        console().print(search_report(result))
    if export is not None:
        from accelsim.cosearch.export import export as write

        files = write(result, export)
        print(f"wrote {len(files)} files to {export}", file=out)
    if plot is not None and result.best is not None:
        from accelsim.report import save
        from accelsim.report.search_plot import result_figure

        save(result_figure(result), plot)
        print(f"figure: {plot}", file=out)
    if result.path is not None:
        print(f"study: {result.path}", file=out)
    if result.interrupted:
        raise typer.Exit(130)
    if result.best is None:
        raise typer.Exit(3)


def resume_hint(result: SearchResult) -> str:
    """How to go on."""
    return f"go on with: accelsim study resume {shlex.quote(str(result.path))}"


@contextmanager
def watching() -> Iterator[tuple[Event, Any]]:
    """(event that Ctrl-C sets, function to call after each generation): a live line on a terminal.

    The first Ctrl-C ends the search after its generation, the second at once; so does the first while
    kernels are compiled.
    """
    from cost_models._jit import is_compiled

    stop, cold = Event(), not is_compiled()

    def interrupt(*_: object) -> None:
        if stop.is_set() or (cold and compiling()):
            abandoned.set()
            leave_by_force()
            raise KeyboardInterrupt
        stop.set()
        print("\nfinishing this generation; press Ctrl-C again to stop at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        if not sys.stderr.isatty():
            yield stop, None
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = [
            BarColumn(8),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
        ]
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            first = ("compiling kernels once, then " if cold else "") + "mapping generation 1"
            task = bar.add_task("search", total=None, figures=first)

            def watch(now: Progress) -> None:
                bar.update(
                    task,
                    completed=now.generation,
                    total=now.generations,
                    figures=figures(now, bar.console.width),
                )

            yield stop, watch
    finally:
        signal.signal(signal.SIGINT, before)


WIDE = 140
"""Columns of a terminal that has room for all figures of a running search beside its bar."""


def figures(now: Progress, width: int = WIDE) -> str:
    """Best and speed of a running search, hypervolume and rejected share where there is room for them."""
    best = now.result.best
    first = now.result.setup.goals.objectives[0]
    value = "none yet" if best is None else f"{best.metrics[first]:.4g}"
    drawn = sum(now.last.rejected.values())
    shares = ", ".join(
        f"{name} {count / (drawn + len(now.last.rows)):.0%}" for name, count in now.last.rejected.items()
    )
    text = (
        f"generation {now.generation}/{now.generations}, best {first} {value}, "
        f"{now.candidates_per_s:,.0f} candidates/s"
    )
    if width < WIDE:
        return text
    more = f", drawn again: {shares}" if shares else ""
    return f"{text}, hypervolume {now.result.hypervolume():.4g}{more}"
