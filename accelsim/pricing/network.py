"""What networks cost: the one loop over their layers, in which equal questions are asked once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from accelsim.engines import Engine
from accelsim.engines.threads import ThreadEngine
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.mapping.mapper import nothing_fits
from accelsim.pricing.ask import Ask, Candidate, Schedule
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.residency import Residency, plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

CHUNKS_PER_WORKER = 16
"""Chunks of a call for each worker: enough to even out, few enough to cost nothing."""

Key = tuple[bytes, int, str, bytes, Any]
"""Chip, number of the layer, what stays on chip, bits taken off, schedule."""

Answer = TypeVar("Answer")


class Price(NamedTuple):
    """Latency in cycles and energy in pJ."""

    latency_cycles: float
    energy_pj: float


@dataclass
class Tally:
    """What pricing did so far: layers asked for, pairs priced, mappings evaluated, seconds spent on them."""

    layers: int = 0
    pairs: int = 0
    mappings: int = 0
    seconds: float = 0.0


class Run:
    """One network on one chip; what stays on chip gives way where tiles need the room.

    numbers    of the layers met so far, shared by all runs whose keys are compared
    schedules  per layer
    """

    def __init__(
        self,
        chip: Accelerator,
        chip_key: bytes,
        network: Network,
        numbers: dict[Layer, int],
        schedules: Sequence[Schedule] | None = None,
        residency: Residency | None = None,
    ) -> None:
        self.chip, self.chip_key, self.network = chip, chip_key, network
        self.numbers = [numbers.setdefault(layer, len(numbers)) for layer in network.layers]
        self.schedules = schedules or [None] * len(network.layers)
        self.residency = residency or plan(chip, network)
        self.keys: list[Key] = []

    def asks(self) -> dict[Key, Ask]:
        """Distinct questions about the network as things stand."""
        out: dict[Key, Ask] = {}
        self.keys = []
        stays = bool(self.residency.kept or self.residency.weights)
        rows = zip(self.network.layers, self.numbers, self.residency.table(), self.schedules, strict=True)
        for layer, number, (flags, bits), schedule in rows:
            reserved = bits if stays and bits.any() else None
            key = (
                self.chip_key,
                number,
                flags,
                b"" if reserved is None else reserved.tobytes(),
                schedule.tobytes() if isinstance(schedule, np.ndarray) else schedule and str(schedule),
            )
            self.keys.append(key)
            if key not in out:
                out[key] = Ask(self.chip, layer, flags, reserved, schedule)
        return out

    def failed(self, fits: Callable[[Key], bool]) -> int | None:
        """The first layer without a mapping that fits."""
        return next((i for i, key in enumerate(self.keys) if not fits(key)), None)

    def gives_way(self, fits: Callable[[Key], bool]) -> bool:
        """Whether a layer does not fit and something that stays on chip was sent away for it."""
        i = self.failed(fits)
        if i is None:
            return False
        key = self.keys[i]
        return bool(key[2] or key[3]) and self.residency.give_way(i)

    def total(self, known: Mapping[Key, tuple[float, float]], overhead: bool = True) -> Price:
        """The layers one after another, and what an inference costs beyond them."""
        latency = energy = 0.0
        for key in self.keys:
            latency += known[key][0]
            energy += known[key][1]
        return Price(latency + overhead_cycles(self.chip) if overhead else latency, energy)


def overhead_cycles(chip: Accelerator) -> float:
    """What an inference takes beyond its layers."""
    return chip.network.overhead_us * chip.clock_mhz


def settle(
    runs: Iterable[Run], answer: Callable[[dict[Key, Ask]], None], fits: Callable[[Key], bool]
) -> None:
    """Ask until every layer fits, or nothing is left to give way. `answer` makes the keys known to `fits`."""
    pending = list(runs)
    while pending:
        answer({key: ask for run in pending for key, ask in run.asks().items()})
        pending = [run for run in pending if run.gives_way(fits)]


class NetworkPricer:
    """Figures of networks on chips, through an engine; every distinct question is asked once."""

    def __init__(self, model: CostModel, engine: Engine | None = None) -> None:
        self.model = model
        self.engine = engine or ThreadEngine()
        self.tally = Tally()
        self._known: dict[Key, tuple[float, float]] = {}
        self._numbers: dict[Layer, int] = {}

    def price(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """Latency in seconds and energy in joules float64[n, 2], geometric means over the networks.

        Infinite where a layer has no mapping that fits.
        """
        rows = self._settled(candidates)
        out = np.empty((len(candidates), 2))
        for i, row in enumerate(rows):
            values = np.array([run.total(self._known) for run in row])
            latency, energy = np.exp(np.log(values).mean(axis=0)) if len(row) > 1 else values[0]
            out[i] = latency / (candidates[i].chip.clock_mhz * 1e6), energy * 1e-12
        return out

    def networks(
        self, chip: Accelerator, networks: Sequence[Network], overhead: bool = True
    ) -> list[Price | AccelsimError]:
        """The price of each network on one chip, or why a layer of it fits nowhere.

        overhead  whether what an inference costs beyond its layers counts
        """
        out: list[Price | AccelsimError] = []
        for run in self._settled([Candidate.of(chip, *networks)])[0]:
            failed = run.failed(self._fits)
            if failed is None:
                out.append(run.total(self._known, overhead))
            else:
                out.append(nothing_fits(chip, run.network.layers[failed]))
        return out

    def layers(self, asks: Sequence[Ask]) -> list[Price | None]:
        """A price per question; None where no mapping fits."""
        keys: list[Key] = [
            (
                ask.chip.hash.encode(),
                self._numbers.setdefault(ask.layer, len(self._numbers)),
                ask.resident,
                b"" if ask.reserved_bits is None else ask.reserved_bits.tobytes(),
                None,
            )
            for ask in asks
        ]
        self._answer(dict(zip(keys, asks, strict=True)))
        return [Price(*self._known[key]) if self._fits(key) else None for key in keys]

    def _settled(self, candidates: Sequence[Candidate]) -> list[list[Run]]:
        rows = []
        for c in candidates:
            row = []
            for net in c.networks:
                genes = None if c.genes is None else [c.genes(layer) for layer in net.layers]
                row.append(Run(c.chip, c.chip_key, net, self._numbers, genes))
                self.tally.layers += len(net.layers)
            rows.append(row)
        settle((run for row in rows for run in row), self._answer, self._fits)
        return rows

    def _fits(self, key: Key) -> bool:
        return self._known[key][0] != np.inf

    def _answer(self, wanted: dict[Key, Ask]) -> None:
        """Price what is not known yet."""
        new = {key: ask for key, ask in wanted.items() if key not in self._known}
        if not new:
            return
        chips: dict[bytes, Accelerator] = {}
        asks = [ask._replace(chip=chips.setdefault(key[0], ask.chip)) for key, ask in new.items()]
        size = max(1, -(-len(new) // (CHUNKS_PER_WORKER * self.engine.workers)))
        began = time.perf_counter()
        chunks = [asks[i : i + size] for i in range(0, len(asks), size)]
        found = np.concatenate(self.engine.map(self.model.price, chunks))
        self.tally.seconds += time.perf_counter() - began
        self._known |= {key: (row[0], row[1]) for key, row in zip(new, found.tolist(), strict=True)}
        self.tally.pairs += len(new)
        self.tally.mappings += int(found[:, 2].sum())
