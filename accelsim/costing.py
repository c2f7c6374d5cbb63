"""`evaluate` and `map_network`: what a network costs on an accelerator, mappings given or searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError, nearest
from accelsim.fusion import Stack, StackCost, price_stack, read_stacks
from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.mapper import (
    Cancel,
    Mapper,
    MappingResult,
    Task,
    TemplateMapper,
    as_question,
    check_options,
    load_mapper,
    map_layer,
    nothing_fits,
)
from accelsim.mapping.mapping import Mapping, MappingError, check_keys, check_version
from accelsim.mapping.optimal_space import Tiles
from accelsim.residency import Residency, plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NetworkCost:
    """Costs of a network's layers, one after another, and of the stacks in which others are fused.

    layers  those outside stacks
    stacks  of two layers and more
    """

    hardware: Accelerator
    network: Network
    layers: tuple[LayerCost, ...]
    stacks: tuple[StackCost, ...] = ()

    @property
    def latency_cycles(self) -> float:
        """Sum over the layers and the overhead of an inference, in cycles."""
        stacks = sum(stack.latency_cycles for stack in self.stacks)
        return sum(cost.latency_cycles for cost in self.layers) + stacks + self.overhead_cycles

    @property
    def overhead_cycles(self) -> float:
        """What one batch takes beyond its layers, `network.overhead_us` of the hardware, in cycles."""
        return self.hardware.network.overhead_us * self.hardware.clock_mhz

    @property
    def latency_s(self) -> float:
        """Latency of one batch in seconds."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def energy_pj(self) -> float:
        """Sum over the layers, in picojoules."""
        return sum(cost.energy_pj for cost in self.layers) + sum(stack.energy_pj for stack in self.stacks)

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
        """Share of peak MACs over the whole latency."""
        return self.macs / (self.latency_cycles * self.hardware.num_pes)

    @cached_property
    def memory_energy_pj(self) -> dict[str, float]:
        """Energy of each memory, MACs, array and leakage, summed over the layers."""
        total: dict[str, float] = {}
        splits = [cost.memory_energy_pj() for cost in self.layers]
        for split in (*splits, *(stack.memory_energy_pj for stack in self.stacks)):
            for name, part in split.items():
                total[name] = total.get(name, 0.0) + part
        return total

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        from accelsim import __version__

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
            "estimated": list(self.hardware.estimated),
            "notes": list(self.network.notes),
            "layers": [{"name": cost.layer.name} | cost.to_dict() for cost in self.layers],
            "stacks": [stack.to_dict() for stack in self.stacks],
        }


def evaluate(
    hardware: Accelerator | str | dict[str, Any],
    workload: Layer | Network | str | dict[str, Any],
    mapping: Mapping | dict[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> LayerCost | NetworkCost:
    """Price a layer or a network.

    hardware  an `Accelerator`, or anything that `load_hardware` reads
    workload  a `Layer`, a `Network`, or anything that `load_network` reads
    mapping   of a layer: a `Mapping` or its JSON form, priced as it is. Of a network: a dict from layer
              name to mapping, or {"layers": {...}}; layers not named get the template mapping. Its section
              "resident", {"kept": [...], "weights": [...]}, names the layers whose results and weights
              stay on chip; its section "stacks" says which layers are fused, in which tiles. Without a
              mapping, the template mapping of the chip's dataflow.
    progress  called with (layers done, layers in all)

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    hw = load_hardware(hardware)
    if isinstance(workload, Layer):
        if mapping is None:
            return map_layer(hw, workload, "template").cost
        given = mapping if isinstance(mapping, Mapping) else Mapping.from_dict(mapping)
        return price_mapping(hw, workload, given)
    network = load_network(workload)
    return _network_cost(hw, network, mapping, progress)


def _layer_mappings(network: Network, mapping: Any) -> dict[str, Mapping]:
    if mapping is None:
        return {}
    table = mapping.get("layers", mapping) if isinstance(mapping, dict) else None
    if table is mapping and isinstance(table, dict) and "stacks" in table:
        table = {}
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
    mapper: str | Mapper = "genetic",
    objective: str = "edp",
    budget: int | None = None,
    seed: int = 0,
    *,
    tiles: Tiles = "divisors",
    seconds: float | None = None,
    workers: int = 1,
    cancel: Cancel | None = None,
    progress: Progress | None = None,
) -> NetworkMapping:
    """Find a mapping of every layer of a network; equal layers are mapped once.

    workers   threads; the answer does not depend on them
    progress  called with (layers done, layers in all)
    Others as in `map_layer`, budget and seconds being those of a layer.

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    wanted = check_options(objective, budget, seed, tiles, seconds)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise AccelsimError(f"workers: must be a whole number from 1, but got {workers!r}")
    hw, net, question = load_hardware(hardware), load_network(network), as_question(cancel)
    chosen = load_mapper(mapper)

    def solve(layer: Layer, flags: str, reserved: Any) -> MappingResult | None:
        task = Task(hw, layer, wanted, budget, seed, flags, reserved, question, seconds, tiles)
        return chosen.map(task)

    residency = plan(hw, net)
    results = _map_layers(hw, net, {}, residency, solve, workers, progress)
    kept = tuple(net.names[i] for i in sorted(residency.kept))
    weights = tuple(net.names[i] for i in sorted(residency.weights))
    return NetworkMapping(_total(hw, net, results), tuple(results), kept, weights)


@dataclass(frozen=True)
class NetworkMapping:
    """What a mapper found for each layer, and what stays on chip between them.

    kept     layers whose result stays on chip until its last consumer has read it
    weights  layers whose weights are loaded once and stay
    """

    cost: NetworkCost
    results: tuple[MappingResult, ...]
    kept: tuple[str, ...]
    weights: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Mapping JSON of the network, which `evaluate` prices to the same numbers."""
        names = self.cost.network.names
        out: dict[str, Any] = {
            "version": 1,
            "layers": {name: r.mapping.to_dict() for name, r in zip(names, self.results, strict=True)},
        }
        if self.kept or self.weights:
            out["resident"] = {"kept": list(self.kept), "weights": list(self.weights)}
        return out


Solve = Callable[[Layer, str, Any], MappingResult | None]


def _map_layers(
    hw: Accelerator,
    network: Network,
    given: dict[str, MappingResult],
    residency: Residency,
    solve: Solve,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[MappingResult]:
    """A result per layer; `residency` gives way where tiles need the room."""
    cache: dict[Any, MappingResult | None] = {}
    while True:
        todo: dict[Any, tuple[Layer, str, Any]] = {}
        keys: list[Any] = []
        for layer, (flags, reserved) in zip(network.layers, residency.table(), strict=True):
            keys.append(None if layer.name in given else (layer, flags, reserved.tobytes()))
            if keys[-1] is not None:
                todo.setdefault(keys[-1], (layer, flags, reserved))
        uses = Counter(keys)
        done = sum(uses[key] for key in uses if key is None or key in cache)
        for key, result in _solved({k: v for k, v in todo.items() if k not in cache}, solve, workers):
            cache[key] = result
            if result is None:
                break
            done += uses[key]
            if progress is not None:
                progress(done, len(network.layers))
        failed = next((i for i, key in enumerate(keys) if key in cache and cache[key] is None), None)
        if failed is None:
            break
        _, flags, reserved = todo[keys[failed]]
        if not flags and not reserved.any():
            raise nothing_fits(hw, network.layers[failed])
        residency.give_way(failed)
    out = []
    for layer, key in zip(network.layers, keys, strict=True):
        found = given[layer.name] if key is None else cache[key]
        assert found is not None
        old = found.cost
        out.append(replace(found, cost=LayerCost(hw, layer, old.mapping, old.counts, old.resident)))
    return out


def _solved(
    todo: dict[Any, tuple[Layer, str, Any]], solve: Solve, workers: int
) -> Iterator[tuple[Any, MappingResult | None]]:
    """Results in the order of `todo`, from threads if there are several workers."""
    if workers == 1 or len(todo) < 2:
        for key, arguments in todo.items():
            yield key, solve(*arguments)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = {key: pool.submit(solve, *arguments) for key, arguments in todo.items()}
        try:
            for key, future in futures.items():
                yield key, future.result()
        finally:
            for future in futures.values():
                future.cancel()


def _total(
    hw: Accelerator, network: Network, results: list[MappingResult], stacks: tuple[StackCost, ...] = ()
) -> NetworkCost:
    return NetworkCost(hw, network, tuple(result.cost for result in results), stacks)


def _as_given(cost: LayerCost) -> MappingResult:
    return MappingResult(cost.mapping, cost, 0, 0, "done", "given", "edp", 0)


def _network_cost(hw: Accelerator, network: Network, mapping: Any, progress: Progress | None) -> NetworkCost:
    given = _layer_mappings(network, mapping)
    chosen = (
        read_stacks(network, mapping["stacks"]) if isinstance(mapping, dict) and "stacks" in mapping else ()
    )
    stay = _resident(network, mapping)
    fused = {i: s for s in chosen if s.first < s.last for i in range(s.first, s.last + 1)}
    for i in fused:
        if network.names[i] in given:
            raise MappingError(
                f"mapping.layers.{network.names[i]}: is in a stack, whose `pieces` give its mappings"
            )
    if stay is None:
        # A given mapping is priced as it is: nothing around its layer may rely on staying on chip.
        residency = plan(hw, network, without=[network.names.index(name) for name in given])
    else:
        residency = plan(hw, network)
        residency.kept &= stay[0]
        residency.weights &= stay[1]
    for i in fused:  # a stack loads and stores what it shares with others
        residency.drop(i)
    residency.settle()
    priced: dict[str, MappingResult] = {}
    for i, layer in enumerate(network.layers):
        if layer.name not in given:
            continue
        flags, reserved = residency.of(i) if stay is not None else ("", None)
        try:
            cost = price_mapping(hw, layer, given[layer.name], resident=flags, reserved_bits=reserved)
        except MappingError as fault:
            raise MappingError(f"layer {layer.name}: {fault}") from None
        priced[layer.name] = _as_given(cost)

    def solve(layer: Layer, flags: str, reserved: Any) -> MappingResult | None:
        return TemplateMapper().map(Task(hw, layer, resident=flags, reserved_bits=reserved))

    stacks = price_stacks(hw, network, tuple(dict.fromkeys(fused.values())), solve)
    for stack in stacks:
        for piece in stack.pieces:  # stands for its layer, which is left out again below
            priced[network.names[piece.layer]] = _as_given(piece.cost)
    results = _map_layers(hw, network, priced, residency, solve, progress=progress)
    return _total(hw, network, [r for i, r in enumerate(results) if i not in fused], stacks)


def price_stacks(
    hw: Accelerator, network: Network, stacks: tuple[Stack, ...], solve: Solve
) -> tuple[StackCost, ...]:
    """Price stacks, equal pieces mapped once. Raises MappingError."""
    cache: dict[Any, LayerCost | None] = {}

    def once(layer: Layer, flags: str, reserved: Any) -> LayerCost | None:
        key = layer, flags, reserved.tobytes()
        if key not in cache:
            found = solve(layer, flags, reserved)
            cache[key] = None if found is None else found.cost
        return cache[key]

    return tuple(price_stack(hw, network, stack, once) for stack in stacks)


def _resident(network: Network, mapping: Any) -> tuple[set[int], set[int]] | None:
    """Indices of layers whose results, and whose weights, the mapping keeps on chip; None if it is silent."""
    section = mapping.get("resident") if isinstance(mapping, dict) and "layers" in mapping else None
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
