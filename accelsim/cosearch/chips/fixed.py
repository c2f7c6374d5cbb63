"""`FixedChip`: where the hardware is fixed, the space of chips has one member."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes, PartGene
from accelsim.hardware import Accelerator
from accelsim.hardware.search_space import Widths


class FixedChip:
    """The given accelerator and no other; `key` tells it from others that are priced beside it."""

    genes: tuple[PartGene, ...] = ()
    widths: tuple[Widths, ...] = ()

    def __init__(self, base: Accelerator, key: bytes = b"") -> None:
        self.base, self.key = base, key

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
        return [self.key] * len(rows)

    def accelerators(self, rows: Genomes) -> list[Accelerator]:
        """Always the one."""
        return [self.base] * len(rows)

    def documented(self, row: NDArray[np.int64]) -> Accelerator:
        """The one."""
        return self.base


def unsearched(chip: Accelerator) -> Accelerator:
    """The chip without what a search may vary."""
    return chip.model_copy(update={"search": None})
