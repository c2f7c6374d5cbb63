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

from accelsim.cosearch.chips import ChipSpace, FixedChip, unsearched
from accelsim.cosearch.phase import Phase
from accelsim.hardware.freedom import Freedom, freedoms, with_freedoms
from accelsim.network_cost import NetworkMapping

if TYPE_CHECKING:
    from accelsim.cosearch.result import Found, SearchResult

Granted = tuple[Freedom, ...]
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


def on_base(phase: Phase, row: Genome, granted: Granted = ()) -> tuple[Phase, Genome] | None:
    """The same network on the base chip with these freedoms: a phase to price it in, and a genome.

    None where that is not in the envelope.
    """
    home = at_home(phase, row)
    if home is None or not granted:
        return None if home is None else (phase, home)
    assert isinstance(phase.chips, ChipSpace)
    chip = with_freedoms(unsearched(phase.chips.base), granted)
    if phase.chips.area is not None and chip.area_mm2 > phase.chips.area:
        return None
    on = copy.copy(phase)
    on.chips = FixedChip(chip, chip.hash.encode())
    return on, home


def granted_by(result: SearchResult, found: Found, patience: int) -> list[Granted]:
    """Freedoms that a design's mappings use: the first, the first two and so on, as in its report."""
    base, chip = result.setup.base, result.design(found).chip
    if (found.base and not found.granted) or not freedoms(base, chip):
        return []
    used = spread_dims(result.mappings(found, result.setup.finisher(patience) if found.mapper else None))
    wanted = freedoms(base, chip, tuple(used))
    return [wanted[: n + 1] for n in range(len(wanted))]


def spread_dims(design: Sequence[NetworkMapping]) -> set[str]:
    """Dimensions that a design's mappings spread over axes."""
    levels = [level for one in design for _, part in one.cost.parts for level in part.mapping.levels]
    return {dim for level in levels for dim, factor in level.spatial.values() if factor > 1}
