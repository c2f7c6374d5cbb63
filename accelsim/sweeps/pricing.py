"""What networks cost on one machine, in figures only: equal layers once, and no object a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import Mapper, Task, check_options, load_mapper, nothing_fits
from accelsim.mapping.template import Objective
from accelsim.residency import plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


class Price(NamedTuple):
    """Latency in cycles and energy in pJ."""

    latency_cycles: float
    energy_pj: float


class Want(NamedTuple):
    """A layer, the tensors that lie on chip for it, and the bits that others keep from it."""

    layer: Layer
    resident: str
    reserved_bits: NDArray[np.float64]

    @property
    def key(self) -> tuple[Layer, str, bytes]:
        """Equal for equal questions."""
        return self.layer, self.resident, self.reserved_bits.tobytes()


@dataclass(frozen=True)
class Way:
    """How each layer is mapped: mapper, objective, evaluations beyond the template's, seed."""

    mapper: Mapper
    objective: Objective
    budget: int
    seed: int

    @classmethod
    def of(cls, mapper: str | Mapper, objective: str, budget: int, seed: int) -> Way:
        """Checked. Raises AccelsimError."""
        return cls(load_mapper(mapper), check_options(objective, budget, seed), budget, seed)


def price_layers(
    hardware: Accelerator, wants: Sequence[Want], way: Way, cancelled: Callable[[], bool] = lambda: False
) -> list[Price | None]:
    """A price per want; None where not even the smallest tiles fit."""
    out: list[Price | None] = []
    for layer, resident, reserved in wants:
        task = Task(
            hardware, layer, way.objective, way.budget, way.seed, resident, reserved, cancelled=cancelled
        )
        found = way.mapper.map(task)
        out.append(None if found is None else Price(found.cost.latency_cycles, found.cost.energy_pj))
    return out


def price_networks(
    hardware: Accelerator,
    networks: Sequence[Network],
    way: Way,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Price | AccelsimError]:
    """The total of each network, or why a layer of it fits nowhere; layers that networks share are one."""
    known: dict[tuple[Layer, str, bytes], Price | None] = {}
    plans = [plan(hardware, network) for network in networks]
    out: list[Price | AccelsimError | None] = [None] * len(networks)
    while True:
        asked = {
            n: [Want(layer, *plans[n].of(i)) for i, layer in enumerate(network.layers)]
            for n, network in enumerate(networks)
            if out[n] is None
        }
        todo = {want.key: want for wants in asked.values() for want in wants if want.key not in known}
        known |= zip(todo, price_layers(hardware, list(todo.values()), way, cancelled), strict=True)
        for n, wants in asked.items():
            prices = [known[want.key] for want in wants]
            if None not in prices:
                out[n] = Price(*(float(sum(x)) for x in zip(*(p for p in prices if p is not None))))
                continue
            failed = prices.index(None)
            if not plans[n].give_way(failed):
                out[n] = nothing_fits(hardware, networks[n].layers[failed])
        done = [x for x in out if x is not None]
        if len(done) == len(out):
            return done
