"""MAESTRO's model: each layer under the best classic dataflow whose buffers fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapper import MappingResult
from accelsim.pricing.ask import Ask
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.way import Way


@dataclass(frozen=True)
class Maestro(CostModel):
    """MAESTRO's dataflows are no mappings that it could be asked for: those are our own model's, in `way`."""

    way: Way

    def price(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """See `CostModel.price`."""
        from accelsim.mapping.maestro.machine import MaestroMachine
        from accelsim.mapping.maestro.model import price_layers
        from accelsim.mapping.maestro.shipped import dataflow_names

        chips = {id(ask.chip): ask.chip for ask in asks}
        machines = [MaestroMachine.from_accelerator(chip) for chip in chips.values()]
        numbers = {key: i for i, key in enumerate(chips)}
        rows = {layer: i for i, layer in enumerate(dict.fromkeys(ask.layer for ask in asks))}
        found = price_layers(list(rows), machines, objective=self.way.objective)
        at = [numbers[id(ask.chip)] for ask in asks], [rows[ask.layer] for ask in asks]
        tried = np.full(len(asks), len(dataflow_names()))
        return np.column_stack([found.latency_cycles[at], found.energy_pj[at], tried])

    def mapping(self, ask: Ask, cancelled: Callable[[], bool] | None = None) -> MappingResult | None:
        """Our own model's mapping."""
        return LoopNest(self.way).mapping(ask, cancelled)
