"""A network of convolutions walked number by number in plain Python: slow, and plain to see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from accelsim.workloads.network import INPUT, Network

Maps = list[list[list[list[float]]]]
"""[image][channel][row][column]"""


def walk(net: Network, weights: Mapping[str, Any], images: np.ndarray) -> np.ndarray:
    """Logits of the images, batches normalised by their own mean and variance; a projection has no ReLU."""
    made: dict[int, Maps] = {INPUT: [[image.tolist()] for image in images]}
    for i, (name, layer) in enumerate(zip(net.names, net.layers)):
        inputs = [made[edge.producer] for edge in net.inputs_of[i]]
        if layer.op in ("conv", "gemm"):
            y = convolved(inputs[0], weights[f"{name}.weight"], layer)
            shift = weights[f"{name}.shift"]
            if layer.op == "conv":
                y = normalised(y, weights[f"{name}.scale"], shift, not name.endswith("project"))
            else:
                y = [[[[v + float(shift[k]) for v in r] for r in m] for k, m in enumerate(im)] for im in y]
        elif layer.op == "pool":
            y = [[[[sum(map(sum, m)) / sum(map(len, m))]] for m in image] for image in inputs[0]]
        else:
            y = [
                [[[a + b for a, b in zip(*rows)] for rows in zip(*maps)] for maps in zip(*pair)]
                for pair in zip(*inputs)
            ]
        made[i] = y
    return np.array([[m[0][0] for m in image] for image in made[net.outputs[0]]])


def convolved(x: Maps, weight: np.ndarray, layer: Any) -> Maps:
    """Output channel k of group g reads the inputs of its group; the kernel is the middle of the largest."""
    off = (weight.shape[2] - layer.R) // 2
    stride, size = layer.stride[0], len(x[0][0])
    out = []
    for image in x:
        maps = []
        for k in range(layer.G * layer.K):
            first = (k // layer.K) * layer.C
            rows = []
            for p in range(layer.P):
                row = []
                for q in range(layer.Q):
                    total = 0.0
                    for c in range(layer.C):
                        for r in range(layer.R):
                            for s in range(layer.S):
                                y, z = p * stride + r - layer.R // 2, q * stride + s - layer.S // 2
                                if 0 <= y < size and 0 <= z < size:
                                    total += image[first + c][y][z] * float(weight[k, c, off + r, off + s])
                    row.append(total)
                rows.append(row)
            maps.append(rows)
        out.append(maps)
    return out


def normalised(x: Maps, scale: np.ndarray, shift: np.ndarray, relu: bool) -> Maps:
    """(x - mean) / sqrt(variance + 1e-5) * scale + shift of each channel."""
    moments = []
    for k in range(len(x[0])):
        values = [v for image in x for row in image[k] for v in row]
        mean = sum(values) / len(values)
        moments.append((mean, math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + 1e-5)))

    def one(v: float, k: int) -> float:
        y = (v - moments[k][0]) / moments[k][1] * float(scale[k]) + float(shift[k])
        return max(y, 0.0) if relu else y

    return [[[[one(v, k) for v in row] for row in m] for k, m in enumerate(image)] for image in x]
