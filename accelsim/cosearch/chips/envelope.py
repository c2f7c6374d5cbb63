"""`Envelope`: ranges and budgets of the `search` section, and room for an element of each tensor."""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips.array import ArrayGenes
from accelsim.cosearch.chips.sizes import SizeGenes
from accelsim.cosearch.chips.widths import is_own, width_changes
from accelsim.cosearch.genes import Genomes
from accelsim.hardware import Accelerator
from accelsim.hardware.fields import Tensor
from accelsim.hardware.resize import resized
from accelsim.hardware.search_space import SearchSpace, Widths


class Envelope:
    """What a chip of the space may be. `bare` is the base without sources."""

    def __init__(
        self, bare: Accelerator, section: SearchSpace, array: ArrayGenes | None, sizes: SizeGenes,
        widths: tuple[Widths, ...],
    ) -> None:  # fmt: skip
        self.base, self.section = bare, section
        self.array, self.sizes, self.widths = array, sizes, widths

    def faults(self, rows: Genomes) -> NDArray[np.str_]:
        """[n] which budget each row breaks, area aside, "" where none."""
        out = np.full(len(rows), "", dtype="U24")
        lanes: dict[int, NDArray[np.int64]] = {}
        if self.array is not None:
            found = self.array.decode(rows)
            lanes[self.array.m] = self.array.lanes(found)
            out[self.array.faulty(found)] = "array"
        out[(out == "") & ~self._roomy(rows)] = "memory too small"
        if self.section.max_onchip_bytes is not None:
            total = self._onchip(rows, lanes)
            out[(out == "") & (total > self.section.max_onchip_bytes)] = "on-chip bytes"
        if self.section.max_bandwidth is not None and self.section.bandwidths:
            total = self.sizes.rates(rows).sum(axis=1)
            out[(out == "") & (total > self.section.max_bandwidth)] = "bandwidth"
        return out

    @cached_property
    def holds_base(self) -> bool:
        """Whether the base itself keeps within the ranges and budgets."""
        s, base = self.section, self.base
        rates = [(span, self.sizes.total_rate(name) or span.min) for name, span in s.bandwidths.items()]
        ranges = [(span.min, rate, span.max) for span, rate in rates]
        for name, size in s.buffers.items():
            ranges.append((size.min, base.memories[base.memory_index(name)].total_bytes, size.max))
        if self.array is not None:
            array, own = self.array.array, self.array.own
            ranges.append((array.min_axes, len(own), array.max_axes))
            ranges += [(array.min_size, axis.size, array.max_size) for axis in own]
            ranges.append((0, base.num_pes, s.max_pes or inf))
        ranges.append((0, base.onchip_bytes, s.max_onchip_bytes or inf))
        ranges.append((0, sum(rate for _, rate in rates), s.max_bandwidth or inf))
        known = not self.widths or any(is_own(widths, base) for widths in self.widths)
        return known and all(low <= value <= high for low, value, high in ranges)

    def _roomy(self, rows: Genomes) -> NDArray[np.bool_]:
        """[n] whether each searched memory holds an element of each tensor, two if double-buffered."""
        ok = np.ones(len(rows), bool)
        chosen = rows[:, -1] if self.widths else np.zeros(len(rows), np.int64)
        for name, size in zip(self.section.buffers, self.sizes.bytes(rows)):
            m = self.base.memory_index(name)
            memory = self.base.memories[m]
            bits = np.array([[kept[m][t] for t in self.sizes.tensors(name)] for kept in self._kept])[chosen]
            need = bits if memory.partitioned else bits.sum(axis=1, keepdims=True)
            ok &= (8 * size >= need * (2 if memory.double_buffered else 1)).all(axis=1)
        return np.asarray(ok & np.array(self._fixed_roomy)[chosen])

    @cached_property
    def _fixed_roomy(self) -> list[bool]:
        """[precisions or 1] the same of all other memories."""
        out = []
        for kept, changes in zip(self._kept, self.wide or [{}], strict=True):
            chip = resized(self.base, changes, trusted=True)
            fits = True
            for memory, bits in zip(chip.memories, kept, strict=True):
                times = 2 if memory.double_buffered else 1
                for part, size in memory.parts().items() if memory.name not in self.section.buffers else ():
                    need = sum(b for t, b in bits.items() if part in ("all", t))
                    fits &= 8 * size >= need * times
            out.append(fits)
        return out

    @cached_property
    def wide(self) -> list[dict[str, Any]]:
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
        chips = [resized(self.base, one, trusted=True) for one in self.wide] or [self.base]
        return [
            [{t: chip.kept_bits(m).of(t) for t in x.holds} for m, x in enumerate(chip.memories)]
            for chip in chips
        ]

    def _onchip(self, rows: Genomes, lanes: dict[int, NDArray[np.int64]]) -> NDArray[np.float64]:
        """[n] bytes of all on-chip memories, all instances; as floats, which no product overflows."""
        sizes = dict(zip(self.section.buffers, (size.sum(axis=1) for size in self.sizes.bytes(rows))))
        total = np.zeros(len(rows))
        instances = np.ones(len(rows))
        for m, memory in enumerate(self.base.memories):
            if memory.technology != "dram":
                one = sizes.get(memory.name)
                total += instances * (memory.total_bytes if one is None else one)
            instances = instances * lanes.get(m, np.float64(self.base.lanes(m)))
        return total
