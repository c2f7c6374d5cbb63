"""`Ask`: one question to a cost model; `Candidate`: a chip and the networks whose price is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import Mapping
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Schedule = Mapping | NDArray[np.float64] | None
"""A mapping to price as it is, mapping genes float64[M * BLOCK], or None: the model finds one."""


class Ask(NamedTuple):
    """What does this layer cost on this chip?

    resident       tensors that lie on chip and need no traffic with the outermost memory
    reserved_bits  float64[M, 4], taken off each memory's parts for W, I, O and off its whole; None: nothing
    schedule       part of the question, so that two equal layers may have unlike mappings
    """

    chip: Accelerator
    layer: Layer
    resident: str = ""
    reserved_bits: NDArray[np.float64] | None = None
    schedule: Schedule = None


@dataclass(frozen=True)
class Candidate:
    """A chip and the networks that run on it. `genes(layer)` fix a layer's mapping in a joint genome.

    chip_key  equal for equal chips
    """

    chip: Accelerator
    chip_key: bytes
    networks: tuple[Network, ...]
    genes: Callable[[Layer], NDArray[np.float64]] | None = None

    @classmethod
    def of(cls, chip: Accelerator, *networks: Network) -> Candidate:
        """Of one chip."""
        return cls(chip, chip.hash.encode(), networks)
