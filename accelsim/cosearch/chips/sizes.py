"""`SizeGenes`: bytes and parts of buffers, and bandwidths, as integer genes (NAAS's sizing)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import SHARES, Genomes, PartGene
from accelsim.hardware import Accelerator
from accelsim.hardware.fields import TENSORS, Tensor
from accelsim.hardware.search_space import SearchSpace


class SizeGenes:
    """Columns from `start` on.

    `MEMORY.bytes` in steps and `MEMORY.part.*` (weights of the parts of a partitioned memory), then
    `MEMORY.bandwidth` in steps.
    """

    def __init__(self, base: Accelerator, section: SearchSpace, start: int) -> None:
        self.base, self.section, self.start = base, section, start
        self.strides = section.strides

    @cached_property
    def genes(self) -> tuple[PartGene, ...]:
        """Columns."""
        out = []
        for name, span in self.section.buffers.items():
            out.append(PartGene(f"{name}.bytes", (span.max - span.min) // self.strides.buffer_bytes + 1))
            out += [PartGene(f"{name}.part.{part}", SHARES) for part in self.parts(name)]
        for name, rate in self.section.bandwidths.items():
            steps = int((rate.max - rate.min) / self.strides.bandwidth + 1e-9) + 1
            out.append(PartGene(f"{name}.bandwidth", steps))
        return tuple(out)

    def parts(self, memory: str) -> tuple[str, ...]:
        """Parts that a searched memory divides its bytes into."""
        part = self.base.memories[self.base.memory_index(memory)]
        return tuple(part.parts()) if part.partitioned else ()

    def tensors(self, memory: str) -> tuple[Tensor, ...]:
        """What a searched memory holds, in the order of its parts."""
        held = self.base.memories[self.base.memory_index(memory)].holds
        return tuple(t for t in TENSORS if t in held)

    def bytes(self, rows: Genomes) -> list[NDArray[np.int64]]:
        """[n, parts] of each searched memory, outermost first; one column where it is not partitioned."""
        out = []
        column = self.start
        for name, span in self.section.buffers.items():
            total = span.min + rows[:, column] * self.strides.buffer_bytes
            parts = self.parts(name)
            if not parts:
                out.append(total[:, None])
            else:
                weights = rows[:, column + 1 : column + 1 + len(parts)] + 1
                size = total[:, None] * weights // weights.sum(axis=1, keepdims=True)
                bits = self.base.kept_bits(self.base.memory_index(name))
                word = np.array([-(-bits.of(t) // 8) for t in self.tensors(name)])
                out.append(np.maximum(size // word, 1) * word)
            column += 1 + len(parts)
        return out

    def divided(self, row: NDArray[np.int64]) -> list[tuple[str, list[int], slice]]:
        """Name, bytes of the parts, and columns of each searched memory that is partitioned."""
        out, column = [], self.start
        for name, size in zip(self.section.buffers, self.bytes(row[None]), strict=True):
            count = len(self.parts(name))
            if count:
                out.append((name, size[0].tolist(), slice(column, column + 1 + count)))
            column += 1 + count
        return out

    def with_parts(self, row: NDArray[np.int64], name: str, wanted: list[int]) -> NDArray[np.int64] | None:
        """The row with the parts of a memory no smaller than that, hardly larger; None where genes end."""
        columns = next(columns for own, _, columns in self.divided(row) if own == name)
        span, stride = self.section.buffers[name], self.strides.buffer_bytes
        out = row.copy()
        out[columns.start] = max(0, -(-(sum(wanted) - span.min) // stride))
        parts = np.array(wanted)
        weights = out[columns.start + 1 : columns.stop]
        weights[:] = np.maximum(1, np.rint(parts / parts.max() * SHARES)) - 1
        while span.min + out[columns.start] * stride <= span.max:
            short = np.array(next(size for own, size, _ in self.divided(out) if own == name)) < parts
            if not short.any():
                return out
            if (weights[short] < SHARES - 1).all() and weights.sum() < 2 * SHARES:
                weights[short] += 1
            else:
                out[columns.start] += 1
        return None

    def rates(self, rows: Genomes) -> NDArray[np.float64]:
        """[n, bandwidths] in bytes per cycle."""
        lows = np.array([rate.min for rate in self.section.bandwidths.values()])
        end = self.start + len(self.genes)
        return np.asarray(lows + rows[:, end - len(lows) : end] * self.strides.bandwidth)

    def canonical(self, rows: Genomes, out: Genomes) -> None:
        """Enter in `out` what equal sizes have in common: the parts themselves."""
        column = self.start
        for name, size in zip(self.section.buffers, self.bytes(rows)):
            if self.parts(name):
                out[:, column] = 0
                out[:, column + 1 : column + 1 + size.shape[1]] = size
                column += size.shape[1]
            column += 1

    def anchor(self, row: NDArray[np.int64]) -> None:
        """Enter the genes that come closest to the base's sizes."""
        column = self.start
        for name, span in self.section.buffers.items():
            memory = self.base.memories[self.base.memory_index(name)]
            row[column] = (int(memory.total_bytes) - span.min) // self.strides.buffer_bytes
            parts = [memory.parts()[part] for part in self.parts(name)]
            for i, part in enumerate(parts):
                row[column + 1 + i] = max(1, round(part / max(parts) * SHARES)) - 1
            column += 1 + len(parts)
        for name, rate in self.section.bandwidths.items():
            total = self.total_rate(name)
            row[column] = 0 if total is None else int((total - rate.min) / self.strides.bandwidth)
            column += 1

    def total_rate(self, name: str) -> float | None:
        """The base's bytes per cycle as a gene counts them: of the ports together, if a memory has any."""
        memory = self.base.memories[self.base.memory_index(name)]
        if isinstance(memory.bandwidth, int | float):
            return float(memory.bandwidth)
        return sum(rate for rate, _ in memory.given_ports()) or None

    def changes(self, rows: Genomes) -> dict[str, Any]:
        """Path -> value of the first row, as `resized` takes them."""
        out: dict[str, Any] = {}
        for name, size in zip(self.section.buffers, self.bytes(rows)):
            for part, value in zip(self.parts(name) or ("",), size[0]):
                out[f"memories.{name}.size_bytes.{part}".rstrip(".")] = int(value)
        for name, rate in zip(self.section.bandwidths, self.rates(rows)[0]):
            out[f"memories.{name}.bandwidth"] = float(rate)
        return out
