"""Asks whose schedule is a vector of `mappers.genes`: decoded, tiles shrunk until they fit, priced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.hardware.holding import ways_for
from accelsim.mapping.batch import pack
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.found import MappingResult
from accelsim.mapping.mapper import best_rows
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.template import Objective
from accelsim.pack import Batch
from accelsim.pricing.ask import Answers, Ask
from cost_models.mappers.records import PairResult


def price(asks: Sequence[Ask], objective: Objective) -> Answers:
    """Costs of asks on chips with the same number of memories, in one kernel call.

    Where memories leave a choice, a vector is decoded on every way to hold, and the best counts.
    """
    return _best(asks, objective)[0]


def mapping(ask: Ask, objective: Objective) -> MappingResult | None:
    """The mapping that a vector stands for; None if not even the smallest tiles fit."""
    found, (way,), batch = _best([ask], objective)
    if not np.isfinite(found.latency_cycles[0]):
        return None
    made = Mapping.from_arrays(way.chip, ask.layer, batch)
    cost = price_mapping(way.chip, ask.layer, made, resident=ask.resident)
    return MappingResult(made, cost, int(found.evaluations[0]), 0, "done", "genes", objective, 0)


def _best(asks: Sequence[Ask], objective: Objective) -> tuple[Answers, list[Ask], Batch]:
    """Of each ask the best way to hold, the first of equals: its costs, the ask on it, its mapping."""
    each = [ways_for(ask.chip, ask.layer, ask.resident) for ask in asks]
    ways = [ask._replace(chip=chip) for ask, chips in zip(asks, each, strict=True) for chip in chips]
    found, batch = _decoded(ways)
    if len(ways) == len(asks):
        return found, ways, batch
    first = np.cumsum([0, *(len(chips) for chips in each[:-1])])
    rows = best_rows(found.latency_cycles, found.energy_pj, first, objective)
    spent = np.add.reduceat(found.evaluations, first)
    latency, energy = found.latency_cycles[rows], found.energy_pj[rows]
    return Answers(latency, energy, spent), [ways[row] for row in rows], batch.take(rows)


def _decoded(asks: Sequence[Ask]) -> tuple[Answers, Batch]:
    from cost_models.mappers.joint import price_vectors

    pairs, machines = pack([ask[:4] for ask in asks])
    found = PairResult.empty(len(asks), machines.machine.holds.shape[1])
    vectors = np.array([ask.schedule for ask in asks], float)
    price_vectors(pairs, machines.machine, machines.allowed, vectors, found)
    return Answers(found.latency, found.energy, found.spent[:, 1].astype(float)), found.batch
