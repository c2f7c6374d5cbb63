"""Multiply-accumulates by zero, counted one by one.

Weights of odd kernels and inputs of odd channels are zero: half of each, independently of each other.
"""

from __future__ import annotations

from itertools import product

from accelsim.workloads.layer import Layer


def count(layer: Layer, lanes: int, gates: str, skips: str) -> tuple[int, int, int]:
    """(MACs that take energy, most MACs that take time in a lane, weights read in all lanes).

    lanes  that the output rows are dealt out to in blocks, each lane with a MAC and weights of its own
    gates  tensors whose zeros spare energy; skips: time and energy
    """
    rows = -(-layer.P // lanes)
    energy = read = 0
    time = [0] * lanes
    for _, _, k, c, p, _, _, _ in product(*(range(n) for n in layer.dims.values())):
        zero = {"W": k % 2 == 1, "I": c % 2 == 1}
        spared = any(zero[t] for t in gates + skips)
        energy += not spared
        read += not (zero["I"] and "I" in gates + skips)
        time[p // rows] += not any(zero[t] for t in skips)
    return energy, max(time), read
