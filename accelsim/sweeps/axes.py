"""What a sweep varies: a path of the hardware file and its values, also as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from accelsim.arguments import as_list, wrong
from accelsim.errors import AccelsimError
from accelsim.hardware.faults import UNITS

SYMBOLS = {
    "bytes": "B", "bits": "bit", "pj": "pJ", "mhz": "MHz", "nm": "nm", "us": "us", "mw": "mW", "mm2": "mm2",
    "um2": "um2", "cycles": "cycles",
}  # fmt: skip
"""What the last word of a field's name measures in."""

MAX_POINTS = 100_000

LARGEST = 1e30
"""Of the numbers of an axis: beyond what any figure of a machine means."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]*)")
_HELP = "write PATH=START:STOP:xFACTOR, PATH=START:STOP:+STEP or PATH=VALUE,VALUE,..."

Scalar = int | float | bool | str


@dataclass(frozen=True)
class SweepAxis:
    """One varied figure: its path, as `accelsim.hardware.resize` understands it, and its values in order.

    ranged  the values come from a range, and may be rounded where the figure is a whole number
    """

    path: str
    values: tuple[Scalar, ...]
    ranged: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not self.values:
            raise AccelsimError(f"{self.path}: must have at least one value")
        seen: set[Scalar] = set()
        for value in self.values:
            if value in seen:
                raise AccelsimError(f"{self.path}: the value {value} comes twice")
            seen.add(value)

    @property
    def whole(self) -> SweepAxis:
        """The same with a range's values rounded to whole numbers."""
        if not self.ranged:
            return self
        return SweepAxis(self.path, tuple(dict.fromkeys(round(float(v)) for v in self.values)), True)

    @property
    def label(self) -> str:
        """The path as people say it, see `label_of`."""
        return label_of(self.path)

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)


def label_of(path: str) -> str:
    """A path as people say it, with its unit: `GLB size, B` of memories.GLB.size_bytes."""
    *place, figure = path.split(".")
    words = [word for word in place if word not in ("memories", "fanout", "costs", "network")]
    if place[-2:-1] == ["fanout"] and figure == "size":
        return " ".join([*words, "lanes"])
    what, _, unit = figure.rpartition("_")
    if what and unit in SYMBOLS:
        return " ".join([*words, what.replace("_", " ")]) + f", {SYMBOLS[unit]}"
    unit = ", B/cycle" if "bandwidth" in (figure, *place) else ""
    return " ".join([*words, figure.replace("_", " ")]) + unit


def parse_axis(text: str) -> SweepAxis:
    """Read `PATH=SPEC`; SPEC is a list, or a range with a factor (x2) or a step (+4), both ends included.

    Numbers may carry B, kB, MB, GB, KiB, MiB or GiB. Raises AccelsimError.
    """
    path, sign, spec = text.partition("=")
    path, spec = path.strip(), spec.strip()
    if not sign or not path or not spec:
        raise AccelsimError(f"--vary {text!r}: {_HELP}")
    if ":" in spec:
        return SweepAxis(path, _range(spec, text), ranged=True)
    return SweepAxis(path, tuple(_scalar(word.strip(), text) for word in spec.split(",")))


def as_axes(vary: Iterable[str | SweepAxis] | Mapping[str, Any]) -> tuple[SweepAxis, ...]:
    """Axes from their texts, from themselves, or from a table of path -> values (or one value).

    Raises AccelsimError for an axis that comes twice, and for more than MAX_POINTS points.
    """
    if isinstance(vary, str):
        vary = [vary]
    axes: list[SweepAxis] = []
    if isinstance(vary, Mapping):
        for path, values in vary.items():
            several = np.iterable(values) and not isinstance(values, str)
            axes.append(SweepAxis(str(path), tuple(map(_plain, values if several else [values]))))
    else:
        rule = "texts like memories.1.size_bytes=4096,8192, or a table of path and values"
        for axis in as_list(vary, "vary", rule, SweepAxis):
            if not isinstance(axis, SweepAxis | str):
                raise wrong("vary", rule, axis)
            axes.append(parse_axis(axis) if isinstance(axis, str) else axis)
    paths = [axis.path for axis in axes]
    for path in paths:
        if paths.count(path) > 1:
            raise AccelsimError(f"vary: {path} is given twice")
    points = int(np.prod([len(axis.values) for axis in axes], dtype=object)) if axes else 1
    if points > MAX_POINTS:
        raise AccelsimError(f"vary: at most {MAX_POINTS} points, but there are {points}")
    return tuple(axes)


def points(axes: tuple[SweepAxis, ...]) -> list[dict[str, Scalar]]:
    """Every combination of the axes' values, the last axis fastest."""
    paths = [axis.path for axis in axes]
    return [dict(zip(paths, values, strict=True)) for values in product(*(axis.values for axis in axes))]


def _plain(value: Any) -> Scalar:
    """A Python scalar; 4.0 counts as 4."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise AccelsimError(f"vary: numbers must be finite and at most {LARGEST:g}, but got {value!r:.60}")
    if not isinstance(value, int | float | str):
        raise AccelsimError(f"vary: values must be numbers, truth values or texts, but got {value!r:.60}")
    return value


def _scalar(word: str, text: str) -> Scalar:
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"[A-Za-z_]\w*", word):
        return word
    return _number(word, text)


def _number(word: str, text: str) -> int | float:
    match = _NUMBER.fullmatch(word)
    if match is None:
        raise AccelsimError(f"--vary {text!r}: {word!r} is no number; {_HELP}")
    digits, unit = match.groups()
    if unit not in UNITS:
        known = ", ".join(u for u in UNITS if u)
        raise AccelsimError(f"--vary {text!r}: {unit!r} in {word!r} is no unit; known: {known}")
    value = _plain(float(digits) * UNITS[unit])
    assert isinstance(value, int | float)
    return value


def _range(spec: str, text: str) -> tuple[int | float, ...]:
    words = [word.strip() for word in spec.split(":")]
    if len(words) != 3 or words[2][:1] not in ("x", "+"):
        raise AccelsimError(f"--vary {text!r}: {_HELP}")
    start, stop, step = (_number(word, text) for word in (words[0], words[1], words[2].lstrip("x")))
    if start > stop:
        raise AccelsimError(f"--vary {text!r}: START <= STOP must hold, but got {start} > {stop}")
    if words[2][0] == "x" and not (step > 1 and start > 0):
        raise AccelsimError(f"--vary {text!r}: a factor must be above 1 and START above 0")
    if words[2][0] == "+" and not step > 0:
        raise AccelsimError(f"--vary {text!r}: a step must be above 0, but got {step}")
    values: list[int | float] = []
    value, i = start, 0
    while value <= stop * (1 + 1e-12):
        values.append(value)
        if len(values) > MAX_POINTS:
            raise AccelsimError(f"--vary {text!r}: at most {MAX_POINTS} values")
        i += 1
        try:
            raw = start * step**i if words[2][0] == "x" else start + step * i
        except OverflowError:
            break
        if raw > LARGEST:
            break
        new = _plain(raw)
        assert isinstance(new, int | float)
        value = new
    return tuple(values)
