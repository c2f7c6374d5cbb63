"""`sweep`: networks priced on every variation of a machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.engines import Engine, started
from accelsim.errors import AccelsimError
from accelsim.hardware.loader import load_hardware
from accelsim.hardware.paths import value_at
from accelsim.hardware.resize import resized
from accelsim.mapping.mapper import Cancel, Mapper, as_question
from accelsim.pricing.models import load_model
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.sweeps.axes import Axis, as_axes, points
from accelsim.sweeps.journal import Journal, check_suffix
from accelsim.sweeps.table import FIGURES, FORMATS, SweepTable, parquet_modules
from accelsim.workloads.load import load_network
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_AHEAD = 4
"""Machines that are handed out at a time, for each worker of several."""


class Interrupted(AccelsimError):
    """A sweep that was cancelled; what is done stands in its journal, if it has one."""


@dataclass(frozen=True)
class _Job:
    """One distinct machine under one objective, and where it stands in the sweep."""

    key: str
    hardware: Accelerator
    model: CostModel


def sweep(
    hardware: Accelerator | str | Path | dict[str, Any],
    networks: Network | str | Sequence[Network | str],
    vary: Iterable[str | Axis] | Mapping[str, Any],
    *,
    mapper: str | Mapper = DEFAULT_MAPPER,
    objective: str | Sequence[str] = "edp",
    budget: int | None = None,
    seed: int = 0,
    model: str | CostModel = "accelsim",
    engine: str | Engine = "threads",
    workers: int | None = None,
    scheduler: str | None = None,
    out: Path | str | None = None,
    fresh: bool = False,
    cancel: Cancel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SweepTable:
    """Price networks on every combination of the varied figures.

    hardware   anything that `load_hardware` reads
    networks   one or several, each anything that `load_network` reads
    vary       texts such as "memories.GLB.size_bytes=16KiB:512KiB:x2", or {path: values}
    mapper, objective, budget, seed   as in `map_network`; several objectives give a row each
    model      who prices the layers, a name of `accelsim.pricing.models.MODELS` or a `CostModel` class
    engine     threads, processes or dask, with `workers` of them, by default one a processor; the answer
               does not depend on it
    out        .csv, .json or .parquet to write; beside it lies a journal (.part) until all is done, from
               which the same call goes on after an interruption
    fresh      forget an unfinished journal
    progress   called with (points done, points in all)

    Points that cannot work (a machine that breaks a rule, a layer whose tiles fit nowhere) have their reason
    in the table. Equal machines, and equal layers on one machine, are mapped once. Raises AccelsimError for
    bad input and where no machine can be made at all, and `Interrupted` when cancelled.
    """
    base = load_hardware(hardware)
    axes = tuple(axis.whole if _is_whole(base, axis.path) else axis for axis in as_axes(vary))
    several = [networks] if isinstance(networks, Network | str | dict) else list(networks)
    nets = [load_network(net) for net in several]
    names = [net.name for net in nets]
    if not nets or len(set(names)) < len(names):
        raise AccelsimError(f"sweep: needs one or more networks of different names, but got {names}")
    objectives = [objective] if isinstance(objective, str) else list(dict.fromkeys(objective))
    ways = [Way.of(mapper, name, budget, seed) for name in objectives]
    workers = os.cpu_count() or 1 if workers is None else workers
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise AccelsimError(f"workers: must be a whole number from 1, but got {workers!r}")
    cancelled = as_question(cancel)
    journal = None
    if out is not None:
        out = Path(out)
        check_suffix(out, FORMATS)
        if out.suffix.lower() == ".parquet":
            parquet_modules()
        part = out.with_name(out.name + ".part")
        if fresh:
            part.unlink(missing_ok=True)
        journal = Journal(part, _question(ways, nets, model))

    machines, reasons = _machines(base, axes)
    known: dict[str, Any] = journal.known if journal is not None else {}
    jobs = {
        key: _Job(key, machine, load_model(model, way))
        for way in ways
        for machine in machines
        if machine is not None and (key := _key(machine, way)) not in known
    }
    total = len({_key(m, way) for way in ways for m in machines if m is not None})
    with started(engine, workers, scheduler) as running:
        for done, (job, prices) in enumerate(_run(list(jobs.values()), nets, running, cancelled)):
            if journal is not None:
                journal.add(job.key, prices)
            known[job.key] = prices
            if progress is not None:
                progress(total - len(jobs) + done + 1, total)
    if any(key not in known for key in jobs):
        where = f"; the same command goes on from {journal.path}" if journal is not None else ""
        raise Interrupted(f"stopped after {sum(k in known for k in jobs)} of {len(jobs)} points{where}")
    table = SweepTable(axes, tuple(_rows(axes, machines, reasons, ways, nets, known)))
    if out is not None and journal is not None:
        table.write(out)
        journal.remove()
    return table


def _is_whole(base: Accelerator, path: str) -> bool:
    """Whether a figure of the machine is a whole number."""
    value = value_at(base, path)
    return isinstance(value, int) or path.rpartition(".")[2] == "size_bytes"


def _machines(
    base: Accelerator, axes: tuple[Axis, ...]
) -> tuple[list[Accelerator | None], list[str]]:  # fmt: skip
    """The machine of every point, or None and the reason why there is none."""
    machines: list[Accelerator | None] = []
    reasons = []
    for changes in points(axes):
        try:
            machines.append(resized(base, changes))
            reasons.append("")
        except AccelsimError as fault:
            machines.append(None)
            reasons.append(str(fault).partition("\n")[2].strip().partition("\n")[0] or str(fault))
    if all(machine is None for machine in machines):
        raise AccelsimError(f"vary: no point gives a machine: {reasons[0]}")
    return machines, reasons


def _key(machine: Accelerator, way: Way) -> str:
    return f"{machine.hash}:{way.objective}"


def _question(ways: list[Way], nets: list[Network], model: str | CostModel) -> dict[str, Any]:
    """What must be equal for results of a journal to hold."""
    from accelsim import __version__

    text = repr([(net.name, net.layers, net.edges, net.outputs, net.weights_of) for net in nets])
    return {
        "version": __version__,
        "model": model if isinstance(model, str) else type(model).__name__,
        "mapper": ways[0].mapper.name,
        "budget": ways[0].budget,
        "seed": ways[0].seed,
        "networks": [net.name for net in nets],
        "layers": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _run(
    jobs: list[_Job], nets: list[Network], engine: Engine, cancelled: Callable[[], bool]
) -> Iterator[tuple[_Job, list[Any]]]:
    """Results in the order of the jobs; fewer than jobs if cancelled."""
    step = engine.workers * (1 if engine.workers == 1 else _AHEAD)
    for i in range(0, len(jobs), step):
        some = jobs[i : i + step]
        results = engine.map(_solve, [(job, nets) for job in some])
        if cancelled():
            return
        yield from zip(some, results, strict=True)


def _solve(work: tuple[_Job, list[Network]]) -> list[Any]:
    """Latency in cycles and energy in pJ of each network, or why it fits nowhere."""
    job, nets = work
    prices = NetworkPricer(job.model).networks(job.hardware, nets)
    return [str(x) if isinstance(x, AccelsimError) else list(x) for x in prices]


def _rows(
    axes: tuple[Axis, ...],
    machines: list[Accelerator | None],
    reasons: list[str],
    ways: list[Way],
    nets: list[Network],
    known: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    for changes, machine, reason in zip(points(axes), machines, reasons, strict=True):
        for n, net in enumerate(nets):
            for way in ways:
                row: dict[str, Any] = {**changes, "network": net.name, "objective": way.objective}
                row |= dict.fromkeys(FIGURES)
                if machine is None:
                    yield row | {"status": reason}
                    continue
                row |= {
                    "macs": net.macs,
                    "num_pes": machine.num_pes,
                    "onchip_bytes": machine.onchip_bytes,
                    "area_mm2": machine.area_mm2,
                }
                found = known[_key(machine, way)][n]
                if isinstance(found, str):
                    yield row | {"status": found}
                    continue
                cycles, energy = found
                seconds = cycles / (machine.clock_mhz * 1e6)
                yield row | {
                    "latency_cycles": cycles,
                    "latency_s": seconds,
                    "energy_pj": energy,
                    "edp_js": energy * 1e-12 * seconds,
                    "utilisation": net.macs / (cycles * machine.num_pes),
                    "status": "ok",
                }
