"""The model held against measured chips and against other tools, one module a source of truth.

`run(name, data)` gives a `Report`. Small figures ship as facts in `data/`, each file with its source; large
ones are read from a folder of reference data; what needs it is skipped, with the reason, where it is absent.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from accelsim.errors import AccelsimError, nearest
from accelsim.validation.result import Report

SOURCES = (
    "eyeriss",
    "timeloop",
    "nvdla",
    "scalesim",
    "gemmini",
    "tpu",
    "edgetpu",
    "shidiannao",
    "zigzag",
    "devices",
    "maestro",
)
"""Names of the sources, each a module of this package."""


def check(name: str) -> None:
    """Raise AccelsimError for an unknown source, with the nearest one."""
    if name not in SOURCES:
        raise AccelsimError(f"validate: unknown source {name!r}{nearest(name, SOURCES)}")


def run(name: str, data: Path | None = None) -> Report:
    """Compare with one source; `data` is the folder of reference data, None or absent = shipped facts only.

    Raises AccelsimError for an unknown name.
    """
    check(name)
    found: Report = import_module(f"accelsim.validation.{name}").report(data)
    return found
