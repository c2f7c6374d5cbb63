"""`TableSource`: subnets that the user has measured, from a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.accuracy.additive import FEWEST, Additive
from accelsim.accuracy.base import AccuracyError, AccuracySource
from accelsim.errors import AccelsimError, not_one_of
from accelsim.text_file import read_text
from accelsim.workloads.spaces import Space, Subnet
from accelsim.workloads.spaces.genes import Genomes
from accelsim.workloads.spaces.mbconv import MBConvSpace

ENCODINGS = ("encoding", "subnet", "arch")
ANSWERS = ("both", "exact", "fit")


class TableSource(AccuracySource):
    """Exact hits from the table, and for other subnets an additive model fitted to it.

    Columns: `encoding` (or `subnet`, `arch`): what follows `space:`; or, for MBConv spaces, `ks`, `e`, `d`
    and maybe `r` as once-for-all writes them, joined by dashes. `column` names the accuracy in per cent; left
    out, `top1`, `accuracy` or `acc`, or the mean of `acc1`, `acc2`, ... Repeats of a subnet are averaged.
    `answer` "both" gives measured values where there are any and the fit elsewhere, "exact" refuses
    elsewhere, "fit" never uses a measured value as it is. Kinds are "measured" and "surrogate".

    Raises AccelsimError naming the line for a subnet that is not in the space or a value that is no number.
    """

    takes_file = True

    @classmethod
    def of(cls, file: Path, space: Space) -> TableSource:
        """Of the subnets of that space."""
        return cls(file, space)

    def __init__(
        self, path: str | Path, space: Space, column: str | None = None, answer: str = "both"
    ) -> None:  # fmt: skip
        if answer not in ANSWERS:
            raise AccelsimError(f"answer {not_one_of(answer, ANSWERS)}")
        self.path = Path(path)
        self.space = space.name
        self.answer = answer
        self._measured = _read(self.path, space, column)
        sizes = tuple(sorted({r for r, _ in self._measured}))
        self._fit_space = space.at(*sizes)
        self._sizes = sizes
        self._rows = np.array([[sizes.index(r), *np.frombuffer(row, np.int64)] for r, row in self._measured])
        values = list(self._measured.values())
        self.top1 = np.array([np.mean(x) for x in values])
        repeats = [np.var(x, ddof=1) for x in values if len(x) > 1]
        self._spread = float(np.sqrt(np.mean(repeats))) if repeats else 0.0
        self.complete = len(values) == self._fit_space.size
        self._model: Additive | None = None

    @property
    def model(self) -> Additive:
        """The additive model fitted to the table, made at the first use."""
        if self._model is None:
            if len(self.top1) < FEWEST:
                raise AccuracyError(
                    f"{self.path}: subnets that are not in it need a fit to at least {FEWEST} that are; "
                    f"it has {len(self.top1)}"
                )
            self._model = Additive.fit_ceiling(self._fit_space, self._rows, self.top1)
        return self._model

    def genomes(self, space: Space) -> Genomes:
        """The measured subnets [n, genes] as genomes of `space`, which must have their resolutions."""
        self._check_space(space)
        rows = self._rows.copy()
        rows[:, 0] = [space.resolutions.index(self._sizes[i]) for i in rows[:, 0]]
        return rows

    def kinds(self, space: Space) -> tuple[str, ...]:
        """`measured`, `surrogate`, or both."""
        self._check_space(space)
        if self.answer == "fit":
            return ("surrogate",)
        return ("measured",) if self.complete or self.answer == "exact" else ("measured", "surrogate")

    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those of subnets in the table."""
        self._check_space(space)
        return tuple(r for r in space.resolutions if r in self._sizes)

    def describe(self, space: Space) -> str:
        """Where the values come from."""
        text = f"{len(self.top1)} measured subnets in {self.path.name}"
        if self._model is not None:
            fit = self._model
            text += f"; others from an additive fit to them (MAE {fit.mae:.2f}, Kendall {fit.kendall:.2f})"
        return text

    def _resolution_hint(self, space: Space) -> str:
        return f"the table has {', '.join(map(str, self._sizes))}"

    def _check_space(self, space: Space) -> None:
        if space.name != self.space:
            raise AccuracyError(f"{self.path} was read for space {self.space!r}, not for {space.name!r}")

    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        rows = genomes.copy()
        rows[:, 0] = [self._sizes.index(space.resolutions[i]) for i in genomes[:, 0]]
        hits = [self._measured.get((self._sizes[r[0]], r[1:].tobytes())) for r in rows]
        if self.answer == "fit":
            hits = [None] * len(hits)
        missing = np.array([x is None for x in hits], bool)
        if missing.any() and self.answer == "exact":
            first = space.decode(genomes[int(missing.argmax())])
            raise AccuracyError(f"{first} is not in {self.path}; answer='both' lets a fit answer for it")
        value = np.array([np.mean(x) if x is not None else 0.0 for x in hits])
        error = np.array([2.0 * self._spread / np.sqrt(len(x)) if x is not None else 0.0 for x in hits])
        if missing.any():
            value[missing], error[missing] = self._fitted(rows[missing])
        return value, error, np.where(missing, "surrogate", "measured")

    def _fitted(self, rows: Genomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where a subnet uses a choice that no measured one has, all that is known is how they scatter."""
        model = self.model
        error = np.where(model.unseen(self._fit_space, rows), 2.0 * self.top1.std(), model.error95)
        return np.clip(model.predict(self._fit_space, rows), 0.0, 100.0), error


@dataclass(frozen=True)
class _Columns:
    encoding: str | None
    accuracy: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str], wanted: str | None, space: Space, path: Path) -> _Columns:
        encoding = next((x for x in ENCODINGS if x in names), None)
        if encoding is None and not (isinstance(space, MBConvSpace) and {"ks", "e", "d"} <= set(names)):
            also = ", or ks, e and d" if isinstance(space, MBConvSpace) else ""
            raise AccelsimError(
                f"{path}: needs a column {' or '.join(ENCODINGS)}{also}; it has {', '.join(names)}"
            )
        if wanted is not None:
            accuracy: tuple[str, ...] = (wanted,) if wanted in names else ()
        else:
            accuracy = next(((x,) for x in ("top1", "accuracy", "acc") if x in names), ())
            accuracy = accuracy or tuple(x for x in names if x.startswith("acc") and x[3:].isdigit())
        if not accuracy:
            what = repr(wanted) if wanted else "top1, accuracy, acc or acc1, acc2, ..."
            raise AccelsimError(f"{path}: needs a column {what}; it has {', '.join(names)}")
        return cls(encoding, accuracy)


def _read(path: Path, space: Space, column: str | None) -> dict[tuple[int, bytes], list[float]]:
    """(resolution, other genes) -> every measured top-1."""
    out: dict[tuple[int, bytes], list[float]] = {}
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        columns = _Columns.of(reader.fieldnames or (), column, space, path)
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            subnet = _subnet(row, columns, space, where)
            try:
                key = (subnet.resolution, space.having(subnet.resolution).encode(subnet)[1:].tobytes())
            except AccelsimError as fault:
                raise AccelsimError(f"{where}: {fault}") from None
            out.setdefault(key, []).extend(_percent(row.get(x), x, where) for x in columns.accuracy)
    except csv.Error as fault:
        raise AccelsimError(f"{path}: not CSV: {fault}") from None
    if not out:
        raise AccelsimError(f"{path}: needs at least one measured subnet, but it has none")
    return out


def _subnet(row: dict[str, str], columns: _Columns, space: Space, where: str) -> Subnet:
    try:
        if columns.encoding is not None:
            return space.parse(str(row[columns.encoding]).removeprefix(f"{space.name}:"))
        assert isinstance(space, MBConvSpace)
        ks, e, d = ([_whole(x) for x in str(row[name]).split("-")] for name in ("ks", "e", "d"))
        return space.from_ofa(ks, e, d, _whole(row.get("r") or "224"))
    except AccelsimError as fault:
        raise AccelsimError(f"{where}: {fault}") from None
    except (ValueError, OverflowError):
        raise AccelsimError(f"{where}: ks, e, d and r must be whole numbers joined by dashes") from None


def _whole(text: str) -> int:
    """ "3" and "3.0", as tables that went through floats have it; ValueError or OverflowError for others."""
    value = int(float(text))
    if value != float(text):
        raise ValueError
    return value


def _percent(text: str | None, column: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 100.0:
        raise AccelsimError(f"{where}: {column} must be a number from 0 to 100, but got {text!r}")
    return value
