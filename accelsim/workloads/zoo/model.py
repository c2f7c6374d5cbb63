"""`Model`: one shipped network, and how it takes a batch and a resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.workloads.builder import NetworkBuilder
from accelsim.workloads.layer import check_size
from accelsim.workloads.network import Network
from accelsim.workloads.tensor import Tensor

Resolution = int | tuple[int, int]
"""Height and width in one number, or (height, width); for a sequence model its length."""

_REACH = 128  # how far to look for a resolution that works


@dataclass(frozen=True)
class Model:
    """A network as code: `body` builds it from the builder's input and returns its output.

    `source` names the definition that it follows. `sequence` marks models whose input is `height` tokens.
    """

    name: str
    body: Callable[[NetworkBuilder], Tensor]
    source: str
    channels: int = 3
    height: int = 224
    width: int = 224
    sequence: bool = False
    aliases: tuple[str, ...] = ()

    def build(self, batch: int = 1, resolution: Resolution | None = None) -> Network:
        """The network for `batch` inputs of a resolution, by default the published one.

        Raises AccelsimError where the network does not admit it, with the nearest that it does.
        """
        height, width = self._size(resolution)
        check_size(batch, f"{self.name}: batch", 1)
        try:
            return self._build(batch, height, width)
        except AccelsimError as fault:
            if batch > 1 and self._works(height, width):
                raise AccelsimError(f"{self.name} does not admit batch {batch}: {fault}") from None
            hint = self._hint(height, height == width or self.sequence)
            what = f"sequence length {height}" if self.sequence else f"resolution {height}x{width}"
            raise AccelsimError(f"{self.name} does not admit {what}: {fault}{hint}") from None

    def _build(self, batch: int, height: int, width: int) -> Network:
        builder = NetworkBuilder(self.name, self.channels, height, width, batch)
        return builder.build(self.body(builder))

    def _size(self, resolution: Resolution | None) -> tuple[int, int]:
        if resolution is None:
            return self.height, self.width
        what = f"{self.name}: " + ("sequence length" if self.sequence else "resolution")
        if isinstance(resolution, (tuple, list)) and len(resolution) == 2 and not self.sequence:
            return check_size(resolution[0], what, 1), check_size(resolution[1], what, 1)
        if isinstance(resolution, (tuple, list)):
            form = "one whole number" if self.sequence else "one whole number or (height, width)"
            raise AccelsimError(f"{what} must be {form}, but got {resolution!r:.80}")
        side = check_size(resolution, what, 1)
        return side, self.width if self.sequence else side

    def _works(self, side: int, width: int | None = None) -> bool:
        try:
            self._build(1, side, width or (self.width if self.sequence else side))
        except AccelsimError:
            return False
        return True

    def _hint(self, side: int, square: bool) -> str:
        smallest = next((r for r in range(1, self.height) if self._works(r)), self.height)
        what = "length" if self.sequence else "resolution"
        text = f"; the smallest {what} that works is {smallest}"
        if side < smallest or not square:
            return text
        around = (range(side, max(side - _REACH, smallest), -1), range(side, side + _REACH))
        near = [next((r for r in steps if self._works(r)), 0) for steps in around]
        return text + (f", the nearest {' and '.join(str(r) for r in near if r)}" if any(near) else "")
