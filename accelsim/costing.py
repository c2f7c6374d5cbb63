"""`evaluate` and `map_network`: what a network costs on an accelerator, mappings given or searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from accelsim.devices import DeviceCost, evaluate_device
from accelsim.engines.base import Engine, as_engine
from accelsim.errors import AccelsimError
from accelsim.fusion import Stack, price_stack
from accelsim.hardware.microcontroller import refuse
from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.mapper import Cancel, Mapper, as_question, map_layer
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.optimal_space import Tiles
from accelsim.network_cost import NetworkCost, NetworkMapping
from accelsim.pricing.ask import Ask
from accelsim.pricing.given import Fuse, read_fuse, stacks_of
from accelsim.pricing.given_mapping import given_run
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer, Progress, overhead_cycles, overhead_pj
from accelsim.pricing.residency import ResidencyPlan
from accelsim.pricing.run import Run
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.fusion.choices import Question
    from accelsim.fusion.price import Solve
    from accelsim.fusion.search import Answers
    from accelsim.hardware import Accelerator


def evaluate(
    hardware: Accelerator | str | dict[str, Any],
    workload: Layer | Network | str | dict[str, Any],
    mapping: Mapping | dict[str, Any] | None = None,
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    objective: str = "edp",
    budget: int | None = None,
    seed: int = 0,
    *,
    fuse: Fuse = None,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    progress: Progress | None = None,
) -> LayerCost | NetworkCost | DeviceCost:
    """Price a layer or a network; on a microcontroller a network.

    hardware  an `Accelerator`, or anything that `load_hardware` reads
    workload  a `Layer`, a `Network`, or anything that `load_network` reads
    mapping   of a layer: a `Mapping` or its JSON form, priced as it is. Of a network: a dict from layer
              name to mapping, or {"layers": {...}}; layers not named are mapped. Its section
              "resident", {"kept": [...], "weights": [...]}, names the layers whose results and weights
              stay on chip; its section "stacks" says which layers are fused, in which tiles
    fuse      auto: look for the best stacks of layers; none: no stacks but those of the mapping; a schedule
              or its file: the same as `mapping`; None: as the hardware says; of a layer None alone
    Others as in `map_network`, whose costs these are where no mapping is given. Where one is given of all
    layers, mapper, objective, budget and seed change nothing.

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    hw = load_hardware(hardware)
    if isinstance(workload, Layer):
        if fuse is not None:
            raise AccelsimError("evaluate: fuse: for networks, not a single layer")
        if mapping is None:
            return map_layer(hw, workload, mapper, objective, budget, seed, cancel=cancel).cost
        given = mapping if isinstance(mapping, Mapping) else Mapping.from_dict(mapping)
        return price_mapping(hw, workload, given)
    network = load_network(workload)
    fuse = read_fuse(fuse)
    if isinstance(fuse, dict):
        if mapping is not None:
            raise AccelsimError("fuse: a schedule and a mapping are both given; leave one of them out")
        mapping, fuse = fuse, None
    if hw.microcontroller is not None:
        if mapping is not None or fuse is not None:
            refuse(hw)
        return evaluate_device(hw, network)
    search = _fuses(fuse, hw, given=mapping is not None)
    way = Way.of(mapper, objective, budget, seed)
    with as_engine(engine, workers, scheduler) as started:
        pricer = NetworkPricer(LoopNest(way), started, as_question(cancel))
        if search:
            return _fused(hw, network, pricer, way, progress).cost
        return mapped(given_run(hw, network, mapping), pricer, progress).cost


def map_network(
    hardware: Accelerator | str | dict[str, Any],
    network: Network | str | dict[str, Any],
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    objective: str = "edp",
    budget: int | None = None,
    seed: int = 0,
    *,
    tiles: Tiles = "all",
    seconds: float | None = None,
    fuse: Fuse = None,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    progress: Progress | None = None,
) -> NetworkMapping:
    """Find a mapping of every layer of a network; equal layers are mapped once.

    fuse      auto: look for the best stacks of layers; none: no stacks; a schedule or its file: its stacks,
              pieces mapped anew; None: as the hardware says
    engine    threads, processes or dask, with `workers` of them (None: one a processor); the answer does not
              depend on them
    progress  called with (layers done, layers in all)
    Others as in `map_layer`, budget and seconds being those of a layer.

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    way = Way.of(mapper, objective, budget, seed, tiles, seconds)
    hw, net, question = load_hardware(hardware), load_network(network), as_question(cancel)
    fuse = read_fuse(fuse)
    stacks = stacks_of(fuse, [net]) if isinstance(fuse, dict) else ()
    search = not isinstance(fuse, dict) and _fuses(fuse, hw)
    with as_engine(engine, workers, scheduler) as started:
        pricer = NetworkPricer(LoopNest(way), started, question)
        if search:
            return _fused(hw, net, pricer, way, progress)
        return mapped(Run(hw, net, stacks=stacks), pricer, progress)


def _fuses(fuse: str | None, hw: Accelerator, given: bool = False) -> bool:
    """Whether to look for stacks. Raises AccelsimError where a schedule is given."""
    if fuse == "auto" and given:
        raise AccelsimError("fuse: auto looks for a schedule, but a mapping is given; leave one of them out")
    return not given and (fuse or hw.network.stacks) == "auto"


def _fused(
    hw: Accelerator, network: Network, pricer: NetworkPricer, way: Way, progress: Progress | None
) -> NetworkMapping:
    """The best stacks, or the layers one by one, with what may then stay on chip, if that is better."""
    from accelsim.fusion import fuse
    from accelsim.fusion.paths import value_of

    run = Run(hw, network)
    plain = mapped(run, pricer, progress)
    cost, key = plain.cost, hw.hash
    known = value_of(cost.latency_cycles, cost.energy_pj, way.objective)

    def answer(questions: Sequence[Question]) -> Answers:
        asks = [(key, Ask(hw, layer, resident, reserved)) for layer, resident, reserved in questions]
        cycles, pj, busy = pricer.pieces(asks)
        return cycles, pj, busy

    stacks, proof = fuse(
        hw, network, pricer.alone(run), answer, way.objective, cancelled=pricer.cancelled,
        overhead=(overhead_cycles(hw), overhead_pj(hw)), below=known,
    )  # fmt: skip
    if known <= proof.value:
        return replace(plain, cost=replace(cost, fusion=proof))
    found = mapped(_with(run, stacks), pricer)
    return replace(found, cost=replace(found.cost, fusion=proof))


def _with(run: Run, stacks: Sequence[Stack]) -> Run:
    """A run some of whose layers are in stacks, nothing kept around the others."""
    nothing = ResidencyPlan(run.chip, run.network, set(), set())
    return replace(run, residency=nothing, stacks=tuple(stacks), fuse=False)


def _solver(hw: Accelerator, pricer: NetworkPricer) -> Solve:
    """What finds the mapping of a piece; equal pieces are mapped once."""
    known: dict[Any, LayerCost | None] = {}

    def solve(layer: Layer, flags: str, reserved: Any) -> LayerCost | None:
        key = layer, flags, reserved.tobytes()
        if key not in known:
            ask = Ask(hw, layer, flags, reserved if reserved.any() else None)
            found = pricer.model.mapping(ask, pricer.cancelled)
            known[key] = None if found is None else found.cost
        return known[key]

    return solve


def mapped(run: Run, pricer: NetworkPricer, progress: Progress | None = None) -> NetworkMapping:
    """The mappings that a pricer's figures of a run stand for.

    Raises AccelsimError where a layer or a piece fits nowhere.
    """
    if run.fuse:
        stacks = pricer.stacks(run)
        run = _with(run, stacks) if stacks else replace(run, fuse=False)
    solve = _solver(run.chip, pricer)
    fused = tuple(price_stack(run.chip, run.network, stack, solve) for stack in run.stacks)
    results, residency = pricer.mappings(run, progress)
    names = run.network.names
    kept = tuple(names[i] for i in sorted(residency.kept))
    weights = tuple(names[i] for i in sorted(residency.weights))
    cost = NetworkCost(run.chip, run.network, tuple(result.cost for result in results), fused)
    return NetworkMapping(cost, tuple(results), kept, weights)
