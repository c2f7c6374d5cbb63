"""`Way`: how layers are mapped. One value, one default and one meaning of budget in every verb."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.mapping.mapper import Mapper, check_exact, check_options, load_mapper
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.task import Task
from accelsim.mapping.template import Objective

DEFAULT_MAPPER = "genetic"


@dataclass(frozen=True)
class Way:
    """Mapper, objective, budget and seed of each layer.

    objective  what falls: edp, latency or energy
    budget     mappings priced a layer, those of the template that every search starts from included; the
               template always completes, so that a budget of 0 is the template; None: no limit
    seed       of all random choices; the same for every layer, so that equal layers are mapped alike
    tiles, seconds  of the exact mapper, see `map_layer`; with `seconds` the answer depends on the clock
    """

    mapper: Mapper
    objective: Objective = "edp"
    budget: int | None = None
    seed: int = 0
    tiles: Tiles = Task.tiles
    seconds: float | None = None

    @classmethod
    def of(
        cls,
        mapper: str | Mapper | type[Mapper] = DEFAULT_MAPPER,
        objective: str = "edp",
        budget: int | None = None,
        seed: int = 0,
        tiles: Tiles = Task.tiles,
        seconds: float | None = None,
    ) -> Way:
        """Checked; without a budget, the mapper's own: 2000, none for the exact one. Raises AccelsimError."""
        wanted = check_options(objective, budget, seed, tiles, seconds)
        chosen = load_mapper(mapper)
        check_exact(mapper, tiles, seconds)
        return cls(chosen, wanted, chosen.budget if budget is None else budget, seed, tiles, seconds)
