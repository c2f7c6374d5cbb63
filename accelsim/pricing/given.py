"""Given stacks: read from a schedule, and priced for many candidates at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from accelsim.errors import AccelsimError, nearest
from accelsim.fusion import Stack
from accelsim.fusion.price import StackParts
from accelsim.fusion.room import StackError
from accelsim.fusion.schedule import read_stacks, write_stacks
from accelsim.pricing.ask import Ask

if TYPE_CHECKING:
    from accelsim.pricing.network import NetworkPricer
    from accelsim.pricing.run import Run
    from accelsim.workloads.network import Network

WORDS = ("auto", "none")

Fuse = str | Path | dict[str, Any] | None
"""A word, a schedule (what a mapping file holds) or the file that holds it; None: what the hardware says."""


class GivenCosts(NamedTuple):
    """All stacks of a run; `failed` is the layer that has no room and `fault` why, else -1 and ""."""

    latency_cycles: float
    energy_pj: float
    failed: int
    fault: str


def read_fuse(fuse: Fuse) -> str | dict[str, Any] | None:
    """A word, None, or the schedule that a file holds. Raises AccelsimError."""
    if fuse is None or fuse in WORDS:
        return fuse  # type: ignore[return-value]
    held, where = (fuse, "fuse") if isinstance(fuse, dict) else (_file(fuse), f"fuse {fuse}")
    if not isinstance(held, dict) or not {"stacks", "layers"} & set(held):
        raise AccelsimError(
            f'{where}: must hold an object with "stacks", like {{"stacks": [{{"layers": ["a", "b"]}}]}}, but '
            f"holds {held!s:.60}"
        )
    return held


def _file(fuse: Any) -> Any:
    from accelsim.json_text import read_json

    if not isinstance(fuse, str | Path) or not Path(fuse).is_file():
        raise AccelsimError(
            f"fuse: must be auto, none or a schedule file, and there is no file {fuse!s:.80}"
            f"{nearest(str(fuse), WORDS)}"
        )
    return read_json(Path(fuse), "fuse")


def told_fuse(fuse: Fuse, networks: Sequence[Network]) -> str | list[dict[str, Any]] | None:
    """A word, None, or the stacks of a schedule in JSON form, to be kept. Raises AccelsimError."""
    held = read_fuse(fuse)
    if not isinstance(held, dict):
        return held
    return write_stacks(networks[0], found) if (found := stacks_of(held, networks)) else "none"


def stacks_of(schedule: dict[str, Any], networks: Sequence[Network]) -> tuple[Stack, ...]:
    """The stacks of a schedule, their pieces to be mapped anew.

    Raises AccelsimError unless there is one network, which has these layers.
    """
    if len(networks) != 1:
        there = f"there are {len(networks)}" if networks else "a space has many"
        raise AccelsimError(
            f"fuse: a schedule names the layers of one network, but {there}; give one network, or auto"
        )
    found = read_stacks(networks[0], schedule.get("stacks", []))
    return tuple(Stack(s.first, s.last, s.tile, s.kept, s.weights) for s in found if s.first < s.last)


def given(pricer: NetworkPricer, runs: Sequence[Run]) -> list[GivenCosts]:
    """What the given stacks of each run cost."""
    found: list[list[StackParts] | GivenCosts] = []
    asks: list[tuple[Hashable, Ask]] = []
    for run in runs:
        try:
            found.append([StackParts.of(run.chip, run.network, stack) for stack in run.stacks])
        except StackError as fault:
            found.append(_failed(run.stacks[0].first, fault))
            continue
        key = run.key_of(run.chip)
        for parts in found[-1]:
            asks += [(key, Ask(run.chip, x.piece, x.resident, x.reserved)) for x in parts.all]  # type: ignore[union-attr]
    columns = pricer.pieces(asks) if asks else ()
    out, start = [], 0
    for one in found:
        if isinstance(one, GivenCosts):
            out.append(one)
            continue
        sums = GivenCosts(0.0, 0.0, -1, "")
        for parts in one:
            end = start + len(parts.all)
            cycles, pj, busy = (column[start:end] for column in columns)
            start = end
            missing = np.flatnonzero(~np.isfinite(cycles))
            if len(missing):
                part = parts.all[int(missing[0])]
                sums = _failed(part.at, parts.nothing_left(part))
            elif sums.failed < 0:
                total = parts.totals(cycles, pj, busy)
                latency, energy = float(total.latency_cycles[0]), float(total.energy_pj[0])
                sums = GivenCosts(sums.latency_cycles + latency, sums.energy_pj + energy, -1, "")
        out.append(sums)
    return out


def _failed(layer: int, fault: Exception) -> GivenCosts:
    return GivenCosts(float("inf"), float("inf"), layer, str(fault))
