"""`evaluate`: the cost of a layer or a network on an accelerator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError
from accelsim.mapping.cost import LayerCost, price_mapping
from accelsim.mapping.mapping import Mapping, MappingError
from accelsim.mapping.template import template
from accelsim.pack import pack_layer, pack_machine
from accelsim.residency import plan
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NetworkCost:
    """Costs of a network's layers, one after another."""

    hardware: Accelerator
    network: Network
    layers: tuple[LayerCost, ...]

    @property
    def latency_cycles(self) -> float:
        """Sum over the layers, in cycles."""
        return sum(cost.latency_cycles for cost in self.layers)

    @property
    def latency_s(self) -> float:
        """Latency of one batch in seconds."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def energy_pj(self) -> float:
        """Sum over the layers, in picojoules."""
        return sum(cost.energy_pj for cost in self.layers)

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
        for cost in self.layers:
            for name, part in cost.memory_energy_pj().items():
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
            "energy_pj": self.energy_pj,
            "energy_split_pj": self.memory_energy_pj,
            "edp_js": self.edp_js,
            "utilisation": self.utilisation,
            "area_mm2": self.hardware.area_mm2,
            "estimated": list(self.hardware.estimated),
            "notes": list(self.network.notes),
            "layers": [{"name": cost.layer.name} | cost.to_dict() for cost in self.layers],
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
              name to mapping, or {"layers": {...}}; layers not named get the template mapping. Without
              one, the template mapping of the chip's dataflow.
    progress  called with (layers done, layers in all)

    Raises AccelsimError where something cannot be read or does not fit.
    """
    from accelsim.hardware import load_hardware
    from accelsim.workloads.load import load_network

    hw = load_hardware(hardware)
    if isinstance(workload, Layer):
        if mapping is None:
            return _template_cost(hw, workload)
        given = mapping if isinstance(mapping, Mapping) else Mapping.from_dict(mapping)
        return price_mapping(hw, workload, given)
    network = load_network(workload)
    return _network_cost(hw, network, _layer_mappings(network, mapping), progress)


def _layer_mappings(network: Network, mapping: Any) -> dict[str, Mapping]:
    if mapping is None:
        return {}
    table = mapping.get("layers", mapping) if isinstance(mapping, dict) else None
    if not isinstance(table, dict) or "levels" in table:
        raise MappingError(
            f"mapping: of network {network.name}, must be an object from layer name to mapping, "
            'as in {"layers": {"conv1": {"version": 1, "levels": [...]}}}'
        )
    out = {}
    for name, item in table.items():
        if name not in network.names:
            from accelsim.errors import nearest

            raise MappingError(
                f"mapping.layers.{name}: {network.name} has no such layer{nearest(name, network.names)}"
            )
        try:
            out[name] = item if isinstance(item, Mapping) else Mapping.from_dict(item)
        except MappingError as fault:
            raise MappingError(f"mapping.layers.{name}: {fault}") from None
    return out


def _network_cost(
    hw: Accelerator, network: Network, given: dict[str, Mapping], progress: Progress | None
) -> NetworkCost:
    # A given mapping is priced as it is: nothing around its layer may rely on staying on chip.
    residency = plan(hw, network, without=[network.names.index(name) for name in given])
    cache: dict[Any, LayerCost | None] = {}
    costs: list[LayerCost] = []
    i = 0
    while i < len(network.layers):
        layer = network.layers[i]
        if layer.name in given:
            try:
                cost: LayerCost | None = price_mapping(hw, layer, given[layer.name])
            except MappingError as fault:
                raise MappingError(f"layer {layer.name}: {fault}") from None
        else:
            flags, reserved = residency.of(i)
            key = (layer, flags, reserved.tobytes())
            if key not in cache:
                cache[key] = _try_template(hw, layer, flags, reserved)
            cost = cache[key]
            if cost is None and (flags or reserved.any()):
                # The tiles need the room: send what surrounds this layer through the outermost memory.
                before = len(residency.kept) + len(residency.weights)
                residency.drop(i)
                if len(residency.kept) + len(residency.weights) == before:
                    residency.kept.clear()
                    residency.weights.clear()
                costs.clear()
                i = 0
                continue
        if cost is None:
            raise _nothing_fits(hw, layer)
        costs.append(LayerCost(hw, layer, cost.mapping, cost.counts, cost.resident))
        i += 1
        if progress is not None:
            progress(i, len(network.layers))
    return NetworkCost(hw, network, tuple(costs))


def _try_template(hw: Accelerator, layer: Layer, flags: str, reserved: Any) -> LayerCost | None:
    found = template(hw, layer, resident=flags, reserved_bits=reserved)
    if found is None:
        return None
    return price_mapping(hw, layer, Mapping.from_arrays(hw, layer, found[0]), resident=flags)


def _template_cost(hw: Accelerator, layer: Layer) -> LayerCost:
    found = template(hw, layer)
    if found is None:
        raise _nothing_fits(hw, layer)
    return price_mapping(hw, layer, Mapping.from_arrays(hw, layer, found[0]))


def _nothing_fits(hw: Accelerator, layer: Layer) -> AccelsimError:
    """Why not even the smallest legal tiles fit."""
    from accelsim.mapping.cost import explain
    from accelsim.mapping.decode import decode
    from accelsim.mapping.template import Wishes
    from accelsim.pack import count

    problem = pack_layer(layer)
    batch = decode(problem[:8], *Wishes.smallest(len(hw.memories)))
    counts = count(problem, pack_machine(hw), batch)
    why = explain(hw, layer, batch, counts) if counts.status[0] else "every mapping tried is illegal"
    return AccelsimError(f"no mapping of {layer.name or layer} fits {hw.name}: {why.split(': ', 1)[-1]}")
