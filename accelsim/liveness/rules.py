"""`Rules`: what an inference engine may do with memory, and the workspaces that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError, not_one_of
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

WORKSPACES = ("none", "tinyengine")


@dataclass(frozen=True)
class Rules:
    """Levers of a memory plan.

    in_place_depthwise  a depthwise layer writes over its input, channel by channel, if nothing else reads it
    in_place_add        an element-wise layer writes over an operand that nothing reads later; where the layer
                        right before makes the other operand for it alone, that one adds to it as it computes
    workspace           buffers beside the tensors: `none`, or those of TinyEngine's int8 kernels
    alignment           bytes that every tensor is rounded up to

    Raises AccelsimError for an unknown workspace or an alignment below 1.
    """

    in_place_depthwise: bool = True
    in_place_add: bool = False
    workspace: str = "none"
    alignment: int = 1

    def __post_init__(self) -> None:
        if self.workspace not in WORKSPACES:
            raise AccelsimError(f"workspace: {not_one_of(self.workspace, WORKSPACES)}")
        if type(self.alignment) is not int or self.alignment < 1:
            raise AccelsimError(
                f"alignment: must be a whole number of bytes from 1, but got {self.alignment!r}"
            )

    def aligned(self, size: int) -> int:
        """Bytes with those that the alignment adds."""
        return -(-size // self.alignment) * self.alignment

    def workspaces(self, layer: Layer) -> tuple[int, int]:
        """(buffer of columns, copy of the kernel) in bytes that a layer asks for.

        TinyEngine (mit-han-lab/tinyengine at 47bb283): two columns of 16 bit for a convolution (4 k^2 Cin), a
        16-bit copy of kernels larger than 1x1 (2 k^2 Cin Cout), and a padded channel for depthwise layers,
        2 (H + 2 pad) (W + 2 pad). Its plan keeps one of each kind, the largest.
        """
        if self.workspace == "none" or not layer.multiplies:
            return 0, 0
        if depthwise(layer):
            spans = ((n - 1) * s + (k - 1) * d + 1 for n, s, k, d in _axes(layer))
            rows, cols = spans
            return 2 * rows * cols, 0
        taps = layer.R * layer.S * layer.C
        return 4 * taps, 2 * taps * layer.K * layer.G if layer.R * layer.S > 1 else 0


def rules_of(hardware: Accelerator | None) -> Rules:
    """Those of a microcontroller's kernels; of anything else depthwise layers in place and nothing more."""
    made = None if hardware is None else hardware.microcontroller
    return Rules() if made is None else Rules(workspace=made.workspace, alignment=made.alignment)


def depthwise(layer: Layer) -> bool:
    """One filter a channel, so that a channel's result needs that channel alone."""
    return layer.op == "conv" and layer.G > 1 and layer.K == layer.C == 1


def _axes(layer: Layer) -> zip[tuple[int, int, int, int]]:
    return zip((layer.P, layer.Q), layer.stride, (layer.R, layer.S), layer.dilation)
