"""Weights that all networks of a space share, and what a network that inherits them knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accuracy.fashion_mnist import Images, resized
from accelsim.accuracy.forward import Array, Statistics, forward
from accelsim.workloads.network import Network

CALIBRATION = 512
"""Training images by which batch normalisation is measured anew for each network, the first of them."""

CHUNK = 100
"""Images at a time, so that maps stay in the caches."""


def at(weights: Mapping[str, Any], resolution: int) -> dict[str, Any]:
    """Arrays or tensors, with the scales and shifts of one resolution by its place among those trained."""
    return {name: w if name.endswith("weight") else w[resolution] for name, w in weights.items()}


class Shrunk:
    """Images [n, 28, 28] as networks of several resolutions see them.

    at  resolution r -> float32 [n, r, r]; those of the last few are kept
    """

    KEPT = 5
    """Resolutions: those of `fashion` take 8.6 KB an image."""

    def __init__(self, images: Images) -> None:
        self.at = lru_cache(self.KEPT)(partial(resized, images))


def right(
    net: Network, weights: Mapping[str, Array], calibration: Shrunk, asked: Shrunk, labels: NDArray[np.uint8]
) -> int:
    """How many of the asked images' labels get the highest logit, the first of equal ones."""
    resolution = net.input_shape[1]
    statistics: dict[str, Statistics] = {}
    forward(net, weights, calibration.at(resolution), statistics, calibrate=True)
    images, found = asked.at(resolution), 0
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        logits = forward(net, weights, images[part], statistics, calibrate=False)
        found += int(np.count_nonzero(logits.argmax(axis=1) == labels[part]))
    return found
