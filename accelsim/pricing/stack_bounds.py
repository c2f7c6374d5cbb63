"""What a network costs on a chip at least, whatever stacks its layers are fused in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.pricing.ask import Ask
from accelsim.pricing.network import overhead_cycles
from accelsim.workloads.network import INPUT, Network

if TYPE_CHECKING:
    from accelsim.pricing.network import NetworkPricer
    from accelsim.pricing.run import Run


def bounds_with_stacks(pricer: NetworkPricer, runs: Sequence[Run]) -> NDArray[np.float64]:
    """(cycles, pJ) float64[n, 2] that no figures of the runs are below.

    All activations lie on chip for nothing, and weights come from memory 0 once, beside all else. Pieces of a
    stack do the work of their layers, and more of it where windows overlap; positions that nothing reads need
    not be computed, so that layers with such positions count nothing.
    """
    asks: dict[Hashable, Ask] = {}

    def key(run: Run, i: int, resident: str) -> Hashable:
        layer = run.network.layers[i]
        ask = Ask(run.part(layer), layer, resident)
        name = ask.key(run.key_of(ask.chip), pricer.number(layer))
        asks.setdefault(name, ask)
        return name

    rows = [
        [(key(run, i, "WIO"), key(run, i, _on_chip(run.network, i))) for i in _whole(run.network)]
        for run in runs
    ]
    known = pricer.least(asks)
    out = np.zeros((len(runs), 2))
    for row, run, keys in zip(out, runs, rows, strict=True):
        for kept, brought in keys:
            (cycles, _), (slower, pj) = known[kept], known[brought]
            row += cycles, pj - asks[kept].chip.static_pj_per_cycle * (slower - cycles)
        row[0] += overhead_cycles(run.chip)
    return out


def _whole(network: Network) -> list[int]:
    """Layers whose results leave the network, or are read at every position by another such layer."""
    whole = set(network.outputs)
    for i in reversed(range(len(network.layers))):
        if i in whole:
            for edge, window in network.reads_of[i]:
                if network.area_read(edge, window) == prod(network.size_of(edge.producer)):
                    whole.add(edge.producer)
    return sorted(whole - {INPUT})


def _on_chip(network: Network, i: int) -> str:
    """What need not come from memory 0 for a layer: all but weights that are its own."""
    shared = bool(network.held and network.held[i]) or any(e.operand == "W" for e in network.inputs_of[i])
    return "WIO" if shared else "IO"
