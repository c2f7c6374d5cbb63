"""`Way`: how layers are mapped. One meaning and one default for every verb."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.mapping.mapper import Mapper, check_options, load_mapper
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.template import Objective

DEFAULT_MAPPER = "genetic"


@dataclass(frozen=True)
class Way:
    """How each layer is mapped.

    objective  what falls: edp, latency or energy
    budget     evaluations a layer in all, those of the template mapping, which always completes, among them;
               None: `DEFAULT_BUDGET`, and as many as it takes for the exact mapper
    seed       of all random choices
    tiles      of the exact mapper's space, see `MapSpace`
    seconds    a layer, after which the exact mapper returns its best so far
    """

    mapper: Mapper
    objective: Objective = "edp"
    budget: int | None = None
    seed: int = 0
    tiles: Tiles = "divisors"
    seconds: float | None = None

    @classmethod
    def of(
        cls,
        mapper: str | Mapper = DEFAULT_MAPPER,
        objective: str = "edp",
        budget: int | None = None,
        seed: int = 0,
        tiles: Tiles = "divisors",
        seconds: float | None = None,
    ) -> Way:
        """Checked. Raises AccelsimError."""
        wanted = check_options(objective, budget, seed, tiles, seconds)
        return cls(load_mapper(mapper), wanted, budget, seed, tiles, seconds)
