"""What is known about the accuracy of subnets, and how surely.

`load_source("surrogate")` answers for any subnet of the Once-for-All spaces; every answer carries its kind,
source and error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelsim.accuracy.base import KINDS, Accuracy, AccuracyError, AccuracySource, AccuracyValue
from accelsim.errors import AccelsimError
from accelsim.names import Registry
from accelsim.workloads.spaces import Space

__all__ = [
    "KINDS", "KNOWN", "SOURCES", "Accuracy", "AccuracyError", "AccuracySource", "AccuracyValue",
    "check_source", "default_source", "load_source", "source_file",
]  # fmt: skip

SOURCES = ("surrogate", "published", "one-shot", "one-shot:FOLDER", "predictor:FILE", "table:FILE")
"""What `load_source` understands of what is shipped."""

DEFAULTS = {"fashion": "one-shot"}
"""Spaces of which the surrogate knows nothing, and the source that does."""

KNOWN = Registry(
    "accuracy",
    {
        "surrogate": "accelsim.accuracy.surrogate:SurrogateSource",
        "published": "accelsim.accuracy.published:PublishedSource",
        "one-shot": "accelsim.accuracy.one_shot:OneShotSource",
        "predictor": "accelsim.accuracy.predictor:PredictorSource",
        "table": "accelsim.accuracy.table:TableSource",
    },
    "accelsim.accuracy",
    "accelsim.accuracy.base:AccuracySource",
)


def load_source(source: str | AccuracySource | type[AccuracySource], space: Space) -> AccuracySource:
    """A source by its name, one of SOURCES (a predictor's file is .pth or .npz, a table's .csv); or a source.

    Raises AccelsimError for an unknown source or a file that does not fit.
    """
    found, file = check_source(source)
    if isinstance(found, AccuracySource):
        return found
    where = Path(file)
    if file and where == Path():  # "." is the path of no text, too
        where = where.absolute()
    made: AccuracySource = found.of(where, space)
    return made


def check_source(source: str | AccuracySource | type[AccuracySource]) -> tuple[Any, str]:
    """(what a source's name stands for, its file or ""). Raises AccelsimError for an unknown one, and where a
    file is missing or one too many.
    """  # fmt: skip
    name, file = source_file(source)
    found = KNOWN.load(name)
    if isinstance(found, AccuracySource):
        return found, file
    if found.takes_file and not file and not found.file_optional:
        raise AccelsimError(f"accuracy source {name!r} needs a file: write {name}:FILE")
    if file and not found.takes_file:
        raise AccelsimError(f"accuracy source {name!r} takes no file, but got {file!r}")
    return found, file


def default_source(space: Space | str | None) -> str:
    """The source that answers for a space unless another is asked for."""
    return DEFAULTS.get(space.name if isinstance(space, Space) else str(space), "surrogate")


def source_file(source: str | AccuracySource | type[AccuracySource]) -> tuple[Any, str]:
    """(what the registry knows it by, its file or "")."""
    if isinstance(source, str):
        name, _, file = source.partition(":")
        if name in KNOWN.names():
            return name, file
    return source, ""
