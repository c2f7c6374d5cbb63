"""`SearchResult`: all that a search evaluated, its front, and its designs made concrete."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accuracy import AccuracySource
from accelsim.cosearch.apart import half_widths, surely_apart
from accelsim.cosearch.chips import ChipSpace, unsearched
from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.finish import stacks_for
from accelsim.cosearch.finished import Finished, Granted, Name
from accelsim.cosearch.found import Found
from accelsim.cosearch.freed import placed
from accelsim.cosearch.generation import Generation
from accelsim.cosearch.goals import front
from accelsim.cosearch.phase import Design, Phase, means
from accelsim.cosearch.screen import BOUNDED, LEVELS, MAPPED, SKETCHED
from accelsim.cosearch.setup import Setup
from accelsim.costing import mapped
from accelsim.errors import AccelsimError, nearest
from accelsim.fusion import Stack
from accelsim.hardware import Accelerator
from accelsim.hardware.brief import brief
from accelsim.hardware.freedom import with_freedoms
from accelsim.mapping.mapping import MappingError
from accelsim.network_cost import NetworkMapping
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.shown import Shown
from accelsim.workloads.spaces import Space


class SearchResult(Shown):
    """What a search found. Grows generation by generation while it runs."""

    def __init__(self, setup: Setup, path: Path | None) -> None:
        self.setup = setup
        self.path = path
        self.generations: list[Generation] = []
        self._phases: list[Phase] = []
        self.interrupted = False
        self.exhausted = False
        self.finished: dict[Name, Finished] = {}
        """Designs mapped anew, by what tells them apart."""
        self.near = ""
        """Around what the last local search looked, see `finish`."""
        self._freed: dict[tuple[Granted, tuple[int, ...]], Accelerator] = {((), ()): unsearched(setup.base)}
        self._sized: dict[Granted, ChipSpace] = {}
        self.notes: tuple[str, ...] = ()
        self._apart = False

    def brief(self) -> str:
        """What was searched, how far, and the best design's first objective."""
        what = self.config.space or ", ".join(str(net["name"]) for net in self.config.networks)
        first = self.setup.goals.objectives[0]
        best = (
            "nothing meets the limits"
            if self.best is None
            else f"best {first} {self.best.metrics[first]:.4g}"
        )
        many = f"{len(self):,} candidates, {len(self.front)} on the front"
        return f"{what} on {self.setup.base.name}: {many}, {best}"

    @property
    def source(self) -> tuple[AccuracySource, Space] | None:
        """Where the accuracies of subnets come from, with their space; None where none were asked for."""
        space, source = (getattr(self.setup.nets, name, None) for name in ("space", "source"))
        return None if space is None or source is None else (source, space)

    @property
    def caution(self) -> str:
        """What must stand beside the accuracies wherever they show, or ""."""
        return "" if self.source is None else self.source[0].caution(self.source[1])

    @property
    def apart(self) -> bool:
        """Whether the front's designs must be told apart by more than the error of their accuracies.

        Changes what is shown, not what was searched.
        """
        return self._apart

    @apart.setter
    def apart(self, wanted: bool) -> None:
        self._apart = wanted
        self.__dict__.pop("front", None)

    @property
    def config(self) -> SearchConfig:
        """What was searched, and how."""
        return self.setup.config

    def add(self, generation: Generation, phase: Phase) -> None:
        """One more generation and the phase that decodes it."""
        self.generations.append(generation)
        self._phases.append(phase)
        for name in ("values", "levels", "feasible", "front", "_numbers"):
            self.__dict__.pop(name, None)

    # -- everything that was evaluated ---------------------------------------------------------------

    def __len__(self) -> int:
        """Candidates evaluated."""
        return sum(len(g.rows) for g in self.generations)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Metrics float64[candidates, metrics], columns in the order of `setup.goals.metrics`."""
        parts = [g.values for g in self.generations]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.setup.goals.metrics)))

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """What the values of each candidate are, see `screen.LEVELS`."""
        return np.concatenate([g.levels for g in self.generations]) if self.generations else np.zeros(0, int)

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[candidates, limits + 1] of other values of all candidates, see `Phase.excess`."""
        return np.concatenate([phase.excess(part) for part, phase in self._by_phase(values)])

    def _by_phase(self, values: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], Phase]]:
        """Values of all candidates, generation by generation."""
        ends = np.cumsum([len(g.rows) for g in self.generations])
        return zip(np.split(values, ends[:-1]), self._phases, strict=True)

    def column(self, metric: str) -> NDArray[np.float64]:
        """Values [candidates] of one metric. Raises AccelsimError where the search did not keep it."""
        known = self.setup.goals.column
        if metric not in known:
            raise AccelsimError(
                f"metric {metric}: this search kept {', '.join(known)}; name it among the objectives or "
                f"limits to keep it{nearest(metric, tuple(known))}"
            )
        return np.asarray(self.values[:, known[metric]])

    @cached_property
    def feasible(self) -> NDArray[np.bool_]:
        """[candidates]: whether a candidate meets all limits."""
        return (
            np.concatenate([g.feasible for g in self.generations]) if self.generations else np.zeros(0, bool)
        )

    @cached_property
    def front(self) -> tuple[Found, ...]:
        """Candidates that none is better than, by the first objective, as finished (see `finish`).

        With `apart` none that another is better than with a margin, see `accelsim.cosearch.apart`.
        """
        values, feasible = self.as_finished()
        home = [made for name, made in self.finished.items() if not name.itself]
        more = np.array([made.values for made in home], float).reshape(len(home), values.shape[1])
        meets = np.array([self._meets(made) for made in home], bool)
        costs = self.setup.goals.costs(np.concatenate([values, more]))
        rows = front(costs, np.concatenate([feasible, meets]))
        n = len(values)
        found = tuple(self.found(int(i)) if i < n else self._shown(home[i - n]) for i in rows)
        objectives = self.setup.goals.objectives
        half = half_widths(self, found) if self.apart else None
        if half is None or "accuracy" not in objectives or len(objectives) == 1:
            return found
        return tuple(found[i] for i in surely_apart(costs[rows], objectives.index("accuracy"), half))

    def as_finished(self, exact: bool = True) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """`values` and `feasible`, of candidates that are finished as they are then.

        Without `exact` only of those that were mapped in full as was asked.
        """
        values, feasible = self.values.copy(), self.feasible.copy()
        for name, made in self.finished.items():
            if name.itself and (exact or not made.patience):
                values[made.candidate] = made.values
                feasible[made.candidate] = self._meets(made)
        return values, feasible

    def _meets(self, made: Finished) -> bool:
        phase, _ = self.located(made.name)
        return bool((phase.excess(np.array([made.values], float)) <= 0).all())

    @property
    def best(self) -> Found | None:
        """The front's best by the first objective; None if nothing meets the limits."""
        return self.front[0] if self.front else None

    def finish(self, made: Finished) -> None:
        """One design more is finished."""
        self.finished[made.name] = made
        self.__dict__.pop("front", None)

    def found(self, index: int) -> Found:
        """Candidate number `index`, as finished if it is."""
        made = self.finished.get(Name(index))
        return self._searched(index) if made is None else self._shown(made)

    def _shown(self, made: Finished) -> Found:
        plain = self._searched(made.candidate)
        values = [math.nan if value is None else value for value in made.values]
        metrics = dict(zip(self.setup.goals.metrics, values, strict=True))
        found = replace(
            plain, metrics=metrics, base=made.base, granted=made.granted, mapper=made.mapper,
            feasible=self._meets(made), level=LEVELS[MAPPED], genome=made.genome, sizes=made.sizes,
        )  # fmt: skip
        if made.genome:
            phase, row = self.located(made.name)
            (network,), (hardware,) = phase.labels(row[None])
            found = replace(found, network=network, hardware=hardware)
        if made.base:
            found = replace(found, hardware=brief(self.chip_at_home(made.granted, made.sizes)))
        return found

    def _searched(self, index: int) -> Found:
        g, row = self._place(index)
        made = self.generations[g]
        return Found(
            index,
            g,
            made.phase,
            dict(zip(self.setup.goals.metrics, made.values[row].tolist())),
            made.networks[row],
            made.hardware[row],
            bool(made.feasible[row]),
            level=LEVELS[made.levels[row]],
        )

    def _place(self, index: int) -> tuple[int, int]:
        """(generation, row) of a candidate."""
        ends = np.cumsum([len(g.rows) for g in self.generations])
        g = int(np.searchsorted(ends, index, "right"))
        return g, index - int(ends[g - 1] if g else 0)

    def genome(self, index: int) -> tuple[Phase, NDArray[np.int64]]:
        """The phase of a candidate, and its genome."""
        g, row = self._place(index)
        return self._phases[g], self.generations[g].rows[row]

    def located(self, name: Name) -> tuple[Phase, NDArray[np.int64]]:
        """The phase of a design, and its genome there; on the base chip, that of its network on some chip."""
        phase, row = self.genome(name.candidate)
        return phase, np.array(name.genome, np.int64) if name.genome else row

    def evaluated(self, phase: Phase, row: NDArray[np.int64]) -> int | None:
        """The candidate of a phase that is the same as a genome, if there is one."""
        return self._numbers.get((id(phase), phase.keys(row[None])[0]))

    @cached_property
    def _numbers(self) -> dict[tuple[int, bytes], int]:
        out: dict[tuple[int, bytes], int] = {}
        for g, phase in zip(self.generations, self._phases):
            for key in phase.keys(g.rows):
                out[id(phase), key] = len(out)
        return out

    def hypervolume(self, reference: NDArray[np.float64] | None = None, upto: int | None = None) -> float:
        """Hypervolume of the front of the first `upto` candidates, of logarithms where metrics span decades.

        `reference` [objectives] is the point that it is measured from: the worst of the feasible candidates
        unless given.
        """
        costs = self.log_costs()[:upto]
        good = self.as_finished(exact=False)[1][:upto] & np.isfinite(costs).all(axis=1)
        if not good.any():
            return 0.0
        if reference is None:
            reference = costs[good].max(axis=0)
        from pymoo.indicators.hv import HV

        rows = front(costs, good)
        return float(HV(ref_point=reference)(costs[rows]))

    def log_costs(self) -> NDArray[np.float64]:
        """Objectives to minimise [candidates, objectives], logarithms where they span decades.

        Of what was sketched, and then mapped in full as was asked, they are those of the latter.
        """
        goals = self.setup.goals
        return goals.log_costs(goals.costs(self.as_finished(exact=False)[0]))

    def missed(self) -> dict[str, float]:
        """Share of the candidates that each limit kills, as they are finished."""
        out: Counter[str] = Counter()
        for part, phase in self._by_phase(self.as_finished()[0]):
            for name, share in phase.shares_missed(part).items():
                out[name] += share * len(part)  # type: ignore[assignment]
        return {name: count / len(self) for name, count in out.most_common()}

    def rejected(self) -> dict[str, int]:
        """Rows drawn and not evaluated, by reason."""
        out: Counter[str] = Counter()
        for g in self.generations:
            out.update(g.rejected)
        return dict(out.most_common())

    # -- designs -------------------------------------------------------------------------------------

    def design(self, found: Found) -> Design:
        """Chip and networks of a candidate."""
        phase, row = self.located(found.name)
        made = phase.design(row)
        if not found.base:
            return made
        return made._replace(chip=self.chip_at_home(found.granted, found.sizes))

    def chip_at_home(self, granted: Granted, sizes: tuple[int, ...] = ()) -> Accelerator:
        """The base chip with some freedoms, and with other sizes if such are given, see `finished.Name`."""
        if (granted, sizes) not in self._freed:
            self._freed[granted, sizes] = (
                self.sized(granted).documented(np.array(sizes, np.int64))
                if sizes
                else with_freedoms(self._freed[(), ()], granted)
            )
        return self._freed[granted, sizes]

    def sized(self, granted: Granted) -> ChipSpace:
        """The base chip with some freedoms, its sizes and ports as genes, in the envelope of the search."""
        if granted not in self._sized:
            freed = with_freedoms(self.setup.base, granted)
            self._sized[granted] = ChipSpace(freed, sizes_only=True, key=freed.hash.encode())
        return self._sized[granted]

    def chips_of(self, name: Name) -> tuple[ChipSpace, NDArray[np.int64]] | None:
        """The space of chips around a design's, and its genes there; None where no chip is searched."""
        phase, row = self.located(name)
        if not isinstance(phase.chips, ChipSpace):
            return None
        if not name.base:
            return phase.chips, phase.genome.split(row[None])[1][0]
        chips = self.sized(name.granted)
        return chips, np.array(name.sizes, np.int64) if name.sizes else chips.anchor()

    def mappings(self, found: Found, pricer: NetworkPricer | None = None) -> tuple[NetworkMapping, ...]:
        """The mappings that the candidate was priced with, one set a network: found again, same seed.

        pricer  what maps them, if not `pricer(found)`

        Raises AccelsimError for a candidate that was not mapped.
        """
        if found.level == LEVELS[BOUNDED]:
            raise AccelsimError(
                f"candidate {found.index}: was not mapped, as something known beats what its mappings can be"
            )
        pricer = pricer or self.pricer(found)
        phase, row = placed(self, found.name) or self.located(found.name)
        if not found.mapper:
            return tuple(mapped(run, pricer) for run in phase.runs(row))
        design = self.design(found)  # without the genes that mapped it before
        stacks: Sequence[tuple[Stack, ...]] = [()] * len(design.networks)
        if self.finished[found.name].fused:
            stacks = stacks_for(phase, row, phase.pricer.here())
        return tuple(
            mapped(Run(design.chip, net, stacks=one), pricer) for net, one in zip(design.networks, stacks)
        )

    def pricer(self, found: Found) -> NetworkPricer:
        """What maps the candidate's layers as they were mapped."""
        phase, _ = self.genome(found.index)
        if found.mapper:
            return NetworkPricer(self.setup.finisher(self.finished[found.name].patience).model)
        if found.level == LEVELS[SKETCHED] and phase.sketcher is not None:
            return NetworkPricer(phase.sketcher.model)
        return NetworkPricer(self.setup.mapped(phase))

    def priced(self, found: Found, chip: Accelerator) -> tuple[float, float]:
        """(seconds, joules) of the candidate's networks on any chip, by the search's model and mapper."""
        g, _ = self._place(found.index)
        runs = [self.setup.run(chip, net) for net in self.design(found).networks]
        phase = self._phases[g]
        latency, energy = means(NetworkPricer(phase.pricer.model), [runs], phase.weights)[0][0]
        return float(latency), float(energy)

    def baseline(
        self, found: Found, mapper: str = "template", fuse: bool | None = None
    ) -> tuple[NetworkMapping, ...]:
        """The base chip on the candidate's networks: own dataflow, mapped by `mapper`, by default fused
        likewise."""
        pricer = NetworkPricer(LoopNest(self.setup.way(mapper)))
        run = self.setup.run if fuse is None else partial(Run, fuse=fuse)
        return tuple(_as_it_can(run(self.setup.base, net), pricer) for net in self.design(found).networks)

    def to_rows(self) -> list[dict[str, Any]]:
        """Every candidate as a flat dict, front members marked."""
        members = {found.index for found in self.front if not found.name.near}
        return [self.row(self.found(i), i in members) for i in range(len(self))]

    def row(self, found: Found, front: bool = True) -> dict[str, Any]:
        """One candidate as a flat dict, units in the keys."""
        return {
            "candidate": found.index,
            "generation": found.generation,
            "phase": found.phase,
            "front": front,
            "feasible": found.feasible,
            "figures": found.level,
            **{self.key_of(name): value for name, value in found.metrics.items()},
            "network": found.network,
            "hardware": found.hardware,
        }

    def key_of(self, metric: str) -> str:
        """The key of a metric in `row`: `edp_js` for edp."""
        unit = self.setup.goals.metrics[metric].unit.lower() or "count"
        return f"{metric}_{unit}".replace("%", "pct")

    def to_dict(self) -> dict[str, Any]:
        """What ran and the front, as JSON (see `accelsim.cosearch.result_json`)."""
        from accelsim.cosearch.result_json import result_dict

        return result_dict(self)


def _as_it_can(run: Run, pricer: NetworkPricer) -> NetworkMapping:
    """With the stacks that are given, or layer by layer on a chip that has no room for them."""
    if not run.stacks:
        return mapped(run, pricer)
    try:
        return mapped(run, pricer)
    except MappingError:
        return mapped(Run(run.chip, run.network), pricer)
