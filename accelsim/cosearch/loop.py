"""The loop over generations: what the study knows is told again, then asked, evaluated, kept and told."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from accelsim.cosearch.finish import finish as finish_designs
from accelsim.cosearch.finished import Finished, Name
from accelsim.cosearch.freed import placed
from accelsim.cosearch.generation import Generation
from accelsim.cosearch.goals import columns_of
from accelsim.cosearch.phase import DRAWS, Phase
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.screen import screened
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies.base import Strategy, load_strategy
from accelsim.cosearch.study import Study, versions
from accelsim.engines.base import Engine
from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import Cancel, as_question


@dataclass(frozen=True)
class Progress:
    """How a search stands after a generation."""

    generation: int
    generations: int
    result: SearchResult
    last: Generation
    candidates_per_s: float


Watch = Callable[[Progress], None]


def setup_of(study: Study, engine: Engine | None = None) -> Setup:
    """Of a study's configuration; without an engine only to look at it."""
    try:
        columns = columns_of(study.metrics, going_on=engine is not None)
    except AccelsimError as fault:
        raise AccelsimError(f"study {study.path}: {fault}") from None
    return Setup(study.config, engine, columns)


def check_fits(study: Study, known: Generation, phase: Phase) -> None:
    """Raise AccelsimError where a generation is none of the search that its study names."""
    genome, limits = phase.genome, len(study.config.limits) + 1
    fits = (
        known.phase == phase.name
        and known.rows.shape == (len(known.values), len(genome.genes))
        and bool(((known.rows >= 0) & (known.rows <= genome.upper)).all())
        and known.values.shape[1] == len(study.metrics)
        and known.excess.shape == (len(known.values), limits)
    )
    if not fits:
        raise AccelsimError(
            f"study {study.path}: is damaged: a generation of phase {known.phase!r:.40} does not belong to "
            "its search; restore a copy or begin a new study"
        )


def go_on(
    study: Study,
    engine: Engine,
    evaluations: int,
    cancel: Cancel | None,
    watch: Watch | None,
    patience: int,
    new: bool = False,
) -> SearchResult:
    """Search on until there are so many candidates, then finish the designs of the front.

    patience  see `finish`; new  whether a study without a generation may go
    """
    with study:
        study.lock()
        setup = setup_of(study, engine)
        strategy = load_strategy(setup)
        generations = math.ceil(evaluations / study.config.population)
        result = SearchResult(setup, study.path)
        stop = as_question(cancel)
        n = _replay(study, strategy, result)
        if n > generations:
            raise AccelsimError(
                f"evaluations: count all that a study holds, and {study.path} has {len(result):,} already; "
                f"ask for as many at least, but got {evaluations:,}"
            )
        take_finished(study, result)
        if evaluations > study.evaluations:
            study.extend(evaluations)
        while n < generations and not result.exhausted:
            if stop():
                result.interrupted = True
                break
            made = generation(strategy, setup)
            if made is None:
                result.exhausted = True
                break
            done = time.perf_counter()
            study.write(n, made)
            result.add(made, strategy.phase)
            strategy.tell(made.rows, made.values, made.levels)
            setup.clock["keeping and learning"] += time.perf_counter() - done
            n += 1
            if watch is not None:
                watch(Progress(n, generations, result, made, len(made.rows) / max(made.seconds, 1e-9)))
        result.notes = strategy.notes()
        if result.exhausted and not len(result.generations):
            if new:
                study.discard()
            raise impossible(strategy)
        if not result.interrupted:
            began = time.perf_counter()
            result.interrupted = finish_designs(result, patience, stop, study.keep)
            setup.clock["finishing"] += time.perf_counter() - began
        return result


def _replay(study: Study, strategy: Strategy, result: SearchResult) -> int:
    """Tell a strategy all that the study knows; returns the number of generations."""
    n = 0
    for n, known in enumerate(study.generations(), 1):
        rows = strategy.ask()
        if known.rows.shape != rows.shape or not np.array_equal(known.rows, rows):
            raise AccelsimError(
                f"study {study.path}: cannot go on as it began: generation {n} comes out otherwise. "
                + _other_versions(study.versions)
            )
        result.add(known, strategy.phase)
        strategy.tell(rows, known.values, known.levels)
    return n


def take_finished(study: Study, result: SearchResult) -> None:
    """What is finished already. Raises AccelsimError where it is of candidates or axes that there are not."""
    able: set[Name] = set()
    for made in study.finished():
        chip = Name(made.candidate, made.base, made.granted, (), made.sizes)._replace(candidate=0)
        there = 0 <= made.candidate < len(result) and _known(made, result)
        if there and made.base and chip not in able and (made.granted or made.sizes):
            there = _able(made.name, result)
            able.add(chip)
        if not there:
            raise AccelsimError(
                f"study {study.path}: is damaged: a finished design is of no candidate or chip; restore a "
                "copy or begin a new study"
            )
        result.finish(made)
    result.near = study.near


def _known(made: Finished, result: SearchResult) -> bool:
    """Whether the genes of a finished design are some, and within the envelope."""
    if not made.base and (made.granted or made.sizes):
        return False
    if not made.genome:
        return True
    phase, row = result.located(made.name)
    upper = phase.genome.upper
    fits = len(row) == len(upper) and bool(((row >= 0) & (row <= upper)).all())
    return fits and (made.base or not phase.chips.faults(phase.genome.split(row[None])[1])[0])


def _able(name: Name, result: SearchResult) -> bool:
    """Whether the base chip could have the freedoms and sizes of a finished design."""
    try:
        if name.sizes:
            genes = result.sized(name.granted).genes
            if len(genes) != len(name.sizes):
                return False
            if not all(0 <= x < gene.choices for x, gene in zip(name.sizes, genes, strict=True)):
                return False
        return placed(result, name) is not None
    except (AccelsimError, LookupError, StopIteration, ValueError):
        return False


def _other_versions(begun: dict[str, str]) -> str:
    """What a study was begun with that is not what runs here, and what to do."""
    here = versions()
    other = [name for name, version in begun.items() if here.get(name) != version]
    export = "what it holds is shown by `study show` and written by `study export`"
    if not other:
        all_ = ", ".join(f"{name} {version}" for name, version in begun.items())
        return (
            f"It records the versions that run here ({all_}), so that code differs under the same number, "
            "of accelsim or of a strategy or metric of your own: resume it with the code that began it, or "
            f"begin a new study; {export}"
        )
    old = ", ".join(f"{name} {begun[name]}" for name in other)
    new = ", ".join(f"{name} {here.get(name, 'none')}" for name in other)
    return (
        f"It was begun with {old}, but here runs {new}: resume it with {old}, or begin a new study; {export}"
    )


def generation(strategy: Strategy, setup: Setup) -> Generation | None:
    """The next generation, evaluated; None if there is nothing left to evaluate."""
    began = time.perf_counter()
    phase, spent = strategy.phase, setup.tally
    before = Counter(phase.rejected)
    rows = strategy.ask()
    if not len(rows):
        return None
    asked = time.perf_counter()
    if strategy.phase is not phase:
        phase, before = strategy.phase, Counter()
    values, levels = screened(phase, rows)
    now = setup.tally
    mapping = now.seconds - spent.seconds
    setup.clock["mapping"] += mapping
    setup.clock["decoding genomes"] += time.perf_counter() - asked - mapping
    setup.clock["proposing"] += asked - began
    return Generation(
        phase.name,
        rows,
        values,
        phase.excess(values),
        *phase.labels(rows),
        levels,
        time.perf_counter() - began,
        now.layers - spent.layers,
        now.pairs - spent.pairs,
        now.mappings - spent.mappings,
        dict(phase.rejected - before),
        strategy.optimiser.state(),
    )


def impossible(strategy: Strategy) -> AccelsimError:
    """Why nothing could be evaluated at all."""
    rejected = strategy.phase.rejected
    total = sum(rejected.values()) or 1
    shares = ", ".join(f"{name} {count / total:.0%}" for name, count in rejected.most_common())
    return AccelsimError(
        f"search: none of {total} random candidates lies within the envelope of {strategy.setup.base.name} "
        f"(at least {DRAWS} in a row): {shares or 'nothing was drawn'}. Widen that budget in the "
        "`search` section, or lower the ranges' minima"
    )
