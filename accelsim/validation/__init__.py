"""The model held against measured chips and against other tools, one module a source of truth.

`run(name, data)` gives a `Report`. Small figures ship as facts in `data/`, each file with its source; large
ones are read from a folder of reference data; what needs it is skipped, with the reason, where it is absent.
"""

from __future__ import annotations

from pathlib import Path

from accelsim.names import Registry
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
"""Names of the shipped sources, each a module of this package."""

REPORTS = Registry(
    "validate", {name: f"accelsim.validation.{name}:report" for name in SOURCES}, "accelsim.validation"
)
"""Functions that take the folder of reference data, or None, and give a `Report`."""


def check(name: str) -> None:
    """Raise AccelsimError for an unknown source, with the nearest one."""
    REPORTS.check(name)


def run(name: str, data: Path | None = None) -> Report:
    """Compare with one source; `data` is the folder of reference data, None or absent = shipped facts only.

    Raises AccelsimError for an unknown name.
    """
    return REPORTS.call(name, Report, data)
