"""The only door to the kernels: objects become arrays, arrays become results."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.workloads.layer import DIMS, Layer
from cost_models import layout as L

TENSORS = ("W", "I", "O")


class Machine(NamedTuple):
    """Kernel arrays of an accelerator, described in `cost_models.layout`."""

    holds: NDArray[np.int64]
    fan: NDArray[np.int64]
    memory: NDArray[np.float64]
    machine: NDArray[np.float64]


class Batch(NamedTuple):
    """Kernel arrays of B mappings: see `cost_models.loopnest`."""

    tile: NDArray[np.int32]
    order: NDArray[np.int8]
    axis_dim: NDArray[np.int8]
    axis_factor: NDArray[np.int32]


def pack_layer(layer: Layer, resident: str = "") -> NDArray[np.int64]:
    """Problem array of a layer; `resident` names tensors that need no traffic with the outermost memory."""
    problem = np.zeros(L.PROBLEM_COLS, np.int64)
    problem[: L.NDIM] = [getattr(layer, d) for d in DIMS]
    problem[L.STRIDE_H : L.DILATION_W + 1] = (*layer.stride, *layer.dilation)
    problem[L.HAS_WEIGHTS] = problem[L.HAS_MACS] = layer.has_weights
    for t, tensor in enumerate(TENSORS):
        problem[L.RESIDENT + t] = tensor in resident
    return problem


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
    return Machine(holds, fan, memory, np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))


def price_case(
    layer: dict[str, Any], memories: list[dict[str, Any]], mapping: dict[str, Any]
) -> dict[str, Any]:
    """Counts of one mapping given in JSON forms, in the words of the contract (no capacity, no time)."""
    from cost_models import loopnest

    shape = Layer(**layer["dims"], stride=tuple(layer["stride"]), dilation=tuple(layer["dilation"]))
    machine = bare_machine(memories)
    M = len(memories)
    tile = np.ones((1, M, 8), np.int32)
    order = np.zeros((1, M, 8), np.int8)
    axis_dim = np.zeros((1, M, 3), np.int8)
    axis_factor = np.zeros((1, M, 3), np.int32)
    inner = [getattr(shape, d) for d in DIMS]
    for m, level in enumerate(mapping["levels"]):
        for d, name in enumerate(DIMS):
            tile[0, m, d] = inner[d] = level["tile"].get(name, inner[d])
        said = [DIMS.index(d) for d in level["order"]]
        order[0, m] = [d for d in range(8) if d not in said] + said
        for a, axis in enumerate(memories[m].get("fanout", [])):
            if axis["axis"] in level["spatial"]:
                use = level["spatial"][axis["axis"]]
                d = DIMS.index(use["dim"])
                axis_dim[0, m, a], axis_factor[0, m, a] = d, use["factor"]
                if use["factor"] > 1:
                    inner[d] = -(-inner[d] // use["factor"])
    status = np.zeros(1, np.int32)
    traffic = np.zeros((1, M + 1, 3, 4))
    bits = np.zeros((1, M, 3, 2))
    used = np.zeros((1, M, 3))
    summary = np.zeros((1, L.SUMMARY_COLS))
    loopnest.price_detail(
        pack_layer(shape), *machine, tile, order, axis_dim, axis_factor, status, traffic, bits, used, summary
    )
    if status[0]:
        raise ValueError(f"status {status[0] % 256} memory {status[0] // 256 % 256} index {status[0] // 65536}")
    rows = []
    for t, tensor in enumerate(TENSORS):
        holders = [m for m in range(M) if machine.holds[m, t]]
        for p, c in zip(holders, [*holders[1:], M]):
            one = [int(v) for v in traffic[0, c, t]]
            row = {
                "tensor": tensor,
                "parent": memories[p]["name"],
                "child": memories[c]["name"] if c < M else "MAC",
                "fills": one[0],
                "parent_words": one[1],
                "child_words": one[2],
            }
            rows.append(row | ({"parent_psum_reads": one[3]} if tensor == "O" else {}))
    return {"compute_steps": int(summary[0, L.STEPS]), "macs": shape.macs, "traffic": rows}
