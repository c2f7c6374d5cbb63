"""What the exact mapper says: its mapping or its front, and what is proved about them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from accelsim.errors import AccelsimError
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.template import Objective
from accelsim.pack import Batch

# Mappings are counted in some tenths of a second at most
_COUNTED = 1 << 13  # ways to use the array
_STEPS = 1 << 20


@dataclass(frozen=True)
class Certificate:
    """What a search proved. Values are in the objective's unit: cycles, pJ, or pJ x cycles.

    optimum      value of the mapping returned
    lower_bound  no mapping of the space is below it
    gap          optimum / lower_bound - 1
    space_size   tilings times spatial choices times distinct loop orders
    nodes        boxes of tiles looked at
    pruned       how many branches each rule cut
    evaluations  mappings priced by the kernel
    complete     whether the search ended by itself: then nothing in the space is better
    tiles        what the space holds, see `MapSpace`
    dataflow     whether the hardware's dataflow section limits the space
    inside       whether the mapping returned is a member of the space; if not it was given to start from
    ways         ways to hold in the space; `pruned` says of how many no mapping had to be looked at
    """

    objective: Objective
    optimum: float
    lower_bound: float
    space: MapSpace = field(repr=False, compare=False)
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool
    tiles: Tiles
    dataflow: bool
    inside: bool
    ways: int = 1

    @property
    def space_size(self) -> float:
        """Mappings in the space; infinite where their number takes too long to find out."""
        return _size(self.space)

    @property
    def covers(self) -> str:
        """The space in words."""
        tiles = {"divisors": "dividing tiles", "all": "tiles of all trip counts", "legal": "all legal tiles"}
        limits = "the chip's dataflow" if self.dataflow else "any dataflow"
        holds = f", {self.ways} ways to hold" if self.ways > 1 else ""
        return f"{tiles[self.tiles]} in {limits}{holds}"

    @property
    def gap(self) -> float:
        """How far the result may be above the optimum, relative to the lower bound."""
        if self.optimum <= self.lower_bound:
            return 0.0
        return self.optimum / self.lower_bound - 1.0 if self.lower_bound > 0 else math.inf


@dataclass(frozen=True)
class OptimalResult:
    """A mapping, as kernel arrays with one row and as an object, and its certificate."""

    batch: Batch
    mapping: Mapping
    certificate: Certificate

    @property
    def cost(self) -> float:
        """The objective's value: cycles, pJ, or pJ x cycles."""
        return self.certificate.optimum


@dataclass(frozen=True)
class Front:
    """The best trades of latency for energy: nothing in the space is nowhere worse than a point, and better.

    points       by rising latency and falling energy
    complete     whether the search ended by itself; otherwise there may be better points
    Others as in `Certificate`.
    """

    points: tuple[FrontPoint, ...]
    space: MapSpace = field(repr=False, compare=False)
    nodes: int
    pruned: dict[str, int]
    evaluations: int
    seconds: float
    complete: bool

    @property
    def space_size(self) -> float:
        """As in `Certificate`."""
        return _size(self.space)


@dataclass(frozen=True)
class FrontPoint:
    """A mapping of a front."""

    latency_cycles: float
    energy_pj: float
    batch: Batch
    mapping: Mapping


def _size(space: MapSpace) -> float:
    """Number of mappings; infinite where it takes too long to find out."""
    try:
        steps = space.ways[0].counting(_COUNTED)
    except AccelsimError:
        return math.inf
    return float(space.size) if steps <= _STEPS else math.inf
