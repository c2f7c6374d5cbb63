"""`Phase`: what one optimiser searches over, and how its genomes are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace, FixedChip
from accelsim.cosearch.genes import Genome, Genomes
from accelsim.cosearch.goals import Goals
from accelsim.cosearch.mapgenes import MappingGenes
from accelsim.cosearch.metrics import Candidate, value_of
from accelsim.cosearch.mixed import MixedNets, MixedSubnets
from accelsim.cosearch.nets import FixedNets, Nets
from accelsim.cosearch.screen import Known
from accelsim.fusion import Stack
from accelsim.hardware import Accelerator
from accelsim.hardware.brief import brief
from accelsim.pricing.ask import Schedule
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.stack_bounds import bounds_with_stacks
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network

DRAWS = 20_000
"""Random rows in a row, all invalid, after which a search is called impossible."""

RISING = ("edp", "latency", "energy")
"""Metrics that only rise with latency and energy."""


class Design(NamedTuple):
    """What a genome stands for."""

    chip: Accelerator
    networks: tuple[Network, ...]
    label: str


class Phase:
    """Genomes of networks, chips and perhaps mappings.

    Rows that break the envelope or repeat an earlier row are drawn again, as NAAS does; `rejected` counts
    them by reason. Whatever is evaluated meets the envelope; limits of the goals show as `excess`.
    """

    def __init__(
        self,
        name: str,
        nets: Nets,
        chips: ChipSpace | FixedChip,
        goals: Goals,
        pricer: NetworkPricer,
        mappings: MappingGenes | None = None,
        max_power_mw: float | None = None,
    ) -> None:
        self.name = name
        self.nets = nets
        self.chips = chips
        self.mappings = mappings
        self.goals = goals
        self.pricer = pricer
        self.max_power_mw = max_power_mw
        self.genome = Genome([nets, chips] + ([mappings] if mappings else []))
        self.rejected: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self.fuse = False
        """Whether candidates are priced with the best stacks found for them, too."""
        self.stacks: tuple[tuple[Stack, ...], ...] = ()
        """Those of each network, with which candidates are priced; empty: none are given."""
        self.sketcher: NetworkPricer | None = None
        """Prices candidates quickly, where they are screened (see `screen`)."""
        self.around = False
        """Whether searches begin with the base chip and chips around it (see `optimisers.starts`)."""
        self.known = Known(len(goals.objectives))
        self.weights = nets.weights if isinstance(nets, FixedNets) else ()

    # -- which rows may be evaluated -----------------------------------------------------------------

    def fresh(self, rows: Genomes, others: set[bytes] | None = None) -> NDArray[np.bool_]:
        """[n] rows within the envelope, unlike each other, all evaluated ones and `others`."""
        keep = np.zeros(len(rows), bool)
        faults = self.chips.faults(self.genome.split(rows)[1])
        here = set(others or ())
        for i, key in enumerate(self.keys(rows)):
            if faults[i]:
                self.rejected[str(faults[i])] += 1
            elif key in self._seen or key in here:
                self.rejected["repeated"] += 1
            else:
                keep[i] = True
                here.add(key)
        return keep

    def keys(self, rows: Genomes) -> list[bytes]:
        """Equal keys are equal candidates."""
        return [row.tobytes() for row in self.genome.canonical(rows)]

    def draw(
        self, rng: np.random.Generator, n: int, others: set[bytes] | None = None, near: float = 0.0
    ) -> Genomes:
        """Up to `n` fresh random rows; fewer where hardly any are left.

        A gene of the chip is the base's own with the probability `near`, else uniform as all others; the
        first row has all of them.
        """
        found = np.zeros((0, len(self.genome.genes)), np.int64)
        taken = set(others or ())
        fails = 0
        while len(found) < n and fails < DRAWS:
            rows = self.genome.sample(rng, max(64, 2 * n))
            if near:
                chips = self.genome.split(rows)[1]
                chips[:] = np.where(rng.random(chips.shape) < near, self.chips.anchor(), chips)
                if not len(found):
                    chips[0] = self.chips.anchor()
            new = rows[self.fresh(rows, taken)][: n - len(found)]
            fails = 0 if len(new) else fails + len(rows)
            taken.update(self.keys(new))
            found = np.concatenate([found, new])
        return found

    def own(self, row: NDArray[np.int64]) -> Genomes:
        """[1, genes] the network of a row on the base chip, in its precision; none where that is not
        searched.
        """  # fmt: skip
        out = row[None].copy()
        nets, chips, *_ = self.genome.split(out)
        if not isinstance(self.nets, MixedNets | MixedSubnets):
            return out[:0]
        nets[:] = self.nets.own(nets[0])
        chips[:] = self.chips.anchor()
        return out[self.fresh(out)]

    # -- judging -------------------------------------------------------------------------------------

    def evaluate(self, rows: Genomes) -> NDArray[np.float64]:
        """Metrics float64[n, goals.metrics]; NaN where not known.

        Candidates that miss a limit which mappings do not decide are not mapped. Where a layer has no
        mapping, edp, latency and energy are infinite.
        """
        values, found, runs = self.begun(rows)
        todo = list(runs)
        costs, details = means(self.pricer, list(runs.values()), self.weights)
        names = [metric.name for metric in self.goals.detailed]
        for i, (latency, energy), parts in zip(todo, costs.tolist(), details, strict=True):
            found[i].latency_s, found[i].energy_j = latency, energy
            found[i].layers = {name: [part[:, k] for part in parts] for k, name in enumerate(names)}
        self._fill(values, found, todo, mapped=True)
        return values

    def begun(self, rows: Genomes) -> tuple[NDArray[np.float64], list[Candidate], dict[int, list[Run]]]:
        """Metrics that need no mapping, candidates, and what is to be mapped of those worth it."""
        values = np.full((len(rows), len(self.goals.metrics)), np.nan)
        net_rows, chip_rows, *rest = self.genome.split(rows)
        net_rows = self.nets.canonical(net_rows)
        chips, chip_keys = self.chips.accelerators(chip_rows), self.chips.keys(chip_rows)
        accuracy = self.nets.accuracy(net_rows, chips)
        columns = (self.nets.macs(net_rows), accuracy.value, accuracy.error)
        figures = zip(*(column.tolist() for column in columns), strict=True)
        found = [
            Candidate(chip, partial(self.nets.networks, row), *told)
            for chip, row, told in zip(chips, net_rows, figures, strict=True)
        ]
        for candidate in found:
            candidate.weights = self.weights
        self._fill(values, found, range(len(rows)), mapped=False)
        early = self.goals.early()
        todo = np.flatnonzero(~(self.goals.excess(values)[:, early] > 0).any(axis=1)).tolist()
        runs = {}
        for i in todo:
            schedule = self._schedule(rest, i)
            runs[i] = [
                Run(chips[i], net, chip_keys[i], schedule, stacks=stacks, fuse=self.fuse)
                for net, stacks in self._with_stacks(found[i].networks)
            ]
        return values, found, runs

    @property
    def fuses(self) -> bool:
        """Whether there may be stacks."""
        return self.fuse or bool(self.stacks)

    @property
    def bounds_hold(self) -> bool:
        """Whether `least` says all of what decides: not where other metrics need mappings."""
        asked = (self.goals.metrics[name] for name in (*self.goals.objectives, *self.goals.limits))
        return all(not m.mapped or m.name in RISING for m in asked)

    def least(self, rows: Genomes) -> NDArray[np.float64]:
        """Metrics float64[n, metrics] that no mapping beats, nor any stacks; nothing is mapped.

        NaN for metrics that are not among `RISING` and need mappings, and where a candidate misses a limit
        whatever its mappings are.
        """
        bound = partial(bounds_with_stacks, self.pricer) if self.fuses else self.pricer.bounds
        return self._least(rows, bound)[0]

    def _least(
        self, rows: Genomes, bound: Callable[[list[Run]], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], list[int]]:
        """And the rows that may meet the limits."""
        values, found, runs = self.begun(rows)
        several = list(runs.values())
        bounds = bound([run for one in several for run in one])
        latency, energy = _averaged(bounds, several, self.weights).T
        for i, seconds, joules in zip(runs, latency.tolist(), energy.tolist(), strict=True):
            found[i].latency_s, found[i].energy_j = seconds, joules
        self._fill(values, found, [*runs], mapped=True, names=RISING)
        return values, list(runs)

    def floors(self, rows: Genomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What no mapping beats: costs [n, objectives] and excess [n, limits + 1], -inf where unknown.

        Of layers one by one: stacks can beat it. Nothing is mapped. Costs are NaN where a candidate misses a
        limit whatever its mappings are.
        """
        values, at = self._least(rows, self.pricer.bounds)
        costs, excess = self.goals.costs(values), self.excess(values)
        unknown = [m.mapped and m.name not in RISING for m in self.goals.metrics.values()]
        for i, name in enumerate(self.goals.objectives):
            if unknown[self.goals.column[name]]:
                costs[at, i] = -np.inf
        for i, name in enumerate(self.goals.limits):
            if unknown[self.goals.column[name]]:
                excess[at, i] = -np.inf
        excess[at, -1] = 0.0
        return costs, excess

    def _fill(
        self,
        values: NDArray[np.float64],
        found: Sequence[Candidate],
        rows: Iterable[int],
        mapped: bool,
        names: Collection[str] | None = None,
    ) -> None:
        """Columns of the metrics, by default of all, that depend on mappings, or of those that do not."""
        for column, metric in enumerate(self.goals.metrics.values()):
            if metric.mapped == mapped and (names is None or metric.name in names):
                for i in rows:
                    values[i, column] = value_of(metric, found[i])

    def _with_stacks(self, networks: Sequence[Network]) -> list[tuple[Network, tuple[Stack, ...]]]:
        return list(zip(networks, self.stacks or [()] * len(networks), strict=True))

    def _schedule(self, rest: list[Genomes], i: int) -> Callable[[Layer], Schedule | None] | None:
        return None if self.mappings is None else self.mappings.of(rest[0][i])

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, limits + 1] as `Goals.excess`; the last column is the chip's power budget and mapping."""
        latency = values[:, self.goals.column["latency"]]
        own = np.where(np.isfinite(latency), 0.0, 1.0)
        if self.max_power_mw is not None:
            over = values[:, self.goals.column["power"]] / self.max_power_mw - 1.0
            own = np.where(own > 0, own, np.where(np.isnan(over), 0.0, over))  # bounds say nothing of it
        return np.column_stack([self.goals.excess(values), own])

    def shares_missed(self, values: NDArray[np.float64]) -> dict[str, float]:
        """Share of evaluated candidates that each limit, the power budget, or the lack of a mapping kills."""
        if not len(values):
            return {}
        missed = self.goals.excess(values) > 0
        out = {name: float(missed[:, i].mean()) for i, name in enumerate(self.goals.limits)}
        latency = values[:, self.goals.column["latency"]]
        out["no mapping fits"] = float(np.isinf(latency).mean())
        if self.max_power_mw is not None:
            out["power budget"] = float((values[:, self.goals.column["power"]] > self.max_power_mw).mean())
        return {name: share for name, share in out.items() if share > 0}

    def runs(self, row: NDArray[np.int64]) -> list[Run]:
        """What is priced for a genome, on the chip as it is documented."""
        chip, networks, _ = self.design(row)
        _, _, *rest = self.genome.split(row[None, :])
        schedule = self._schedule(rest, 0)
        return [
            Run(chip, net, schedule=schedule, stacks=stacks, fuse=self.fuse)
            for net, stacks in self._with_stacks(networks)
        ]

    def note(self, rows: Genomes) -> None:
        """Remember rows that were evaluated."""
        self._seen.update(self.keys(rows))

    def learn(self, values: NDArray[np.float64]) -> None:
        """Remember the best of their metrics; bounds, which something known beats, change nothing."""
        self.known.add(self.goals.costs(values), np.asarray((self.excess(values) <= 0).all(axis=1)))

    def labels(self, rows: Genomes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Per row, the label of its network, and its chip in a few words."""
        net_rows, chip_rows, *_ = self.genome.split(rows)
        networks = tuple(self.nets.label(row) for row in self.nets.canonical(net_rows))
        chips = self.chips.accelerators(chip_rows)
        bits = [chip.precision_bits for chip in chips] if self.chips.widths else []
        return networks, tuple(
            [f"{brief(chip)}  W{b.weight} A{b.input}" for chip, b in zip(chips, bits, strict=True)]
            if bits
            else map(brief, chips)
        )

    def design(self, row: NDArray[np.int64]) -> Design:
        """What a genome stands for."""
        net_row, chip_row, *_ = self.genome.split(row[None, :])
        net_row = self.nets.canonical(net_row)
        return Design(
            self.chips.documented(chip_row[0]), self.nets.networks(net_row[0]), self.nets.label(net_row[0])
        )


def means(
    pricer: NetworkPricer, candidates: Sequence[Sequence[Run]], weights: Sequence[float] = ()
) -> tuple[NDArray[np.float64], list[list[NDArray[np.float64]]]]:
    """Latency in seconds and energy in joules float64[n, 2] of n chips, geometric means over their networks.

    Infinite where a layer has no mapping that fits. Also the pricer's details, an array each network.
    """
    found = pricer.price([run for runs in candidates for run in runs])
    details = []
    at = 0
    for runs in candidates:
        details.append(found.details[at : at + len(runs)])
        at += len(runs)
    both = np.column_stack([found.latency_cycles, found.energy_pj])
    return _averaged(both, candidates, weights), details


def _averaged(
    both: NDArray[np.float64], candidates: Sequence[Sequence[Run]], weights: Sequence[float]
) -> NDArray[np.float64]:
    """(seconds, joules) float64[candidates, 2] of (cycles, pJ) float64[runs, 2]."""
    out = np.empty((len(candidates), 2))
    at = 0
    for i, runs in enumerate(candidates):
        values = both[at : at + len(runs)]
        at += len(runs)
        with np.errstate(divide="ignore"):
            latency, energy = (
                np.exp(np.average(np.log(values), axis=0, weights=weights or None))
                if len(runs) > 1
                else values[0]
            )
        out[i] = latency / (runs[0].chip.clock_mhz * 1e6), energy * 1e-12
    return out
