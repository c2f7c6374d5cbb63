"""Pricing dataflows with MAESTRO's cost model, in batches over layers, machines and dataflows.

    layers, machines, flows = pack_layers(...), pack_machines(...), pack_dataflows(...)
    status, latency_cycles, energy_pj = price(layers, machines, flows, pick)

`pick` int32[B, 3] names a row of each per question, so that the same arrays serve whole grids; nothing is
copied and the call releases the GIL. Questions that differ in the machine alone are quicker side by side. A
genome decodes straight into the arrays of `Flows`, whose form `cost_models.maestro.layout` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.notation import FilePlace, MaestroDataflow, MaestroError, MaestroLayer, Size
from cost_models.maestro import layout as L

DIMS = {"N": 0, "G": 1, "K": 2, "C": 3, "Y": 4, "X": 5, "R": 6, "S": 7, "Y'": 8, "X'": 9}
GEMM_DIMS = {"M": 0, "K": 2, "N": 3}

COUPLED = {
    "CONV": ("NCYX", "KCRS", "NKYX"),
    "TRCONV": ("NCYX", "KCRS", "NKYX"),
    "DSCONV": ("NCYX", "CRS", "NCYX"),
    "NGCONV": ("NGCYX", "GKCRS", "NGKCYX"),
    "GEMM": ("MK", "KN", "MN"),
}
"""Dimensions that index inputs, weights and outputs of each layer type."""

TROUBLE = {
    L.TOO_FEW_PES: "the clusters group more PEs than there are",
    L.NO_SPLIT: "a level has no SpatialMap, or more than two",
    L.NO_KERNEL: "Y' or X' is mapped at a level that does not map the kernel",
    L.NO_WORK: "the first step multiplies nothing; the tool reports 0 cycles",
    L.STUCK: "a tile at an edge is larger than the step above allows; the tool stops here",
    L.COUNT_OVER: "a count exceeds 2^53",
    L.BAD_DIM: "a level maps a dimension that the layer lacks, or one twice",
}
"""What each status means."""


class Flows(NamedTuple):
    """Dataflows as arrays, Q rows: see `cost_models.maestro.layout`."""

    maps: NDArray[np.int8]
    size: NDArray[np.int64]
    step: NDArray[np.int64]
    cluster: NDArray[np.int64]

    @classmethod
    def empty(cls, rows: int) -> Flows:
        """`rows` dataflows of one level that maps nothing."""
        shape = (rows, L.MAX_LEVELS, L.NDIM)
        return cls(
            np.full(shape, -1, np.int8),
            np.ones(shape, np.int64),
            np.ones(shape, np.int64),
            np.zeros((rows, L.MAX_LEVELS), np.int64),
        )


def pack_layers(layers: Sequence[MaestroLayer]) -> NDArray[np.int64]:
    """int64[L, LAYER_COLS]."""
    out = np.zeros((len(layers), L.LAYER_COLS), np.int64)
    for row, layer in zip(out, layers):
        place = GEMM_DIMS if layer.type == "GEMM" else DIMS
        row[: L.NDIM] = 1
        for dim, size in layer.dims.items():
            row[place[dim]] = size
            row[L.DIMS] |= 1 << place[dim]
        row[L.STRIDE_Y], row[L.STRIDE_X] = layer.stride
        for t, dims in enumerate(COUPLED[layer.type]):
            row[L.COUPLED + t] = sum(1 << place[d] for d in dims if d in layer.dims)
    return out


def pack_machines(machines: Sequence[MaestroMachine]) -> NDArray[np.float64]:
    """float64[H, MACHINE_COLS]."""
    return np.array(
        [(m.pes, m.simd_lanes, m.noc_bw, m.noc_latency, m.offchip_bw, m.mac_pj) for m in machines], float
    ).reshape(-1, L.MACHINE_COLS)


def pack_dataflows(dataflows: Sequence[MaestroDataflow], gemm: bool = False) -> Flows:
    """The dataflows as arrays that serve every layer; `gemm` where M, N, K are those of matrix products.

    Raises MaestroError for what the arrays cannot hold: use `bind` first where sizes name several dimensions.
    """
    out = Flows.empty(len(dataflows))
    place = GEMM_DIMS if gemm else DIMS
    for q, flow in enumerate(dataflows):
        if len(flow.levels) > L.MAX_LEVELS:
            raise MaestroError(f"at most {L.MAX_LEVELS} cluster levels, but got {len(flow.levels)}")
        for level, maps in enumerate(flow.levels):
            if level:
                cluster = flow.clusters[level - 1]
                out.cluster[q, level] = _code(cluster.size, place, cluster.place)
            if len(maps) > L.NDIM:
                raise maps[L.NDIM].place.fault(f"a level maps {len(maps)} dimensions; at most {L.NDIM}")
            for i, item in enumerate(maps):
                if item.dim not in place:
                    raise item.place.fault(f"{item}: no such dimension here; known: {', '.join(place)}")
                out.maps[q, level, i] = place[item.dim] + L.SPATIAL * item.spatial
                out.size[q, level, i] = _code(item.size, place, item.place)
                out.step[q, level, i] = _code(item.step, place, item.place)
    return out


def _code(size: Size, place: dict[str, int], where: FilePlace) -> int:
    """A size in its array form."""
    if not size.terms:
        return size.constant
    (factor, dim), *more = size.terms
    if more or factor != 1 or dim not in place:
        raise where.fault(f"{size}: arrays for all layers hold one Sz(..) of a known dimension per size")
    return size.constant + (place[dim] + 1) * L.PER_DIM


def price(
    layers: NDArray[np.int64],
    machines: NDArray[np.float64],
    flows: Flows,
    pick: NDArray[np.int32],
    *,
    compat: bool = False,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """(status, latency in cycles, energy in pJ) of B questions; what has no price gets infinity.

    pick    int32[B, 3]: rows of `layers`, `machines`, `flows`
    compat  as the tool counts, with the defects that docs/maestro.md names
    """
    status, latency, energy, _ = _run(layers, machines, flows, pick, compat, False)
    return status, latency, energy


def count(
    layers: NDArray[np.int64],
    machines: NDArray[np.float64],
    flows: Flows,
    pick: NDArray[np.int32],
    *,
    compat: bool = False,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(status, counts float64[B, COUNT_COLS]) of B questions, as `price`; energy in energies of one MAC."""
    status, _, _, counts = _run(layers, machines, flows, pick, compat, True)
    return status, counts


def _run(
    layers: NDArray[np.int64],
    machines: NDArray[np.float64],
    flows: Flows,
    pick: NDArray[np.int32],
    compat: bool,
    detail: bool,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    from cost_models.maestro.price import price_batch

    pick = _checked(pick, layers, machines, flows)
    B = len(pick)
    counts = np.empty((B if detail else 0, L.COUNT_COLS))
    status, latency, energy = np.empty(B, np.int32), np.empty(B), np.empty(B)
    price_batch(layers, machines, *flows, pick, compat, status, latency, energy, counts)
    return status, latency, energy, counts


def _checked(
    pick: NDArray[np.int32], *tables: NDArray[np.int64] | NDArray[np.float64] | Flows
) -> NDArray[np.int32]:
    """`pick`, if every row that it names exists: the kernel trusts it."""
    pick = np.ascontiguousarray(pick, np.int32)
    rows = [len(table[0]) if isinstance(table, Flows) else len(table) for table in tables]
    if pick.ndim != 2 or pick.shape[1] != 3 or (pick < 0).any() or (pick >= rows).any():
        raise MaestroError(f"pick must be int32[B, 3] with rows below {rows}")
    return pick
