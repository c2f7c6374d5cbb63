"""MAESTRO's model behind accelsim's words: layers on machines, each with its best dataflow; and mappings.

This is what a search calls: `LayerPricer` for machines that it varies, `price_mappings` for loop nests that
it varies, `pricing.price` for dataflows that it decodes itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, not_one_of
from accelsim.mapping.maestro.convert import from_mapping
from accelsim.mapping.maestro.levels import resolve
from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.notation import Cluster, MaestroDataflow, MaestroError, MaestroLayer, Map, Size
from accelsim.mapping.maestro.pricing import (
    TROUBLE,
    Flows,
    count,
    pack_dataflows,
    pack_layers,
    pack_machines,
    price,
)
from accelsim.mapping.maestro.shipped import dataflow_names, load_dataflow, with_dataflow
from accelsim.mapping.mapping import Mapping
from accelsim.workloads.layer import Layer
from cost_models.maestro import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

OBJECTIVES = ("edp", "latency", "energy")


@dataclass(frozen=True)
class MaestroCost:
    """What MAESTRO's model says of one layer. Accesses are elements by tensor, I, W, O."""

    layer: MaestroLayer
    machine: MaestroMachine
    counts: NDArray[np.float64]

    @property
    def latency_cycles(self) -> float:
        """Cycles."""
        return float(self.counts[L.LATENCY])

    @property
    def energy_pj(self) -> float:
        """Energy in pJ: that in energies of one MAC, times the machine's `mac_pj`."""
        return float(self.counts[L.ENERGY]) * self.machine.mac_pj

    @property
    def macs(self) -> int:
        """Multiply-accumulates that the model counts."""
        return int(self.counts[L.MACS])

    @property
    def active_pes(self) -> float:
        """PEs with work, mean over the steps."""
        return float(self.counts[L.ACTIVE])

    def accesses(self, column: int) -> dict[str, int]:
        """Three columns of the counts from `column` on, such as `maestro_layout.L2_READ`, by tensor."""
        return {tensor: int(self.counts[column + t]) for t, tensor in enumerate("IWO")}

    def to_dict(self) -> dict[str, object]:
        """Everything as plain JSON values."""
        columns = {
            "l2_reads": L.L2_READ,
            "l2_writes": L.L2_WRITE,
            "l1_reads": L.L1_READ,
            "l1_writes": L.L1_WRITE,
            "l2_elements": L.L2_NEED,
            "l1_elements": L.L1_NEED,
        }
        return {
            "latency_cycles": self.latency_cycles,
            "energy_pj": self.energy_pj,
            "macs": self.macs,
            "active_pes": self.active_pes,
        } | {name: self.accesses(column) for name, column in columns.items()}


def evaluate_layer(layer: MaestroLayer, machine: MaestroMachine, *, compat: bool = False) -> MaestroCost:
    """Price the layer under its dataflow. Raises MaestroError where the model has no answer."""
    resolve(layer).units(machine.pes)
    status, counts = count(
        pack_layers([layer]),
        pack_machines([machine]),
        pack_dataflows([bound(layer)], layer.type == "GEMM"),
        np.zeros((1, 3), np.int32),
        compat=compat,
    )
    if status[0] != L.OK:
        raise MaestroError(f"layer {layer.name or layer.type!r}: {TROUBLE[int(status[0])]}")
    return MaestroCost(layer, machine, counts[0])


def bound(layer: MaestroLayer) -> MaestroDataflow:
    """The layer's dataflow with every size a number."""
    flow = layer.dataflow
    if flow is None:
        raise MaestroError(f"layer {layer.name!r} has no dataflow")
    dims = layer.dims
    levels = tuple(
        tuple(
            Map(m.spatial, Size(m.size.value(dims)), Size(m.step.value(dims)), m.dim, m.place) for m in level
        )
        for level in flow.levels
    )
    clusters = tuple(Cluster(Size(c.size.value(dims)), c.logical, c.place) for c in flow.clusters)
    return MaestroDataflow(levels, clusters, flow.name)


@dataclass(frozen=True)
class Choice:
    """Best dataflow of each layer on each machine: arrays [machines, layers]."""

    latency_cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]
    dataflow: NDArray[np.int64]
    """Index into `names`."""
    names: tuple[str, ...]


class LayerPricer:
    """The best of some dataflows for each of some layers, by MAESTRO's model, on any machines.

    Everything but the machines is packed once, so that a search over hardware pays about a microsecond per
    layer, machine and dataflow; the GIL is released. Layers that equal each other are priced once; pooling
    and element-wise layers, which the model does not know, cost nothing.

    dataflows  names, files or dataflows; default: all shipped
    objective  edp, latency or energy
    fit        refuse what needs more L1 or L2 than the machine has; the tool only warns
    compat     count as the tool does, defects included
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        dataflows: Sequence[str | MaestroDataflow] | None = None,
        *,
        objective: str = "edp",
        fit: bool = True,
        compat: bool = False,
    ) -> None:
        if objective not in OBJECTIVES:
            raise AccelsimError(f"objective {not_one_of(objective, OBJECTIVES)}")
        flows = [load_dataflow(x) for x in (dataflow_names() if dataflows is None else dataflows)]
        self.names = tuple(flow.name or f"dataflow {f}" for f, flow in enumerate(flows))
        self.objective, self.fit, self.compat = objective, fit, compat
        unlike: dict[Layer, int] = {}
        items: list[MaestroLayer] = []
        self.known = np.full(len(layers), -1)  # row of each layer; -1: costs nothing, -2: cannot be said
        for i, layer in enumerate(layers):
            if layer.multiplies and layer not in unlike:
                try:
                    items += [with_dataflow(layer, flow) for flow in flows]
                    unlike[layer] = len(items) // len(flows) - 1
                except MaestroError:
                    unlike[layer] = -2
            self.known[i] = unlike.get(layer, -1)
        # A layer has one row per dataflow, as a dataflow may change its terms (a GEMM becomes a convolution).
        packed = [pack_dataflows([bound(item)], item.type == "GEMM") for item in items]
        self.flows = Flows(*(np.concatenate(parts) for parts in zip(*packed))) if items else Flows.empty(0)
        self.layers = pack_layers(items)

    def price(self, machines: Sequence[MaestroMachine]) -> Choice:
        """Latency, energy and dataflow of each layer on each machine; what nothing can do costs infinity."""
        H = len(machines)
        counts, table = self.counted(machines)
        if self.fit:
            for column, sizes in (
                (L.L1_NEED, [m.l1_size for m in machines]),
                (L.L2_NEED, [m.l2_size for m in machines]),
            ):
                need = counts[..., column : column + L.NTENSOR].sum(axis=3)
                counts[need > np.array(sizes)[:, None, None]] = np.inf
        cycles = counts[..., L.LATENCY]
        pj = counts[..., L.ENERGY] * table[:, L.MAC_PJ, None, None]
        best = {"edp": cycles * pj, "latency": cycles, "energy": pj}[self.objective].argmin(axis=2)
        latency, energy = np.zeros((H, len(self.known))), np.zeros((H, len(self.known)))
        chosen = np.zeros((H, len(self.known)), np.int64)
        latency[:, self.known == -2] = energy[:, self.known == -2] = np.inf
        priced = np.flatnonzero(self.known >= 0)
        for h in range(H):
            at = self.known[priced]
            chosen[h, priced] = best[h, at]
            latency[h, priced] = cycles[h, at, best[h, at]]
            energy[h, priced] = pj[h, at, best[h, at]]
        return Choice(latency, energy, chosen, self.names)

    def counted(self, machines: Sequence[MaestroMachine]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(counts float64[H, rows, F, COUNT_COLS] of each unlike layer under each dataflow, packed machines).

        Infinite where the model has no answer; what fits is not asked.
        """
        H, F, rows = len(machines), len(self.names), len(self.layers)
        pick = np.empty((rows, H, 3), np.int32)  # machines innermost: the kernel keeps a layer's tables
        pick[:, :, 0] = pick[:, :, 2] = np.arange(rows)[:, None]
        pick[:, :, 1] = np.arange(H)
        table = pack_machines(machines)
        status, counts = count(self.layers, table, self.flows, pick.reshape(-1, 3), compat=self.compat)
        counts[status != L.OK] = np.inf
        return counts.reshape(-1, F, H, L.COUNT_COLS).transpose(2, 0, 1, 3), table


def price_layers(
    layers: Sequence[Layer],
    machines: Sequence[MaestroMachine],
    dataflows: Sequence[str | MaestroDataflow] | None = None,
    *,
    objective: str = "edp",
    fit: bool = True,
    compat: bool = False,
) -> Choice:
    """`LayerPricer` for one call: the best dataflow of each layer on each machine."""
    return LayerPricer(layers, dataflows, objective=objective, fit=fit, compat=compat).price(machines)


def price_mappings(
    layer: Layer, hardware: Accelerator, mappings: Sequence[Mapping], *, compat: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(latency in cycles, energy in pJ) of each mapping by MAESTRO's model; infinite where no dataflow equals
    it (`from_mapping` says why) or the model has no answer.

    The conversion is Python, some 100 us a mapping: a search with many should build `Flows` itself.
    """
    latency, energy = np.full(len(mappings), np.inf), np.full(len(mappings), np.inf)
    rows, flows, bare = [], [], None
    for i, mapping in enumerate(mappings):
        try:
            bare = from_mapping(layer, mapping, hardware)
        except MaestroError:
            continue
        rows.append(i)
        flows.append(bound(bare))
    if bare is not None:
        pick = np.zeros((len(rows), 3), np.int32)
        pick[:, 2] = range(len(rows))
        machines = pack_machines([MaestroMachine.from_accelerator(hardware)])
        table = pack_dataflows(flows, bare.type == "GEMM")
        _, latency[rows], energy[rows] = price(pack_layers([bare]), machines, table, pick, compat=compat)
    return latency, energy
