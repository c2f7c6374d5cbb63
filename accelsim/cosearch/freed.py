"""The base chip with what a design's axes may carry: what a report sets a design against is a design too.

A chip that a search found may gain by the dimensions that its axes carry and lose by the sizes that came with
them. The base's own sizes with these freedoms are then better: within the envelope, as nothing grows but what
multiplexers take, though axes may carry more than genomes can say.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.chips import ChipSpace, FixedChip
from accelsim.cosearch.finished import Granted, Name
from accelsim.cosearch.phase import Phase
from accelsim.hardware.fields import DIMENSIONS
from accelsim.hardware.freedom import Freedom, freedoms
from accelsim.network_cost import NetworkMapping

if TYPE_CHECKING:
    from accelsim.cosearch.found import Found
    from accelsim.cosearch.result import SearchResult

Genome = NDArray[np.int64]


def at_home(phase: Phase, row: Genome) -> Genome | None:
    """The genome of the same network on the base chip; None where that is not in the envelope."""
    if not isinstance(phase.chips, ChipSpace) or not phase.chips.holds_base:
        return None
    home = row[None].copy()
    phase.genome.split(home)[1][:] = phase.chips.anchor()
    if phase.chips.faults(phase.genome.split(home)[1])[0]:
        return None
    return np.asarray(home[0])


def placed(result: SearchResult, name: Name) -> tuple[Phase, Genome] | None:
    """A phase to price a design in, and its genome there; None where that is not in the envelope."""
    phase, row = result.located(name)
    if not name.base:
        return phase, row
    home = at_home(phase, row)
    if home is None or not (name.granted or name.sizes):
        return None if home is None else (phase, home)
    assert isinstance(phase.chips, ChipSpace)
    if name.sizes:
        sizes = np.array([name.sizes], np.int64)
        if result.sized(name.granted).faults(sizes)[0]:
            return None
    chip = result.chip_at_home(name.granted, name.sizes)
    if phase.chips.area is not None and chip.area_mm2 > phase.chips.area:
        return None
    on = copy.copy(phase)
    on.chips = FixedChip(chip, chip.hash.encode())
    return on, home


def granted_by(result: SearchResult, found: Found) -> list[Granted]:
    """Freedoms that a design's mappings use, and that it has: all, all but the last and so on."""
    base, chip = result.setup.base, result.design(found).chip
    if (found.base and not found.granted) or not freedoms(base, chip):
        return []
    used = result.finished[found.name].spread if found.name in result.finished else ""
    wanted = freedoms(base, chip, tuple(used or spread_dims(result.mappings(found))))
    return [turn[: n + 1] for turn in (wanted, found.granted) for n in reversed(range(len(turn)))]


def extended(phase: Phase, granted: Granted) -> list[Granted]:
    """These freedoms and one more each of those that chips of the space have, on all axes."""
    chips = phase.chips
    if not isinstance(chips, ChipSpace) or chips.array is None or chips.array.sizes_only:
        return []
    base, memory = chips.base, chips.array.memory
    dims = chips.array.array.dims
    free = [*dims, *(["G"] if {"K", "C"} & {*dims} else [])]
    out = []
    for dim in DIMENSIONS:
        axes = [axis.axis for axis in memory.fanout if dim not in base.axis_dims(memory.name, axis.axis)]
        if dim in free and axes and all(one.dim != dim for one in granted):
            out.append(Freedom(dim, tuple((memory.name, axis) for axis in axes)))
    ordered = tuple((one.name, "") for one in base.memories if base.orders(one.name))
    if ordered and all(one.dim is not None or one.engine for one in granted):
        out.append(Freedom(None, ordered))
    return [tuple(sorted((*granted, one), key=_place)) for one in out]


def _place(freedom: Freedom) -> tuple[int, str]:
    """Where it stands among others, as `freedoms` has them."""
    at = len(DIMENSIONS) if freedom.dim is None else DIMENSIONS.index(freedom.dim)
    return at + bool(freedom.engine), freedom.engine


def spread_dims(design: Sequence[NetworkMapping]) -> set[str]:
    """Dimensions that a design's mappings spread over axes."""
    return {dim for one in design for _, part in one.cost.parts for dim in part.mapping.spread}


def spread_of(phase: Phase, row: Genome) -> str:
    """The same of a genome's layers one by one, in the order N G K C P Q R S, as its pricer maps them.

    That pricer is one of `Setup.finisher`, and has priced the genome.
    """
    runs = [run for one in phase.begun(row[None])[2].values() for run in one]
    bits = [int(layer[-1]) for layers in phase.pricer.price(runs).details for layer in layers]
    return "".join(dim for n, dim in enumerate(DIMENSIONS) if any(one >> n & 1 for one in bits))
