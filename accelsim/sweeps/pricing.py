"""What networks cost on one machine, in figures only: equal layers once, and no object a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.hardware.engines import engine_of
from accelsim.mapping.encoding import Allowed
from accelsim.mapping.genetic import GeneticMapper
from accelsim.mapping.mapper import Mapper, Task, TemplateMapper, check_options, load_mapper, nothing_fits
from accelsim.mapping.pairs import Machines, map_pairs
from accelsim.mapping.template import Objective
from accelsim.pack import pack_layer, pack_machine
from accelsim.residency import plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


class Price(NamedTuple):
    """Latency in cycles and energy in pJ."""

    latency_cycles: float
    energy_pj: float


Key = tuple[Layer, str, bytes]


class Want(NamedTuple):
    """A layer, the tensors that lie on chip for it, and the bits that others keep from it."""

    layer: Layer
    resident: str
    reserved_bits: NDArray[np.float64]

    @property
    def key(self) -> Key:
        """Equal for equal questions."""
        return self.layer, self.resident, self.reserved_bits.tobytes()


@dataclass(frozen=True)
class Way:
    """How each layer is mapped: mapper, objective, evaluations, seed.

    The genetic mapper takes `budget` evaluations in all, those of a greedy start among them, for all layers
    in one kernel call (see `accelsim.mapping.pairs`); others as in `map_layer`.
    """

    mapper: Mapper
    objective: Objective
    budget: int
    seed: int

    @classmethod
    def of(cls, mapper: str | Mapper, objective: str, budget: int, seed: int) -> Way:
        """Checked. Raises AccelsimError."""
        return cls(load_mapper(mapper), check_options(objective, budget, seed), budget, seed)


class ChipPricer:
    """Prices of networks on one machine; every distinct layer is mapped once.

    workers  threads for the layers of one call; prices do not depend on them
    """

    def __init__(
        self,
        hardware: Accelerator,
        way: Way,
        *,
        workers: int = 1,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.hardware = hardware
        self.way = way
        self.workers = workers
        self.cancelled = cancelled
        self.known: dict[Key, Price | None] = {}

    @property
    def overhead_cycles(self) -> float:
        """What an inference takes beyond its layers."""
        return self.hardware.network.overhead_us * self.hardware.clock_mhz

    def price(self, networks: Sequence[Network]) -> list[Price | AccelsimError]:
        """The layers of each network together, without overhead, or why one fits nowhere."""
        plans = [plan(self.hardware, network) for network in networks]
        out: list[Price | AccelsimError | None] = [None] * len(networks)
        while True:
            asked = {
                n: [Want(layer, *plans[n].of(i)) for i, layer in enumerate(network.layers)]
                for n, network in enumerate(networks)
                if out[n] is None
            }
            self.layers([want for wants in asked.values() for want in wants])
            for n, wants in asked.items():
                prices = [self.known[want.key] for want in wants]
                if None not in prices:
                    out[n] = Price(*(float(sum(x)) for x in zip(*(p for p in prices if p is not None))))
                    continue
                failed = prices.index(None)
                if not plans[n].give_way(failed):
                    out[n] = nothing_fits(self.hardware, networks[n].layers[failed])
            done = [x for x in out if x is not None]
            if len(done) == len(out):
                return done

    def layers(self, wants: Sequence[Want]) -> list[Price | None]:
        """A price per want; None where not even the smallest tiles fit."""
        new = {want.key: want for want in wants if want.key not in self.known}
        todo = list(new.values())
        if self.workers == 1 or len(todo) < 2:
            prices = self._map(todo)
        else:
            size = -(-len(todo) // (4 * self.workers))
            parts = [todo[i : i + size] for i in range(0, len(todo), size)]
            with ThreadPoolExecutor(self.workers) as pool:
                prices = [price for part in pool.map(self._map, parts) for price in part]
        self.known |= zip(new, prices, strict=True)
        return [self.known[want.key] for want in wants]

    def _map(self, wants: list[Want]) -> list[Price | None]:
        way = self.way
        if type(way.mapper) in _IN_ONE_CALL and wants:
            return self._map_at_once(wants)
        out: list[Price | None] = []
        for layer, resident, reserved in wants:
            task = Task(
                self.hardware, layer, way.objective, way.budget, way.seed, resident, reserved,
                cancelled=self.cancelled,
            )  # fmt: skip
            found = way.mapper.map(task)
            out.append(None if found is None else Price(found.cost.latency_cycles, found.cost.energy_pj))
        return out

    def _map_at_once(self, wants: list[Want]) -> list[Price | None]:
        """All wants in one kernel call."""
        budget = 0 if isinstance(self.way.mapper, TemplateMapper) else self.way.budget
        engines = [engine_of(self.hardware, layer) for layer, _, _ in wants]
        found = map_pairs(
            np.array([_packed(layer, resident) for layer, resident, _ in wants]),
            self._machines,
            np.array([0 if e is None else 1 + self.hardware.engines.index(e) for e in engines], np.int64),
            budget,
            np.full(len(wants), self.way.seed, np.uint64),
            self.way.objective,
            reserved=np.array([reserved for _, _, reserved in wants]),
        )
        costs = zip(found.status.tolist(), found.latency.tolist(), found.energy.tolist())
        return [None if status else Price(latency, energy) for status, latency, energy in costs]

    @cached_property
    def _machines(self) -> Machines:
        chips = [self.hardware, *self.hardware.engine_machines]
        return Machines.stack([pack_machine(chip) for chip in chips], [Allowed.of(chip) for chip in chips])


_IN_ONE_CALL = (GeneticMapper, TemplateMapper)
_packed = lru_cache(maxsize=65536)(pack_layer)
