"""`Tables`: what is stored of every pair of a chip and a layer, as plain arrays in one npz file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.npz_file import unpack
from accelsim.pack import Batch
from cost_models.loopnest import layout as L

PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99)
"""Of the random mappings that fit, by their energy-delay product."""


class Rows(NamedTuple):
    """n priced mappings: cycles, pJ float64[n], infinite where there is none, and their kernel arrays.

    Chips with fewer memories than others have idle levels at the end.
    """

    latency: NDArray[np.float64]
    energy: NDArray[np.float64]
    batch: Batch

    @classmethod
    def empty(cls, n: int, memories: int) -> Rows:
        """n times no mapping."""
        return cls(np.full(n, np.inf), np.full(n, np.inf), Batch.empty(n, memories))

    def take(self, rows: Any) -> Rows:
        """Those of an index."""
        return Rows(self.latency[rows], self.energy[rows], self.batch.take(rows))

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """One after another, as many memories as the largest has."""
        most = max(part.batch.tile.shape[1] for part in parts)
        wide = [part.widened(most) for part in parts]
        batch = Batch(*(np.concatenate(arrays) for arrays in zip(*(part.batch for part in wide))))
        return cls(
            np.concatenate([part.latency for part in wide]),
            np.concatenate([part.energy for part in wide]),
            batch,
        )

    def widened(self, memories: int) -> Rows:
        """With idle levels at the end, or without some of those."""
        n, have = self.batch.tile.shape[:2]
        if have >= memories:
            fewer: Any = (np.ascontiguousarray(array[:, :memories]) for array in self.batch)
            return self._replace(batch=Batch(*fewer))
        more = Batch.empty(n, memories - have)
        arrays: Any = zip(self.batch, more)
        return self._replace(batch=Batch(*(np.concatenate(two, axis=1) for two in arrays)))


@dataclass(frozen=True)
class Tables:
    """Pairs by number: chip times layers plus layer.

    start     int64[pairs + 1], where the front of each pair begins in `front`
    front     the proved latency-energy front of each pair, by rising latency
    template  [pairs] the template mapping for the energy-delay product
    drawn     [pairs * PERCENTS] of random mappings that fit; nearest rank, by energy-delay product
    fits      int64[pairs], how many of the random mappings fit
    bound     float64[pairs, 2], cycles and pJ that no mapping is below, without any search
    """

    start: NDArray[np.int64]
    front: Rows
    template: Rows
    drawn: Rows
    fits: NDArray[np.int64]
    bound: NDArray[np.float64]

    @property
    def pairs(self) -> int:
        """How many."""
        return len(self.fits)

    def of(self, pair: int) -> Rows:
        """The front of a pair."""
        return self.front.take(slice(int(self.start[pair]), int(self.start[pair + 1])))

    def only(self, pair: int, memories: int) -> Tables:
        """The tables of one pair, on a chip of so many memories."""
        rows = slice(pair * len(PERCENTS), (pair + 1) * len(PERCENTS))
        front, one = self.of(pair), slice(pair, pair + 1)
        return Tables(
            np.array([0, len(front.latency)]),
            front.widened(memories),
            self.template.take(one).widened(memories),
            self.drawn.take(rows).widened(memories),
            self.fits[one],
            self.bound[one],
        )

    @classmethod
    def join(cls, parts: Sequence[Tables]) -> Tables:
        """Pairs one after another."""
        shift = np.cumsum([0, *(part.start[-1] for part in parts)])
        starts = [part.start[:-1] + more for part, more in zip(parts, shift)]
        return cls(
            np.concatenate([*starts, shift[-1:]]),
            Rows.join([part.front for part in parts]),
            Rows.join([part.template for part in parts]),
            Rows.join([part.drawn for part in parts]),
            np.concatenate([part.fits for part in parts]),
            np.concatenate([part.bound for part in parts]),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Flat, by name; whole numbers in as few bytes as hold them, columns together so that they pack."""
        out: dict[str, NDArray[Any]] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, Rows):
                out[field.name] = value
                continue
            out[f"{field.name}.latency"], out[f"{field.name}.energy"] = value.latency, value.energy
            array: Any
            for name, array in zip(Batch._fields, value.batch):
                packed = np.ascontiguousarray(np.moveaxis(array, 0, -1))
                out[f"{field.name}.{name}"] = packed.astype(np.min_scalar_type(int(packed.max(initial=0))))
        return out

    def digest(self) -> str:
        """SHA-256 of all arrays, however they are compressed."""
        return _digest(self.arrays())

    def to_bytes(self) -> bytes:
        """An npz file."""
        out = io.BytesIO()
        np.savez_compressed(out, **self.arrays())  # type: ignore[arg-type]
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: str, digest: str | None = None) -> Tables:
        """Read an npz file. Raises AccelsimError where it is damaged, or has another digest."""
        try:
            arrays = unpack(data)
            made = cls._read(arrays)
        except (ValueError, KeyError, IndexError, TypeError, MemoryError) as fault:
            raise AccelsimError(f"{where}: is damaged, or no table of this kind: {fault!s:.250}") from None
        if digest is not None and _digest(arrays) != digest:
            raise AccelsimError(f"{where}: is damaged: its SHA-256 is not the one in the manifest")
        return made

    @classmethod
    def _read(cls, arrays: dict[str, NDArray[Any]]) -> Tables:
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in arrays:
                values[field.name] = arrays[field.name]
                continue
            dtypes = [array.dtype for array in Batch.empty(0, 1)]
            batch = Batch(
                *(
                    np.ascontiguousarray(
                        np.moveaxis(arrays[f"{field.name}.{name}"], -1, 0).astype(dtype, casting="same_kind")
                    )
                    for name, dtype in zip(Batch._fields, dtypes)
                )
            )
            values[field.name] = Rows(arrays[f"{field.name}.latency"], arrays[f"{field.name}.energy"], batch)
        made = cls(**values)
        made._check()
        return made

    def _check(self) -> None:
        """Raises ValueError for numbers of other kinds and shapes that do not belong together."""
        n, rows_of = self.pairs, (self.front, self.template, self.drawn)
        if any(array.dtype.kind not in "iu" for array in (self.start, self.fits)):
            raise ValueError("counts must be whole numbers")
        if any(
            a.dtype.kind != "f" for a in (self.bound, *(f for r in rows_of for f in (r.latency, r.energy)))
        ):
            raise ValueError("costs must be real numbers")
        for name, rows, count in (
            ("front", self.front, int(self.start[-1])), ("template", self.template, n),
            ("drawn", self.drawn, n * len(PERCENTS)),
        ):  # fmt: skip
            M = rows.batch.tile.shape[1]
            shapes = ((count, M, L.NDIM),) * 2 + ((count, M, L.MAX_AXES),) * 2
            if rows.latency.shape != (count,) or rows.energy.shape != (count,):
                raise ValueError(f"{name} has {rows.latency.shape}, not {count}")
            if tuple(array.shape for array in rows.batch) != shapes:
                raise ValueError(f"{name}'s mappings have other shapes")
        if self.start.shape != (n + 1,) or self.bound.shape != (n, 2) or (np.diff(self.start) < 1).any():
            raise ValueError("pairs have other shapes")


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(array.tobytes())
    return found.hexdigest()
