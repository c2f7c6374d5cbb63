"""Weights that all networks of a space share, and what a network that inherits them knows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from accelsim.accuracy.fashion_mnist import Images, Labelled, resized
from accelsim.accuracy.forward import Array, Statistics, forward
from accelsim.workloads.network import Network

CALIBRATION = 512
"""Training images by which batch normalisation is measured anew for each network, the first of them."""

CHUNK = 100
"""Images at a time, so that maps stay in the caches."""


def at(weights: Mapping[str, Array], resolution: int) -> dict[str, Array]:
    """With the scales and shifts of one resolution, by its place among those trained."""
    return {name: w if name.endswith("weight") else w[resolution] for name, w in weights.items()}


def right(net: Network, weights: Mapping[str, Array], calibration: Images, asked: Labelled) -> int:
    """How many of the asked images' classes get the highest logit, the first of equal ones."""
    resolution = net.input_shape[1]
    statistics: dict[str, Statistics] = {}
    forward(net, weights, resized(calibration, resolution), statistics, calibrate=True)
    found = 0
    for start in range(0, len(asked.labels), CHUNK):
        part = slice(start, start + CHUNK)
        logits = forward(net, weights, resized(asked.images[part], resolution), statistics, calibrate=False)
        found += int(np.count_nonzero(logits.argmax(axis=1) == asked.labels[part]))
    return found
