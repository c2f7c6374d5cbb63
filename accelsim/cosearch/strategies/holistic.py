"""Whole networks, then their schedules, on microcontrollers (MCUNet: Lin et al., NeurIPS 2020 and 2021).

Spaces of networks are ranked by the mean MACs of those that fit; the best is searched; schedules of its front
are tried; and the memory that they free is handed back: spaces are ranked again, until nothing changes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import FixedChip
from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import front
from accelsim.cosearch.nets import ListedNets, SlicedNets, SubnetSpace
from accelsim.cosearch.optimisers import Optimiser
from accelsim.cosearch.optimisers.inorder import InOrder
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies.base import Strategy
from accelsim.devices import evaluate_device
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.hardware.microcontroller import controller
from accelsim.liveness import rules_of
from accelsim.liveness.blocks import BlockMemory
from accelsim.workloads.spaces import Space

PRUNED = ("resolution", "width")
"""Genes whose values make the spaces that are ranked, where a space has them."""

DRAWN, DRAWN_AGAIN = 1000, 20
"""Random networks a space, as MCUNet draws; fewer where each needs plans of its own."""

LEAST = 0.01
"""Share of the networks that must fit, so that a space is not ranked by a rare one."""

GENERATIONS, MOST, ROUNDS = 10, 8, 3
"""Of a round's network phase, networks whose schedules are tried, and rounds at most."""

ENDS, GRIDS = (2, 4), (2, 3, 4)
"""Patches reach to so many blocks that are always there, and are so many a side."""


class Schedule(NamedTuple):
    """How a network runs: depthwise layers in place, `sums` too, the first `blocks` in patches."""

    sums: bool = False
    blocks: int = 0
    grid: int = 1

    def __str__(self) -> str:
        patches = f"{self.grid}x{self.grid} patches of {self.blocks} blocks" if self.blocks else ""
        return ", ".join(filter(None, (patches, "sums in place" if self.sums else "")))


PLAIN = Schedule()
SCHEDULES = (PLAIN, Schedule(True), *(Schedule(True, end, grid) for end, grid in product(ENDS, GRIDS)))


def figures(hw: Accelerator, space: Space, row: NDArray[np.int64], schedule: Schedule) -> tuple[int, float]:
    """(peak of SRAM in bytes, seconds) of a subnet [genes]; infinite seconds where patches cannot be cut."""
    net = space.to_network(row)
    patches = None
    if schedule.blocks:
        there = [p for p, part in enumerate(space.parts) if part.depth is None][1 : 1 + schedule.blocks]
        ids = space.block_ids(row)[0, : there[-1] + 1]
        layers = sum(len(space.block(int(i)).layers) for i in ids if i >= 0)
        patches = net.names[layers - 1], schedule.grid
    rules = replace(rules_of(hw), in_place_add=schedule.sums)
    try:
        cost = evaluate_device(hw, net, rules, patches)
    except AccelsimError:
        return 2**53, np.inf
    return cost.plan.peak, cost.latency_s


class SpacesPhase(Phase):
    """A candidate a space: its MACs are the mean of those of its networks that fit. None is feasible."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.fits: dict[int, tuple[int, int, float]] = {}
        self.allowed: tuple[Schedule, ...] = (PLAIN,)
        self.seed = 0
        self.table: BlockMemory | None = None

    def evaluate(self, rows: Genomes) -> NDArray[np.float64]:
        """NaN but for MACs and work."""
        values = np.full((len(rows), len(self.goals.metrics)), np.nan)
        for i, (space,) in enumerate(rows.tolist()):
            mean = self._draw(space)[2]
            for name in ("macs", "work"):
                if name in self.goals.column:
                    values[i, self.goals.column[name]] = mean
        return values

    def _draw(self, number: int) -> tuple[int, int, float]:
        """(fit, drawn, mean MACs of those that fit, NaN for too few) of a space."""
        if number not in self.fits:
            nets = self.nets
            assert isinstance(nets, ListedNets)
            assert self.table is not None
            space, head = self.table.space, nets.rows[number]
            count = DRAWN if self.allowed == (PLAIN,) else DRAWN_AGAIN
            rows = space.sample(np.random.default_rng(self.seed), count)
            columns = pruned(space)
            rows[:, columns] = head[columns]
            sram, flash = self.goals.limits["peak_memory"], self.goals.limits["flash"]
            peaks, sizes = self.table.sizes(rows)
            good = peaks <= sram
            for i in np.flatnonzero(~good & (sizes <= flash)):
                found = (figures(self.table.hardware, space, rows[i], s)[0] for s in self.allowed[1:])
                good[i] = any(peak <= sram for peak in found)
            good &= sizes <= flash
            enough = good.mean() >= LEAST
            mean = float(space.macs(rows)[good].mean()) if enough else np.nan
            self.fits[number] = int(good.sum()), count, mean
        return self.fits[number]

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """All ones."""
        return np.ones((len(values), len(self.goals.limits) + 1))

    def shares_missed(self, values: NDArray[np.float64]) -> dict[str, float]:
        """Nothing: limits are for networks."""
        return {}

    def labels(self, rows: Genomes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The space, and how many of its networks fit."""
        _, chips = super().labels(rows)
        nets, out = self.nets, []
        assert isinstance(nets, ListedNets)
        assert self.table is not None
        for (number,) in rows.tolist():
            fit, drawn, _ = self._draw(number)
            out.append(f"{space_words(self.table.space, nets.rows[number])}: {fit} of {drawn} networks fit")
        return tuple(out), chips


class DevicePhase(Phase):
    """Networks, each under the first allowed schedule with which it fits."""

    allowed: tuple[Schedule, ...] = (PLAIN,)

    def schedule_of(self, row: NDArray[np.int64]) -> tuple[Schedule, ...]:
        """Schedules to try where the plain one does not fit."""
        return self.allowed[1:]

    def evaluate(self, rows: Genomes) -> NDArray[np.float64]:
        """As any candidates; peak and latency are those under the schedule."""
        values = super().evaluate(rows)
        for i, schedule in self._tried(rows, values).items():
            self._set(values, i, rows[i], schedule)
        return values

    def _tried(self, rows: Genomes, values: NDArray[np.float64]) -> dict[int, Schedule]:
        """Row -> another schedule than the plain one."""
        self.used: dict[int, Schedule] = {}
        limit, flash = self.goals.limits["peak_memory"], self.goals.limits["flash"]
        column = self.goals.column
        for i, row in enumerate(rows):
            if values[i, column["peak_memory"]] <= limit or values[i, column["flash"]] > flash:
                continue
            found = [(s, *self._figures(row, s)) for s in self.schedule_of(row)]
            good = [(seconds, n) for n, (_, peak, seconds) in enumerate(found) if peak <= limit]
            if good:
                self.used[i] = found[min(good)[1]][0]
        return self.used

    def _figures(self, row: NDArray[np.int64], schedule: Schedule) -> tuple[int, float]:
        nets = self.nets
        assert isinstance(nets, SubnetSpace | ListedNets)
        chip = self.chips.accelerators(row[None, :0])[0]
        return figures(chip, nets.space, nets.subnets(row[None, :])[0], schedule)

    def _set(
        self, values: NDArray[np.float64], i: int, row: NDArray[np.int64], schedule: Schedule
    ) -> None:  # fmt: skip
        peak, seconds = self._figures(row, schedule)
        values[i, self.goals.column["peak_memory"]] = peak
        values[i, self.goals.column["latency"]] = seconds

    def labels(self, rows: Genomes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """With the schedule of the rows last evaluated."""
        names, chips = super().labels(rows)
        used = getattr(self, "used", {})
        return tuple(f"{n} ({used[i]})" if i in used else n for i, n in enumerate(names)), chips


class SchedulePhase(DevicePhase):
    """Networks of the front under every schedule but the plain one."""

    schedules: tuple[Schedule, ...] = ()

    def _tried(self, rows: Genomes, values: NDArray[np.float64]) -> dict[int, Schedule]:
        self.used = {i: self.schedules[int(row[0])] for i, row in enumerate(rows)}
        return self.used


class Holistic(Strategy):
    """Phases `spaces`, `network`, `schedule`, then the next round's; the last `network` goes on."""

    def __init__(self, setup: Setup) -> None:
        self.round = 1
        self.allowed: tuple[Schedule, ...] = (PLAIN,)
        self.best: int | None = None
        self._words: list[str] = []
        self._rows: list[Genomes] = []
        self._values: list[NDArray[np.float64]] = []
        self._last = False
        super().__init__(setup)

    def first(self) -> Phase:
        """Spaces, at the plain schedule."""
        nets, chips = self.setup.nets, self.setup.chips
        if not isinstance(nets, SubnetSpace):
            raise AccelsimError("strategy holistic: prunes a space of networks; name one (--space mcunet)")
        if not isinstance(chips, FixedChip):
            raise AccelsimError("strategy holistic: searches networks for one device; add --fix hardware")
        controller(self.setup.base)
        self._nets = nets
        columns = pruned(nets.space)
        sizes = [len(nets.space.genes[c].values) for c in columns]
        self._heads = np.zeros((int(np.prod(sizes)), len(nets.space.genes)), np.int64)
        self._heads[:, columns] = np.array(list(product(*map(range, sizes))))
        self._table = BlockMemory(nets.space, self.setup.base)
        return self._spaces()

    @property
    def optimiser(self) -> Optimiser:
        """Spaces and schedules come one after another."""
        if self._optimiser is None and not isinstance(self.phase.nets, SlicedNets):
            self._optimiser = InOrder(self.phase, self.setup.config.population, self.setup.config.seed)
        return super().optimiser

    def _name(self, what: str) -> str:
        return what if self.round == 1 else f"{what}{self.round}"

    def _spaces(self) -> Phase:
        heads = ListedNets(self._nets, self._heads)
        phase = self.setup.phase(self._name("spaces"), heads, self.setup.chips, kind=SpacesPhase)
        assert isinstance(phase, SpacesPhase)
        phase.allowed, phase.seed, phase.table = self.allowed, self.setup.config.seed, self._table
        return phase

    def next(self, rows: Genomes, values: NDArray[np.float64]) -> Phase | None:
        """Spaces, network, schedule, and again with what the schedules freed."""
        if len(rows):
            self._rows.append(rows)
            self._values.append(values)
        told = sum(map(len, self._rows))
        if isinstance(self.phase, SpacesPhase):
            return self._network() if told == len(self._heads) else None
        if isinstance(self.phase, SchedulePhase):
            return self._again() if told == len(self.phase.schedules) else None
        if self._last or (len(self._rows) < GENERATIONS and len(rows)):
            return None
        return self._schedules()

    def _all(self) -> tuple[Genomes, NDArray[np.float64]]:
        """What the phase was told, which begins anew."""
        out = np.concatenate(self._rows), np.concatenate(self._values)
        self._rows, self._values = [], []
        return out

    def _network(self) -> Phase | None:
        rows, values = self._all()
        means = values[:, self.setup.goals.column["macs"]]
        if np.isnan(means).all():
            self._words.append("no space has networks that fit")
            return None
        at = int(np.nanargmax(means))
        best = int(rows[at, 0])
        fit = int(np.isfinite(means).sum())
        name = space_words(self._nets.space, self._heads[best])
        how = "; ".join(str(s) or "in place" for s in self.allowed)
        self._words.append(
            f"round {self.round} ({how}): {fit} of {len(means)} spaces hold networks that fit; {name} is "
            f"best, their mean {means[at] / 1e6:.1f} M MACs"
        )
        self._last = best == self.best or self.round == ROUNDS
        self.best = best
        columns = pruned(self._nets.space)
        nets = SlicedNets(self._nets, dict(zip(columns, self._heads[best, columns].tolist(), strict=True)))
        phase = self.setup.phase(self._name("network"), nets, self.setup.chips, kind=DevicePhase)
        assert isinstance(phase, DevicePhase)
        phase.allowed = self.allowed
        return phase

    def _schedules(self) -> Phase | None:
        rows, values = self._all()
        feasible = np.asarray((self.phase.excess(values) <= 0).all(axis=1))
        best = front(self.setup.goals.costs(values), feasible)[:MOST]
        if not len(best):
            self._words.append("no network met the limits: its phase goes on")
            self._last = True
            return None
        nets = self.phase.nets
        assert isinstance(nets, SlicedNets)
        self._peaks = values[best, self.setup.goals.column["peak_memory"]]
        listed = ListedNets(self._nets, np.repeat(nets.subnets(rows[best]), len(SCHEDULES) - 1, axis=0))
        phase = self.setup.phase(self._name("schedule"), listed, self.setup.chips, kind=SchedulePhase)
        assert isinstance(phase, SchedulePhase)
        phase.schedules = SCHEDULES[1:] * len(best)
        return phase

    def _again(self) -> Phase:
        """The schedule that frees the most memory, on average over the front, is allowed from now on."""
        _, values = self._all()
        peaks = values[:, self.setup.goals.column["peak_memory"]].reshape(-1, len(SCHEDULES) - 1)
        share = (peaks / self._peaks[:, None]).mean(axis=0)
        chosen = SCHEDULES[1 + int(np.argmin(share))]
        self._words.append(f"round {self.round}: {chosen} takes {share.min():.0%} of the front's memory")
        if share.min() < 1:
            self.allowed = tuple(dict.fromkeys((*self.allowed, chosen)))
        self.round += 1
        return self._spaces()

    def notes(self) -> tuple[str, ...]:
        """What each round chose."""
        return tuple(self._words)


def pruned(space: Space) -> list[int]:
    """Columns of the genes whose values make the spaces to rank."""
    return [c for c, gene in enumerate(space.genes) if gene.name in PRUNED]


def space_words(space: Space, row: NDArray[np.int64]) -> str:
    """The space's genes: `resolution 144, width 0.5`."""
    names = [(space.genes[c].name, space.genes[c].values[row[c]]) for c in pruned(space)]
    return ", ".join(f"{name} {value}" for name, value in names)
