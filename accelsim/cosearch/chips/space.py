"""`ChipSpace`: the accelerators that the `search` section of a hardware file spans, as integer genes."""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips.array import ArrayGenes
from accelsim.cosearch.chips.envelope import Envelope
from accelsim.cosearch.chips.fixed import unsearched
from accelsim.cosearch.chips.sizes import SizeGenes
from accelsim.cosearch.chips.widths import is_own
from accelsim.cosearch.genes import Genomes, PartGene
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator, load_hardware
from accelsim.hardware.axis import Axis
from accelsim.hardware.fields import MAX_TEXT
from accelsim.hardware.form import without_sources
from accelsim.hardware.resize import resized, resized_form

_KEPT = 4096  # accelerators kept


class ChipSpace:
    """Accelerators around a base whose file has a `search` section.

    Genes of the parts that the section names: of the array, of buffers and bandwidths, and `precision`,
    narrow ones first. With `sizes_only` the base's axes, the dimensions they carry and its loop orders stay.
    `key` tells its chips from those of other spaces that are priced beside them.
    """

    def __init__(self, base: Accelerator, sizes_only: bool = False, key: bytes = b"") -> None:
        if base.search is None:
            raise AccelsimError(
                f"{base.name}: has no `search` section, so its parts have no ranges to search in; add one "
                "(`accelsim docs hardware#searching-it` shows a whole one) or search with `--fix hardware`"
            )
        self.base, self.key = base, key
        names = [memory.name for memory in base.memories]
        section = base.search.model_copy(  # genes in the order of the memories, however they are listed
            update={
                key: {name: spans[name] for name in names if name in spans}
                for key in ("buffers", "bandwidths")
                for spans in [getattr(base.search, key)]
            }
        )
        self.area = section.max_area_mm2
        self.array = None
        if section.array is not None:
            array = ArrayGenes(base, section, sizes_only)
            self.array = array if array.own or not sizes_only else None
        genes: list[PartGene] = [*self.array.genes] if self.array is not None else []
        self.sizes = SizeGenes(base, section, len(genes))
        genes += self.sizes.genes
        self.widths = tuple(sorted(section.precision, key=lambda widths: widths.place))
        if self.widths:
            genes.append(PartGene("precision", len(self.widths)))
        if not genes:
            raise AccelsimError(
                f"{base.name}: search: names nothing to vary; add array, buffers, bandwidths or precision"
            )
        self.genes = tuple(genes)
        self._made: OrderedDict[bytes, Accelerator] = OrderedDict()  # by key: canonical rows make no chip
        # Sources take longer to carry along than everything else together; only designs to keep need them.
        bare = without_sources(base.to_dict())
        self._bare = load_hardware({**bare, "source": base.source})
        self._envelope = Envelope(self._bare, section, self.array, self.sizes, self.widths)
        # The anchor stands for the base as it is, also where steps and freedoms of the space miss it.
        self._own = self.keys(self.anchor()[None, :])[0] if self.holds_base else None

    @property
    def holds_base(self) -> bool:
        """Whether the base itself keeps within the ranges and budgets."""
        return self._envelope.holds_base

    def canonical(self, rows: Genomes) -> Genomes:
        """Rows that make the same chip are equal."""
        out = rows.copy()
        if self.array is not None:
            self.array.canonical(rows, out)
        self.sizes.canonical(rows, out)
        return out

    def anchor(self) -> NDArray[np.int64]:
        """The genome that stands for the base as it is; its neighbours come close in sizes and dimensions."""
        row = np.zeros(len(self.genes), np.int64)
        if self.array is not None:
            self.array.anchor(row)
        self.sizes.anchor(row)
        if self.widths:
            row[-1] = next((i for i, widths in enumerate(self.widths) if is_own(widths, self.base)), 0)
        return np.clip(row, 0, [gene.choices - 1 for gene in self.genes])

    def is_base(self, row: NDArray[np.int64]) -> bool:
        """Whether a genome stands for the base as it is."""
        return self.keys(row[None, :])[0] == self._own

    def faults(self, rows: Genomes) -> NDArray[np.str_]:
        """[n] which budget each row breaks, "" where none."""
        out = self._envelope.faults(rows)
        own = np.array([key == self._own for key in self.keys(rows)], bool)
        out[own] = ""
        if self.area is not None:
            left = np.flatnonzero(out == "")
            areas = np.array([chip.area_mm2 for chip in self.accelerators(rows[left])])
            out[left[areas > self.area]] = "area"
        return out

    def distinct(self, rows: Genomes) -> Genomes:
        """[n, genes] those within the envelope, the first of each chip, in their order."""
        rows = rows[self.faults(rows) == ""]
        _, first = np.unique(np.array(self.keys(rows), object), return_index=True)
        return np.asarray(rows[np.sort(first)])

    def keys(self, rows: Genomes) -> list[bytes]:
        """[n] equal keys are equal chips."""
        return [self.key + row.tobytes() for row in self.canonical(rows)]

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
        if self.is_base(row):
            return unsearched(self.base)
        return self._make(row[None, :], self.base, trusted=False)

    def _make(self, rows: Genomes, base: Accelerator, trusted: bool = True) -> Accelerator:
        changes: dict[str, Any] = dict(self._envelope.wide[rows[0, -1]]) if self.widths else {}
        changes |= self.sizes.changes(rows)
        data = resized_form(base, changes) if trusted else resized(base, changes).to_dict()
        data.pop("search", None)
        data.pop("notes", None)
        data.get("sources", {}).pop("search", None)
        if self.array is not None:
            fanout = data["memories"][self.array.m].get("fanout", [])
            self.array.enter(data, tuple(map(Axis.model_validate, fanout)), self.array.decode(rows))
        source = f"found by accelsim in the envelope of {self.base.name}: {self.base.source}"
        data["source"] = source[:MAX_TEXT]
        return Accelerator.trusted(data) if trusted else _named(load_hardware(data), self.base)

    def __repr__(self) -> str:
        return f"<ChipSpace of {self.base.name}: {prod(gene.choices for gene in self.genes):.3g} genomes>"


def _named(chip: Accelerator, base: Accelerator) -> Accelerator:
    """The chip called after its base and what it is."""
    return chip.model_copy(update={"name": f"{base.name[: MAX_TEXT - 9]}-{chip.hash[:8]}"})
