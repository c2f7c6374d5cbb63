"""What is known about the accuracy of subnets, and how surely.

`load_source("surrogate")` answers for any subnet of the Once-for-All spaces; every answer carries its kind,
source and error.
"""

from __future__ import annotations

from pathlib import Path

from accelsim.accuracy.base import KINDS, Accuracy, AccuracyError, AccuracySource, AccuracyValue
from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.spaces import Space

__all__ = [
    "KINDS", "SOURCES", "Accuracy", "AccuracyError", "AccuracySource", "AccuracyValue", "load_source",
]  # fmt: skip

SOURCES = ("surrogate", "published", "predictor:FILE", "table:FILE")
"""What `load_source` understands."""


def load_source(text: str, space: Space) -> AccuracySource:
    """`surrogate`, `published`, `predictor:FILE.pth`, `predictor:FILE.npz` or `table:FILE.csv`.

    Raises AccelsimError for an unknown source or a file that does not fit.
    """
    name, _, file = text.partition(":")
    if name in ("predictor", "table") and not file:
        raise AccelsimError(f"accuracy source {name!r} needs a file: write {name}:FILE")
    if name in ("surrogate", "published") and file:
        raise AccelsimError(f"accuracy source {name!r} takes no file, but got {file!r}")
    if name == "surrogate":
        from accelsim.accuracy.surrogate import SurrogateSource

        return SurrogateSource()
    if name == "published":
        from accelsim.accuracy.published import PublishedSource

        return PublishedSource()
    if name == "predictor":
        from accelsim.accuracy.predictor import PredictorSource

        return PredictorSource(Path(file))
    if name == "table":
        from accelsim.accuracy.table import TableSource

        return TableSource(Path(file), space)
    known = ("surrogate", "published", "predictor", "table")
    raise AccelsimError(f"unknown accuracy source {text!r}{nearest(name, known)}")
