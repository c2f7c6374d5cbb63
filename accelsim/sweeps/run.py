"""`sweep`: networks priced on every variation of a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.arguments import as_list, as_path, wrong
from accelsim.engines.base import Engine, as_engine, check_workers
from accelsim.errors import AccelsimError
from accelsim.files import check_suffix
from accelsim.hardware.loader import load_hardware
from accelsim.hardware.paths import value_at
from accelsim.hardware.resize import resized
from accelsim.mapping.mapper import Cancel, Mapper, as_question, nothing_fits
from accelsim.pricing.fused import fuses
from accelsim.pricing.given import Fuse, read_fuse, stacks_of, told_fuse
from accelsim.pricing.models import CostModel, load_model
from accelsim.pricing.models.base import never
from accelsim.pricing.network import NetworkPricer, at_work
from accelsim.pricing.run import Run
from accelsim.pricing.way import DEFAULT_MAPPER, Way
from accelsim.sweeps.axes import SweepAxis, as_axes, points
from accelsim.sweeps.journal import Journal
from accelsim.sweeps.table import FIGURES, FORMATS, SweepTable, parquet_modules
from accelsim.workloads.load import load_network
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.fusion import Stack
    from accelsim.hardware import Accelerator


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
    vary: Iterable[str | SweepAxis] | Mapping[str, Any],
    *,
    mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
    objective: str | Sequence[str] = "edp",
    budget: int | None = None,
    seed: int = 0,
    model: str | CostModel | type[CostModel] = "accelsim",
    fuse: Fuse = None,
    engine: str | Engine | type[Engine] = "threads",
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
    model      who prices the layers: accelsim, maestro, or a `CostModel`
    fuse       auto: points are priced with the best stacks that a quick search finds, if these are better;
               a schedule of the network, or its file: with its stacks, pieces mapped anew; none; None: as
               each machine says
    engine     threads, processes or dask, with `workers` of them, default one a processor; the answer does
               not depend on them
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
    several = as_list(networks, "networks", "a network or several", Network, str, dict)
    nets = [load_network(net) for net in several]
    names = [net.name for net in nets]
    if not nets or len(set(names)) < len(names):
        raise AccelsimError(f"sweep: needs one or more networks of different names, but got {names}")
    objectives = as_list(objective, "objective", "an objective or several", str)
    if not objectives:
        raise wrong("objective", "an objective or several", objective)
    objectives = [name for i, name in enumerate(objectives) if name not in objectives[:i]]
    ways = [Way.of(mapper, name, budget, seed) for name in objectives]
    models = [load_model(model, way) for way in ways]
    fuse = read_fuse(fuse)
    fuses(fuse, base, models[0])
    given = stacks_of(fuse, nets) if isinstance(fuse, dict) else ()
    told = told_fuse(fuse, nets)
    check_workers(workers)
    cancelled = as_question(cancel)
    journal = None
    if out is not None:
        out = as_path(out, "out")
        check_suffix(out, FORMATS)
        if out.suffix.lower() == ".parquet":
            parquet_modules()
        part = out.with_name(out.name + ".part")
        journal = Journal(part, _question(ways[0], models[0], nets, told), len(nets), fresh)
    try:
        with as_engine(engine, workers, scheduler) as started:
            table = _priced(
                base, axes, ways, models, nets, started, cancelled, progress, journal, fuse, given
            )
        if out is not None and journal is not None:
            table.write(out)
            journal.remove()
        return table
    finally:
        if journal is not None:
            journal.close()


def _priced(
    base: Accelerator,
    axes: tuple[SweepAxis, ...],
    ways: list[Way],
    models: list[CostModel],
    nets: list[Network],
    started: Engine,
    cancelled: Callable[[], bool],
    progress: Callable[[int, int], None] | None,
    journal: Journal | None,
    fuse: str | dict[str, Any] | None,
    stacks: tuple[Stack, ...],
) -> SweepTable:
    """The whole table, from what the journal knows and the points left. Raises Interrupted."""
    machines, reasons = _machines(base, axes)
    known: dict[str, Any] = journal.known if journal is not None else {}
    jobs = {
        key: _Job(key, machine, priced)
        for way, priced in zip(ways, models, strict=True)
        for machine in machines
        if machine is not None and (key := _key(machine, way)) not in known
    }
    total = len({_key(m, way) for way in ways for m in machines if m is not None})
    stop = cancelled if started.shares_memory else never
    found = started.stream(
        partial(_solve, nets=nets, fuse=fuse, given=stacks, cancelled=stop), list(jobs.values())
    )
    for done, (key, prices) in enumerate(zip(jobs, found), total - len(jobs) + 1):
        if cancelled():
            break
        if journal is not None:
            journal.add(key, prices)
        known[key] = prices
        if progress is not None:
            progress(done, total)
    if any(key not in known for key in jobs):
        where = f"; the same command goes on from {journal.path}" if journal is not None else ""
        raise Interrupted(f"stopped after {sum(k in known for k in jobs)} of {len(jobs)} points{where}")
    return SweepTable(axes, tuple(_rows(axes, machines, reasons, ways, nets, known)))


def _is_whole(base: Accelerator, path: str) -> bool:
    """Whether a figure of the machine is a whole number."""
    value = value_at(base, path)
    return isinstance(value, int) or path.rpartition(".")[2] == "size_bytes"


def _machines(
    base: Accelerator, axes: tuple[SweepAxis, ...]
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


def _told(net: Network) -> tuple[object, ...]:
    """What a price follows from; shared weights only where there are any, as older files had none."""
    parts = (net.name, net.layers, net.edges, net.outputs, net.weights_of)
    return (*parts, net.held) if net.held else parts


def _question(way: Way, model: CostModel, nets: list[Network], fuse: Any) -> dict[str, Any]:
    """What must be equal for results of a journal to hold."""
    from accelsim import __version__

    text = repr([_told(net) for net in nets])
    return {
        "version": __version__,
        "model": model.name,
        "mapper": way.mapper.name,
        "budget": way.budget,
        "seed": way.seed,
        "fuse": fuse,
        "networks": [net.name for net in nets],
        "layers": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _solve(
    job: _Job,
    nets: list[Network],
    fuse: str | dict[str, Any] | None = None,
    given: tuple[Stack, ...] = (),
    cancelled: Callable[[], bool] = never,
) -> list[Any]:
    """[cycles, pJ] of each network on a machine, or why there are none."""
    looks = fuse == "auto" or (fuse is None and fuses(fuse, job.hardware, job.model))
    found = NetworkPricer(job.model, cancelled=cancelled).price(
        [Run(job.hardware, net, stacks=given, fuse=looks) for net in nets]
    )
    figures = zip(nets, *(column.tolist() for column in found[:3]), found.faults, strict=True)
    return [
        [latency, energy] if failed < 0 else fault or str(nothing_fits(job.hardware, net.layers[failed]))
        for net, latency, energy, failed, fault in figures
    ]


class _Memory:
    """Figures of memory plans, which depend on the network and on the widths of the machine alone."""

    def __init__(self) -> None:
        self._known: dict[Any, dict[str, int]] = {}

    def figures(self, machine: Accelerator, net: Network) -> dict[str, int]:
        from accelsim.hardware.holding import first_holder
        from accelsim.liveness import memory_plan

        bits = machine.kept_bits(first_holder(machine, "O"))
        key = net.name, bits.weight, bits.input, bits.output
        if key not in self._known:
            plan = memory_plan(net, machine)
            self._known[key] = {"peak_memory_bytes": plan.peak, "flash_bytes": plan.flash}
        return self._known[key]


def _rows(
    axes: tuple[SweepAxis, ...],
    machines: list[Accelerator | None],
    reasons: list[str],
    ways: list[Way],
    nets: list[Network],
    known: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    memory = _Memory()
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
                } | memory.figures(machine, net)
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
                    "utilisation": at_work(net.layers, machine) / cycles,
                    "status": "ok",
                }
