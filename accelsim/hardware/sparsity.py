"""Zeros in the data: how many there are, as stated, and what the MACs spare on them.

Off unless a file says both: `density`, the share of non-zeros in the data that is priced, and `mac.on_zero`,
what a zero spares. Zeros are taken to be spread evenly, those of weights and of inputs independently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from accelsim.hardware.fields import Section, Share

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator

Sparing = Literal["nothing", "energy", "time"]


class Density(Section):
    """Share of non-zeros."""

    W: Share = Field(default=1.0, description="Share of weights that are not zero.")
    I: Share = Field(default=1.0, description="Share of inputs that are not zero.")


class OnZero(Section):
    """What a multiply-accumulate by zero spares."""

    W: Sparing = Field(default="nothing", description="By a weight of zero. As for I.")
    I: Sparing = Field(
        default="nothing",
        description="By an input of zero. energy: gated, the MAC takes no energy, and its weight is not read "
        "where each MAC has weights of its own. time: skipped, that and its cycle. nothing: as any other.",
    )


def performed(hw: Accelerator) -> float:
    """Share of the MACs that take energy."""
    share = 1.0
    for tensor in ("W", "I"):
        if getattr(hw.mac.on_zero, tensor) != "nothing":
            share *= getattr(hw.density, tensor)
    return share


def timed(hw: Accelerator) -> float:
    """Share of the MACs that take time, as if zeros fell to all units alike."""
    share = 1.0
    for tensor in ("W", "I"):
        if getattr(hw.mac.on_zero, tensor) == "time":
            share *= getattr(hw.density, tensor)
    return share


def weights_read(hw: Accelerator, m: int) -> float:
    """Share of the reads of weights at memory `m` that zero inputs leave.

    They spare a read only where a MAC has a memory of its own for weights: elsewhere one read serves several.
    """
    last = max(i for i, memory in enumerate(hw.memories) if "W" in memory.holds)
    own = m == last and hw.instances(m) == hw.num_pes
    return hw.density.I if own and hw.mac.on_zero.I != "nothing" else 1.0
