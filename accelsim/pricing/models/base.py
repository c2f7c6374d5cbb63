"""`CostModel`: what prices layers, whatever it knows of a chip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.mapping.found import MappingResult
from accelsim.mapping.task import never as never
from accelsim.names import Registry
from accelsim.pricing.ask import Answers, Ask, Pieces
from accelsim.pricing.way import Way


class CostModel(ABC):
    """Prices asks.

    Contract, held by tests/pricing/test_models.py: the answer to an ask depends on that ask alone, neither on
    its place nor on its neighbours; it is infinite where nothing fits; what `mapping` returns costs what
    `price` says. A model can be pickled, so that processes can have it; equal models give equal answers.
    """

    name: str

    @classmethod
    @abstractmethod
    def of(cls, way: Way) -> CostModel:
        """The model, layers mapped that way."""

    def goal(self) -> str:
        """What falls: edp, latency or energy."""
        return "edp"

    @abstractmethod
    def price(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Answers:
        """Costs of asks whose chips all have the same number of memories.

        `cancelled` is asked now and then; once it answers True, the best so far is returned.
        """

    def pieces(self, asks: Sequence[Ask], cancelled: Callable[[], bool] = never) -> Pieces:
        """As `price`, with what a stack must know of its pieces. Raises AccelsimError if it knows no such."""
        raise AccelsimError(f"model {self.name}: knows whole layers alone, no stacks; leave fuse at none")

    def bounds(self, asks: Sequence[Ask]) -> NDArray[np.float64]:
        """(cycles, pJ) float64[n, 2] that no answer to the asks is below; 0 where nothing is known."""
        return np.zeros((len(asks), 2))

    def mapping(self, ask: Ask, cancelled: Callable[[], bool] = never) -> MappingResult | None:
        """The mapping that `price` priced, None where nothing fits. Raises AccelsimError if it has none."""
        raise AccelsimError(f"model {self.name}: has no mappings to show; use accelsim's own")


MODELS = Registry(
    "model",
    {
        "accelsim": "accelsim.pricing.models.loopnest:LoopNest",
        "maestro": "accelsim.pricing.models.maestro:Maestro",
        "microcontroller": "accelsim.pricing.models.microcontroller:MicrocontrollerModel",
    },
    "accelsim.model",
    "accelsim.pricing.models.base:CostModel",
)


def model_names() -> tuple[str, ...]:
    """Names that `load_model` knows."""
    return MODELS.names()


def load_model(model: str | CostModel | type[CostModel], way: Way) -> CostModel:
    """A model by name or class, its layers mapped in a way, or a model as it is. Raises AccelsimError."""
    found = MODELS.load(model)
    if isinstance(found, CostModel):
        return found
    return cast(type[CostModel], found).of(way)
