"""Why no dataflow fits a machine: the buffer that is short, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.model import LayerPricer
from accelsim.workloads.layer import Layer
from cost_models.maestro import layout as L


@dataclass(frozen=True)
class Shortage:
    """A layer, the dataflow that comes closest to fitting, and what that needs.

    buffer  L1 or L2
    need    elements of it, double buffers counted
    have    elements that the machine has
    """

    layer: Layer
    dataflow: str
    buffer: str
    need: int
    have: int

    def __str__(self) -> str:
        return (
            f"{self.layer.name or self.layer} needs {self.need:,} elements of {self.buffer} under "
            f"{self.dataflow}, the dataflow that comes closest, and there are {self.have:,}: "
            f"{self.need - self.have:,} short"
        )


def shortages(layers: Sequence[Layer], machine: MaestroMachine) -> list[Shortage]:
    """One for each unlike layer that no shipped dataflow fits on the machine, the worst first."""
    pricer = LayerPricer(layers)
    counts, _ = pricer.counted([machine])
    have = {"L1": machine.l1_size, "L2": machine.l2_size}
    columns = {"L1": L.L1_NEED, "L2": L.L2_NEED}
    need = {name: counts[0, ..., c : c + L.NTENSOR].sum(axis=2) for name, c in columns.items()}
    over = {name: need[name] / have[name] for name in have}
    worst = np.maximum(over["L1"], over["L2"])
    out = []
    for row in range(len(worst)):
        f = int(worst[row].argmin())
        if not 1 < worst[row, f] < np.inf:
            continue
        layer = layers[int(np.flatnonzero(pricer.known == row)[0])]
        name = max(have, key=lambda one: over[one][row, f])
        out.append(
            (worst[row, f], Shortage(layer, pricer.names[f], name, int(need[name][row, f]), have[name]))
        )
    return [short for _, short in sorted(out, key=lambda item: -item[0])]
