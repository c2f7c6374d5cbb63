"""MAESTRO's model: each layer under the best of its classic dataflows whose buffers fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.mapping.template import Objective
from accelsim.pricing.ask import Answers, Ask
from accelsim.pricing.models.base import CostModel, never
from accelsim.pricing.way import Way


@dataclass(frozen=True)
class Maestro(CostModel):
    """Knows dataflows, no mappings: what stays on chip around a layer, and a mapper, change nothing."""

    objective: Objective
    name = "maestro"

    @classmethod
    def of(cls, way: Way) -> Maestro:
        """Dataflows chosen by the objective of the way."""
        return cls(way.objective)

    def goal(self) -> str:
        """See `CostModel.goal`."""
        return self.objective

    def price(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Answers:
        """See `CostModel.price`."""
        from accelsim.mapping.maestro.machine import MaestroMachine
        from accelsim.mapping.maestro.model import price_layers
        from accelsim.mapping.maestro.shipped import dataflow_names

        chips = {id(ask.chip): ask.chip for ask in asks}
        layers = {layer: i for i, layer in enumerate(dict.fromkeys(ask.layer for ask in asks))}
        machines = [MaestroMachine.from_accelerator(chip) for chip in chips.values()]
        found = price_layers(list(layers), machines, objective=self.objective)
        numbers = {key: i for i, key in enumerate(chips)}
        at = [numbers[id(ask.chip)] for ask in asks], [layers[ask.layer] for ask in asks]
        tried = np.full(len(asks), float(len(dataflow_names())))
        return Answers(found.latency_cycles[at], found.energy_pj[at], tried)
