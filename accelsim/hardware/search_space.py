"""`SearchSpace`: what a joint search may vary in an accelerator, in which steps and within which budget.

Sizing (MACs, array, buffers, bandwidth) and the dimensions spread over the array, as in NAAS (Lin, Yang and
Han, DAC 2021, section 3): steps of 8 MACs, 16 bytes and 2 lanes, and the baseline's own totals as the budget.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from accelsim.hardware.fields import (
    DIMENSIONS,
    Area,
    Bits,
    BytesPerCycle,
    Count,
    Dim,
    Name,
    Power,
    Section,
    Sourced,
    WholeNumber,
)
from cost_models.loopnest.layout import MAX_AXES


class Strides(Section):
    """Steps between neighbouring choices."""

    pes: Count = Field(default=8, description="Step of the number of MACs.")
    buffer_bytes: Count = Field(default=16, description="Step of a memory's size in bytes.")
    array: Count = Field(default=2, description="Step of the size of an array axis.")
    bandwidth: BytesPerCycle = Field(default=1.0, description="Step of a bandwidth in bytes per cycle.")


class CountRange(Section):
    """A range of whole numbers, both ends included."""

    min: Count = Field(description="Smallest value.")
    max: Count = Field(description="Largest value.")


class RateRange(Section):
    """A range of bandwidths, both ends included."""

    min: BytesPerCycle = Field(description="Smallest value, bytes per cycle.")
    max: BytesPerCycle = Field(description="Largest value, bytes per cycle.")


class ArraySpace(Section):
    """The array below one memory: how many axes, how long, and which dimensions they may carry."""

    memory: Name = Field(description="Memory whose fan-out is searched.")
    min_axes: Annotated[int, WholeNumber(1, MAX_AXES)] = Field(default=1, description="Fewest axes.")
    max_axes: Annotated[int, WholeNumber(1, MAX_AXES)] = Field(default=3, description="Most axes.")
    min_size: Count = Field(default=2, description="Shortest axis.")
    max_size: Count = Field(description="Longest axis.")
    dims: tuple[Dim, ...] = Field(
        default=DIMENSIONS, min_length=1, max_length=8, description="Dimensions that an axis may carry."
    )


class Widths(Section):
    """Precisions of a chip: of its MACs, and of all memories that have no `precision_bits` of their own."""

    weight: Bits = Field(description="Bits of a weight.")
    activation: Bits = Field(description="Bits of an input and of a finished output.")

    @property
    def place(self) -> tuple[int, int]:
        """What widths are sorted by: the multiplier, then the weight."""
        return self.weight * self.activation, self.weight


class SearchSpace(Sourced):
    """What may vary. A part that is left out keeps its value; a budget that is left out does not bind."""

    max_pes: Count | None = Field(default=None, description="Most MACs.")
    max_onchip_bytes: Count | None = Field(
        default=None, description="Most bytes of on-chip memory, all instances of all levels together."
    )
    max_bandwidth: BytesPerCycle | None = Field(
        default=None, description="Largest sum of the searched bandwidths, bytes per cycle."
    )
    max_area_mm2: Area | None = Field(default=None, description="Largest area in mm2.")
    max_power_mw: Power | None = Field(default=None, description="Largest average power in mW.")
    strides: Strides = Field(default_factory=Strides, description="How far apart the choices lie.")
    array: ArraySpace | None = Field(default=None, description="The array that is searched.")
    buffers: dict[Name, CountRange] = Field(
        default_factory=dict, description="Range of bytes of one instance, by memory name."
    )
    bandwidths: dict[Name, RateRange] = Field(
        default_factory=dict, description="Range of bytes per cycle of one instance, by memory name."
    )
    precision: tuple[Widths, ...] = Field(
        default=(),
        max_length=16,
        description="Precisions to choose from; partial sums stay as they are, or as wide as outputs.",
    )
    layer_precision: tuple[Widths, ...] = Field(
        default=(),
        max_length=16,
        description="Precisions that each layer of a network may have instead of the chip's, on its MACs as "
        "they are.",
    )
