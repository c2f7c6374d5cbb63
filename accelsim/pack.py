"""The only door to the kernels: objects become arrays, arrays become results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware.microcontroller import refuse
from accelsim.hardware.sparsity import performed, weights_read
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L
from cost_models.loopnest.records import Batch as Batch
from cost_models.loopnest.records import Counts as Counts
from cost_models.loopnest.records import Machine as Machine
from cost_models.loopnest.records import Prices

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.hardware.fields import Tensor
    from accelsim.hardware.ports import Port

TENSORS: tuple[Tensor, ...] = ("W", "I", "O")
USERS = tuple(f"{way} {tensor}" for way in ("read", "write") for tensor in TENSORS)


def pack_layer(layer: Layer, resident: str = "") -> NDArray[np.int64]:
    """Problem array of a layer; `resident` names tensors that need no traffic with the outermost memory."""
    problem = np.zeros(L.PROBLEM_COLS, np.int64)
    problem[: L.NDIM] = [getattr(layer, d) for d in DIMS]
    problem[L.STRIDE_H : L.DILATION_W + 1] = (*layer.stride, *layer.dilation)
    problem[L.HAS_WEIGHTS], problem[L.HAS_MACS] = layer.has_weights, layer.multiplies
    for t, tensor in enumerate(TENSORS):
        problem[L.RESIDENT + t] = tensor in resident
    return problem


def pack_machine(hardware: Accelerator) -> Machine:
    """Kernel arrays of an accelerator, made once and kept with it: copy them before writing to them.

    Raises AccelsimError for a microcontroller.
    """
    kept: Machine | None = hardware.__dict__.get("packed")
    if kept is None:
        kept = hardware.__dict__["packed"] = _packed(hardware)
    return kept


def less_room(machine: Machine, reserved_bits: NDArray[np.float64] | None) -> Machine:
    """The machine without so many bits of each memory's parts for W, I, O and of its whole, float64[M, 4]."""
    if reserved_bits is None:
        return machine
    memory = machine.memory.copy()
    memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] -= reserved_bits
    return machine._replace(memory=memory)


def _packed(hardware: Accelerator) -> Machine:
    if hardware.microcontroller is not None:
        refuse(hardware)
    memories = hardware.memories
    M = len(memories)
    holds = np.zeros((M, L.NTENSOR), np.int64)
    fan = np.zeros((M, L.MAX_AXES, L.FAN_COLS), np.int64)
    columns = np.zeros((M, L.MEM_COLS))
    for m, memory in enumerate(memories):
        parts = memory.parts()
        columns[m, L.CAPACITY_ALL] = 8.0 * parts["all"] if "all" in parts else np.inf
        columns[m, L.BUFFERS] = 2.0 if memory.double_buffered else 1.0
        columns[m, L.OVERLAPS] = memory.overlaps
        if memory.serial_folds is not None:
            columns[m, L.FOLD_CYCLES] = hardware.fold_cycles(m)
            columns[m, L.FOLD_TENSOR] = TENSORS.index(memory.serial_folds)
        columns[m, L.START_CYCLES] = memory.start_cycles
        columns[m, L.BURST_BITS] = 8 * (memory.burst_bytes or 0)
        ports = hardware.ports(m)
        columns[m, L.READ_PORT : L.READ_PORT + L.NUSER] = _ports_of_users(ports)
        if memory.precision_bits is not None:
            kept = hardware.kept_bits(m)
            columns[m, L.WIDTH : L.WIDTH + L.PSUM + 1] = kept.weight, kept.input, kept.output, kept.psum
        energy = hardware.resolved_energy(m)
        for t, tensor in enumerate(TENSORS):
            holds[m, t] = tensor in memory.holds
            columns[m, L.CAPACITY + t] = 8.0 * parts[tensor] if tensor in parts else np.inf
            if tensor in memory.holds:
                columns[m, L.READ_PJ + t], columns[m, L.WRITE_PJ + t] = energy[tensor]
                if tensor == "W":
                    columns[m, L.READ_PJ + t] *= weights_read(hardware, m)
        for port in ports:
            for user in port.users:
                columns[m, L.READ_CPB + USERS.index(user)] = 1.0 / (8.0 * port.rate)
        names = [axis.axis for axis in memory.fanout]
        fan[m, :, L.LANES] = range(L.MAX_AXES)
        for a, axis in enumerate(memory.fanout):
            lanes = a if axis.shares is None else names.index(axis.shares)
            fan[m, a] = (axis.size, axis.multicast, axis.reduction, axis.forwarding, lanes)
            hop = hardware.costs.hop_pj_per_bit[m][a]
            columns[m, L.HOP_PJ + a] = hop
            columns[m, L.HOP_MORE + a] = hop / 2 if axis.by_distance else 0.0
    bits = hardware.precision_bits
    machine = np.zeros(L.MACHINE_COLS)
    machine[: L.MAC_PJ] = bits.weight, bits.input, bits.output, bits.psum
    machine[L.MAC_PJ] = hardware.costs.mac.energy_pj * performed(hardware)
    machine[L.LEAK_PJ] = hardware.static_pj_per_cycle
    machine[L.LAYER_CYCLES] = hardware.layer_cycles
    machine[L.UNIT_RATE] = hardware.unit_points or 0.0
    machine[L.EXTRA_CYCLES] = hardware.cycles_per_mac - 1
    return Machine(holds, fan, columns, machine)


def _ports_of_users(ports: Sequence[Port]) -> list[int]:
    """Port of each user. Those of tensors that the memory passes by fill the pattern of the others up."""
    found = [next((i for i, port in enumerate(ports) if user in port.users), None) for user in USERS]
    spare = len(ports)
    out = []
    for way in (found[: L.NTENSOR], found[L.NTENSOR :]):
        held = {port for port in way if port is not None}
        for port in way:
            if port is None and len(held) != 1:
                port, spare = spare, spare + 1
            out.append(next(iter(held)) if port is None else port)
    return out


def price(problem: NDArray[np.int64], machine: Machine, batch: Batch) -> Prices:
    """(status, latency in cycles, energy in pJ) of B mappings; illegal ones get infinity."""
    from cost_models.lanes.batch import price_batch

    out = Prices.empty(len(batch.tile))
    price_batch(problem, machine, batch, out)
    return out


def count(problem: NDArray[np.int64], machine: Machine, batch: Batch) -> Counts:
    """Every count of B mappings."""
    from cost_models.loopnest.price import price_detail

    out = Counts.empty(*batch.tile.shape[:2])
    price_detail(problem, machine, batch, out)
    return out


def traffic_rows(
    names: list[str], holds: NDArray[np.int64], traffic: NDArray[np.float64], tensors: str = "WIO"
) -> list[dict[str, Any]]:
    """Traffic float64[M + 1, 3, 4] of one mapping as rows in the words of docs/cost_model.md."""
    M = len(names)
    rows = []
    for t, tensor in enumerate(TENSORS):
        if tensor not in tensors:
            continue
        holders = [m for m in range(M) if holds[m, t]]
        for parent, child in zip(holders, [*holders[1:], M], strict=True):
            fills, parent_words, child_words, psum = (int(v) for v in traffic[child, t])
            row: dict[str, Any] = {
                "tensor": tensor,
                "parent": names[parent],
                "child": names[child] if child < M else "MAC",
                "fills": fills,
                "parent_words": parent_words,
                "child_words": child_words,
            }
            rows.append(row | ({"parent_psum_reads": psum} if tensor == "O" else {}))
    return rows


def bare_machine(memories: list[dict[str, Any]]) -> Machine:
    """Machine that only counts: unlimited capacity and bandwidth, one bit a word, no energy."""
    M = len(memories)
    holds = np.zeros((M, L.NTENSOR), np.int64)
    fan = np.zeros((M, L.MAX_AXES, L.FAN_COLS), np.int64)
    memory = np.zeros((M, L.MEM_COLS))
    memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] = np.inf
    memory[:, L.BUFFERS] = memory[:, L.OVERLAPS] = 1.0
    for m, item in enumerate(memories):
        for t, tensor in enumerate(TENSORS):
            holds[m, t] = tensor in item["holds"]
        for a in range(L.MAX_AXES):
            fan[m, a, L.LANES] = a
        for a, axis in enumerate(item.get("fanout", [])):
            fan[m, a, : L.LANES] = (axis["size"], axis["multicast"], axis["reduction"], axis["forwarding"])
    return Machine(holds, fan, memory, np.array([1.0, 1.0, 1.0, 1.0, *[0.0] * 5]))


def price_case(
    layer: dict[str, Any], memories: list[dict[str, Any]], mapping: dict[str, Any]
) -> dict[str, Any]:
    """Counts of one mapping given in JSON forms, in the words of the contract (no capacity, no time)."""
    shape = Layer(**layer["dims"], stride=tuple(layer["stride"]), dilation=tuple(layer["dilation"]))
    machine = bare_machine(memories)
    counts = count(pack_layer(shape), machine, case_batch(shape, memories, mapping))
    if counts.status[0]:
        code, place = counts.status[0] % 256, counts.status[0] // 256
        raise ValueError(f"illegal mapping: code {code}, memory {place % 256}, index {place // 256}")
    return {
        "compute_steps": int(counts.summary[0, L.STEPS]),
        "macs": shape.macs,
        "traffic": traffic_rows([m["name"] for m in memories], machine.holds, counts.traffic[0]),
    }


def case_batch(shape: Layer, memories: list[dict[str, Any]], mapping: dict[str, Any]) -> Batch:
    """Kernel arrays of one mapping given in its JSON form."""
    M = len(memories)
    batch = Batch.empty(1, M)
    inner = [getattr(shape, d) for d in DIMS]
    for m, level in enumerate(mapping["levels"]):
        for d, name in enumerate(DIMS):
            batch.tile[0, m, d] = inner[d] = level["tile"].get(name, inner[d])
        said = [DIMS.index(d) for d in level["order"]]
        batch.order[0, m] = [d for d in range(L.NDIM) if d not in said] + said
        for a, axis in enumerate(memories[m].get("fanout", [])):
            if axis["axis"] in level["spatial"]:
                use = level["spatial"][axis["axis"]]
                d = DIMS.index(use["dim"])
                batch.axis_dim[0, m, a], batch.axis_factor[0, m, a] = d, use["factor"]
                inner[d] = -(-inner[d] // use["factor"])
    return batch
