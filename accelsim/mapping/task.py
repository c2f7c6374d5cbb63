"""`Task`: one question to a mapper, a layer on a machine, and what it may spend on the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.hardware.holding import ways_for
from accelsim.mapping.optimal_space import Tiles
from accelsim.mapping.template import Objective
from accelsim.pack import Batch, Machine, less_room, pack_layer, pack_machine, price
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

DEFAULT_BUDGET = 2000


def never() -> bool:
    """Not cancelled."""
    return False


@dataclass(frozen=True)
class Task:
    """One layer to map.

    objective      what falls: edp, latency or energy
    budget         evaluations in all, those of the template mapping first, which always completes; None:
                   2000, and as many as it takes for the exact mapper, which counts from the template on
    seed           of all random choices
    resident       tensors that lie on chip and need no traffic with the outermost memory
    reserved_bits  float64[M, 4], taken off each memory's parts for W, I, O and off its whole
    cancelled      asked now and then; once it answers True, the mapper returns its best so far
    seconds        after which the exact mapper returns its best so far, which then depends on the machine's
                   speed; None: never
    tiles          of the exact mapper's space, see `MapSpace`
    start          the template mapping, or "none": the smallest tiles, which tell a search nothing
    spent          evaluations of the budget that finding the start took
    """

    hardware: Accelerator
    layer: Layer
    objective: Objective = "edp"
    budget: int | None = None
    seed: int = 0
    resident: str = ""
    reserved_bits: NDArray[np.float64] | None = field(default=None, compare=False)
    cancelled: Callable[[], bool] = never
    seconds: float | None = None
    tiles: Tiles = "all"
    start: Literal["template", "none"] = "template"
    spent: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hardware", self.hardware.for_layer(self.layer))

    @cached_property
    def ways(self) -> tuple[Task, ...]:
        """The task on each way to hold that differs for its layer; only itself where there is no choice."""
        if not self.hardware.leaves_choice:
            return (self,)
        machines = ways_for(self.hardware, self.layer, self.resident)
        return tuple(replace(self, hardware=machine) for machine in machines)

    @property
    def evaluations(self) -> int:
        """What is left of the budget for mappers that search until it is spent."""
        return max(0, (DEFAULT_BUDGET if self.budget is None else self.budget) - self.spent)

    @cached_property
    def problem(self) -> NDArray[np.int64]:
        """Kernel array of the layer."""
        return pack_layer(self.layer, self.resident)

    @cached_property
    def machine(self) -> Machine:
        """Kernel arrays of the accelerator, without the reserved bits."""
        return less_room(pack_machine(self.hardware), self.reserved_bits)

    def score(self, batch: Batch) -> NDArray[np.float64]:
        """Objective float64[B] of B mappings, in pJ x cycles, cycles or pJ; infinity where illegal."""
        _, latency, energy = price(self.problem, self.machine, batch)
        return {"edp": latency * energy, "latency": latency, "energy": energy}[self.objective]
