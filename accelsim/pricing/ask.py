"""`Ask`: one layer to be priced on one chip, and `Answers` to many of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import Mapping
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Schedule = NDArray[np.float64] | Mapping
"""A mapping, or the vector of `cost_models.mappers.genes` that decodes to one."""


class Ask(NamedTuple):
    """A layer on a chip, beside what other layers keep there.

    resident       tensors of W, I, O that lie on chip and need no traffic with the outermost memory
    reserved_bits  float64[M, 4] that others keep from W, I, O and the whole of each memory; None: nothing
    schedule       how it is mapped, if that is given; None: the model's mapper decides. Equal layers with
                   unlike schedules are unlike questions
    """

    chip: Accelerator
    layer: Layer
    resident: str = ""
    reserved_bits: NDArray[np.float64] | None = None
    schedule: Schedule | None = None

    def key(self, chip: Hashable, layer: Hashable) -> Hashable:
        """Equal for equal questions; `chip` and `layer` stand for those, as hashing them is dear."""
        taken = b"" if self.reserved_bits is None else self.reserved_bits.tobytes()
        given = self.schedule
        schedule = (
            given.tobytes() if isinstance(given, np.ndarray) else None if given is None else repr(given)
        )
        return chip, layer, self.resident, taken, schedule


class Answers(NamedTuple):
    """Costs of n asks.

    latency_cycles  float64[n], infinite where no mapping fits
    energy_pj       float64[n], the same
    evaluations     float64[n], mappings priced on the way
    """

    latency_cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    evaluations: NDArray[np.float64]

    @classmethod
    def empty(cls, n: int) -> Answers:
        """Nothing fits, nothing tried."""
        return cls(np.full(n, np.inf), np.full(n, np.inf), np.zeros(n))


class Pieces(NamedTuple):
    """Costs of n asks that are pieces of stacks.

    latency_cycles, energy_pj  float64[n], infinite where no mapping fits
    busy_cycles                float64[n, M, 6] that each keeps the users of each memory busy
    evaluations                float64[n], mappings priced on the way
    """

    latency_cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    busy_cycles: NDArray[np.float64]
    evaluations: NDArray[np.float64]
