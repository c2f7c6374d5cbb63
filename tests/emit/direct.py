"""Layers computed by definition, and random layers and mappings: what emitted programs are held to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.emit.nest import span
from accelsim.mapping.mapping import Level, Mapping
from accelsim.workloads.layer import DIMS, Layer

KINDS = ("conv", "depthwise", "grouped", "gemm", "pool", "eltwise", "broadcast")


def direct(layer: Layer, inputs: NDArray, weights: NDArray) -> NDArray:
    """[N, G, K, P, Q] from padded inputs [N, G, C, rows, columns] and weights [G, K, C, R, S]."""
    n, g, k, p, q = (layer.dims[d] for d in "NGKPQ")
    out = np.zeros((n, g, k, p, q), inputs.dtype)
    for at in np.ndindex(n, g, k, p, q):
        image, group, channel, row, column = at
        rows = row * layer.stride[0] + np.arange(layer.R) * layer.dilation[0]
        columns = column * layer.stride[1] + np.arange(layer.S) * layer.dilation[1]
        window = inputs[image, group][:, rows][:, :, columns]
        if layer.has_weights:
            out[at] = (window * weights[group, channel]).sum()
        else:
            out[at] = window.max() if layer.op == "pool" else window.sum()
    return out


def tensors(layer: Layer, rng: np.random.Generator, kind: type) -> tuple[NDArray, NDArray]:
    """Small whole numbers, so that sums are exact in any order."""
    shape = (layer.N, layer.G, layer.C, span(layer, 0), span(layer, 1))
    filters = tuple(layer.dims[d] for d in "GKCRS")
    return rng.integers(-9, 10, shape).astype(kind), rng.integers(-9, 10, filters).astype(kind)


def random_layer(rng: np.random.Generator, kind: str) -> Layer:
    """Up to a few thousand points, sizes that nothing divides among them."""

    def size(most: int) -> int:
        return int(rng.integers(1, most + 1))

    stride, dilation = (size(3), size(3)), (size(2), size(3))
    n, p, q, r, s = size(2), size(6), size(7), size(3), size(4)
    if kind == "gemm":
        return Layer.gemm(M=size(7), N=size(9), K=size(8), batch=size(3))
    if kind == "pool":
        return Layer.pool(C=size(7), P=p, Q=q, R=r, S=s, N=n, stride=stride)
    if kind == "eltwise":
        return Layer.eltwise(C=size(7), P=p, Q=q, operands=size(3), N=n)
    if kind == "broadcast":
        return Layer(N=n, G=size(7), K=size(3), P=p, Q=q, op="broadcast")
    if kind == "depthwise":
        return Layer.depthwise(C=size(8), P=p, Q=q, R=r, S=s, N=n, stride=stride, dilation=dilation)
    groups = size(3) if kind == "grouped" else 1
    return Layer.conv2d(
        K=size(7), C=size(5), P=p, Q=q, R=r, S=s, N=n, G=groups, stride=stride, dilation=dilation
    )


def random_mapping(rng: np.random.Generator, layer: Layer) -> Mapping:
    """Some memories, any tiles, any order, up to two axes each; the last one may leave something over."""
    inside = layer.dims
    levels = []
    for m in range(int(rng.integers(1, 4))):
        order = tuple(str(d) for d in rng.permutation(list(DIMS))[: int(rng.integers(0, 9))])
        tile = {}
        for d in DIMS:
            if rng.random() < 0.6:
                tile[d] = inside[d] = int(rng.integers(1, inside[d] + 1))
        spatial = {}
        for axis in ("rows", "cols")[: int(rng.integers(0, 3))]:
            d = str(rng.choice(list(DIMS)))
            spatial[axis] = (d, int(rng.integers(1, 5)))
            inside[d] = -(-inside[d] // spatial[axis][1])
        levels.append(Level(f"memory{m}", order, tile, spatial))
    return Mapping(tuple(levels))


def cases(seed: int, each: int) -> list[tuple[Layer, Mapping]]:
    """So many mapped layers of every kind."""
    rng = np.random.default_rng(seed)
    layers = [random_layer(rng, kind) for kind in KINDS for _ in range(each)]
    return [(layer, random_mapping(rng, layer)) for layer in layers]
