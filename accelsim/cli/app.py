"""What all commands share: the application, its arguments, the console and the progress bar."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

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
MapperName = Annotated[
    str,
    typer.Option("--mapper", help="How each layer is mapped: genetic, optimal, cmaes, random or template."),
]
Objective = Annotated[str, typer.Option("--objective", help="What mappings minimise: edp, latency, energy.")]
Budget = Annotated[
    int | None,
    typer.Option(
        "--budget",
        help="Evaluations a layer in all, the template's among them. Default: 1000; optimal: no limit.",
    ),
]
Seconds = Annotated[
    float | None, typer.Option("--seconds", help="A layer, after which optimal gives its best and the gap.")
]
TileSizes = Annotated[
    Literal["divisors", "all"], typer.Option("--tiles", help="Tile sizes that optimal searches.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of all random choices.")]
ModelName = Annotated[str, typer.Option("--model", help="Who prices the layers: accelsim or maestro.")]
EngineName = Annotated[str, typer.Option("--engine", help="threads, processes or dask.")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", help="Address of a running Dask scheduler.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Threads or processes, default one a processor; the answer is the same."),
]


def default_workers(workers: int | None) -> int:
    """As many as processors, unless given."""
    return workers if workers is not None else os.cpu_count() or 1


def console() -> Console:
    """Where reports go: files and pipes get whole lines; a terminal gets its own width."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140, highlight=False, soft_wrap=False)


_Result = TypeVar("_Result")


def until_stopped(work: Callable[[threading.Event], _Result]) -> tuple[_Result, bool]:
    """(what `work` returns, whether Ctrl-C asked it to stop by setting the event); a second one ends it all.

    The work runs in a thread of its own, so that the signal is heard while a kernel runs.
    """
    stop, ended = threading.Event(), threading.Event()
    out: list[_Result] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            out.append(work(stop))
        except BaseException as fault:
            faults.append(fault)
        finally:
            ended.set()

    def ask(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        threading.Thread(target=run, daemon=True).start()
        ended.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if faults:
        raise faults[0]
    return out[0], stop.is_set()


class progress:
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
