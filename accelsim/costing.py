"""`evaluate` and `map_network`: what a network costs on an accelerator, mappings given or searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelsim.devices import DeviceCost, evaluate_device
from accelsim.engines.base import Engine, as_engine
from accelsim.errors import AccelsimError, nearest
from accelsim.fusion import FusionCertificate, Stack, StackCost, price_stack, read_stacks, write_stacks
from accelsim.hardware.microcontroller import refuse
from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.mapper import Cancel, Mapper, MappingResult, as_question, map_layer
from accelsim.mapping.mapping import Mapping, MappingError, check_keys, check_version
from accelsim.mapping.optimal_space import Tiles
from accelsim.pricing.ask import Ask
from accelsim.pricing.given import Fuse, read_fuse, stacks_of
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer, Progress, Run, at_work, overhead_cycles, overhead_pj
from accelsim.pricing.residency import ResidencyPlan, plan
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.shown import Shown
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.fusion.choices import Question
    from accelsim.fusion.price import Solve
    from accelsim.fusion.search import Answers
    from accelsim.hardware import Accelerator


@dataclass(frozen=True, repr=False)
class NetworkCost(Shown):
    """Costs of a network's layers, one after another, and of the stacks in which others are fused.

    layers  those outside stacks
    stacks  of two layers and more
    fusion  what a search over stacks proved, if there was one
    """

    hardware: Accelerator
    network: Network
    layers: tuple[LayerCost, ...]
    stacks: tuple[StackCost, ...] = ()
    fusion: FusionCertificate | None = None

    SHOWN_COLUMNS = (
        "layer",
        "op",
        "macs",
        "latency_cycles",
        "energy_pj",
        "edp_js",
        "utilisation",
        "bound_by",
    )

    def brief(self) -> str:
        """Network, hardware, latency, energy and EDP."""
        fused = f", {len(self.stacks)} stacks" if self.stacks else ""
        return (
            f"{self.network.name} on {self.hardware.name}: {self.latency_s * 1e3:.4g} ms, "
            f"{self.energy_pj * 1e-9:.4g} mJ, EDP {self.edp_js:.4g} Js, "
            f"{len(self.network.layers)} layers{fused}"
        )

    @property
    def latency_cycles(self) -> float:
        """Sum over the layers and the overhead of an inference, in cycles."""
        stacks = sum(stack.latency_cycles for stack in self.stacks)
        return sum(cost.latency_cycles for cost in self.layers) + stacks + self.overhead_cycles

    @property
    def overhead_cycles(self) -> float:
        """What one batch takes beyond its layers, `network.overhead_us` of the hardware, in cycles."""
        return overhead_cycles(self.hardware)

    @property
    def latency_s(self) -> float:
        """Latency of one batch in seconds."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def energy_pj(self) -> float:
        """Sum over the layers, and what is drawn during the overhead of an inference, in picojoules."""
        stacks = sum(stack.energy_pj for stack in self.stacks)
        return sum(cost.energy_pj for cost in self.layers) + stacks + overhead_pj(self.hardware)

    @property
    def edp_js(self) -> float:
        """Energy-delay product of one batch in joule-seconds."""
        return self.energy_pj * 1e-12 * self.latency_s

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one batch."""
        return self.network.macs

    @property
    def utilisation(self) -> float:
        """Share of the array's MACs at work over the whole latency."""
        return at_work(self.network.layers, self.hardware) / self.latency_cycles

    @property
    def parts(self) -> list[tuple[int, LayerCost]]:
        """(how often it runs, its costs) of each layer outside stacks and of each piece of the stacks."""
        pieces = [(piece.times, piece.cost) for stack in self.stacks for piece in stack.pieces]
        return [(1, cost) for cost in self.layers] + pieces

    @cached_property
    def memory_energy_pj(self) -> dict[str, float]:
        """Energy of each memory, MACs, array, leakage and components, summed over the layers.

        What is drawn during the overhead of an inference is leakage and components too.
        """
        total: dict[str, float] = {}
        splits = [cost.memory_energy_pj() for cost in self.layers]
        splits.append(self.hardware.static_energy_pj(self.overhead_cycles))
        for split in (*splits, *(stack.memory_energy_pj for stack in self.stacks)):
            for name, part in split.items():
                total[name] = total.get(name, 0.0) + part
        return total

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a layer as `LayerCost.to_row`, and after them a row a piece of each stack and one a stack."""
        rows = [one.to_row() for one in self.layers]
        for stack in self.stacks:
            rows += [piece.cost.to_row() | {"times": piece.times} for piece in stack.pieces]
            last = stack.pieces[0].cost.to_row()
            latency_s = stack.latency_cycles / (self.hardware.clock_mhz * 1e6)
            whole = {
                "layer": f"{stack.layers[0]} .. {stack.layers[-1]}",
                "op": "stack",
                "macs": stack.macs,
                "latency_cycles": stack.latency_cycles,
                "latency_s": latency_s,
                "energy_pj": stack.energy_pj,
                "edp_js": stack.energy_pj * 1e-12 * latency_s,
                "bound_by": stack.bound_by,
                "times": 1,
            } | {f"energy_{name}_pj": pj for name, pj in stack.memory_energy_pj.items()}
            rows.append(dict.fromkeys(last, "") | whole)
        if self.stacks:
            rows = [{**row, "times": row.get("times", 1)} for row in rows]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        from accelsim import __version__
        from accelsim.liveness import memory_plan

        memory = memory_plan(self.network, self.hardware)
        return {
            "version": __version__,
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "network": self.network.name,
            "batch": self.network.batch,
            "macs": self.macs,
            "latency_cycles": self.latency_cycles,
            "latency_s": self.latency_s,
            "overhead_cycles": self.overhead_cycles,
            "energy_pj": self.energy_pj,
            "energy_split_pj": self.memory_energy_pj,
            "edp_js": self.edp_js,
            "utilisation": self.utilisation,
            "area_mm2": self.hardware.area_mm2,
            "peak_memory_bytes": memory.peak,
            "flash_bytes": memory.flash,
            "estimated": list(self.hardware.estimated),
            "notes": list(self.network.notes),
            "layers": [{"name": cost.layer.name} | cost.to_dict() for cost in self.layers],
            "stacks": [stack.to_dict() for stack in self.stacks],
            "fusion": None if self.fusion is None else self.fusion.to_dict(),
        }


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
              or its file: the same as `mapping`; None: as the hardware says
    Others as in `map_network`, whose costs these are where no mapping is given.

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    hw = load_hardware(hardware)
    if isinstance(workload, Layer):
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
        return mapped(_given(hw, network, mapping), pricer, progress).cost


def _given(hw: Accelerator, network: Network, mapping: Any) -> Run:
    """A network whose mappings, what stays on chip, and stacks may be given."""
    given = _layer_mappings(network, mapping)
    stacks: tuple[Stack, ...] = ()
    if isinstance(mapping, dict) and "stacks" in mapping:
        every = read_stacks(network, mapping["stacks"])
        stacks = tuple(s for s in every if s.first < s.last)
        for lone in (s for s in every if s.first == s.last):
            given |= _whole(network, lone)
    for i in sorted(i for s in stacks for i in range(s.first, s.last + 1)):
        if network.names[i] in given:
            raise MappingError(
                f"mapping.layers.{network.names[i]}: is in a stack, whose `pieces` give its mappings"
            )
    stay = _resident(network, mapping)
    if stay is None:
        # A given mapping is priced as it is: nothing around its layer may rely on staying on chip.
        residency = plan(hw, network, without=[network.names.index(name) for name in given])
    else:
        residency = plan(hw, network)
        residency.kept &= stay[0]
        residency.weights &= stay[1]
        residency.settle()
    return Run(hw, network, schedule=lambda layer: given.get(layer.name), residency=residency, stacks=stacks)


def _whole(network: Network, stack: Stack) -> dict[str, Mapping]:
    """The mapping that a stack of one layer, which is the layer as ever, gives it. Raises MappingError."""
    layer, name = network.layers[stack.first], network.names[stack.first]
    for _, rows, cols in stack.pieces:
        if (rows, cols) != (layer.P, layer.Q):
            raise MappingError(
                f"mapping.stacks: {name} is a stack by itself, whose only piece is {layer.P}x{layer.Q}, not "
                f"{rows}x{cols}"
            )
    return dict(zip([name], stack.pieces.values()))


def _layer_mappings(network: Network, mapping: Any) -> dict[str, Mapping]:
    if mapping is None:
        return {}
    table = (
        mapping.get("layers", {} if "stacks" in mapping else mapping) if isinstance(mapping, dict) else None
    )
    if not isinstance(table, dict) or "levels" in table:
        raise MappingError(
            f"mapping: of network {network.name}, must be an object from layer name to mapping, "
            'as in {"layers": {"conv1": {"version": 1, "levels": [...]}}}'
        )
    if table is not mapping:
        check_keys(mapping, {"version", "layers", "resident", "stacks", "notes"}, "mapping")
        check_version(mapping, "mapping")
    out = {}
    for name, item in table.items():
        if name not in network.names:
            raise MappingError(
                f"mapping.layers.{name}: {network.name} has no such layer{nearest(name, network.names)}"
            )
        try:
            out[name] = item if isinstance(item, Mapping) else Mapping.from_dict(item)
        except MappingError as fault:
            raise MappingError(f"mapping.layers.{name}: {fault}") from None
    return out


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


@dataclass(frozen=True, repr=False)
class NetworkMapping(Shown):
    """What a mapper found for each layer, and what stays on chip between them.

    kept     layers whose result stays on chip until its last consumer has read it
    weights  layers whose weights are loaded once and stay
    """

    cost: NetworkCost
    results: tuple[MappingResult, ...]
    kept: tuple[str, ...]
    weights: tuple[str, ...]

    SHOWN_COLUMNS = ("layer", "latency_cycles", "energy_pj", "edp_js", "mapper", "evaluations", "status")

    def brief(self) -> str:
        """As of its costs, with the mapper."""
        how = f"; {self.results[0].mapper} for {self.results[0].objective}" if self.results else ""
        return self.cost.brief() + how

    def to_rows(self) -> list[dict[str, Any]]:
        """A row a layer: its costs, and how its mapping was found."""
        return [
            one.cost.to_row() | {"mapper": one.mapper, "evaluations": one.evaluations, "status": one.status}
            for one in self.results
        ]

    def to_dict(self) -> dict[str, Any]:
        """Mapping JSON of the network, which `evaluate` prices to the same numbers."""
        names = [cost.layer.name for cost in self.cost.layers]
        out: dict[str, Any] = {
            "version": 1,
            "layers": {name: r.mapping.to_dict() for name, r in zip(names, self.results, strict=True)},
        }
        if self.cost.stacks:
            out["stacks"] = write_stacks(self.cost.network, [stack.mapped for stack in self.cost.stacks])
        if self.kept or self.weights or self.cost.stacks:
            out["resident"] = {"kept": list(self.kept), "weights": list(self.weights)}
        return out


def _resident(network: Network, mapping: Any) -> tuple[set[int], set[int]] | None:
    """Indices of layers whose results, and whose weights, the mapping keeps on chip; None if it is silent."""
    section = (
        mapping.get("resident") if isinstance(mapping, dict) and {"layers", "stacks"} & set(mapping) else None
    )
    if section is None:
        return None
    if not isinstance(section, dict) or not set(section) <= {"kept", "weights"}:
        raise MappingError('mapping.resident: must be an object like {"kept": ["conv1"], "weights": []}')
    out = []
    for part in ("kept", "weights"):
        names = section.get(part, [])
        if not isinstance(names, list):
            raise MappingError(f"mapping.resident.{part}: must be a list of layer names, but got {names!r}")
        for i, name in enumerate(names):
            if name not in network.names:
                raise MappingError(
                    f"mapping.resident.{part}[{i}]: {network.name} has no layer {name!r}"
                    f"{nearest(str(name), network.names)}"
                )
        out.append({network.names.index(name) for name in names})
    return out[0], out[1]
