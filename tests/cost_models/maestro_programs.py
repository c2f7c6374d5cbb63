"""Random layers, dataflows and machines in MAESTRO's terms, small and awkward, and their oracle's answers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from accelsim.mapping.maestro import Cluster, MaestroDataflow, MaestroLayer, MaestroMachine, Map, Size
from accelsim.mapping.maestro.pricing import count, pack_dataflows, pack_layers, pack_machines
from cost_models.maestro import layout as L
from tests.oracle.maestro import analyse

COLUMNS = {
    "l2_read": L.L2_READ,
    "l2_write": L.L2_WRITE,
    "l1_read": L.L1_READ,
    "l1_write": L.L1_WRITE,
    "l2_req": L.L2_NEED,
    "l1_req": L.L1_NEED,
}


def program(rng: random.Random) -> tuple[MaestroLayer, MaestroMachine]:
    """One to four levels; tiles that skip, repeat and overshoot as well as legal ones."""
    kind = rng.choice(["CONV", "CONV", "CONV", "DSCONV", "NGCONV", "GEMM"])
    stride = (1, 1)
    if kind == "GEMM":
        dims = {d: rng.randint(1, 12) for d in "MNK"}
    else:
        R, S = rng.choice([1, 1, 2, 3, 3, 5]), rng.choice([1, 2, 3, 3])
        stride = (rng.choice([1, 1, 1, 2, 3]), rng.choice([1, 1, 1, 2, 3]))
        channels = {"DSCONV": "C", "CONV": "KC", "NGCONV": "GKC"}[kind]
        dims = {d: rng.randint(1, 9) for d in channels}
        if rng.random() < 0.2:
            dims = {"N": rng.randint(1, 3)} | dims
        dims |= {"R": R, "S": S, "Y": R + rng.randint(0, 11), "X": S + rng.randint(0, 9)}
    legal = rng.random() < 0.6
    depth = rng.choice([1, 1, 2, 2, 3, 4])
    levels = tuple(_level(rng, dims, stride, kind, legal, level) for level in range(depth))
    clusters = [rng.randint(1, 4) for _ in range(depth - 1)]
    group = int(np.prod(clusters))
    machine = MaestroMachine(
        group * rng.randint(1, 5) + rng.randint(0, group - 1),
        rng.choice([1, 4, 16, 1_000_000]),
        rng.randint(0, 3),
        rng.choice([1, 4, 1_000_000]),
        simd_lanes=rng.choice([1, 1, 4]),
    )
    flow = MaestroDataflow(levels, tuple(Cluster(Size(size)) for size in clusters))
    return MaestroLayer(kind, dims, stride, "random", flow), machine


def _level(
    rng: random.Random, dims: dict[str, int], stride: tuple[int, int], kind: str, legal: bool, level: int
) -> tuple[Map, ...]:
    names = list(dims)
    rng.shuffle(names)
    if rng.random() < (0.5 if level else 0.3):
        names = names[: rng.randint(1, len(names))]
    spatial = set(rng.sample(names, min(1 + (rng.random() < 0.2), len(names))))
    maps = []
    for dim in names:
        size = rng.randint(1, 6)
        step = size if legal or rng.random() < 0.5 else rng.randint(1, 6)
        item = Map(dim in spatial, Size(size), Size(step), dim)
        if kind != "GEMM" and dim in "RS":
            whole = Size(0, ((1, dim),))
            if dim in spatial and rng.random() < 0.7:
                whole = Size(rng.randint(1, dims[dim]))
            item = Map(dim in spatial, whole, whole, dim)
        elif kind != "GEMM" and dim in "YX":
            kernel, by, made = "RS"[dim == "X"], stride[dim == "X"], rng.randint(1, 4)
            if kernel in names and rng.random() < 0.3:
                item = Map(dim in spatial, Size(made), Size(made), dim + "'")
            elif legal and not (level and rng.random() < 0.2):
                item = Map(dim in spatial, Size((made - 1) * by, ((1, kernel),)), Size(made * by), dim)
        maps.append(item)
    return tuple(maps)


def oracle(layer: MaestroLayer, machine: MaestroMachine, compat: bool) -> dict[str, Any]:
    """All that the oracle says of the layer."""
    assert layer.dataflow is not None
    items: list[Any] = []
    for number, level in enumerate(layer.dataflow.levels):
        if number:
            items.append(layer.dataflow.clusters[number - 1].size.value(layer.dims))
        for item in level:
            size, step = item.size.value(layer.dims), item.step.value(layer.dims)
            items.append(("S" if item.spatial else "T", size, step, item.dim))
    strides = dict(zip("YX", layer.stride))
    hardware = {
        "pes": machine.pes,
        "simd": machine.simd_lanes,
        "noc_bw": machine.noc_bw,
        "noc_latency": machine.noc_latency,
        "offchip_bw": machine.offchip_bw,
    }
    shape = {"type": layer.type, "dims": dict(layer.dims), "strides": strides}
    return analyse(shape, items, hardware, compat)


def kernel(layer: MaestroLayer, machine: MaestroMachine, compat: bool) -> tuple[int, Any]:
    """(status, counts) of the kernel for one question."""
    assert layer.dataflow is not None
    status, counts = count(
        pack_layers([layer]),
        pack_machines([machine]),
        pack_dataflows([layer.dataflow], layer.type == "GEMM"),
        np.zeros((1, 3), np.int32),
        compat=compat,
    )
    return int(status[0]), counts[0]


def expected(found: dict[str, Any]) -> dict[int, float]:
    """The oracle's answers by column of the kernel's counts."""
    out = {L.MACS: found["macs"], L.LATENCY: found["runtime"], L.ACTIVE: found["active"]}
    for name, column in COLUMNS.items():
        out |= {column + t: found[name][tensor] for t, tensor in enumerate("IWO")}
    return out
