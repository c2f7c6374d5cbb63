"""`ArrayGenes`: MACs in an array of some axes, and which dimensions those spread, as integer genes.

Connectivity as in NAAS (Lin, Yang and Han, DAC 2021, section 2.2): dimensions have an importance each, and
the axes take turns choosing the most important ones left. An axis that spreads C, R or S adds partial sums up
along the way; all axes hand one read to every lane that wants it. Neighbours hand inputs on if they do along
all axes of the base, and a bit pays by distance if it does along one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import log, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import LEVELS, SHARES, Genomes, PartGene
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.hardware.axis import Axis, skew
from accelsim.hardware.fields import DIMENSIONS
from accelsim.hardware.paths import find
from accelsim.hardware.search_space import SearchSpace

AXIS_NAMES = ("x", "y", "z", "u", "v", "w")
_REDUCED = "CRS"
_CHANNELS = "KC"
"""An axis of these carries groups too, which are the only channels of a depthwise layer."""

MOST_PES = 2**30
"""MACs that can be searched: products of sizes stay exact."""


class Arrays(NamedTuple):
    """Decoded arrays of n rows: axes int64[n], sizes int64[n, max_axes].

    carried int64[n, dims]: number from 1 of the axis that may carry each dimension of the space, 0 = none.
    """

    axes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    carried: NDArray[np.int64]


class ArrayGenes:
    """The first columns of a row.

    `axes`, `pes` (MACs in steps), `share.*` (how much of the MACs the first axes take, on a log scale; the
    last axis takes what they leave) and `rank.*` (importance of a dimension). With `sizes_only` the base's
    axes and the dimensions that they carry stay.
    """

    def __init__(self, base: Accelerator, section: SearchSpace, sizes_only: bool) -> None:
        assert section.array is not None
        self.base, self.section, self.sizes_only = base, section, sizes_only
        self.strides = section.strides
        self.m = base.memory_index(section.array.memory)
        self.memory = base.memories[self.m]
        self.own = [axis for axis in self.memory.fanout if axis.shares is None]
        self.choices = self._choices()
        fixed = {"min_axes": len(self.own), "max_axes": len(self.own), "dims": DIMENSIONS[:1]}
        self.array = section.array.model_copy(update=fixed if sizes_only else {})
        self.shares = self.array.max_axes - 1
        self.rest = base.num_pes // base.lanes(self.m)

    def _choices(self) -> int:
        """Dimensions that an axis may choose from, layer by layer: as many as the base's freest axis has."""
        free = [
            len([d for d in self.base.axis_dims(self.memory.name, a.axis) if d != "G"])
            for a in self.memory.fanout
        ]
        return max([1, *free])

    @cached_property
    def apart(self) -> set[str]:
        """Engines that are no part of the array: their figures name none of its axes."""
        data, lanes = self.base.to_dict(), f"memories[{self.m}].fanout"
        return {
            engine.name
            for engine in self.base.engines
            if not any(find(data, path, self.base).path.startswith(lanes) for path in engine.changes)
        }

    @cached_property
    def genes(self) -> tuple[PartGene, ...]:
        """Columns."""
        array, name = self.array, self.base.name
        most = self.section.max_pes or array.max_size**array.max_axes
        steps = most // self.strides.pes
        if steps < 1:
            raise AccelsimError(
                f"{name}: search.max_pes: must be at least one step of {self.strides.pes} MACs, but is {most}"
            )
        if most > MOST_PES:
            raise AccelsimError(
                f"{name}: search.max_pes: must be at most {MOST_PES} MACs; without it the array's "
                f"longest axes allow {most}"
            )
        return (
            PartGene("axes", array.max_axes - array.min_axes + 1),
            PartGene("pes", steps),
            *(PartGene(f"share.{AXIS_NAMES[a]}", SHARES) for a in range(self.shares)),
            *(PartGene(f"rank.{dim}", LEVELS) for dim in array.dims),
        )

    def decode(self, rows: Genomes) -> Arrays:
        """What rows stand for."""
        array = self.array
        axes = rows[:, 0] + array.min_axes
        left = (rows[:, 1] + 1) * self.strides.pes // self.rest
        sizes = np.ones((len(rows), array.max_axes), np.int64)
        for a in range(array.max_axes):
            last = axes == a + 1
            used = axes > a
            size = left
            step = np.where(last, self._last_step(sizes), self.strides.array)
            if a < self.shares:
                share = rows[:, 2 + a] / (SHARES - 1)
                nearest = np.rint(np.power(left.astype(float), share) / step).astype(np.int64) * step
                size = np.where(last, left, np.minimum(nearest, left))
            size = np.minimum(size, array.max_size) // step * step
            size = np.where(last, size, np.maximum(size, -(-array.min_size // step) * step))
            sizes[:, a] = np.where(used, size, 1)
            left = np.where(used, left // np.maximum(size, 1), left)
        ranks = rows[:, self.ranks]
        place = np.argsort(np.argsort(-ranks, axis=1, kind="stable"), axis=1)
        turn, axis = np.divmod(place, axes[:, None])
        return Arrays(axes, sizes, np.where(turn < self.choices, axis + 1, 0))

    def _last_step(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Step of the last axis, so that the MACs of the whole chip come in steps too where possible."""
        before = sizes.prod(axis=1) * self.rest * self.strides.array
        need = self.strides.pes // np.gcd(before, self.strides.pes)
        return np.asarray(self.strides.array * need)

    def canonical(self, rows: Genomes, out: Genomes) -> None:
        """Enter in `out` what equal arrays have in common: for ranks places, for shares what came of them."""
        found = self.decode(rows)
        out[:, 1] = found.sizes[np.arange(len(rows)), found.axes - 1]
        out[:, 2 : 2 + self.shares] = found.sizes[:, : self.shares]
        out[:, self.ranks] = found.carried

    def anchor(self, row: NDArray[np.int64]) -> None:
        """Enter the genes that come closest to the base's array."""
        axes = self.own[: self.array.max_axes]
        row[0] = max(0, len(axes) - self.array.min_axes)
        row[1] = self.base.num_pes // self.strides.pes - 1
        self._share_out(row, [axis.size for axis in axes])
        for a, axis in enumerate(axes):
            for turn, dim in enumerate(self.base.axis_dims(self.memory.name, axis.axis)):
                if dim in self.array.dims:
                    rank = LEVELS - 1 - a - turn * len(axes)
                    at = 2 + self.shares + self.array.dims.index(dim)
                    row[at] = max(row[at], rank)

    def _share_out(self, row: NDArray[np.int64], sizes: Sequence[int]) -> None:
        """Enter the shares that come closest to axes of these sizes."""
        left = float(prod(sizes))
        for a, size in enumerate(sizes[: self.shares]):
            if left > 1:
                row[2 + a] = round((SHARES - 1) * log(size) / log(left))
                left /= size

    def with_lengths(self, row: NDArray[np.int64], lengths: Sequence[int]) -> NDArray[np.int64]:
        """The row with its axes as long as that, where genes can say it."""
        out = row.copy()
        most = self.genes[1].choices
        out[1] = min(most, max(1, -(-prod(lengths) * self.rest // self.strides.pes))) - 1
        self._share_out(out, lengths)
        return out

    def divided(self, anchor: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Genomes like the anchor's, but with a second or fourth of an axis's length in one of its own."""
        sizes = [axis.size for axis in self.own]
        out = []
        for a, size in enumerate(sizes if len(sizes) < self.array.max_axes else ()):
            for part in (2, 4):
                if size % part == 0 and size > part:
                    row = anchor.copy()
                    row[0] = len(sizes) + 1 - self.array.min_axes
                    self._share_out(row, [*sizes[:a], size // part, *sizes[a + 1 :], part])
                    out.append(row)
        return out

    @property
    def ranks(self) -> slice:
        """Columns of the dimensions' importances."""
        return slice(2 + self.shares, len(self.genes))

    def lanes(self, found: Arrays) -> NDArray[np.int64]:
        """[n] instances below the array's memory."""
        return np.asarray(found.sizes.prod(axis=1))

    def faulty(self, found: Arrays) -> NDArray[np.bool_]:
        """[n] whether an array breaks a range or the budget of MACs."""
        sizes, array = found.sizes, self.array
        used = np.arange(array.max_axes) < found.axes[:, None]
        bad = (((sizes < array.min_size) | (sizes > array.max_size)) & used).any(axis=1)
        if not self.sizes_only:
            bad |= found.carried.max(axis=1) < found.axes  # more axes than dimensions
        if self.section.max_pes is not None:
            bad |= self.lanes(found) * self.rest > self.section.max_pes
        return np.asarray(bad)

    def enter(self, data: dict[str, Any], old: tuple[Axis, ...], found: Arrays) -> None:
        """Give a hardware file, whose fan-out was `old`, the one array of `found`. A given time of a fold
        grows with the array, whose skew it stands for.
        """  # fmt: skip
        self._set_axes(data, old, found)
        below = self.base.memories[self.m + 1 : self.m + 2]
        if below and below[0].serial_folds is not None and below[0].fold_cycles:
            fan = data["memories"][self.m]["fanout"]
            sizes = [axis["size"] for axis in fan if axis.get("shares") is None]
            before, after = (skew(x, below[0].serial_folds) for x in ([a.size for a in self.own], sizes))
            if before:
                data["memories"][self.m + 1]["fold_cycles"] = below[0].fold_cycles * after / before

    def _set_axes(self, data: dict[str, Any], old: tuple[Axis, ...], found: Arrays) -> None:
        memory = data["memories"][self.m]
        if self.sizes_only:
            sizes = iter(found.sizes[0].tolist())
            lanes = {axis.axis: next(sizes) for axis in old if axis.shares is None}
            before = {axis.axis: axis.size for axis in old}
            for axis in memory["fanout"]:
                host = axis.get("shares", axis["axis"])
                full = axis["size"] == before[host]
                axis["size"] = lanes[host] if full else min(lanes[host], axis["size"])
            return
        hops = [axis.hop_pj_per_bit for axis in old if axis.hop_pj_per_bit is not None]
        axes, carried = [], {}
        for a in range(int(found.axes[0])):
            dims = [dim for dim, on in zip(self.array.dims, found.carried[0]) if on == a + 1]
            axis = {
                "axis": AXIS_NAMES[a],
                "size": int(found.sizes[0, a]),
                "multicast": True,
                "reduction": any(dim in _REDUCED for dim in dims),
                "forwarding": bool(old) and all(axis.forwarding for axis in old),
                "by_distance": any(axis.by_distance for axis in old),
            }
            if hops:
                axis["hop_pj_per_bit"] = max(hops)
            axes.append(axis)
            free = "G" not in self.array.dims and any(dim in _CHANNELS for dim in dims)
            carried[AXIS_NAMES[a]] = dims + (["G"] if free else [])
        memory["fanout"] = axes
        kept = [engine for engine in data.pop("engines", []) if engine["name"] in self.apart]
        if kept:  # others were made of the old array
            data["engines"] = kept
        memory.get("sources", {}).pop("fanout", None)
        flow = data.setdefault("dataflow", {})
        flow.setdefault("axes", {})[self.memory.name] = carried
        flow.pop("orders", None)
        flow.pop("notes", None)
