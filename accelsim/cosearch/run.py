"""`search`: the loop over generations, from a new study or from where one stopped."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.accuracy import KNOWN, AccuracySource, default_source, source_file
from accelsim.arguments import as_path
from accelsim.cosearch.finish import PATIENCE
from accelsim.cosearch.finish import finish as finish_designs
from accelsim.cosearch.goals import Goals, columns_of
from accelsim.cosearch.metrics import METRICS, Metric
from accelsim.cosearch.optimisers.base import OPTIMISERS, Optimiser
from accelsim.cosearch.phase import DRAWS, Phase
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.screen import screened
from accelsim.cosearch.setup import ABSENT, WHOLE, SearchConfig, Setup, file_hash, screens
from accelsim.cosearch.strategies.base import STRATEGIES, Strategy, load_strategy
from accelsim.cosearch.study import Generation, Study
from accelsim.engines.base import Engine, as_engine
from accelsim.errors import AccelsimError, nearest
from accelsim.hardware import Accelerator, load_hardware
from accelsim.mapping.mapper import MAPPERS, Cancel, Mapper, as_question
from accelsim.pricing.fused import fuses
from accelsim.pricing.given import Fuse, told_fuse
from accelsim.pricing.models import MODELS, CostModel, load_model
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.workloads.load import load_network
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import SPACES, Space


@dataclass(frozen=True)
class Progress:
    """How a search stands after a generation."""

    generation: int
    generations: int
    result: SearchResult
    last: Generation
    candidates_per_s: float


Watch = Callable[[Progress], None]


def configure(
    hardware: Accelerator | str | dict[str, Any],
    space: str | Space | None = None,
    networks: Network | str | dict[str, Any] | Sequence[Network | str | dict[str, Any]] | None = None,
    *,
    objectives: Sequence[str | Metric | type[Metric]] | str | Metric | type[Metric] | None = None,
    limits: Mapping[Any, float] | None = None,
    strategy: str | type[Strategy] = "nested",
    optimiser: str | type[Optimiser] = "nsga2",
    population: int = 64,
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    budget: int | None = None,
    seed: int = 0,
    fix: Sequence[str] | str = (),
    accuracy: str | AccuracySource | type[AccuracySource] | None = None,
    batch: int = 1,
    resolution: int | None = None,
    model: str | CostModel | type[CostModel] = "accelsim",
    fuse: Fuse = None,
    screen: bool | None = None,
    **bounds: Any,
) -> SearchConfig:
    """A checked configuration; arguments as in `search`. Raises AccelsimError."""
    if (space is None) == (networks is None):
        raise AccelsimError("search: give either a space of subnets or networks")
    for name, value, least in (
        ("population", population, 2),
        ("batch", batch, 1),
        ("seed", seed, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise AccelsimError(f"{name}: must be a whole number from {least}, but got {value!r}")
    given: list[Any] = []
    if networks is not None:
        given = list(networks) if isinstance(networks, list | tuple) else [networks]
        if not given:
            raise AccelsimError("networks: name at least one")
    loaded = [load_network(net, batch=None if batch == 1 else batch, resolution=resolution) for net in given]
    weighed = check_weights(bounds.pop("weights", None), len(loaded))
    base = load_hardware(hardware)
    if base.microcontroller is not None:  # what it is decides what can be searched
        flash, sram = (memory.total_bytes for memory in base.memories)
        limits = {"peak_memory": sram, "flash": flash} | dict(limits or {})
        fix = ["hardware", *(fix.replace(",", " ").split() if isinstance(fix, str) else fix)]
        model = "microcontroller" if model == "accelsim" else model
        objectives = ("work", "peak_memory") if objectives is None else objectives
    if objectives is None:
        objectives = ("edp", "accuracy") if space is not None else ("edp",)
    for word in bounds:
        if not word.startswith(("max_", "min_")):
            known = (*(configure.__kwdefaults__ or ()), "weights")
            raise AccelsimError(f"search: there is no option {word!r}{nearest(word, known)}")
    wanted = {**(limits or {}), **bounds}
    goals = Goals.of(objectives, {name: value for name, value in wanted.items() if value is not None})
    way = Way.of(mapper, budget=budget, seed=seed)
    if accuracy is None:
        accuracy = default_source(space.name if isinstance(space, Space) else str(space))
    if not isinstance(accuracy, str):
        accuracy = KNOWN.name_of(accuracy)
    fixed = tuple(fix.replace(",", " ").split()) if isinstance(fix, str) else tuple(fix)
    told = told_fuse(fuse, loaded)
    if told is None:
        able = STRATEGIES.name_of(strategy) in WHOLE and not goals.detailed
        told = "auto" if able and fuses(None, base, load_model(model, way)) else "none"
    if screen is None:
        screen = STRATEGIES.name_of(strategy) in WHOLE and screens(load_model(model, way))
    config = SearchConfig(
        hardware=base.to_dict(),
        space=None if space is None else SPACES.name_of(space),
        networks=tuple(net.to_dict() for net in loaded),
        batch=batch,
        resolutions=() if resolution is None or space is None else (resolution,),
        objectives=tuple(goals.sources[name] for name in goals.objectives),
        limits={goals.sources[name]: limit for name, limit in goals.limits.items()},
        strategy=STRATEGIES.name_of(strategy),
        optimiser=OPTIMISERS.name_of(optimiser),
        population=population,
        mapper=MAPPERS.name_of(mapper),
        budget=way.budget,
        seed=seed,
        fix=tuple(dict.fromkeys(word for word in fixed if word != "network" or space is not None)),
        accuracy=accuracy,
        accuracy_hash=file_hash(accuracy) if space is not None else "",
        model=MODELS.name_of(model),
        fuse=told,
        screen=screen,
        weights=weighed,
    )
    load_strategy(Setup(config))
    return config


def search(
    hardware: Accelerator | str | dict[str, Any],
    space: str | Space | None = None,
    networks: Network | str | dict[str, Any] | Sequence[Network | str | dict[str, Any]] | None = None,
    *,
    evaluations: int = 2000,
    study: str | Path | None = None,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    watch: Watch | None = None,
    limits: Mapping[Any, float] | None = None,
    finish: int = PATIENCE,
    apart: bool = False,
    **options: Any,
) -> SearchResult:
    """Search networks, mappings and accelerators together for low energy-delay product and high accuracy.

    hardware     the base chip; its `search` section says what may vary and within which envelope
    space        a space of subnets, as `accelsim list` shows; or
    networks     one or more given networks; with several, figures are geometric means
    evaluations  candidates, rounded up to whole generations
    study        file that keeps every candidate; a search whose study exists goes on from there
    engine       threads, processes or dask, with `workers` of them; the result does not depend on it
    cancel       function or event; once true, the search ends after its generation
    watch        called with a `Progress` after each generation
    limits       metric -> largest value, or smallest where more is better; `max_edp=1e-3`, `min_accuracy=75`
                 and so on say the same. Units as in `accelsim.cosearch.metrics`
    finish       candidates a layer that the exact mapper may look at for the designs that are reported, see
                 `accelsim.cosearch.finish`; 0: they keep the mappings of the search
    apart        leave of designs whose accuracies are within the error of each other those that are better in
                 other objectives; `SearchResult.apart`, which may be set later as well

    Options: `objectives` (metrics), `strategy` and `optimiser` (names, as in docs/search.md), `population`,
    `mapper` and its `budget` a layer as in `map_network`, `seed`, `model` (accelsim, maestro), `fuse` (auto,
    none, or a schedule of the network, whose stacks every candidate has), `screen` (whether candidates that
    cannot enter the front are not mapped in full; default: where it can be), `weights` (of several networks
    in geometric means; default: all alike), `fix` (hardware, dataflow, network, mapping), `accuracy` (a
    source as in `load_source`), `batch`, `resolution`.

    Metrics, the space, strategy, optimiser, mapper, model and accuracy source are names, objects or classes;
    a study holds a name for each (see `accelsim.names`).

    Raises AccelsimError where something cannot be read or does not go together, and where no candidate
    meets the envelope.
    """
    config = configure(hardware, space, networks, limits=limits, **options)
    path = None if study is None else as_path(study, "study")
    found = search_configured(config, evaluations, path, engine, workers, scheduler, cancel, watch, finish)
    found.apart = apart
    return found


def search_configured(
    config: SearchConfig,
    evaluations: int,
    path: Path | None,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    watch: Watch | None = None,
    finish: int = PATIENCE,
) -> SearchResult:
    """`search` with a configuration of `configure`."""
    check_evaluations(evaluations)
    check_finish(finish)
    with as_engine(engine, workers, scheduler) as started:
        if path is None or not path.exists():
            created = Study.create(path, config, evaluations)
            return _run(created, started, evaluations, cancel, watch, finish, new=True)
        opened = Study.open(path, write=True)
        if opened.config.hash != config.hash:
            opened.close()
            raise AccelsimError(
                f"study {path}: was made by another search ({difference(opened.config, config)}); choose "
                "another file, or resume this one"
            )
        return _run(opened, started, evaluations, cancel, watch, finish)


def resume(
    study: str | Path,
    evaluations: int | None = None,
    *,
    engine: str | Engine | type[Engine] = "threads",
    workers: int | None = 1,
    scheduler: str | None = None,
    cancel: Cancel | None = None,
    watch: Watch | None = None,
    finish: int = PATIENCE,
    trust: bool = False,
) -> SearchResult:
    """Go on with a study, up to more `evaluations` if given; the result is that of one long run.

    Designs of the front that are not finished yet are, see `search`.

    trust  import what the study names as `package.module:Thing`; whoever wrote the file chose that code

    Raises AccelsimError where the file cannot be used, or was begun with libraries that search differently.
    """
    if evaluations is not None:
        check_evaluations(evaluations)
    check_finish(finish)
    with as_engine(engine, workers, scheduler) as started:
        opened = Study.open(as_path(study, "study"), write=True)
        if not trust:
            try:
                check_trusted(opened, going_on=True)
            except AccelsimError:
                opened.close()
                raise
        return _run(opened, started, evaluations or opened.evaluations, cancel, watch, finish)


def load_study(study: str | Path, *, trust: bool = False) -> SearchResult:
    """What a study holds, without going on; `trust` as in `resume`.

    Raises AccelsimError where the file cannot be used.
    """
    with Study.open(as_path(study, "study")) as opened:
        if not trust:
            check_trusted(opened)
        setup = _setup(opened)
        strategy = load_strategy(setup)
        result = SearchResult(setup, opened.path)
        for known in opened.generations():
            while strategy.phase.name != known.phase and strategy.skip():
                pass
            _check_fits(opened, known, strategy.phase)
            result.add(known, strategy.phase)
            strategy.follow(known.rows, known.values)
        _take_finished(opened, result)
        result.notes = strategy.notes()
    if not len(result):
        raise AccelsimError(
            f"study {study}: holds no generation yet; go on with: accelsim study resume {study}"
        )
    return result


def check_trusted(study: Study, going_on: bool = False) -> None:
    """Raise AccelsimError where a study names code that only it would have imported.

    Metrics are computed only to go on.
    """
    config = study.config
    named = [
        (MAPPERS, config.mapper), (MODELS, config.model), (STRATEGIES, config.strategy),
        (OPTIMISERS, config.optimiser), (SPACES, config.space), (KNOWN, source_file(config.accuracy)[0]),
        *((METRICS, record.source) for record in study.metrics if going_on),
    ]  # fmt: skip
    foreign = [f"{registry.kind} {name}" for registry, name in named if registry.is_foreign(name)]
    if foreign:
        raise AccelsimError(
            f"study {study.path}: names code that would be imported and run: {', '.join(foreign)}; if you "
            "know who wrote the file, allow it with --trust (trust=True)"
        )


def _setup(study: Study, engine: Engine | None = None) -> Setup:
    """Of a study's configuration; without an engine only to look at it."""
    try:
        columns = columns_of(study.metrics, going_on=engine is not None)
    except AccelsimError as fault:
        raise AccelsimError(f"study {study.path}: {fault}") from None
    return Setup(study.config, engine, columns)


def _check_fits(study: Study, known: Generation, phase: Phase) -> None:
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


def check_weights(weights: Sequence[float] | str | None, networks: int) -> tuple[float, ...]:
    """Weights of given networks, numbers or text like "3,1"; none where they say nothing.

    Raises AccelsimError unless there is a number above 0 for each of several networks.
    """
    if weights is None:
        return ()
    words: Any = weights.replace(",", " ").split() if isinstance(weights, str) else weights
    try:
        found = tuple(float(word) for word in words)
    except (TypeError, ValueError):
        found = ()
    if len(found) < 2 or len(found) != networks or not all(0 < weight < math.inf for weight in found):
        raise AccelsimError(
            f"weights: must be a number above 0 for each of several networks ({networks} given), but got "
            f"{weights!r}; write them as 3,1"
        )
    return found if len(set(found)) > 1 else ()


def check_evaluations(evaluations: object) -> None:
    """A whole number from 1, or AccelsimError."""
    if isinstance(evaluations, bool) or not isinstance(evaluations, int) or evaluations < 1:
        raise AccelsimError(f"evaluations: must be a whole number from 1, but got {evaluations!r}")


def check_finish(finish: object) -> None:
    """A whole number from 0, or AccelsimError."""
    if isinstance(finish, bool) or not isinstance(finish, int) or not 0 <= finish < 2**62:
        raise AccelsimError(
            f"finish: must be a whole number of candidates from 0 (0: not at all), but got {finish!r}"
        )


def difference(old: SearchConfig, new: SearchConfig) -> str:
    """The settings in which two configurations differ."""
    a, b = (ABSENT | config.to_dict() for config in (old, new))
    names = [name for name in a if a[name] != b[name]]
    short = [
        n if isinstance(a[n], dict | list) or isinstance(b[n], list) else f"{n} {a[n]!r}, not {b[n]!r}"
        for n in names
    ]
    return "other " + "; ".join(short)


def _run(
    study: Study,
    engine: Engine,
    evaluations: int,
    cancel: Cancel | None,
    watch: Watch | None,
    patience: int,
    new: bool = False,
) -> SearchResult:
    with study:
        study.lock()
        setup = _setup(study, engine)
        strategy = load_strategy(setup)
        generations = math.ceil(evaluations / study.config.population)
        result = SearchResult(setup, study.path)
        stop = as_question(cancel)
        n = _replay(study, strategy, result)
        _take_finished(study, result)
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
            strategy.tell(made.rows, made.values)
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
                f"study {study.path}: cannot go on as it began: generation {n} comes out otherwise. It was "
                f"begun with {_words(study.versions)}; resume it with these versions"
            )
        result.add(known, strategy.phase)
        strategy.tell(rows, known.values)
    return n


def _take_finished(study: Study, result: SearchResult) -> None:
    """What is finished already. Raises AccelsimError where it is of candidates that there are not."""
    for made in study.finished():
        if not 0 <= made.candidate < len(result):
            raise AccelsimError(
                f"study {study.path}: is damaged: a finished design is of no candidate; restore a copy or "
                "begin a new study"
            )
        result.finish(made)


def _words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


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
