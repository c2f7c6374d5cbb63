"""What a network costs on a chip, written once: every verb asks here.

A `Run` is a network on a chip. Its plan (`residency`) says what stays on chip around each layer, which makes
an `Ask` of each; equal asks are answered once by the cost model, through an engine. Where a layer's tiles
find no room, what stays gives way and the run asks again. Layers follow one another, so that costs add up,
and the chip's overhead of an inference comes on top.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from accelsim.engines.base import Engine
from accelsim.engines.threads import ThreadEngine
from accelsim.mapping.cost import LayerCost
from accelsim.mapping.found import MappingResult
from accelsim.mapping.mapper import nothing_fits
from accelsim.pricing.ask import Ask
from accelsim.pricing.models.base import CostModel, never
from accelsim.pricing.residency import ResidencyPlan
from accelsim.pricing.run import Run, RunCosts, Tally
from accelsim.pricing.run_asks import RunAsks
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.fusion import Stack
    from accelsim.fusion.menu import Menus
    from accelsim.hardware import Accelerator

CHUNKS_PER_WORKER = 16
"""Chunks of a call for each worker: enough to even out, few enough to cost nothing."""

MOST_KNOWN = 100_000
"""Answers of each kind that a pricer remembers before it forgets them all."""

MOST_NUMBERED = 1000
"""Networks whose layers' numbers a pricer remembers."""

LOOK_S = 0.1
"""Seconds between two looks at whether to stop, while workers that hear of nothing are at work."""

T = TypeVar("T")

Progress = Callable[[int, int], None]

Detail = Callable[[LayerCost], float]
"""A figure of one layer."""


class NetworkPricer:
    """Prices runs by a cost model, on an engine; what was answered once is known.

    Answers depend neither on the engine nor on what is asked together. Once `cancelled()` is true, models
    return their best so far. `details` are figures of a layer under its mapping, wanted beside its cost; with
    any, the model is asked for the mapping of each layer.
    """

    def __init__(
        self,
        model: CostModel,
        engine: Engine | None = None,
        cancelled: Callable[[], bool] = never,
        details: Sequence[Detail] = (),
    ) -> None:
        self.model = model
        self.engine = engine or ThreadEngine()
        self.cancelled = cancelled
        self.details = tuple(details)
        self.tally = Tally()
        self._known: dict[Hashable, tuple[float, ...]] = {}
        self._bounds: dict[Hashable, NDArray[np.float64]] = {}
        self._pieces: dict[Hashable, tuple[float, float, NDArray[np.float64]]] = {}
        self._layers: dict[Layer, int] = {}
        self._networks: dict[int, tuple[Network, list[int]]] = {}

    def here(self) -> NetworkPricer:
        """The same, knowing the same, at work in this thread: for when its engine is closed."""
        made = copy.copy(self)
        made.engine = ThreadEngine()
        return made

    def price(self, runs: Sequence[Run]) -> RunCosts:
        """Figures of runs on chips with the same number of memories."""
        _bound(self._known, MOST_KNOWN)
        places = [RunAsks(run, self._numbers(run.network)) for run in runs]
        self.tally.layers += sum(len(run.network.layers) for run in runs)
        pending = places
        while pending:
            self._price({key: ask for place in pending for key, ask in place.asks().items()})
            pending = [place for place in pending if place.gives_way(self._fits)]
        n = len(runs)
        out = RunCosts(np.zeros(n), np.zeros(n), np.full(n, -1), [], [""] * n)
        for i, place in enumerate(places):
            for key in place.keys:
                out.latency_cycles[i] += self._known[key][0]
                out.energy_pj[i] += self._known[key][1]
            rows = [self._known[key][2:] for key in place.keys]
            out.details.append(np.array(rows).reshape(len(rows), len(self.details)))
            out.latency_cycles[i] += overhead_cycles(place.run.chip)
            out.energy_pj[i] += overhead_pj(place.run.chip)
            out.failed[i] = place.failed
        self._add_stacks(runs, out)
        fusing = [i for i, run in enumerate(runs) if run.fuse and out.failed[i] < 0]
        if fusing:
            from accelsim.pricing.fused import fused

            plain = [(out.latency_cycles[i], out.energy_pj[i]) for i in fusing]
            for i, found in zip(fusing, fused(self, [runs[i] for i in fusing], plain)):
                out.latency_cycles[i], out.energy_pj[i] = found.latency_cycles, found.energy_pj
        return out

    def _add_stacks(self, runs: Sequence[Run], out: RunCosts) -> None:
        """What the given stacks of runs cost."""
        with_stacks = [i for i, run in enumerate(runs) if run.stacks and out.failed[i] < 0]
        if not with_stacks:
            return
        from accelsim.pricing.given import given

        for i, found in zip(with_stacks, given(self, [runs[i] for i in with_stacks])):
            out.latency_cycles[i] += found.latency_cycles
            out.energy_pj[i] += found.energy_pj
            out.failed[i], out.faults[i] = found.failed, found.fault

    def bounds(self, runs: Sequence[Run]) -> NDArray[np.float64]:
        """(cycles, pJ) float64[n, 2] that no figures of the runs are below, however layers are mapped.

        Of layers one by one: what is in stacks counts nothing, and stacks that are looked for can beat it.
        """
        out = np.zeros((len(runs), 2))
        places = [RunAsks(run, self._numbers(run.network)) for run in runs]
        known = self.least({key: ask for place in places for key, ask in place.asks().items()})
        for row, place in zip(out, places, strict=True):
            row += np.sum([known[key] for key in place.keys], axis=0)
            row[0] += overhead_cycles(place.run.chip)
        return out

    def _numbers(self, network: Network) -> list[int]:
        """`number` of each layer; kept by object, as hashing layers is dear."""
        known = self._networks.get(id(network))
        if known is None:
            _bound(self._networks, MOST_NUMBERED)
            known = self._networks[id(network)] = network, [self.number(layer) for layer in network.layers]
        return known[1]

    def number(self, layer: Layer) -> int:
        """Equal for equal layers; stands for one in the keys of asks."""
        return self._layers.setdefault(layer, len(self._layers))

    def least(self, asks: dict[Hashable, Ask]) -> dict[Hashable, NDArray[np.float64]]:
        """(cycles, pJ) that no mapping beats, of these asks and those before, by key."""
        _bound(self._bounds, MOST_KNOWN)
        new = {key: ask for key, ask in asks.items() if key not in self._bounds}
        self._bounds |= zip(new, self.model.bounds(list(new.values())))
        return self._bounds

    def answers(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """(cycles, pJ) float64[n, 2] of single layers; infinite where nothing fits."""
        _bound(self._known, MOST_KNOWN)
        layers = self._layers
        keys = [a.key(a.chip.hash, layers.setdefault(a.layer, len(layers))) for a in asks]
        self._price(dict(zip(keys, asks, strict=True)))
        return np.array([self._known[key][:2] for key in keys]).reshape(-1, 2)

    def pieces(self, asks: Sequence[tuple[Hashable, Ask]]) -> tuple[NDArray[np.float64], ...]:
        """Cycles and pJ float64[n] of pieces of stacks, and the cycles [n, M, users] that ports are busy.

        Asks come with a key of their chip.
        """
        layers = self._layers
        keys = [ask.key(chip, layers.setdefault(ask.layer, len(layers))) for chip, ask in asks]
        _bound(self._pieces, MOST_KNOWN)
        new = {key: ask for key, (_, ask) in zip(keys, asks) if key not in self._pieces}
        if new:
            latency, energy, busy, spent = self._answered(list(new.values()), self.model.pieces)
            self.tally.mappings += int(spent.sum())
            self._pieces |= zip(new, zip(latency.tolist(), energy.tolist(), busy))
        columns = zip(*(self._pieces[key] for key in keys))
        return tuple(np.array(column) for column in columns)

    @cached_property
    def menus(self) -> Menus:
        """Choices for stacks, whatever the chip: equal blocks of all networks share them."""
        from accelsim.fusion.menu import Menus
        from accelsim.pricing.fused import FEW

        return Menus(FEW)

    def stacks(self, run: Run) -> tuple[Stack, ...]:
        """The stacks that the figures of a run stand for: found, if it fuses, else given."""
        from accelsim.pricing.fused import fused

        if not run.fuse:
            return run.stacks
        plain = self.price([replace(run, fuse=False)])
        if plain.failed[0] >= 0:
            return ()
        return fused(self, [run], [(float(plain.latency_cycles[0]), float(plain.energy_pj[0]))])[0].stacks

    def alone(self, run: Run) -> NDArray[np.float64]:
        """Cycles and pJ float64[layers, 2] of the layers one by one, nothing resident around them."""
        place = RunAsks(
            replace(run, residency=ResidencyPlan(run.chip, run.network, set(), set())),
            self._numbers(run.network),
        )
        self._price(place.asks())
        return np.array([self._known[key][:2] for key in place.keys])

    def mappings(
        self, run: Run, progress: Progress | None = None
    ) -> tuple[list[MappingResult], ResidencyPlan]:
        """A result per layer, and what stays on chip. `progress` is called with (layers done, in all).

        Raises AccelsimError where a layer fits nowhere, or the model has no mappings.
        """
        place = RunAsks(run, self._numbers(run.network))
        found: dict[Hashable, MappingResult | None] = {}
        while True:
            asks = place.asks()
            uses = Counter(place.keys)
            new = {key: ask for key, ask in asks.items() if key not in found}
            done = sum(uses[key] for key in uses if key in found)
            for key, result in zip(new, self._mapped(list(new.values()))):
                found[key] = result
                if result is None:
                    break
                done += uses[key]
                if progress is not None:
                    progress(done, len(place.keys))
            if not place.gives_way(lambda key: found.get(key, True) is not None):
                break
        if place.failed >= 0:
            raise nothing_fits(run.chip, run.network.layers[place.failed])
        results = []
        for i, key in zip(place.alone, place.keys, strict=True):
            layer, one = run.network.layers[i], found[key]
            assert one is not None
            old = one.cost
            cost = LayerCost(old.hardware, layer, old.mapping, old.counts, old.resident)
            results.append(replace(one, cost=cost))
        return results, place.residency

    def _fits(self, key: Hashable) -> bool:
        return self._known[key][0] < np.inf

    def _price(self, asks: dict[Hashable, Ask]) -> None:
        """Price what is not known yet."""
        new = {key: ask for key, ask in asks.items() if key not in self._known}
        if not new:
            return
        price: Any = partial(_detailed, self.model, self.details) if self.details else self.model.price
        latency, energy, spent, *more = self._answered(list(new.values()), price)
        self._known |= zip(new, zip(latency.tolist(), energy.tolist(), *(x.tolist() for x in more)))
        self.tally.mappings += int(spent.sum())

    def _answered(self, asks: list[Ask], price: Callable[..., Any]) -> list[NDArray[np.float64]]:
        """Columns of the model's answers, from chunks of the asks."""
        size = max(1, -(-len(asks) // (CHUNKS_PER_WORKER * self.engine.workers)))
        chunks = [asks[i : i + size] for i in range(0, len(asks), size)]
        began = time.perf_counter()
        columns = self._heard(lambda: self.engine.map(partial(price, **self._cancel()), chunks))
        found = columns[0] if columns else [price(chunk, cancelled=self.cancelled) for chunk in chunks]
        self.tally.seconds += time.perf_counter() - began
        self.tally.pairs += len(asks)
        return [np.concatenate(column) for column in zip(*found)]

    def _mapped(self, asks: list[Ask]) -> Iterator[MappingResult | None]:
        """The mapping of each ask, in their order, as they come."""
        found = iter(self.engine.stream(partial(self.model.mapping, **self._cancel()), asks))
        for done in range(len(asks)):
            result = self._heard(lambda: next(found))
            if not result:
                for ask in asks[done:]:
                    yield self.model.mapping(ask, self.cancelled)
                return
            yield result[0]

    def _heard(self, work: Callable[[], T]) -> list[T]:
        """[what `work` returns], or [] once a stop was asked for: workers that cannot hear of it are left at
        once, and what they were at is answered here.
        """  # fmt: skip
        if self.engine.shares_memory or self.cancelled is never:
            return [work()]
        out: list[T] = []
        faults: list[BaseException] = []
        ended = threading.Event()

        def run() -> None:
            try:
                out.append(work())
            except BaseException as fault:
                faults.append(fault)
            finally:
                ended.set()

        threading.Thread(target=run, daemon=True).start()
        while not ended.wait(LOOK_S):
            if self.cancelled():
                self.engine.abandon()
                self.engine = ThreadEngine()
                return []
        if faults:
            raise faults[0]
        return out

    def _cancel(self) -> dict[str, Any]:
        """How a worker asks whether to stop, where it can."""
        return {"cancelled": self.cancelled} if self.engine.shares_memory else {}


def _bound(known: dict[Any, Any], most: int) -> None:
    """Before new questions: long searches ask for ever."""
    if len(known) > most:
        known.clear()


def _detailed(
    model: CostModel, details: Sequence[Detail], asks: Sequence[Ask], cancelled: Callable[[], bool] = never
) -> NDArray[np.float64]:
    """Cycles, pJ, mappings evaluated and details of each ask float64[3 + details, asks]."""
    out = np.full((3 + len(details), len(asks)), np.nan)
    out[:2], out[2] = np.inf, 0.0
    for i, ask in enumerate(asks):
        found = model.mapping(ask, cancelled)
        if found is not None:
            cost, spent = found.cost, found.evaluations + found.start_evaluations
            out[:, i] = cost.latency_cycles, cost.energy_pj, spent, *(figure(cost) for figure in details)
    return out


def at_work(layers: Sequence[Layer], chip: Accelerator) -> float:
    """Cycles in which the array, every unit at work, would do the multiply-accumulates of layers, each in its
    own precisions; those that engines do count as if on the array.
    """  # fmt: skip
    each = {bits: chip.at_bits(bits).cycles_per_mac for bits in {layer.bits for layer in layers}}
    return sum(layer.macs * each[layer.bits] for layer in layers) / chip.num_pes


def overhead_cycles(chip: Accelerator) -> float:
    """What an inference takes beyond its layers, `network.overhead_us` of the hardware, in cycles."""
    return chip.network.overhead_us * chip.clock_mhz


def overhead_pj(chip: Accelerator) -> float:
    """What the chip draws meanwhile: its static power."""
    return overhead_cycles(chip) * chip.static_pj_per_cycle
