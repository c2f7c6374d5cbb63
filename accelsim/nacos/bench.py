"""`Bench`: ask the tables for any network on any chip under any schedule that they hold."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.accuracy import AccuracySource, load_source
from accelsim.errors import AccelsimError, nearest, not_one_of
from accelsim.nacos.clock import Clock
from accelsim.nacos.manifest import Manifest, load_tables
from accelsim.nacos.nets import SPACES
from accelsim.nacos.schedules import OBJECTIVES, SCHEDULES, ChipSchedules, NetCosts, whole_front
from accelsim.nacos.tables import Tables
from accelsim.nacos.tasks import BenchTask, Points, best_of, regret
from accelsim.pricing.network import overhead_cycles, overhead_pj

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator
    from accelsim.mapping.mapping import Mapping
    from accelsim.network_cost import NetworkCost

Schedule = str | Dict[str, Any]
"""A word of SCHEDULES, or mappings by layer name; layers not named are under the proved schedule."""


def create(
    path: Path | str | None = None,
    space: str = "macro",
    *,
    accuracy: str | AccuracySource | type[AccuracySource] | None = None,
) -> Bench:
    """Open a benchmark.

    path      a folder that `accelsim nacos build` wrote; None: the shipped tables of the space
    accuracy  where accuracies come from, as `table:FILE`; none ships, and without one there is none

    Raises AccelsimError where tables are damaged, or made under another contract of the cost model.
    """
    if space not in SPACES:
        raise AccelsimError(f"nacos: no benchmark {space!r}{nearest(space, SPACES)}")
    home = Path(str(resources.files("accelsim.nacos"))) / "data" / space if path is None else Path(path)
    if path is not None and not home.is_dir():
        raise AccelsimError(f"{home}: is no folder of tables; `accelsim nacos build` makes one")
    manifest, tables = load_tables(home)
    if manifest.space != space:
        raise AccelsimError(f"{home}: has tables of {manifest.space}, not of {space}")
    return Bench(manifest, tables, accuracy)


class Bench:
    """Networks by number, chips by name. Latency, energy and EDP are of one inference, overhead included."""

    def __init__(
        self,
        manifest: Manifest,
        tables: Tables,
        accuracy: str | AccuracySource | type[AccuracySource] | None = None,
    ) -> None:
        self.manifest, self.tables, self.nets = manifest, tables, manifest.nets
        self.chips: tuple[str, ...] = tuple(manifest.chips)
        self.clock = Clock(self)
        self._schedules: dict[str, ChipSchedules] = {}
        self._best: dict[tuple[str, str], NetCosts] = {}
        self._tasks: dict[BenchTask, BenchTask] = {}
        space = self.nets.space
        self.accuracies = None
        if accuracy is not None:
            source = load_source(accuracy, space)
            self.accuracies = source.predict(space, self.nets.rows, mixed=True)

    def __len__(self) -> int:
        return len(self.nets)

    def __repr__(self) -> str:
        made = self.manifest
        return f"<Bench {made.space} data {made.data}: {len(self):,} networks, {len(self.chips)} chips>"

    # -- networks and chips --------------------------------------------------------------------------

    def arch(self, i: int) -> str:
        """Code of network `i`."""
        return self.nets.arch(self._number(i))

    def query_index_by_arch(self, arch: str) -> int:
        """Number of the network that a code stands for. Raises AccelsimError for what is no code."""
        return self.nets.index(arch)

    def chip(self, name: str) -> Accelerator:
        """The accelerator of a name."""
        self._schedule(name)
        return self.manifest.chip(name)

    def _number(self, i: int) -> int:
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < len(self):
            raise AccelsimError(f"nacos: networks have numbers from 0 to {len(self) - 1}, but got {i!r}")
        return int(i)

    def _schedule(self, chip: str) -> ChipSchedules:
        if chip not in self._schedules:
            if chip not in self.manifest.chips:
                raise AccelsimError(f"nacos: no chip {chip!r}{nearest(str(chip), self.chips)}")
            machine = self.manifest.chip(chip)
            self._schedules[chip] = ChipSchedules(
                self.tables, self.chips.index(chip), len(self.nets.layers),
                (overhead_cycles(machine), overhead_pj(machine)),
            )  # fmt: skip
        return self._schedules[chip]

    def overhead(self, chip: str) -> tuple[float, float]:
        """Cycles and pJ of an inference beyond its layers."""
        return self._schedule(chip).overhead

    # -- figures -------------------------------------------------------------------------------------

    def query_by_index(
        self, i: int, chip: str, schedule: Schedule = "proved", *, objective: str = "edp"
    ) -> dict[str, Any]:
        """All figures of a network on a chip, flat, units in the names.

        schedule   see `Schedule`; given mappings are priced by the cost model
        objective  what the proved schedule minimises over the whole network: edp, latency or energy

        Raises AccelsimError for unknown names, and where no random mapping of a layer fits.
        """
        i, row = self._number(i), self._head(i, chip)
        if isinstance(schedule, str):
            costs = self.totals(chip, schedule, objective, [i])
            latency, energy = float(costs.latency[0]), float(costs.energy[0])
            if not np.isfinite(latency):
                raise AccelsimError(
                    f"nacos: none of the {self.manifest.draws} random mappings of a layer of {self.arch(i)} "
                    f"fits {chip}, so that there is no {schedule}"
                )
        else:
            cost = self.live(i, chip, schedule, objective=objective)
            latency, energy = cost.latency_cycles, cost.energy_pj
        return row | {"schedule": schedule if isinstance(schedule, str) else "given"} | self._figures(
            chip, latency, energy
        )  # fmt: skip

    def _head(self, i: int, chip: str) -> dict[str, Any]:
        """What no schedule changes."""
        known = self.accuracies
        return {
            "index": i,
            "arch": self.arch(i),
            "chip": chip,
            "macs": int(self.nets.macs[i]),
            "params": int(self.nets.params[i]),
            "area_mm2": self.chip(chip).area_mm2,
            "accuracy": None if known is None else float(known.value[i]),
            "accuracy_kind": "absent" if known is None else str(known.kind[i]),
            "accuracy_error": None if known is None else float(known.error[i]),
        }

    def _figures(self, chip: str, latency: float, energy: float, before: str = "") -> dict[str, float]:
        seconds = latency / (self.chip(chip).clock_mhz * 1e6)
        return {
            f"{before}latency_cycles": latency,
            f"{before}latency_s": seconds,
            f"{before}energy_pj": energy,
            f"{before}edp_js": energy * 1e-12 * seconds,
        }

    def totals(
        self, chip: str, schedule: str = "proved", objective: str = "edp", nets: Sequence[int] | None = None
    ) -> NetCosts:
        """Cycles and pJ float64[nets] of some networks, or of all; infinite where a layer has no mapping."""
        _check_words(schedule, objective)
        made = self._schedule(chip)
        counts = self.nets.counts if nets is None else self.nets.counts[list(nets)]
        if schedule != "proved":
            return made.fixed(counts, schedule)
        if nets is not None:
            return made.proved(counts, objective)[0]
        key = chip, objective
        if key not in self._best:
            self._best[key] = made.proved(counts, objective)[0]
        return self._best[key]

    def get_cost_info(self, i: int, chip: str) -> dict[str, Any]:
        """What the tables know of a network on a chip: the optimum for each objective, template, quantiles
        (None where no random mapping of a layer fits), and a bound that needs no search; flat.
        """  # fmt: skip
        i, row = self._number(i), {"index": int(i), "arch": self.arch(i), "chip": chip}
        for objective in OBJECTIVES:
            costs = self.totals(chip, "proved", objective, [i])
            row |= self._figures(chip, float(costs.latency[0]), float(costs.energy[0]), f"{objective}_")
        for word in SCHEDULES[1:]:
            costs = self.totals(chip, word, nets=[i])
            found = self._figures(chip, float(costs.latency[0]), float(costs.energy[0]), f"{word}_")
            row |= {key: value if np.isfinite(value) else None for key, value in found.items()}
        made = self._schedule(chip)
        bound = self.nets.counts[i] @ self.tables.bound[made.first : made.first + made.layers]
        row |= {
            "bound_latency_cycles": float(bound[0] + made.overhead[0]),
            "bound_energy_pj": float(bound[1] + made.overhead[1]),
        }
        fits = self.tables.fits[made.first : made.first + made.layers][self.nets.counts[i] > 0]
        return row | {"fitting_share_least": float(fits.min() / self.manifest.draws)}

    # -- mappings ------------------------------------------------------------------------------------

    def mappings(
        self, i: int, chip: str, schedule: str = "proved", *, objective: str = "edp"
    ) -> dict[str, Mapping]:
        """A mapping for each layer of a network by name, as `accelsim.evaluate` takes them."""
        from accelsim.mapping.mapping import Mapping

        i, made, machine = self._number(i), self._schedule(chip), self.chip(chip)
        _check_words(schedule, objective)
        counts = self.nets.counts[i : i + 1]
        if schedule == "proved":
            chosen = self.tables.start[made.first : made.first + made.layers]
            rows = self.tables.front.take(chosen + made.proved(counts, objective)[1][0])
        else:
            rows = made.stored(schedule)
        numbers = {layer: n for n, layer in enumerate(self.nets.layers)}
        network = self.nets.network(i)
        batch = rows.widened(len(machine.memories)).batch
        out = {}
        for name, layer in zip(network.names, network.layers, strict=True):
            n = numbers[layer]
            if not np.isfinite(rows.latency[n]):
                raise AccelsimError(f"nacos: no random mapping of {name} ({layer}) fits {chip}")
            out[name] = Mapping.from_arrays(machine.for_layer(layer), layer, batch, n)
        return out

    def live(
        self, i: int, chip: str, schedule: Schedule = "proved", *, objective: str = "edp"
    ) -> NetworkCost:
        """Price a schedule anew by the cost model: `accelsim.evaluate` of the network and its mappings."""
        from accelsim.costing import evaluate
        from accelsim.network_cost import NetworkCost

        word = schedule if isinstance(schedule, str) else "proved"
        given: dict[str, Any] = {**self.mappings(i, chip, word, objective=objective)}
        if not isinstance(schedule, str):
            unknown = next((name for name in schedule if name not in given), None)
            if unknown is not None:
                raise AccelsimError(
                    f"schedule: {self.arch(i)} has no layer {unknown!r}{nearest(unknown, given)}"
                )
            given |= schedule
        cost = evaluate(self.chip(chip), self.nets.network(int(i)), given)
        assert isinstance(cost, NetworkCost)
        return cost

    def schedule_front(self, i: int, chip: str) -> list[dict[str, float]]:
        """The exact latency-energy front of a network on a chip over all its schedules."""
        made = self._schedule(chip)
        found = whole_front(made.fronts, self.nets.counts[self._number(i)])
        more = made.overhead
        return [self._figures(chip, a + more[0], b + more[1]) for a, b in zip(*(x.tolist() for x in found))]

    # -- optimisation --------------------------------------------------------------------------------

    def simulate_eval(
        self, i: int, chip: str, mappings: int = 500, seed: int = 0, *, mapper: str | None = None
    ) -> tuple[dict[str, Any], dict[str, int], dict[str, int]]:
        """See `Clock.evaluate`: (metrics, what this cost, what all cost since the clock was reset)."""
        return self.clock.evaluate(i, chip, mappings, seed, mapper)

    def reset_clock(self) -> None:
        """Forget what `simulate_eval` has mapped and counted."""
        self.clock = Clock(self)

    @cached_property
    def objectives(self) -> tuple[str, ...]:
        """By default: EDP and accuracy, or, without accuracies, EDP and MACs (more is better)."""
        return ("edp", "work" if self.accuracies is None else "accuracy")

    def task(
        self, chip: str | None = None, objectives: Sequence[str] | None = None, at_least: float | None = None
    ) -> BenchTask:
        """What to search for: see `BenchTask`. Asked for again, a task still knows its front."""
        made = BenchTask.of(self, chip, self.objectives if objectives is None else objectives, at_least)
        return made if at_least is not None else self._tasks.setdefault(made, made)

    def true_front(
        self, chip: str | None = None, objectives: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """All that no network on any chip (or on one) under any schedule of its space beats, as rows.

        objectives  one of edp, latency, energy, and any of accuracy, work, params (more is better) and area
        """
        task = self.task(chip, objectives)
        cost = next(name for name in task.objectives if name in OBJECTIVES)
        return [self.query_by_index(i, where, objective=cost) for i, where in task.front]

    def regret(self, points: Points, task: BenchTask | None = None) -> float:
        """See `accelsim.nacos.tasks.regret`; None: the task of the default objectives over all chips."""
        return regret(points, self.task() if task is None else task)

    def best(self, task: BenchTask) -> dict[str, Any]:
        """The optimum of a task with one objective, as a row."""
        i, chip = best_of(task)
        return self.query_by_index(i, chip, objective=task.objectives[0])


def _check_words(schedule: str, objective: str) -> None:
    if schedule not in SCHEDULES:
        raise AccelsimError(f"schedule: no {schedule!r}{nearest(schedule, SCHEDULES)}")
    if objective not in OBJECTIVES:
        raise AccelsimError(f"objective: {not_one_of(objective, OBJECTIVES)}")
