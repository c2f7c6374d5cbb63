"""`search`, `resume` and `load_study`: a search from its beginning, from where it stopped, and looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelsim.arguments import as_path
from accelsim.cosearch.config import ABSENT, SearchConfig
from accelsim.cosearch.configure import configure
from accelsim.cosearch.finish import PATIENCE
from accelsim.cosearch.loop import Watch, check_fits, go_on, setup_of, take_finished
from accelsim.cosearch.result import SearchResult
from accelsim.cosearch.strategies.base import load_strategy
from accelsim.cosearch.study import Study
from accelsim.cosearch.trust import check_trusted
from accelsim.engines.base import Engine, as_engine
from accelsim.errors import AccelsimError
from accelsim.hardware import Accelerator
from accelsim.mapping.mapper import Cancel
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import Space


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
    source as in `load_source`), `batch`, `resolution`, `layer_precision` (bits of weights and activations
    that each layer may have, as [(4, 4), (4, 8)]; default: as the file's `search` section says).

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
            return go_on(created, started, evaluations, cancel, watch, finish, new=True)
        opened = Study.open(path, write=True)
        if opened.config.hash != config.hash:
            opened.close()
            raise AccelsimError(
                f"study {path}: was made by another search ({difference(opened.config, config)}); choose "
                "another file, or resume this one"
            )
        return go_on(opened, started, evaluations, cancel, watch, finish)


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
        return go_on(opened, started, evaluations or opened.evaluations, cancel, watch, finish)


def load_study(study: str | Path, *, trust: bool = False) -> SearchResult:
    """What a study holds, without going on; `trust` as in `resume`.

    Raises AccelsimError where the file cannot be used.
    """
    with Study.open(as_path(study, "study")) as opened:
        if not trust:
            check_trusted(opened)
        setup = setup_of(opened)
        strategy = load_strategy(setup)
        result = SearchResult(setup, opened.path)
        for known in opened.generations():
            while strategy.phase.name != known.phase and strategy.skip():
                pass
            check_fits(opened, known, strategy.phase)
            result.add(known, strategy.phase)
            strategy.follow(known.rows, known.values)
        take_finished(opened, result)
        result.notes = strategy.notes()
    if not len(result):
        raise AccelsimError(
            f"study {study}: holds no generation yet; go on with: accelsim study resume {study}"
        )
    return result


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
