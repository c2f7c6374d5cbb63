"""`accelsim`: the command line, one file a command. Heavy imports sit inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from accelsim.cli import (  # noqa: F401 (each adds its commands)
    bench,
    evaluate,
    hardware,
    listing,
    lut,
    map,
    memory,
    network,
    search,
    space,
    study,
    sweep,
    validate,
    warmup,
)
from accelsim.cli.app import app
from accelsim.errors import AccelsimError


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a fault of the user's input is one message and exit code 2."""
    try:
        app(arguments, standalone_mode=True)
    except AccelsimError as fault:
        print(f"accelsim: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from accelsim import __version__

        print(f"accelsim {__version__}")
        raise typer.Exit
