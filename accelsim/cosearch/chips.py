"""`ChipSpace`: the accelerators that the `search` section of a hardware file spans, as integer genes.

Sizing and connectivity as in NAAS (Lin, Yang and Han, DAC 2021, section 2.2): how many MACs, how many array
axes of which length, which dimensions they spread (the most important ones), how large each buffer and how
wide its ports. An axis that spreads C, R or S adds partial sums up along the way; all axes hand one read to
every lane that wants it. Neighbours hand inputs on if they do along all axes of the base, and a bit pays by
distance if it does along one.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from math import inf, log, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import LEVELS, SHARES, Genomes, PartGene
from accelsim.cosearch.widths import is_own, width_changes
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator, load_hardware
from accelsim.hardware.accelerator import without_sources
from accelsim.hardware.fields import DIMENSIONS, MAX_TEXT, TENSORS, Tensor
from accelsim.hardware.paths import find
from accelsim.hardware.resize import resized
from accelsim.hardware.search_space import ArraySpace, Widths

AXIS_NAMES = ("x", "y", "z", "u", "v", "w")
_REDUCED = "CRS"
_CHANNELS = "KC"
"""An axis of these carries groups too, which are the only channels of a depthwise layer."""

MOST_PES = 2**30
"""MACs that can be searched: products of sizes stay exact."""

_KEPT = 4096  # accelerators kept


class FixedChip:
    """The given accelerator and no other."""

    genes: tuple[PartGene, ...] = ()
    widths: tuple[Widths, ...] = ()

    def __init__(self, base: Accelerator) -> None:
        self.base = base

    def canonical(self, rows: Genomes) -> Genomes:
        """The rows."""
        return rows

    def faults(self, rows: Genomes) -> NDArray[np.str_]:
        """No row has any."""
        return np.full(len(rows), "")

    def anchor(self) -> NDArray[np.int64]:
        """No genes."""
        return np.zeros(0, np.int64)

    def keys(self, rows: Genomes) -> list[bytes]:
        """Always the same."""
        return [b""] * len(rows)

    def accelerators(self, rows: Genomes) -> list[Accelerator]:
        """Always the one."""
        return [self.base] * len(rows)

    def documented(self, row: NDArray[np.int64]) -> Accelerator:
        """The one."""
        return self.base


class _Array(NamedTuple):
    """Decoded arrays of n rows: axes int64[n], sizes int64[n, max_axes].

    carried int64[n, dims]: number from 1 of the axis that may carry each dimension of the space, 0 = none.
    """

    axes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    carried: NDArray[np.int64]


class ChipSpace:
    """Accelerators around a base whose file has a `search` section.

    Genes, each present only if the section names its part: `axes`, `pes` (MACs in steps), `share.*` (how
    much of the MACs the first axes take, on a log scale), `rank.*` (importance of a dimension; the axes take
    turns choosing the most important ones left, as often as the base's freest axis has choices), then
    `MEMORY.bytes` in steps, `MEMORY.part.*` (weights of the parts of a partitioned memory), and
    `MEMORY.bandwidth` in steps, and `precision`, narrow ones first. The last axis takes what the first ones
    leave.

    With `sizes_only` the base's axes, the dimensions they carry and its loop orders stay.
    """

    def __init__(self, base: Accelerator, sizes_only: bool = False) -> None:
        if base.search is None:
            raise AccelsimError(
                f"{base.name}: has no `search` section, so its parts have no ranges to search in; add one "
                "(`accelsim docs hardware` shows how) or fix the hardware"
            )
        self.base = base
        names = [memory.name for memory in base.memories]
        self.section = base.search.model_copy(  # genes in the order of the memories, however they are listed
            update={
                key: {name: spans[name] for name in names if name in spans}
                for key in ("buffers", "bandwidths")
                for spans in [getattr(base.search, key)]
            }
        )
        self.strides = base.search.strides
        self.array = base.search.array
        self.choices = self._choices()
        self.sizes_only = sizes_only
        if sizes_only and self.array is not None:
            own = [a for a in base.memories[base.memory_index(self.array.memory)].fanout if a.shares is None]
            few = {"min_axes": len(own), "max_axes": len(own), "dims": DIMENSIONS[:1]}
            self.array = self.array.model_copy(update=few) if own else None
        genes: list[PartGene] = []
        if self.array is not None:
            genes += self._array_genes(self.array)
        self._first_buffer = len(genes)
        for name, span in self.section.buffers.items():
            step = self.strides.buffer_bytes
            genes.append(PartGene(f"{name}.bytes", (span.max - span.min) // step + 1))
            genes += [PartGene(f"{name}.part.{part}", SHARES) for part in self._parts(name)]
        self._first_bandwidth = len(genes)
        for name, rate in self.section.bandwidths.items():
            genes.append(
                PartGene(f"{name}.bandwidth", int((rate.max - rate.min) / self.strides.bandwidth + 1e-9) + 1)
            )
        self.widths = tuple(sorted(base.search.precision, key=lambda widths: widths.place))
        if self.widths:
            genes.append(PartGene("precision", len(self.widths)))
        if not genes:
            raise AccelsimError(
                f"{base.name}: search: names nothing to vary; add array, buffers, bandwidths or precision"
            )
        self.genes = tuple(genes)
        self._made: OrderedDict[bytes, Accelerator] = OrderedDict()
        # Sources take longer to carry along than everything else together; only designs to keep need them.
        bare = without_sources(base.to_dict())
        self._bare = load_hardware({**bare, "source": base.source})
        # The anchor stands for the base as it is, also where steps and freedoms of the space miss it.
        self._own = self.keys(self.anchor()[None, :])[0] if self.holds_base else None

    def _choices(self) -> int:
        """Dimensions that an axis may choose from, layer by layer: as many as the base's freest axis has."""
        if self.array is None:
            return 1
        memory = self.base.memories[self.base.memory_index(self.array.memory)]
        free = [len([d for d in self.base.axis_dims(memory.name, a.axis) if d != "G"]) for a in memory.fanout]
        return max(1, *free) if free else 1

    def _array_genes(self, array: ArraySpace) -> list[PartGene]:
        most = self.section.max_pes or array.max_size**array.max_axes
        self._rest = self.base.num_pes // self.base.lanes(self.base.memory_index(array.memory))
        steps = most // self.strides.pes
        if steps < 1:
            raise AccelsimError(
                f"{self.base.name}: search.max_pes: must be at least one step of {self.strides.pes} MACs, "
                f"but is {most}"
            )
        if most > MOST_PES:
            raise AccelsimError(
                f"{self.base.name}: search.max_pes: must be at most {MOST_PES} MACs; without it the array's "
                f"longest axes allow {most}"
            )
        genes = [PartGene("axes", array.max_axes - array.min_axes + 1), PartGene("pes", steps)]
        genes += [PartGene(f"share.{AXIS_NAMES[a]}", SHARES) for a in range(array.max_axes - 1)]
        return genes + [PartGene(f"rank.{dim}", LEVELS) for dim in array.dims]

    def _parts(self, memory: str) -> tuple[str, ...]:
        """Parts that a searched memory divides its bytes into."""
        part = self.base.memories[self.base.memory_index(memory)]
        return tuple(part.parts()) if part.partitioned else ()

    def _tensors(self, memory: str) -> tuple[Tensor, ...]:
        """What a searched memory holds, in the order of its parts."""
        held = self.base.memories[self.base.memory_index(memory)].holds
        return tuple(t for t in TENSORS if t in held)

    # -- genes to choices ----------------------------------------------------------------------------

    def _decode_array(self, rows: Genomes) -> _Array:
        array = self.array
        assert array is not None
        axes = rows[:, 0] + array.min_axes
        shares = array.max_axes - 1
        left = (rows[:, 1] + 1) * self.strides.pes // self._rest
        sizes = np.ones((len(rows), array.max_axes), np.int64)
        for a in range(array.max_axes):
            last = axes == a + 1
            used = axes > a
            size = left
            step = np.where(last, self._last_step(sizes), self.strides.array)
            if a < shares:
                share = rows[:, 2 + a] / (SHARES - 1)
                nearest = np.rint(np.power(left.astype(float), share) / step).astype(np.int64) * step
                size = np.where(last, left, np.minimum(nearest, left))
            size = np.minimum(size, array.max_size) // step * step
            size = np.where(last, size, np.maximum(size, -(-array.min_size // step) * step))
            sizes[:, a] = np.where(used, size, 1)
            left = np.where(used, left // np.maximum(size, 1), left)
        ranks = rows[:, 2 + shares : 2 + shares + len(array.dims)]
        place = np.argsort(np.argsort(-ranks, axis=1, kind="stable"), axis=1)
        turn, axis = np.divmod(place, axes[:, None])
        return _Array(axes, sizes, np.where(turn < self.choices, axis + 1, 0))

    def _last_step(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Step of the last axis, so that the MACs of the whole chip come in steps too where possible."""
        before = sizes.prod(axis=1) * self._rest * self.strides.array
        need = self.strides.pes // np.gcd(before, self.strides.pes)
        return np.asarray(self.strides.array * need)

    def _bytes(self, rows: Genomes) -> list[NDArray[np.int64]]:
        """[n, parts] of each searched memory, outermost first; one column where it is not partitioned."""
        out = []
        column = self._first_buffer
        for name, span in self.section.buffers.items():
            total = span.min + rows[:, column] * self.strides.buffer_bytes
            parts = self._parts(name)
            if not parts:
                out.append(total[:, None])
            else:
                weights = rows[:, column + 1 : column + 1 + len(parts)] + 1
                size = total[:, None] * weights // weights.sum(axis=1, keepdims=True)
                bits = self.base.kept_bits(self.base.memory_index(name))
                word = np.array([-(-bits.of(t) // 8) for t in self._tensors(name)])
                out.append(np.maximum(size // word, 1) * word)
            column += 1 + len(parts)
        return out

    def _rates(self, rows: Genomes) -> NDArray[np.float64]:
        """[n, bandwidths] in bytes per cycle."""
        lows = np.array([rate.min for rate in self.section.bandwidths.values()])
        genes = rows[:, self._first_bandwidth : self._first_bandwidth + len(lows)]
        return np.asarray(lows + genes * self.strides.bandwidth)

    def canonical(self, rows: Genomes) -> Genomes:
        """Rows that make the same chip are equal: ranks become places, and shares what came of them."""
        out = rows.copy()
        if self.array is not None:
            found = self._decode_array(rows)
            shares = self.array.max_axes - 1
            out[:, 1] = found.sizes[np.arange(len(rows)), found.axes - 1]
            out[:, 2 : 2 + shares] = found.sizes[:, :shares]
            out[:, 2 + shares : self._first_buffer] = found.carried
        column = self._first_buffer
        for name, size in zip(self.section.buffers, self._bytes(rows)):
            if self._parts(name):
                out[:, column] = 0
                out[:, column + 1 : column + 1 + size.shape[1]] = size
                column += size.shape[1]
            column += 1
        return out

    def anchor(self) -> NDArray[np.int64]:
        """The genome that stands for the base as it is; its neighbours come close in sizes and dimensions."""
        row = np.zeros(len(self.genes), np.int64)
        if self.array is not None:
            memory = self.base.memories[self.base.memory_index(self.array.memory)]
            axes = [axis for axis in memory.fanout if axis.shares is None][: self.array.max_axes]
            row[0] = max(0, len(axes) - self.array.min_axes)
            row[1] = self.base.num_pes // self.strides.pes - 1
            left = float(prod(axis.size for axis in axes))
            for a in range(self.array.max_axes - 1):
                if a < len(axes) and left > 1:
                    row[2 + a] = round((SHARES - 1) * log(axes[a].size) / log(left))
                    left /= axes[a].size
            for a, axis in enumerate(axes):
                for turn, dim in enumerate(self.base.axis_dims(memory.name, axis.axis)):
                    if dim in self.array.dims:
                        rank = LEVELS - 1 - a - turn * len(axes)
                        at = 1 + self.array.max_axes + self.array.dims.index(dim)
                        row[at] = max(row[at], rank)
        column = self._first_buffer
        for name, span in self.section.buffers.items():
            memory = self.base.memories[self.base.memory_index(name)]
            row[column] = (int(memory.total_bytes) - span.min) // self.strides.buffer_bytes
            parts = [memory.parts()[part] for part in self._parts(name)]
            for i, part in enumerate(parts):
                row[column + 1 + i] = max(1, round(part / max(parts) * SHARES)) - 1
            column += 1 + len(parts)
        for name, rate in self.section.bandwidths.items():
            total = self._total_rate(name)
            row[column] = 0 if total is None else int((total - rate.min) / self.strides.bandwidth)
            column += 1
        if self.widths:
            row[column] = next((i for i, widths in enumerate(self.widths) if is_own(widths, self.base)), 0)
        return np.clip(row, 0, [gene.choices - 1 for gene in self.genes])

    def _total_rate(self, name: str) -> float | None:
        """Bytes per cycle as a bandwidth gene counts them: of the ports together, if a memory has any."""
        memory = self.base.memories[self.base.memory_index(name)]
        if isinstance(memory.bandwidth, int | float):
            return float(memory.bandwidth)
        return sum(rate for rate, _ in memory.given_ports()) or None

    # -- the envelope --------------------------------------------------------------------------------

    def faults(self, rows: Genomes) -> NDArray[np.str_]:
        """[n] which budget each row breaks, "" where none."""
        out = np.full(len(rows), "", dtype="U24")
        lanes: dict[int, NDArray[np.int64]] = {}
        if self.array is not None:
            found = self._decode_array(rows)
            used = np.arange(self.array.max_axes) < found.axes[:, None]
            bad = ((found.sizes < self.array.min_size) & used).any(axis=1) | (
                (found.sizes > self.array.max_size) & used
            ).any(axis=1)
            lanes[self.base.memory_index(self.array.memory)] = found.sizes.prod(axis=1)
            if not self.sizes_only:
                bad |= found.carried.max(axis=1) < found.axes  # more axes than dimensions
            pes = found.sizes.prod(axis=1) * self._rest
            if self.section.max_pes is not None:
                bad |= pes > self.section.max_pes
            out[bad] = "array"
        out[(out == "") & ~self._roomy(rows)] = "memory too small"
        if self.section.max_onchip_bytes is not None:
            total = self._onchip(rows, lanes)
            out[(out == "") & (total > self.section.max_onchip_bytes)] = "on-chip bytes"
        if self.section.max_bandwidth is not None and self.section.bandwidths:
            out[(out == "") & (self._rates(rows).sum(axis=1) > self.section.max_bandwidth)] = "bandwidth"
        own = np.array([key == self._own for key in self.keys(rows)], bool)
        out[own] = ""
        if self.section.max_area_mm2 is not None:
            left = np.flatnonzero(out == "")
            areas = np.array([chip.area_mm2 for chip in self.accelerators(rows[left])])
            out[left[areas > self.section.max_area_mm2]] = "area"
        return out

    @cached_property
    def _apart(self) -> set[str]:
        """Engines that are no part of the searched array: their figures name none of its axes."""
        assert self.array is not None
        lanes = f"memories[{self.base.memory_index(self.array.memory)}].fanout"
        data = self._bare.to_dict()
        return {
            engine.name
            for engine in self.base.engines
            if not any(find(data, path, self._bare).path.startswith(lanes) for path in engine.changes)
        }

    @cached_property
    def holds_base(self) -> bool:
        """Whether the base itself keeps within the ranges and budgets."""
        s = self.section
        rates = [(span, self._total_rate(name) or span.min) for name, span in s.bandwidths.items()]
        ranges = [(span.min, rate, span.max) for span, rate in rates]
        for name, size in s.buffers.items():
            ranges.append((size.min, self.base.memories[self.base.memory_index(name)].total_bytes, size.max))
        if self.array is not None:
            fan = self.base.memories[self.base.memory_index(self.array.memory)].fanout
            own = [axis.size for axis in fan if axis.shares is None]
            ranges.append((self.array.min_axes, len(own), self.array.max_axes))
            ranges += [(self.array.min_size, size, self.array.max_size) for size in own]
            ranges.append((0, self.base.num_pes, s.max_pes or inf))
        ranges.append((0, self.base.onchip_bytes, s.max_onchip_bytes or inf))
        ranges.append((0, sum(rate for _, rate in rates), s.max_bandwidth or inf))
        known = not self.widths or any(is_own(widths, self.base) for widths in self.widths)
        return known and all(low <= value <= high for low, value, high in ranges)

    def _roomy(self, rows: Genomes) -> NDArray[np.bool_]:
        """[n] whether each searched memory holds an element of each tensor, two if double-buffered."""
        ok = np.ones(len(rows), bool)
        chosen = rows[:, -1] if self.widths else np.zeros(len(rows), np.int64)
        for name, size in zip(self.section.buffers, self._bytes(rows)):
            m = self.base.memory_index(name)
            memory = self.base.memories[m]
            bits = np.array([[kept[m][t] for t in self._tensors(name)] for kept in self._kept])[chosen]
            need = bits if memory.partitioned else bits.sum(axis=1, keepdims=True)
            ok &= (8 * size >= need * (2 if memory.double_buffered else 1)).all(axis=1)
        return np.asarray(ok & np.array(self._fixed_roomy)[chosen])

    @cached_property
    def _fixed_roomy(self) -> list[bool]:
        """[precisions or 1] the same of all other memories."""
        out = []
        for kept, changes in zip(self._kept, self._wide or [{}], strict=True):
            chip = resized(self._bare, changes, trusted=True)
            fits = True
            for memory, bits in zip(chip.memories, kept, strict=True):
                times = 2 if memory.double_buffered else 1
                for part, size in memory.parts().items() if memory.name not in self.section.buffers else ():
                    need = sum(b for t, b in bits.items() if part in ("all", t))
                    fits &= 8 * size >= need * times
            out.append(fits)
        return out

    @cached_property
    def _wide(self) -> list[dict[str, Any]]:
        """What each precision changes in the base, but for what other genes decide."""
        decided = (
            *(f"memories.{name}.size_bytes" for name in self.section.buffers),
            *(f"memories.{name}.bandwidth" for name in self.section.bandwidths),
        )
        changes = [{} if is_own(x, self.base) else width_changes(x, self.base) for x in self.widths]
        return [{p: v for p, v in one.items() if not p.startswith(decided)} for one in changes]

    @cached_property
    def _kept(self) -> list[list[dict[Tensor, int]]]:
        """[precisions or 1][memories] bits that each memory keeps its tensors in."""
        chips = [resized(self._bare, one, trusted=True) for one in self._wide] or [self.base]
        return [
            [{t: chip.kept_bits(m).of(t) for t in x.holds} for m, x in enumerate(chip.memories)]
            for chip in chips
        ]

    def _onchip(self, rows: Genomes, lanes: dict[int, NDArray[np.int64]]) -> NDArray[np.float64]:
        """[n] bytes of all on-chip memories, all instances; as floats, which no product overflows."""
        sizes = dict(zip(self.section.buffers, (size.sum(axis=1) for size in self._bytes(rows))))
        total = np.zeros(len(rows))
        instances = np.ones(len(rows))
        for m, memory in enumerate(self.base.memories):
            if memory.technology != "dram":
                one = sizes.get(memory.name)
                total += instances * (memory.total_bytes if one is None else one)
            instances = instances * lanes.get(m, np.float64(self.base.lanes(m)))
        return total

    # -- choices to chips ----------------------------------------------------------------------------

    def keys(self, rows: Genomes) -> list[bytes]:
        """[n] equal keys are equal chips."""
        return [row.tobytes() for row in self.canonical(rows)]

    def accelerators(self, rows: Genomes) -> list[Accelerator]:
        """[n] chips, without the sources of their numbers; kept for the next time."""
        return [self._get(row, key) for row, key in zip(rows, self.keys(rows))]

    def _get(self, row: NDArray[np.int64], key: bytes) -> Accelerator:
        made = self._made.get(key)
        if made is None:
            bare = self._bare
            made = unsearched(bare) if key == self._own else self._make(row[None, :], bare)
            self._made[key] = made
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        else:
            self._made.move_to_end(key)
        return made

    def documented(self, row: NDArray[np.int64]) -> Accelerator:
        """The same chip, each number with its source."""
        if self.keys(row[None, :])[0] == self._own:
            return unsearched(self.base)
        return self._make(row[None, :], self.base, trusted=False)

    def _make(self, rows: Genomes, base: Accelerator, trusted: bool = True) -> Accelerator:
        changes: dict[str, Any] = dict(self._wide[rows[0, -1]]) if self.widths else {}
        for name, size in zip(self.section.buffers, self._bytes(rows)):
            parts = self._parts(name)
            if parts:
                for part, value in zip(parts, size[0]):
                    changes[f"memories.{name}.size_bytes.{part}"] = int(value)
            else:
                changes[f"memories.{name}.size_bytes"] = int(size[0, 0])
        for name, rate in zip(self.section.bandwidths, self._rates(rows)[0]):
            changes[f"memories.{name}.bandwidth"] = float(rate)
        sized = resized(base, changes, trusted=trusted) if changes else base
        data = sized.to_dict()
        data.pop("search", None)
        data.pop("notes", None)
        data.get("sources", {}).pop("search", None)
        if self.array is not None:
            self._set_array(data, sized, self.array, self._decode_array(rows))
        source = f"found by accelsim in the envelope of {self.base.name}: {self.base.source}"
        data["source"] = source[:MAX_TEXT]
        return Accelerator.trusted(data) if trusted else _named(load_hardware(data), self.base)

    def _set_array(
        self, data: dict[str, Any], sized: Accelerator, array: ArraySpace, found: _Array
    ) -> None:  # fmt: skip
        m = self.base.memory_index(array.memory)
        memory = data["memories"][m]
        old = sized.memories[m].fanout
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
            dims = [dim for dim, on in zip(array.dims, found.carried[0]) if on == a + 1]
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
            free = "G" not in array.dims and any(dim in _CHANNELS for dim in dims)
            groups = ["G"] if free else []
            carried[AXIS_NAMES[a]] = dims + groups
        memory["fanout"] = axes
        kept = [one for one in data.pop("engines", []) if one["name"] in self._apart]
        if kept:  # others were made of the old array
            data["engines"] = kept
        memory.get("sources", {}).pop("fanout", None)
        flow = data.setdefault("dataflow", {})
        flow.setdefault("axes", {})[array.memory] = carried
        flow.pop("orders", None)
        flow.pop("notes", None)

    def __repr__(self) -> str:
        return f"<ChipSpace of {self.base.name}: {prod(gene.choices for gene in self.genes):.3g} genomes>"


def unsearched(chip: Accelerator) -> Accelerator:
    """The chip without what a search may vary."""
    return chip.model_copy(update={"search": None})


def _named(chip: Accelerator, base: Accelerator) -> Accelerator:
    """The chip called after its base and what it is."""
    return chip.model_copy(update={"name": f"{base.name[: MAX_TEXT - 9]}-{chip.hash[:8]}"})
