"""Number types, names and the base model of the hardware file.

Numbers are checked by one class each, so that a message always states the whole rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Dim = Literal["N", "G", "K", "C", "P", "Q", "R", "S"]
DIMENSIONS: tuple[Dim, ...] = ("N", "G", "K", "C", "P", "Q", "R", "S")

Tensor = Literal["W", "I", "O"]
TENSORS: tuple[Tensor, ...] = ("W", "I", "O")
RESERVED = ("MAC", "notes", "source", "sources")
"""Names that memories and axes cannot have: tables and files have other things there."""

MAX_WHOLE = 2**53 - 1
"""Largest count: beyond it 64-bit floats skip whole numbers."""


@dataclass(frozen=True)
class WholeNumber:
    """A whole number from `low` to `high`; booleans, strings and 3.0 are refused."""

    low: int
    high: int = MAX_WHOLE

    def check(self, value: object) -> int:
        """The value, or the rule that it breaks."""
        if isinstance(value, bool) or not isinstance(value, int) or value < self.low:
            raise _broken(f"must be a whole number >= {self.low}")
        if value > self.high:
            limit = f"{self.high} (2^53 - 1)" if self.high == MAX_WHOLE else f"{self.high}"
            raise _broken(f"must be a whole number <= {limit}")
        return value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Real:
    """A finite number from `low` to `high`, kept as float; booleans and strings are refused."""

    low: float
    high: float

    def check(self, value: object) -> float:
        """The value, or the rule that it breaks."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            raise _broken(f"must be a number from {self.low:g} to {self.high:g}")
        return float(value)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


class Scalar:
    """A finite number, or true or false, kept as it is."""

    def check(self, value: object) -> float | bool:
        """The value, or the rule that it breaks."""
        if isinstance(value, bool) or is_number(value):
            return value  # type: ignore[return-value]
        raise _broken("must be a number, true or false")

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": ["number", "boolean"]}


def is_number(value: object) -> bool:
    """A number as the types above see it, NaN and infinity excluded."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


# Bounds wide enough for any machine, and tight enough that no product of them leaves the floats.
Count = Annotated[int, WholeNumber(1)]
Bits = Annotated[int, WholeNumber(1, 64)]
Nanometres = Annotated[float, Real(3.0, 250.0)]
Megahertz = Annotated[float, Real(1e-3, 1e6)]
Microseconds = Annotated[float, Real(0.0, 1e9)]
Figure = Annotated[float, Scalar()]
Share = Annotated[float, Real(1e-6, 1.0)]
Rate = Annotated[float, Real(1e-9, 1e12)]
Cycles = Annotated[float, Real(0.0, 1e9)]
BytesPerCycle = Annotated[float, Real(1e-6, 1e12)]
Energy = Annotated[float, Real(0.0, 1e9)]
Power = Annotated[float, Real(0.0, 1e9)]
Area = Annotated[float, Real(0.0, 1e12)]

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
MAX_TEXT = 2000
"""Characters of a name, a note or a source."""

Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_TEXT)]
Source = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-E]: \S[\s\S]*$", max_length=MAX_TEXT)]

SOURCES = (
    "Where this object's numbers come from, by key: a letter and the source. A: read in a primary source or "
    "a machine-readable transcription of it; B: secondary source; C: widely quoted and passes an arithmetic "
    "check; D: unchecked or assumed; E: computed. A source covers all that stands below its key."
)


class Section(BaseModel):
    """An object of the hardware file: immutable, and no key beyond its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Section):
    """An object whose numbers name their sources."""

    sources: dict[str, Source] = Field(default_factory=dict, description=SOURCES)
    notes: Text | None = Field(default=None, description="Anything a reader should know.")
