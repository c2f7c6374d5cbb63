"""A network of convolutions evaluated in Numba, the same to the bit on every machine: no sum is reordered.

Maps are float32 [images, rows, columns, channels]. Batch normalisation is part of `convolved`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Network
from cost_models._jit import kernel

Array = NDArray[np.float32]

EPSILON = 1e-5
"""Added to variances, as PyTorch does."""


class Statistics(NamedTuple):
    """What a channel is multiplied by, and what is then added."""

    scale: Array
    shift: Array


def forward(
    net: Network,
    weights: Mapping[str, Array],
    images: Array,
    statistics: dict[str, Statistics],
    calibrate: bool,
) -> Array:
    """Logits float32 [n, classes] of images [n, r, r]; a projection has no ReLU.

    `weights` are those of the largest network by layer: `.weight` [K, C, R, S], `.scale` and `.shift` of
    batch normalisation (the classifier has only a shift). A smaller layer has the first channels and the
    middle of the kernel. With `calibrate` batches are normalised by their own mean and variance, which are
    written to `statistics`; otherwise by what stands there.
    """
    made: dict[int, Any] = {INPUT: images[..., None]}
    for i, (name, layer) in enumerate(zip(net.names, net.layers)):
        x, *others = (made[edge.producer] for edge in net.inputs_of[i])
        if layer.op == "conv":
            y = _conv(x, cut(weights[f"{name}.weight"], layer), layer.stride[0], layer.G > 1)
            if calibrate:
                gain, shift = (weights[f"{name}.{x}"][: y.shape[3]] for x in ("scale", "shift"))
                statistics[name] = _measured(y, gain, shift)
            _normalise(y, *statistics[name], not name.endswith("project"))
        elif layer.op == "gemm":
            y = _conv(x, cut(weights[f"{name}.weight"], layer), 1, False) + weights[f"{name}.shift"]
        elif layer.op == "pool":
            y = _pool(x)
        else:
            y = x + others[0]
        made[i] = y
    return np.ascontiguousarray(made[net.outputs[0]][:, 0, 0])


def cut(weight: Array, layer: Layer) -> Array:
    """Weights [R, S, C, K] of a layer out of those of the largest."""
    edge = (weight.shape[2] - layer.R) // 2
    part = weight[: layer.G * layer.K, : layer.C, edge : edge + layer.R, edge : edge + layer.S]
    return np.ascontiguousarray(part.transpose(2, 3, 1, 0))


def _measured(y: Array, gain: Array, shift: Array) -> Statistics:
    mean, variance = _moments(y)
    scale = gain / np.sqrt(variance + EPSILON)
    return Statistics(scale.astype(np.float32), (shift - mean * scale).astype(np.float32))


@kernel
def _conv(x, w, stride, depthwise):  # type: ignore[no-untyped-def]
    """ "Same"-padded convolution; depthwise has one filter a channel."""
    images, height, width, _ = x.shape
    R, S, C, K = w.shape
    P, Q = (height - 1) // stride + 1, (width - 1) // stride + 1
    y = np.zeros((images, P, Q, K), np.float32)
    for n in range(images):
        for p in range(P):
            for r in range(R):
                row = p * stride + r - R // 2
                if row < 0 or row >= height:
                    continue
                for q in range(Q):
                    out = y[n, p, q]
                    for s in range(S):
                        column = q * stride + s - S // 2
                        if column < 0 or column >= width:
                            continue
                        pixel = x[n, row, column]
                        if depthwise:
                            taps = w[r, s, 0]
                            for k in range(K):
                                out[k] += pixel[k] * taps[k]
                        else:
                            for c in range(C):
                                value, taps = pixel[c], w[r, s, c]
                                for k in range(K):
                                    out[k] += value * taps[k]
    return y


@kernel
def _normalise(y, scale, shift, relu):  # type: ignore[no-untyped-def]
    """In place: scale and shift each channel, then clip at 0."""
    images, P, Q, K = y.shape
    floor = np.float32(0.0) if relu else np.float32(-np.inf)
    for n in range(images):
        for p in range(P):
            for q in range(Q):
                out = y[n, p, q]
                for k in range(K):
                    out[k] = max(out[k] * scale[k] + shift[k], floor)


@kernel
def _moments(y):  # type: ignore[no-untyped-def]
    """Mean and variance float64 [K] over images and positions."""
    images, P, Q, K = y.shape
    mean, variance = np.zeros(K), np.zeros(K)
    for n in range(images):
        for p in range(P):
            for q in range(Q):
                for k in range(K):
                    mean[k] += y[n, p, q, k]
    mean /= images * P * Q
    for n in range(images):
        for p in range(P):
            for q in range(Q):
                for k in range(K):
                    off = y[n, p, q, k] - mean[k]
                    variance[k] += off * off
    return mean, variance / (images * P * Q)


@kernel
def _pool(x):  # type: ignore[no-untyped-def]
    """Mean over positions, [n, 1, 1, channels]."""
    images, P, Q, K = x.shape
    y = np.zeros((images, 1, 1, K), np.float32)
    for n in range(images):
        for p in range(P):
            for q in range(Q):
                for k in range(K):
                    y[n, 0, 0, k] += x[n, p, q, k]
    return y / np.float32(P * Q)
