"""What all commands share: the application, its arguments, the console and the progress bar."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
import typer.core

from accelsim.cli import complete
from accelsim.cli.useful import check_form
from accelsim.errors import AccelsimError
from accelsim.files import free_locks

if TYPE_CHECKING:
    from rich.console import Console


class Commands(typer.core.TyperGroup):
    """Ctrl-C ends a command in one line; what a KeyboardInterrupt says is added to it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command of a context."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            exec("")  # Python forgets that one went through generated code, and would end by the signal
            said.set()
            print(f"accelsim: stopped{stop}", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Price, map and jointly search networks and accelerators.",
)

NetworkName = Annotated[
    str | None,
    typer.Argument(
        help="A shipped network, a subnet as SPACE:ENCODING, or an .onnx or .json file.",
        autocompletion=complete.networks,
    ),
]
LayerText = Annotated[
    list[str] | None,
    typer.Option(
        "--layer", help="One layer, as in 'K=64 C=3 P=112 Q=112 R=7 S=7 stride=2'.", metavar="<str>"
    ),
]
Hardware = Annotated[
    str,
    typer.Argument(
        help="A shipped accelerator (see `accelsim list`) or a JSON file.", autocompletion=complete.machines
    ),
]


def one_layer(layers: list[str] | None) -> str | None:
    """What stands behind --layer. Raises AccelsimError where it is there more than once."""
    if layers and len(layers) > 1:
        raise AccelsimError(f"--layer: takes one layer, but got {len(layers)}; write several as a network")
    return layers[0] if layers else None


_wide = threading.Event()


def _show_all(context: typer.Context, param: typer.CallbackParam, value: bool) -> bool:
    if check_form(context, param, value):
        _wide.set()
    else:
        _wide.clear()
    return value


Wide = Annotated[
    bool,
    typer.Option("--wide", help="Show all columns, however wide the terminal is.", callback=_show_all),
]


def console() -> Console:
    """Where reports go: a terminal gets its own width, files and pipes $COLUMNS or 140, `--wide` whole lines.

    Names come from files: what looks like markup, an emoji or a control sequence is printed as it stands.
    """
    from rich.console import Console
    from rich.segment import Segment

    from accelsim.errors import printable

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **options)

        def render(self, renderable: Any, options: Any = None) -> Any:
            for piece in super().render(renderable, options):
                text = piece.text
                if piece.control or text.isprintable() or text == "\n":
                    yield piece
                else:
                    yield Segment(printable(text), piece.style)

    own = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return Plain(
        width=10_000 if _wide.is_set() else None if own else 140,
        highlight=False,
        soft_wrap=False,
        markup=False,
        emoji=False,
    )


STOP_S = 2.0
"""Seconds that work of no use any more may take to end after Ctrl-C."""

said = threading.Event()
"""Whether a command has said that it was stopped."""

abandoned = threading.Event()
"""Whether a thread, or a worker that it waits for, is still at work that nobody wants."""

_Result = TypeVar("_Result")


def compiling() -> bool:
    """Whether a kernel is being compiled, which hears of no stop."""
    if "numba" not in sys.modules:
        return False
    from numba.core.compiler_lock import global_compiler_lock

    lock: Any = global_compiler_lock._lock
    if lock._is_owned() or not lock.acquire(blocking=False):
        return True
    lock.release()
    return False


def leave_by_force() -> None:
    """End this process in STOP_S, whatever it waits for: a library may lose an interrupt, or hang on it.

    Python has nothing to say of an interrupt that is lost, as in a callback from machine code.
    """
    told = sys.unraisablehook

    def tell(lost: Any) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            told(lost)

    sys.unraisablehook = tell

    def leave() -> None:
        if not said.is_set() and sys.__stderr__ is not None:
            # A bar that is still drawn has put itself in the place of sys.stderr, and hides the cursor.
            clean = "\r\033[2K\033[?25h" if sys.__stderr__.isatty() else ""
            with suppress(OSError):
                print(f"{clean}accelsim: stopped", file=sys.__stderr__, flush=True)
        free_locks()
        os._exit(130)

    timer = threading.Timer(STOP_S, leave)
    timer.daemon = True
    timer.start()


def until_stopped(work: Callable[[threading.Event], _Result], useless: bool = False) -> tuple[_Result, bool]:
    """(what `work` returns, whether Ctrl-C asked it to stop by setting the event); a second one ends it all,
    and so do STOP_S after the first where a part of the work is `useless`, or kernels are being compiled.
    Raises KeyboardInterrupt then: the work may still go on, and `abandoned` is set.

    The work runs in a thread of its own, so that the signal is heard while a kernel runs.
    """  # fmt: skip
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
        while not ended.wait(0.5):
            if stop.is_set() and not ended.wait(STOP_S) and (useless or compiling()):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        abandoned.set()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if faults:
        raise KeyboardInterrupt if useless and stop.is_set() else faults[0]
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
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        from cost_models._jit import is_compiled

        first = "" if is_compiled() else "compiling kernels once, then "
        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TaskProgressColumn(),
            TimeElapsedColumn(),  # moves, also where nothing is done yet
        ]
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.bar.start()
        task = self.bar.add_task(first + self.what, total=None)
        return lambda done, total: self.bar.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
