"""Four layers that every machine should run, priced under the template mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.mapping.mapper import map_layer
from accelsim.workloads.layer import Layer

PROBES = (
    Layer.conv2d(K=64, C=64, P=56, Q=56, R=3, S=3, name="3x3"),
    Layer.conv2d(K=256, C=64, P=56, Q=56, name="1x1"),
    Layer.depthwise(C=96, P=56, Q=56, R=3, S=3, name="depthwise"),
    Layer.gemm(M=1, N=1000, K=2048, name="fully connected"),
)

DENSE = PROBES[:2]
"""Those with enough reuse and parallel work for any array."""

IDLE = 0.1
"""Share of the MACs below which a machine under the template is worth a second look."""


@dataclass(frozen=True)
class Probe:
    """A probe layer on a machine; where it cannot be mapped, figures are None and `fault` says why."""

    layer: Layer
    latency_cycles: float | None = None
    utilisation: float | None = None
    energy_pj: float | None = None
    bound_by: str | None = None
    fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "layer": self.layer.name,
            "shape": str(self.layer),
            "latency_cycles": self.latency_cycles,
            "utilisation": self.utilisation,
            "energy_pj": self.energy_pj,
            "bound_by": self.bound_by,
            "fault": self.fault,
        }


def probe(hardware: Accelerator) -> list[Probe]:
    """Each of PROBES on the machine."""
    out = []
    for layer in PROBES:
        try:
            cost = map_layer(hardware, layer, "template").cost
        except AccelsimError as fault:
            out.append(Probe(layer, fault=str(fault)))
            continue
        out.append(Probe(layer, cost.latency_cycles, cost.utilisation, cost.energy_pj, cost.bound_by))
    return out


def idle(probes: Sequence[Probe]) -> Iterator[str]:
    """A remark on each that cannot run, or is dense and leaves most MACs idle."""
    for one in probes:
        if one.utilisation is None:
            yield f"{one.layer.name} ({one.layer}) cannot be mapped: {one.fault}"
        elif one.utilisation < IDLE and one.layer in DENSE:
            yield (
                f"the template keeps {one.utilisation:.1%} of the MACs busy on {one.layer.name} "
                f"({one.layer}), bound by {one.bound_by}: look at its ports, or at what `dataflow.axes` "
                "allows"
            )
