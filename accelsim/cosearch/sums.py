"""Networks for one chip from a table of blocks: proposals for a local search, near the best there are.

Every block of the space is sketched once on the chip. Latencies and energies add up over blocks, and with
accuracies that do too dynamic programming finds the front of all networks (see `exact`). Where a chip keeps
data between blocks sums are not exact; proposals are priced whole in any case.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.exact import exact_front, listed_front
from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import front
from accelsim.cosearch.nets import Nets, SubnetSpace
from accelsim.cosearch.phase import Phase
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run

MOST_BLOCKS = 20_000
"""Blocks of a space beyond which no table is made."""

_SUMS = {"edp": (1, 1), "latency": (1, 0), "energy": (0, 1)}
"""Weights of relative latency and energy in what is added up. Near a network of the same proportions the sum
of both is least where their product is."""


def proposed(phase: Phase, row: NDArray[np.int64], sketcher: NetworkPricer, most: int) -> Genomes:
    """[n, genes] networks for the chip of a genome, `most` at most: the best by sums, well apart.

    None where accuracies do not add up, or other metrics than accuracy and one of `_SUMS` are objectives.
    """
    nets, goals = phase.nets, phase.goals
    none = np.zeros((0, len(nets.genes)), np.int64)
    effects = _effects(nets)
    asked = [name for name in goals.objectives if name in _SUMS]
    known = {*_SUMS, "accuracy", "area"}
    if effects is None or len(asked) != 1 or not known.issuperset(goals.objectives):
        return none
    assert isinstance(nets, SubnetSpace)
    space = nets.space
    blocks = np.array(space.existing_blocks, np.int64)
    if len(blocks) > MOST_BLOCKS:
        return none
    chip_row = phase.genome.split(row[None])[1]
    chip, key = phase.chips.accelerators(chip_row)[0], phase.chips.keys(chip_row)[0]
    runs = [Run(chip, space.block(int(i), nets.batch), key) for i in blocks]
    costs = sketcher.price(runs)
    table = np.full((space.num_blocks, 2), np.inf)
    table[blocks] = np.column_stack([costs.latency_cycles, costs.energy_pj])
    if not np.isfinite(table).any():
        return none
    own = listed_front(space, nets.canonical(row[None, : len(nets.genes)]), table)[0]
    weights = np.array(_SUMS[asked[0]]) / np.where(np.isfinite(own), own, 1.0)
    with np.errstate(invalid="ignore"):
        column = np.where(weights > 0, table * weights, 0.0).sum(axis=1, keepdims=True)
    rows = space.canonical(exact_front(space, column, effects).rows)
    return _apart(phase, rows, listed_front(space, rows, table), asked[0], most)


def _effects(nets: Nets) -> tuple[NDArray[np.float64], ...] | None:
    """What genes add to the accuracy; None where that is not known, or not asked for."""
    if type(nets) is not SubnetSpace or nets.source is None:
        return None
    return nets.source.effects(nets.space)


def _apart(phase: Phase, rows: Genomes, sums: NDArray[np.float64], objective: str, most: int) -> Genomes:
    """Of the front by sums (cycles, pJ) [n, 2] and accuracy those that meet its limit, evenly spaced."""
    goals = phase.goals
    cost = {"edp": sums.prod(axis=1), "latency": sums[:, 0], "energy": sums[:, 1]}[objective]
    accuracy = phase.nets.accuracy(rows, []).value
    able = accuracy >= goals.limits.get("accuracy", -np.inf)
    best = front(np.column_stack([cost, -accuracy]), able)
    if "accuracy" not in goals.objectives:
        return rows[best[: max(1, most // 4)]]
    if not len(best):
        return rows[:0]
    levels = np.linspace(accuracy[best[0]], accuracy[best[-1]], most)
    at = np.searchsorted(accuracy[best], levels).clip(0, len(best) - 1)
    return np.asarray(rows[best[np.unique(at)]])
