"""One layer on one chip: its proved front, the template, random mappings and a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal import optimal_front
from accelsim.mapping.template import template
from accelsim.nacos.tables import PERCENTS, Rows, Tables
from accelsim.pack import Batch, pack_layer, pack_machine, price
from accelsim.pricing.ask import Ask
from accelsim.pricing.bounds import lower_bounds
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


def priced(chip: Accelerator, layer: Layer, batch: Batch) -> Rows:
    """Mappings with what they cost; infinite where they do not fit."""
    _, latency, energy = price(pack_layer(layer), pack_machine(chip.for_layer(layer)), batch)
    return Rows(latency, energy, batch)


def tabulate(
    chip: Accelerator,
    layer: Layer,
    *,
    max_nodes: int,
    draws: int,
    seed: int,
    cancel: Callable[[], bool] | None = None,
) -> Tables | None:
    """The tables of one pair; None where the front is not proved within `max_nodes`."""
    front = optimal_front(chip, layer, max_nodes=max_nodes, cancel=cancel)
    start = template(chip, layer)
    if not front.complete or start is None:
        return None
    points = Batch(*(np.concatenate(arrays) for arrays in zip(*(point.batch for point in front.points))))
    drawn, fits = _random(chip, layer, draws, seed)
    return Tables(
        np.array([0, len(front.points)]),
        priced(chip, layer, points),
        priced(chip, layer, start[0]),
        drawn,
        np.array([fits]),
        lower_bounds([Ask(chip, layer)]),
    )


def _random(chip: Accelerator, layer: Layer, draws: int, seed: int) -> tuple[Rows, int]:
    """(quantiles of uniform draws from the space of the proof, how many of them fit)."""
    own = crc32(f"{seed} {chip.hash} {layer}".encode())  # whatever other pairs there are
    every = priced(chip, layer, MapSpace(chip, layer, "all").sample(draws, own))
    legal = np.flatnonzero(np.isfinite(every.latency))
    if not len(legal):
        return Rows.empty(len(PERCENTS), every.batch.tile.shape[1]), 0
    ranked = legal[np.argsort((every.latency * every.energy)[legal], kind="stable")]
    ranks = [-(-percent * len(legal) // 100) - 1 for percent in PERCENTS]
    return every.take(ranked[ranks]), len(legal)
