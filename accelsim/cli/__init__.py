"""`accelsim`: the command line, one file a command. Heavy imports sit inside the commands."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from typing import Annotated, Any

import typer
import typer.main

from accelsim.cli import (  # noqa: F401 (each adds its commands)
    bench,
    compare,
    docs,
    evaluate,
    hardware,
    listing,
    lut,
    map,
    memory,
    nacos,
    network,
    report,
    search,
    space,
    study,
    sweep,
    validate,
    warmup,
)
from accelsim.cli.app import abandoned, app
from accelsim.cli.environment import check_environment
from accelsim.errors import AccelsimError, message_text
from accelsim.files import free_locks


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 2 a fault of the input or of the system (one message), 3 nothing meets a search's limits, 130
    after Ctrl-C, 141 when nobody reads the output any more.
    """
    _streams()
    try:
        check_environment()
        code = _run(arguments)
        sys.stdout.flush()
    except AccelsimError as fault:
        code = _say(str(fault), 2)
    except BrokenPipeError:
        code = _give_up_output(141)
    except SystemExit as stop:  # typer makes 1 of a closed pipe
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        code = _give_up_output(141)
    except KeyboardInterrupt:
        code = _say("stopped", 130)
    except MemoryError:
        code = _say("there is not enough memory for this", 2)
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename is not None else ""
        code = _give_up_output(_say(f"{where}{fault.strerror or fault}", 2))
    if abandoned.is_set() and arguments is None:
        _leave(code)
    raise SystemExit(code)


def _leave(code: int) -> None:
    """End without waiting for threads and workers; these end with this process, wherever they are."""
    free_locks()
    _give_up_output(code)
    os._exit(code)


@cache
def _command() -> Any:
    """All commands with their options, which take typer some 50 ms to make."""
    return typer.main.get_command(app)


def _run(arguments: list[str] | None) -> int:
    try:
        return int(_command()(arguments, standalone_mode=False) or 0)
    except Exception as fault:
        code = getattr(fault, "exit_code", None)
        if not isinstance(code, int):
            raise
        if hasattr(fault, "show"):  # a command or an option that there is not
            from typer.rich_utils import rich_format_error

            rich_format_error(fault)  # type: ignore[arg-type]
        return code


def _streams() -> None:
    """Streams that a caller has closed take everything; letters that an encoding lacks are escaped."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and sys.stdout.errors != "backslashreplace":
        reconfigure(errors="backslashreplace")


def _say(text: str, code: int) -> int:
    with suppress(OSError):
        print(f"accelsim: {message_text(text)}", file=sys.stderr, flush=True)
    return code


def _give_up_output(code: int) -> int:
    """What is still to be written goes nowhere, or Python would complain at its end."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from accelsim import __version__

        print(f"accelsim {__version__}")
        raise typer.Exit
