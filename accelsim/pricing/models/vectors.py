"""Asks whose schedule is a vector of `cost_models.genes`: decoded, tiles shrunk until they fit, priced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.mapping.batch import pack
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.mapper import MappingResult
from accelsim.mapping.mapping import Mapping
from accelsim.pack import Batch
from accelsim.pricing.ask import Answers, Ask


def price(asks: Sequence[Ask]) -> Answers:
    """Costs of asks on chips with the same number of memories, in one kernel call."""
    return _decoded(asks)[0]


def mapping(ask: Ask) -> MappingResult | None:
    """The mapping that a vector stands for; None if not even the smallest tiles fit."""
    found, batch = _decoded([ask])
    if not np.isfinite(found.latency_cycles[0]):
        return None
    made = Mapping.from_arrays(ask.chip, ask.layer, batch)
    cost = price_mapping(ask.chip, ask.layer, made, resident=ask.resident)
    return MappingResult(made, cost, int(found.evaluations[0]), 0, "done", "genes", "edp", 0)


def _decoded(asks: Sequence[Ask]) -> tuple[Answers, Batch]:
    from cost_models.joint import price_vectors

    problems, machines, index, reserved = pack([ask[:4] for ask in asks])
    n, M = len(asks), machines.machine.holds.shape[1]
    latency, energy, spent, batch = np.empty(n), np.empty(n), np.empty(n, np.int64), Batch.empty(n, M)
    price_vectors(
        problems, index, np.empty((0, M, 4)) if reserved is None else reserved, *machines.machine,
        *machines.allowed, np.array([ask.schedule for ask in asks], float), latency, energy, spent, *batch,
    )  # fmt: skip
    return Answers(latency, energy, spent.astype(float)), batch
