"""Who answers what a layer costs; a model a file."""

from __future__ import annotations

from typing import cast

from accelsim.names import Registry
from accelsim.pricing.models.base import CostModel
from accelsim.pricing.way import Way

MODELS = Registry(
    "model",
    {
        "accelsim": "accelsim.pricing.models.loopnest:LoopNest",
        "maestro": "accelsim.pricing.models.maestro:Maestro",
    },
)
"""accelsim: our own, a mapping of each layer. maestro: MAESTRO's, each layer under the best of the classic
dataflows whose buffers fit."""


def load_model(model: str | CostModel, way: Way) -> CostModel:
    """A model by name, for layers that are mapped in this way, or the model itself. Raises AccelsimError."""
    if isinstance(model, CostModel):
        return model
    return cast(CostModel, MODELS.load(model)(way))
