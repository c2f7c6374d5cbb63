"""`MappingResult`: the answer of a mapper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from accelsim.mapping.cost import LayerCost
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.template import Objective
from accelsim.shown import Shown

Status = Literal["done", "budget", "cancelled", "optimal"]


@dataclass(frozen=True, repr=False)
class MappingResult(Shown):
    """What a mapper found.

    evaluations        mappings priced by the mapper itself, at most what the start left of the budget
    start_evaluations  mappings priced to find the template mapping that it started from
    status             done, budget (it would have gone on), cancelled, or optimal (proven)
    certificate        the proof, from mappers that give one
    """

    mapping: Mapping
    cost: LayerCost
    evaluations: int
    start_evaluations: int
    status: Status
    mapper: str
    objective: Objective
    seed: int
    certificate: Any = None

    def brief(self) -> str:
        """The costs, and how the mapping was found."""
        how = f"{self.mapper} for {self.objective}: {self.status} after {self.evaluations:,} evaluations"
        return f"{self.cost.brief()}; {how}"

    def to_rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [self.cost.to_row() | {"evaluations": self.evaluations, "status": self.status}]

    @property
    def value(self) -> float:
        """The objective: joule-seconds, seconds or joules."""
        cost = self.cost
        return {"edp": cost.edp_js, "latency": cost.latency_s, "energy": cost.energy_pj * 1e-12}[
            self.objective
        ]
