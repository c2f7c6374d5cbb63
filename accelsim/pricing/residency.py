"""What may stay on chip between the layers of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware.holding import first_holder
from accelsim.pack import TENSORS
from accelsim.workloads.bits import AS_THE_MACHINE
from accelsim.workloads.network import INPUT, Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

SHARE = 7 / 8
"""Share of a memory that resident tensors may take; the rest is left for the tiles of the others."""

ALL = len(TENSORS)
"""Column of `reserved` for a memory that is not partitioned."""


@dataclass
class ResidencyPlan:
    """Plan for one network on one chip.

    kept     layers whose result stays on chip until its last consumer has read it
    weights  layers whose weights are loaded once and stay
    alone    layers priced as if nothing stayed around them
    """

    hardware: Accelerator
    network: Network
    kept: set[int]
    weights: set[int]
    alone: frozenset[int] = frozenset()

    def table(self) -> list[tuple[str, NDArray[np.float64] | None]]:
        """Per layer: its resident tensors, and bits float64[M, 4] that other layers' keep from it, if any.

        Columns: the parts of W, I, O, and the whole where a memory has no parts.
        """
        if not self.kept and not self.weights:
            return [("", None)] * len(self.network.layers)
        net, (weights, results) = self.network, _widths(self.hardware, self.network)
        sizes = [layer.output_elements * bits for layer, bits in zip(net.layers, results)]
        nothing = np.zeros((len(self.hardware.memories), ALL + 1))
        last = _last_reader(net)
        alive = np.zeros(len(net.layers) + 1)  # bits of kept results, as differences along the layers
        for j in self.kept:
            alive[j + 1] += sizes[j]
            alive[last[j] + 1] -= sizes[j]
        alive = np.cumsum(alive)
        loaded = _stored(net, self.weights, weights)
        output_home, weight_home = _home(self.hardware, "O"), _home(self.hardware, "W")
        out: list[tuple[str, NDArray[np.float64] | None]] = []
        for i in range(len(net.layers)):
            if i in self.alone:
                out.append(("", None))
                continue
            flags = "W" if i in self.weights or self._all_kept(i, "W") else ""
            flags += "I" if self._all_kept(i, "I") else ""
            flags += "O" if i in self.kept else ""
            own = {edge.producer for edge in net.inputs_of[i]} & self.kept
            reserved = nothing.copy()
            reserved[output_home] += alive[i] - sum(sizes[j] for j in own)
            reserved[weight_home] += loaded - (net.weights_of[i] * weights[i] if i in self.weights else 0)
            out.append((flags, reserved if reserved.any() else None))
        return out

    def drop(self, i: int) -> None:
        """Give up everything resident around layer `i`."""
        self.kept -= {i} | {edge.producer for edge in self.network.inputs_of[i]}
        self.weights.discard(i)
        self.settle()

    def make_room(self, inside: frozenset[int]) -> None:
        """Nothing stays on chip while the layers `inside` run: stacks count on having the room."""
        if not inside:
            return
        last = _last_reader(self.network)
        self.kept = {j for j in self.kept if not any(j <= i <= last[j] for i in inside)}
        self.weights.clear()
        self.settle()

    def give_way(self, i: int) -> bool:
        """Send what surrounds layer `i` through the outermost memory, its tiles need the room.

        Where nothing surrounds it, nothing stays at all. Returns False if nothing stayed anyway.
        """
        before = len(self.kept) + len(self.weights)
        self.drop(i)
        if before and len(self.kept) + len(self.weights) == before:
            self.kept.clear()
            self.weights.clear()
        return before > 0

    def settle(self) -> None:
        """Keep no result that some consumer reads together with one that is not kept."""
        changed = True
        while changed:
            changed = False
            for edges in self.network.inputs_of:
                producers = {edge.producer for edge in edges}
                if producers & self.kept and not producers <= self.kept:
                    self.kept -= producers
                    changed = True

    def _all_kept(self, i: int, operand: str) -> bool:
        producers = [e.producer for e in self.network.inputs_of[i] if e.operand == operand]
        return bool(producers) and all(p in self.kept for p in producers)


def plan(hardware: Accelerator, network: Network, without: Iterable[int] = ()) -> ResidencyPlan:
    """Keep activations, then weights, in execution order, as long as they fit.

    Follows the `network` section of the hardware: nothing stays unless it says `on_chip_if_fit` or
    `resident_if_fit`. Results that leave the network always go out, and nothing stays around the layers
    in `without`, nor around those that a processor beside the chip runs.
    """
    residency = ResidencyPlan(hardware, network, set(), set())
    activations = hardware.network.activations == "on_chip_if_fit"
    weights = hardware.network.weights == "resident_if_fit"
    if not (activations or weights):
        return residency
    widths, results = _widths(hardware, network)
    if activations:
        _keep_activations(residency, results)
    if weights:
        home, column = _home(hardware, "W")
        room = _room(hardware, "W", _stored(network, range(len(network.layers)), widths))
        if (home, column) == _home(hardware, "O"):
            room -= _peak(residency, results)
        for i, elements in enumerate(network.weights_of):
            if network.held and network.held[i]:  # what is there already takes no more room
                there = _stored(network, residency.weights, widths)
                more = _stored(network, [*residency.weights, i], widths) - there
            else:
                more = elements * widths[i]
            if home > 0 and elements > 0 and more <= room:
                residency.weights.add(i)
                room -= more
    beside = [i for i, layer in enumerate(network.layers) if hardware.for_layer(layer).unit_points]
    residency.alone = frozenset([*without, *beside])
    for i in residency.alone:
        residency.drop(i)
    residency.settle()
    return residency


def _keep_activations(residency: ResidencyPlan, widths: Sequence[int]) -> None:
    hardware, network = residency.hardware, residency.network
    home, column = _home(hardware, "O")
    input_home, input_column = _home(hardware, "I")
    if home == 0 or home != input_home:
        return
    shared = column == input_column
    # Inputs and outputs with a part each swap roles from layer to layer: a result lives for one step.
    room = _room(hardware, "O") if shared else min(_room(hardware, "O", 0), _room(hardware, "I", 0))
    last = _last_reader(network)
    load = np.zeros(len(network.layers))
    for i, layer in enumerate(network.layers):
        size = layer.output_elements * widths[i]
        if i in network.outputs or last[i] < 0 or not (shared or last[i] == i + 1):
            continue
        if size <= room and (not shared or np.all(load[i : last[i] + 1] + size <= room)):
            residency.kept.add(i)
            load[i : last[i] + 1] += size


def _peak(residency: ResidencyPlan, widths: Sequence[int]) -> float:
    """Most bits that kept activations take at any layer."""
    last = _last_reader(residency.network)
    load = np.zeros(len(residency.network.layers))
    for i in residency.kept:
        load[i : last[i] + 1] += residency.network.layers[i].output_elements * widths[i]
    return float(load.max())


def _room(hardware: Accelerator, tensor: str, wanted: float = float("inf")) -> float:
    """Bits that residents may take in the home of a tensor.

    A part of its own may be filled to the brim by the `wanted` bits if they are all that ever comes there;
    else some of it is left for tiles.
    """
    home, _ = _home(hardware, tensor)
    parts = hardware.memories[home].parts()
    size = 8.0 * parts.get(tensor, parts.get("all", float("inf")))
    return size if tensor in parts and wanted <= size else SHARE * size


def _last_reader(network: Network) -> list[int]:
    last = [-1] * len(network.layers)
    for edge in network.edges:
        if edge.producer != INPUT:
            last[edge.producer] = max(last[edge.producer], edge.consumer)
    return last


def _widths(hardware: Accelerator, network: Network) -> tuple[list[int], list[int]]:
    """Bits of a weight and of a result of each layer where they stay; of a result as its readers want it,
    where a file says that they take it wider than it was written.
    """  # fmt: skip
    known = {bits: hardware.at_bits(bits) for bits in {layer.bits for layer in network.layers}}
    machines = [known[layer.bits] for layer in network.layers]
    places = [first_holder(hardware, t) for t in "WO"]
    weights = [chip.kept_bits(places[0]).weight for chip in machines]
    results = [chip.kept_bits(places[1]).output for chip in machines]
    for producer, consumer, _, operand in network.edges if {*known} != {AS_THE_MACHINE} else ():
        if producer != INPUT:
            kept = machines[consumer].kept_bits(places[1])
            results[producer] = max(results[producer], kept.input if operand == "I" else kept.weight)
    return weights, results


def _stored(network: Network, layers: Iterable[int], widths: Sequence[int]) -> int:
    """Bits of the distinct weights of some layers; shared ones count the widest of the network."""
    if not network.held:
        return sum(network.weights_of[i] * widths[i] for i in layers)
    return network.distinct_weights(layers) * max(widths)


def _home(hardware: Accelerator, tensor: str) -> tuple[int, int]:
    """First memory below the outermost that holds the tensor, 0 if none, and its column of `reserved`."""
    m = first_holder(hardware, tensor)
    return m, TENSORS.index(tensor) if m and tensor in hardware.memories[m].parts() else ALL
