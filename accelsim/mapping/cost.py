"""`LayerCost`: what one mapping of one layer costs, and why an illegal one is refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware.ports import short
from accelsim.mapping.mapping import Mapping, MappingError
from accelsim.pack import (
    TENSORS,
    USERS,
    Batch,
    Counts,
    count,
    less_room,
    pack_layer,
    pack_machine,
    traffic_rows,
)
from accelsim.shown import Shown
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

WAYS = ("read", "write")


@dataclass(frozen=True, repr=False)
class LayerCost(Shown):
    """Latency, energy and traffic of one layer under one mapping.

    Units are in the names: cycles of the accelerator's clock, picojoules, joule-seconds, bits. `resident`
    names the tensors that lie on chip and need no traffic with the outermost memory.
    """

    hardware: Accelerator
    layer: Layer
    mapping: Mapping
    counts: Counts
    resident: str = ""

    def brief(self) -> str:
        """Layer, hardware, latency, energy, EDP and what binds."""
        name = f"{self.layer.name}: " if self.layer.name else ""
        return (
            f"{name}{self.layer} on {self.hardware.name}: {self.latency_cycles:,.0f} cycles, "
            f"{self.energy_pj:.4g} pJ, EDP {self.edp_js:.4g} Js, bound by {self.bound_by}"
        )

    def to_row(self) -> dict[str, Any]:
        """All figures flat, units in the names; energies by memory last."""
        (stride_h, stride_w), (dilation_h, dilation_w) = self.layer.stride, self.layer.dilation
        return (
            {"layer": self.layer.name, "op": self.layer.op}
            | dict(self.layer.dims)
            | {"stride_h": stride_h, "stride_w": stride_w}
            | {"dilation_h": dilation_h, "dilation_w": dilation_w}
            | {
                "macs": self.macs,
                "latency_cycles": self.latency_cycles,
                "latency_s": self.latency_s,
                "energy_pj": self.energy_pj,
                "edp_js": self.edp_js,
                "compute_steps": self.compute_steps,
                "bound_by": self.bound_by,
                "utilisation": self.utilisation,
                "utilisation_spatial": self.utilisation_spatial,
                "resident": self.resident,
            }
            | {f"energy_{name}_pj": pj for name, pj in self.memory_energy_pj().items()}
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [self.to_row()]

    # -- totals --------------------------------------------------------------------------------------

    def _summary(self, column: int) -> float:
        return float(self.counts.summary[0, column])

    @property
    def latency_cycles(self) -> float:
        """Ramp-up + max(compute, ports) + exposed fills + ramp-down + the layer's start."""
        return self._summary(L.LATENCY)

    @property
    def latency_s(self) -> float:
        """Latency in seconds at the accelerator's clock."""
        return self.latency_cycles / (self.hardware.clock_mhz * 1e6)

    @property
    def energy_pj(self) -> float:
        """Energy of memories, MACs and array, and all that is drawn for as long as the layer takes."""
        return self._summary(L.ENERGY)

    @property
    def edp_js(self) -> float:
        """Energy-delay product in joule-seconds."""
        return self.energy_pj * 1e-12 * self.latency_s

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer."""
        return self.layer.macs

    @property
    def compute_steps(self) -> int:
        """Lockstep steps of the loop nest."""
        return int(self._summary(L.STEPS))

    @property
    def compute_cycles(self) -> float:
        """One cycle a step; operators without MACs have a unit of their own, as wide as the array."""
        return self._summary(L.CYCLES)

    # -- splits --------------------------------------------------------------------------------------

    @cached_property
    def latency_split(self) -> dict[str, float]:
        """Cycles of compute, of each memory port over the whole layer, of exposed fills and of the ramps."""
        split = {"compute": self.compute_cycles}
        split |= self.port_cycles
        split["exposed fills"] = self._summary(L.EXPOSED_TIME)
        split["ramp-up"] = self._summary(L.RAMP_UP)
        split["ramp-down"] = self._summary(L.RAMP_DOWN)
        if self.hardware.layer_cycles:
            split["layer start"] = self.hardware.layer_cycles
        return split

    @cached_property
    def port_cycles(self) -> dict[str, float]:
        """Busy cycles of each port, as `GLB read`, `DRAM read+write` or, with own ports, `GLB read I`; those
        that its transfers take to start are among them.
        """  # fmt: skip
        out: dict[str, float] = {}
        for m, memory in enumerate(self.hardware.memories):
            cycles = dict(zip(USERS, self.busy_cycles[m] + self._starting[m]))
            for port in self.hardware.ports(m):
                name = f"{memory.name} {short(port, memory.holds)}"
                out[name] = float(sum(cycles[user] for user in port.users))
        return out

    @cached_property
    def busy_cycles(self) -> NDArray[np.float64]:
        """float64[M, users] that the bits of each user keep one instance of each memory busy."""
        bits = self.counts.bits[0].transpose(0, 2, 1).reshape(-1, L.NUSER)
        instances = np.array(self.instances[:-1], float)[:, None]
        return np.asarray(bits / instances * self._machine[:, L.READ_CPB : L.READ_CPB + L.NUSER])

    @cached_property
    def _starting(self) -> NDArray[np.float64]:
        """float64[M, users] cycles that transfers of each user take to start at one instance.

        Of outputs as many are reads as the share of words that come back.
        """
        out = np.zeros((len(self.hardware.memories), L.NUSER))
        if not any(memory.start_cycles for memory in self.hardware.memories):
            return out
        holds, moved = self._packed.holds, self.counts.traffic[0]
        for t, tensor in enumerate(TENSORS):
            holders = [m for m in range(len(out)) if holds[m, t]]
            for p, c in zip(holders, [*holders[1:], len(out)], strict=True):
                if not self._moves(tensor) or (p == 0 and tensor in self.resident):
                    continue
                waits = moved[c, t, L.FILLS] * self.hardware.memories[p].start_cycles
                if tensor != "O":
                    out[p, t] += waits
                elif parent := moved[c, t, L.PARENT_WORDS]:
                    out[p, t] += waits * moved[c, t, L.PSUM_READS] / parent
                    out[p, L.NTENSOR + t] += waits
        return out

    @cached_property
    def bound_by(self) -> str:
        """The longest of compute, the ports and the fills that nothing hides."""
        exposed = self._summary(L.EXPOSED_TIME)
        hidden = max(self.compute_cycles, self._summary(L.PORT_MAX))
        if exposed > hidden:
            return "exposed fills"
        if self.compute_cycles >= self._summary(L.PORT_MAX):
            return "compute"
        return max(self.port_cycles, key=self.port_cycles.__getitem__)

    @cached_property
    def energy_split_pj(self) -> dict[str, Any]:
        """Energy as {"mac", "array", "leakage", component, memory: {tensor: {"read", "write"}}}."""
        machine = self._machine
        out: dict[str, Any] = {
            "mac": self._summary(L.MAC_ENERGY),
            "array": self._summary(L.HOP_ENERGY),
            **self.hardware.static_energy_pj(self.latency_cycles),
        }
        for m, memory in enumerate(self.hardware.memories):
            read = self.counts.bits[0, m, :, 0] * machine[m, L.READ_PJ : L.READ_PJ + 3]
            write = self.counts.bits[0, m, :, 1] * machine[m, L.WRITE_PJ : L.WRITE_PJ + 3]
            out[memory.name] = {
                tensor: {"read": float(read[t]), "write": float(write[t])}
                for t, tensor in enumerate(TENSORS)
                if tensor in memory.holds and self._moves(tensor)
            }
        return out

    def memory_energy_pj(self) -> dict[str, float]:
        """Energy of each memory, MACs, array, leakage and each component, one number each."""
        return {
            name: float(part) if not isinstance(part, dict) else sum(sum(w.values()) for w in part.values())
            for name, part in self.energy_split_pj.items()
        }

    # -- traffic and space ---------------------------------------------------------------------------

    @cached_property
    def traffic(self) -> list[dict[str, Any]]:
        """A row per tensor and pair of neighbouring holders: fills, parent_words, child_words and, for
        outputs, parent_psum_reads, in elements over all instances.
        """  # fmt: skip
        names = [memory.name for memory in self.hardware.memories]
        tensors = "WIO" if self.layer.has_weights else "IO"
        return traffic_rows(names, self._packed.holds, self.counts.traffic[0], tensors)

    @cached_property
    def accesses(self) -> list[dict[str, Any]]:
        """Words and bits read and written at each memory per tensor, all instances together."""
        out = []
        for memory in self.hardware.memories:
            for tensor in TENSORS:
                if tensor not in memory.holds or not self._moves(tensor):
                    continue
                words = {"read": 0, "write": 0}
                for row in self.traffic:
                    if row["tensor"] != tensor:
                        continue
                    psum = row.get("parent_psum_reads", 0)
                    if row["parent"] == memory.name:
                        words["read"] += psum if tensor == "O" else row["parent_words"]
                        words["write"] += row["parent_words"] if tensor == "O" else 0
                    if row["child"] == memory.name:
                        words["read"] += row["child_words"] if tensor == "O" else 0
                        words["write"] += psum if tensor == "O" else row["child_words"]
                m = [x.name for x in self.hardware.memories].index(memory.name)
                bits = self.counts.bits[0, m, TENSORS.index(tensor)]
                for way, word in enumerate(WAYS):
                    out.append(
                        {
                            "memory": memory.name,
                            "tensor": tensor,
                            "direction": word,
                            "words": words[word],
                            "bits": int(bits[way]),
                        }
                    )
        return out

    @cached_property
    def capacity(self) -> list[dict[str, Any]]:
        """Bits in use per memory and tensor of one instance, buffers counted, beside what there is."""
        out = []
        for m, memory in enumerate(self.hardware.memories):
            parts = memory.parts()
            for t, tensor in enumerate(TENSORS):
                if tensor in memory.holds and self._moves(tensor):
                    size = parts.get(tensor, parts.get("all"))
                    out.append(
                        {
                            "memory": memory.name,
                            "tensor": tensor,
                            "used_bits": int(self.counts.used[0, m, t]),
                            "size_bits": None if size is None else 8 * size,
                            "shared": "all" in parts,
                        }
                    )
        return out

    @cached_property
    def instances(self) -> list[int]:
        """Instances in use of each memory; last, of the MACs."""
        batch = self.mapping.arrays(self.hardware, self.layer)
        used = [1]
        for factors in batch.axis_factor[0]:
            used.append(used[-1] * int(np.prod(np.maximum(factors, 1))))
        return used

    @property
    def utilisation_spatial(self) -> float:
        """Mean share of the array's lanes at work in a compute cycle, through all cycles of a MAC."""
        each = self.hardware.cycles_per_mac if self.layer.multiplies else 1.0
        return self.layer.points * each / (self.compute_cycles * self.hardware.num_pes)

    @property
    def utilisation_temporal(self) -> float:
        """Share of the latency in which the array computes."""
        return self.compute_cycles / self.latency_cycles

    @property
    def utilisation(self) -> float:
        """Share of peak MACs over the whole latency."""
        return self.utilisation_spatial * self.utilisation_temporal

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "layer": self.layer.to_dict(),
            "mapping": self.mapping.to_dict(),
            "status": "ok",
            "macs": self.macs,
            "latency_cycles": self.latency_cycles,
            "latency_s": self.latency_s,
            "latency_split_cycles": self.latency_split,
            "bound_by": self.bound_by,
            "compute_steps": self.compute_steps,
            "compute_cycles": self.compute_cycles,
            "energy_pj": self.energy_pj,
            "energy_split_pj": self.energy_split_pj,
            "edp_js": self.edp_js,
            "utilisation": self.utilisation,
            "utilisation_spatial": self.utilisation_spatial,
            "utilisation_temporal": self.utilisation_temporal,
            "resident": self.resident,
            "traffic": self.traffic,
            "accesses": self.accesses,
            "capacity": self.capacity,
        }

    def _moves(self, tensor: str) -> bool:
        return tensor != "W" or self.layer.has_weights

    @cached_property
    def _packed(self) -> Any:
        return pack_machine(self.hardware)

    @property
    def _machine(self) -> NDArray[np.float64]:
        memory: NDArray[np.float64] = self._packed.memory
        return memory


def price_mapping(
    hardware: Accelerator,
    layer: Layer,
    mapping: Mapping,
    *,
    resident: str = "",
    reserved_bits: NDArray[np.float64] | None = None,
) -> LayerCost:
    """Price one mapping as it is. Raises MappingError that says what does not fit, where, and by how much.

    `resident` names tensors that lie on chip; `reserved_bits` float64[M, 4] is taken off each memory's
    parts for W, I, O and off its whole.
    """
    hardware = mapping.machine(hardware.for_layer(layer), resident)
    batch = mapping.arrays(hardware, layer)
    machine = less_room(pack_machine(hardware), reserved_bits)
    counts = count(pack_layer(layer, resident), machine, batch)
    if counts.status[0] != L.OK:
        raise MappingError(explain(hardware, layer, batch, counts))
    return LayerCost(hardware, layer, mapping, counts, resident)


def explain(hardware: Accelerator, layer: Layer, batch: Batch, counts: Counts, row: int = 0) -> str:
    """One sentence on why mapping `row` is illegal: the rule, the values, the place, and a way out."""
    status = int(counts.status[row])
    code, m, index = status % 256, status // 256 % 256, status // 65536
    need, have = (f"{counts.summary[row, c]:.0f}" for c in (L.NEED, L.HAVE))
    memory = hardware.memories[m]
    path = f"mapping.levels[{m}]"
    axis = memory.fanout[index].axis if index < len(memory.fanout) else "?"
    if code == L.BAD_TILE:
        return (
            f"{path}.tile.{DIMS[index]}: 1 <= tile <= {have} must hold (the tile that {memory.name} itself "
            f"has of {DIMS[index]} in layer {layer}), but got {need}"
        )
    if code == L.BAD_FACTOR:
        return f"{path}.spatial.{axis}.factor: at most {have} (the size of axis {axis}), but got {need}"
    if code == L.FACTOR_OVER_TILE:
        return f"{path}.spatial.{axis}.factor: at most {have} (the tile that it divides), but got {need}"
    if code == L.LANES_OVER:
        return (
            f"{path}.spatial.{axis}.factor: the axes that share the lanes of {axis} use {need} of them, "
            f"but there are {have}"
        )
    if code == L.NOT_ONE:
        return (
            f"{path}.tile.{DIMS[index]}: below the last memory every dimension must be down to 1, but "
            f"{DIMS[index]} is still {have}; add it to the tile of {memory.name} or split it over an axis"
        )
    if code == L.CAPACITY_OVER:
        what = "all tiles take" if index == L.NTENSOR else f"the {TENSORS[index]} tile takes"
        twice = ", two buffers each" if memory.double_buffered else ""
        return (
            f"{path}: in {memory.name} {what} {need} bits{twice}, but it has {have}; "
            f"hand it smaller tiles or enlarge memories[{m}].size_bytes"
        )
    return f"a count of {TENSORS[index]} exceeds 2^53 in layer {layer}; split the layer"
