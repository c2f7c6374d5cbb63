"""What may stay on chip between the layers of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.workloads.network import INPUT, Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

SHARE = 7 / 8
"""Share of a memory that resident tensors may take; the rest is left for the tiles of the others."""


@dataclass
class Residency:
    """Plan for one network on one chip.

    kept     layers whose result stays on chip until its last consumer has read it
    weights  layers whose weights are loaded once and stay
    """

    hardware: Accelerator
    network: Network
    kept: set[int]
    weights: set[int]

    def of(self, i: int) -> tuple[str, NDArray[np.float64]]:
        """Resident tensors of layer `i`, and bits float64[M] that others keep from it in each memory."""
        net = self.network
        reads = [edge for edge in net.inputs_of[i] if edge.operand == "I"]
        factor = [edge for edge in net.inputs_of[i] if edge.operand == "W"]
        flags = ""
        if i in self.weights or (factor and all(e.producer in self.kept for e in factor)):
            flags += "W"
        if reads and all(edge.producer in self.kept for edge in reads):
            flags += "I"
        if i in self.kept:
            flags += "O"
        reserved = np.zeros(len(self.hardware.memories))
        own = {i} | {edge.producer for edge in net.inputs_of[i]}
        bits = self.hardware.precision_bits
        home = _home(self.hardware, "O")
        last = _last_reader(net)
        for j in self.kept - own:
            if j < i <= last[j] and home is not None:
                reserved[home] += net.layers[j].output_elements * bits.output
        home = _home(self.hardware, "W")
        if home is not None:
            reserved[home] += sum(net.weights_of[j] * bits.weight for j in self.weights - {i})
        return flags, reserved

    def drop(self, i: int) -> None:
        """Give up everything resident around layer `i`, for which no mapping was found beside it."""
        self.kept -= {i} | {edge.producer for edge in self.network.inputs_of[i]}
        self.weights.discard(i)


def plan(hardware: Accelerator, network: Network) -> Residency:
    """Keep activations, then weights, in execution order, as long as they fit.

    Follows the `network` section of the hardware: nothing stays unless it says `on_chip_if_fit` or
    `resident_if_fit`. Results that leave the network always go out.
    """
    residency = Residency(hardware, network, set(), set())
    bits = hardware.precision_bits
    peak = 0.0
    if hardware.network.activations == "on_chip_if_fit":
        peak = _keep_activations(residency, bits.output)
    if hardware.network.weights == "resident_if_fit":
        home = _home(hardware, "W")
        if home is not None:
            parts = hardware.memories[home].parts()
            room = 8 * SHARE * parts.get("W", parts.get("all", float("inf")))
            room -= peak if home == _home(hardware, "O") and "all" in parts else 0.0
            for i, weights in enumerate(network.weights_of):
                if 0 < weights * bits.weight <= room:
                    residency.weights.add(i)
                    room -= weights * bits.weight
    return residency


def _keep_activations(residency: Residency, width: int) -> float:
    """Fill `kept`; returns the peak of bits that kept activations take at any layer."""
    hardware, network = residency.hardware, residency.network
    home = _home(hardware, "O")
    if home is None or home != _home(hardware, "I"):
        return 0.0
    parts = hardware.memories[home].parts()
    if "all" in parts:
        room, each = 8 * SHARE * parts["all"], float("inf")
    elif "I" in parts and "O" in parts:
        # The two parts change roles from layer to layer.
        room, each = 8.0 * (parts["I"] + parts["O"]), 8.0 * min(parts["I"], parts["O"])
    else:
        room = each = float("inf")
    last = _last_reader(network)
    load = np.zeros(len(network.layers))
    for i, layer in enumerate(network.layers):
        size = layer.output_elements * width
        if i in network.outputs or last[i] < 0 or size > each:
            continue
        if np.all(load[i : last[i] + 1] + size <= room):
            residency.kept.add(i)
            load[i : last[i] + 1] += size
    return float(load.max())


def _last_reader(network: Network) -> list[int]:
    last = [-1] * len(network.layers)
    for edge in network.edges:
        if edge.producer != INPUT:
            last[edge.producer] = max(last[edge.producer], edge.consumer)
    return last


def _home(hardware: Accelerator, tensor: str) -> int | None:
    """First memory below the outermost that holds the tensor."""
    for m, memory in enumerate(hardware.memories):
        if m > 0 and tensor in memory.holds:
            return m
    return None
