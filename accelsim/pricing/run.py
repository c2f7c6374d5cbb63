"""`Run`: a network on a chip, as it is asked for; `RunCosts` of many, and the `Tally` of what that took."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.pricing.ask import Schedule
from accelsim.pricing.residency import ResidencyPlan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.fusion import Stack
    from accelsim.hardware import Accelerator


@dataclass(frozen=True)
class Run:
    """A network on a chip.

    key        equal for equal chips; None: the chip's hash
    schedule   the schedule of a layer, None where the model's mapper decides
    residency  what stays on chip at first; None: `plan`. It is changed where something gives way
    engine     the part of the chip that a layer runs on, as an accelerator with the same memories; None: as
               the chip's `engines` say
    stacks     in which layers are fused; while these run, nothing of other layers stays
    fuse       whether to look for stacks, as `accelsim.pricing.fused` does
    """

    chip: Accelerator
    network: Network
    key: Hashable = None
    schedule: Callable[[Layer], Schedule | None] | None = None
    residency: ResidencyPlan | None = None
    engine: Callable[[Layer], Accelerator] | None = None
    stacks: tuple[Stack, ...] = ()
    fuse: bool = False

    @property
    def fused(self) -> frozenset[int]:
        """Layers that are part of a stack."""
        return frozenset(i for s in self.stacks for i in range(s.first, s.last + 1))

    def part(self, layer: Layer) -> Accelerator:
        """What runs a layer."""
        return self.chip.for_layer(layer) if self.engine is None else self.engine(layer)

    def key_of(self, part: Accelerator) -> Hashable:
        """Equal for equal parts of equal chips."""
        return self.key if self.key is not None and part is self.chip else part.hash


class RunCosts(NamedTuple):
    """Costs of n runs.

    latency_cycles  float64[n], overhead included; infinite where a layer has no mapping
    energy_pj       float64[n], the same
    failed          int64[n], the layer that fits nowhere, or -1
    details         n times float64[layers, details of the pricer], NaN where a layer has no mapping
    faults          why a given stack cannot run; else ""
    """

    latency_cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    failed: NDArray[np.int64]
    details: list[NDArray[np.float64]]
    faults: list[str]


@dataclass
class Tally:
    """What pricing did so far: layers asked for, pairs mapped, mappings evaluated, seconds spent mapping."""

    layers: int = 0
    pairs: int = 0
    mappings: int = 0
    seconds: float = 0.0
