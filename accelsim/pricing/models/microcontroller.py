"""A microcontroller's model: multiply-accumulates over a rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.hardware.microcontroller import controller
from accelsim.pricing.ask import Answers, Ask
from accelsim.pricing.models.base import CostModel, never
from accelsim.pricing.way import Way


@dataclass(frozen=True)
class MicrocontrollerModel(CostModel):
    """Knows no mappings and no energy, which is NaN; layers without weights are part of the rate."""

    name = "microcontroller"

    @classmethod
    def of(cls, way: Way) -> MicrocontrollerModel:
        """The same in every way."""
        return cls()

    def price(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Answers:
        """See `CostModel.price`. Raises AccelsimError for a chip that is no microcontroller."""
        rates = np.array([controller(ask.chip).macs_per_cycle for ask in asks])
        macs = np.array([float(ask.layer.macs) for ask in asks])
        return Answers(macs / rates, np.full(len(asks), np.nan), np.zeros(len(asks)))
