"""Blocks first, then networks of them: every block gets its best schedule once, and networks are sums.

After CHaNAS (Chen et al., "CHaNAS: coordinated search for network architecture and scheduling policy", LCTES
2021), whose second stage is a genetic search. Sums can also be searched exactly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import FixedChip
from accelsim.cosearch.exact import exact_front, listed_front, prune
from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import front
from accelsim.cosearch.nets import BlockNets, ListedNets, SubnetSpace
from accelsim.cosearch.optimisers import Optimiser
from accelsim.cosearch.optimisers.inorder import InOrder
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies.base import Strategy
from accelsim.errors import AccelsimError
from accelsim.pricing.network import overhead_cycles, overhead_pj

SLACK = 1e-9
"""A limit that a sum misses by this share is met but for rounding."""

LISTED = 200_000
"""Subnets that are listed where their accuracy does not add up."""

SUMS = {
    "latency": ("latency",), "energy": ("energy",), "edp": ("latency", "energy"), "macs": ("macs",),
    "work": ("work",), "params": ("params",),
}  # fmt: skip
"""Figures that add up over blocks, by metrics that only get worse with them; of work and parameters the
negatives."""


class TablePhase(Phase):
    """Blocks, one candidate each: none is a network, so that none is feasible and no limit applies."""

    def evaluate(self, rows: Genomes) -> NDArray[np.float64]:
        """As any candidates."""
        goals, self.goals = self.goals, replace(self.goals, limits={})
        try:
            return super().evaluate(rows)
        finally:
            self.goals = goals

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """All ones."""
        return np.ones((len(values), len(self.goals.limits) + 1))

    def shares_missed(self, values: NDArray[np.float64]) -> dict[str, float]:
        """Nothing: limits are for networks."""
        return {}


class Blockwise(Strategy):
    """Phase `table`, a candidate a block; then `network`, subnets of known layers, by the optimiser."""

    exact = False

    def __init__(self, setup: Setup) -> None:
        self._told = 0
        self._rows: Genomes | None = None
        self._off = np.zeros(2)
        self._compared = 0
        super().__init__(setup)

    def first(self) -> Phase:
        """Every block of the space."""
        nets, chips = self.setup.nets, self.setup.chips
        name = self.setup.config.strategy
        if not isinstance(nets, SubnetSpace):
            raise AccelsimError(
                f"strategy {name}: makes networks of blocks; name a space of subnets (--space)"
            )
        if not isinstance(chips, FixedChip):
            raise AccelsimError(f"strategy {name}: a table of blocks is that of one chip; add --fix hardware")
        self._nets = nets
        self._blocks = np.array(nets.space.existing_blocks, np.int64)
        self._table = np.full((nets.space.num_blocks, 2), np.inf)
        if self.exact:
            self._figures()
        blocks = BlockNets(nets.space, self._blocks, nets.batch)
        return self.setup.phase("table", blocks, chips, kind=TablePhase, sketch=False)

    @property
    def optimiser(self) -> Optimiser:
        """Blocks come one after another."""
        if self._optimiser is None and self.phase.name != "network":
            self._optimiser = InOrder(self.phase, self.setup.config.population, self.setup.config.seed)
        return super().optimiser

    def next(self, rows: Genomes, values: NDArray[np.float64]) -> Phase | None:
        """Networks, once the table is whole."""
        if self.phase.name != "table":
            self._compare(rows, values)
            return None
        found = self._costs(values)
        self._table[self._blocks[rows[:, 0]]] = found - self._overhead
        self._told += len(rows)
        return self.networks() if self._told == len(self._blocks) else None

    def networks(self) -> Phase | None:
        """The phase after the table."""
        return self.setup.phase("network", self._nets, self.setup.chips, sketch=False)

    @property
    def _overhead(self) -> NDArray[np.float64]:
        """(seconds, joules) that every inference takes beside its blocks."""
        chip = self.setup.base
        return np.array([overhead_cycles(chip) / (chip.clock_mhz * 1e6), overhead_pj(chip) * 1e-12])

    def _sums(self, genomes: Genomes) -> NDArray[np.float64]:
        """(seconds, joules) float64[n, 2] of subnets."""
        return np.asarray(listed_front(self._nets.space, genomes, self._table) + self._overhead)

    def _costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(seconds, joules) float64[n, 2] of candidates."""
        column = self.setup.goals.column
        return values[:, [column["latency"], column["energy"]]]

    def _compare(self, rows: Genomes, values: NDArray[np.float64]) -> None:
        whole = self._costs(values)
        priced = np.isfinite(whole).all(axis=1)
        nets = self.phase.nets
        if priced.any() and isinstance(nets, SubnetSpace | ListedNets):
            sums = self._sums(nets.subnets(rows)[priced])
            self._off = np.maximum(self._off, np.abs(sums / whole[priced] - 1).max(axis=0))
            self._compared += int(priced.sum())

    def notes(self) -> tuple[str, ...]:
        """How far the table is, and by how much its sums missed."""
        return self.sum_notes()

    def sum_notes(self) -> tuple[str, ...]:
        """As `notes`, of any strategy with a table."""
        total = len(self._blocks)
        if self._told < total:
            return (
                f"{self._told} of {total} blocks are priced and no network yet: go on with more evaluations",
            )
        chip = self.setup.base
        keeps = chip.network.keeps
        why = f"; {chip.name} keeps data on chip between blocks, which sums do not know" if keeps else ""
        latency, energy = self._off
        return (
            f"sums over {total} blocks against {self._compared} whole networks: latency off by at most "
            f"{latency:.2g}, energy by {energy:.2g}, relative{why}",
        )

    # -- the exact front ------------------------------------------------------------------------------

    def _figures(self) -> tuple[str, ...]:
        """Figures that the goals weigh. Raises AccelsimError for those that do not add up."""
        goals = self.setup.goals
        wanted: dict[str, None] = {}
        for metric in (*goals.objectives, *goals.limits):
            if metric not in (*SUMS, "accuracy", "area"):
                raise AccelsimError(
                    f"strategy {self.setup.config.strategy}: {metric} does not add up over blocks; it weighs "
                    f"{', '.join((*SUMS, 'accuracy'))}"
                )
            wanted.update(dict.fromkeys(SUMS.get(metric, ())))
        columns = len(wanted) + (goals.uses_accuracy and self._effects is not None)
        if columns > 3:
            raise AccelsimError(
                f"strategy {self.setup.config.strategy}: can weigh three figures at once, but "
                f"{goals.words()} needs {', '.join(wanted)} and accuracy"
            )
        if goals.uses_accuracy and self._effects is None and self._nets.space.size > LISTED:
            raise AccelsimError(
                f"strategy {self.setup.config.strategy}: accuracies by {self.setup.config.accuracy!r} do not "
                f"add up over genes, and {self._nets.space.size:.3g} subnets are too many to list; use "
                "blockwise"
            )
        return tuple(wanted)

    @property
    def _effects(self) -> tuple[NDArray[np.float64], ...] | None:
        source = self._nets.source
        return None if source is None else source.effects(self._nets.space)

    def front_rows(self) -> Genomes:
        """The exact front's subnets by the table, ends first, then between; none if none will do."""
        space, goals = self._nets.space, self.setup.goals
        figures = self._figures()
        if goals.uses_accuracy and self._effects is None:
            rows = space.enumerate()
        else:
            blocks = self._columns(figures)
            effects = self._effects if goals.uses_accuracy else None
            rows = space.canonical(exact_front(space, blocks, effects).rows)
        return self.best_of(rows)

    def _columns(self, figures: tuple[str, ...]) -> NDArray[np.float64]:
        """Float64[blocks, figures], all smaller is better."""
        space = self._nets.space
        counts = np.zeros((space.num_blocks, 2))
        blocks = [space.block(int(i)) for i in self._blocks]
        counts[self._blocks] = [(block.macs, -block.params) for block in blocks]
        by_name = dict(zip(("latency", "energy", "macs", "params"), (*self._table.T, *counts.T)))
        by_name["work"] = -counts[:, 0]
        return np.array([by_name[name] for name in figures]).reshape(len(figures), -1).T

    def best_of(self, rows: Genomes) -> Genomes:
        """Those that none of the rows is better than, by the table; ends first, then between."""
        goals = self.setup.goals
        values, column = np.zeros((len(rows), len(goals.metrics))), goals.column
        sums = self._sums(rows)
        values[:, column["latency"]], values[:, column["energy"]] = sums.T
        values[:, column["edp"]] = sums.prod(axis=1)
        for name in {"macs", "work"} & set(column):
            values[:, column[name]] = self._nets.macs(rows)
        values[:, column["accuracy"]] = self._nets.accuracy(rows).value
        values[:, column["area"]] = self.setup.base.area_mm2
        if "params" in column:
            values[:, column["params"]] = self._nets.space.params(rows)
        costs = _rounded(goals.costs(values))
        good = (goals.excess(values) <= SLACK).all(axis=1) & np.isfinite(costs).all(axis=1)
        rows, costs = rows[good], costs[good]
        if not len(rows):
            return rows
        best = prune(costs) if costs.shape[1] <= 3 else front(costs, np.ones(len(costs), bool))
        return np.asarray(rows[best][spread(len(best))])


class BlockwiseExact(Blockwise):
    """Phase `table`, then `front`: all subnets that none is better than, found exactly, priced whole."""

    exact = True

    def networks(self) -> Phase | None:
        """The front's subnets, and no others; none: the table is all there is."""
        if self._rows is None:
            self._rows = self.front_rows()
        if not len(self._rows):
            return None
        return self.setup.phase("front", ListedNets(self._nets, self._rows), self.setup.chips, sketch=False)

    def notes(self) -> tuple[str, ...]:
        """And how long the front is, and how many blocks it needs."""
        space = self._nets.space
        if self._rows is None:
            return super().notes()
        if not len(self._rows):
            return (f"none of all {space.size:.3g} subnets meets the limits: {self.setup.goals.words()}",)
        ids = space.block_ids(self._rows)
        used = len(np.unique(ids[ids >= 0]))
        return (
            f"exact front of all {space.size:.3g} subnets: {len(self._rows)} of them, made of {used} of "
            f"{len(self._blocks)} blocks",
            *super().notes(),
        )


def _rounded(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """To 12 digits: equal blocks in another order add up to the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (11 - np.floor(np.log10(np.abs(costs))))
        return np.where((costs == 0) | ~np.isfinite(costs), costs, np.round(costs * scale) / scale)


def spread(n: int) -> list[int]:
    """0 to n - 1, the ends first, then halves, quarters and so on."""
    order = dict.fromkeys([0, n - 1])
    step = 1 << (n - 1).bit_length()
    while step > 1:
        step //= 2
        order.update(dict.fromkeys(range(0, n, step)))
    return list(order)
