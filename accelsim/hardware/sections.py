"""Sections of a hardware file that are small: precision, MAC unit, dataflow and residency."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from accelsim.hardware.fields import (
    Area,
    Bits,
    Count,
    Dim,
    Energy,
    Microseconds,
    Name,
    Power,
    Sourced,
    Tensor,
)
from accelsim.hardware.sparsity import OnZero


class Precision(Sourced):
    """Bits of an element."""

    weight: Bits = Field(description="Bits of a weight.")
    input: Bits = Field(description="Bits of an input.")
    output: Bits = Field(description="Bits of a finished output.")
    psum: Bits = Field(description="Bits of a partial sum.")

    def of(self, tensor: Tensor) -> int:
        """Bits of an operand as it meets the MAC; outputs there are partial sums."""
        return {"W": self.weight, "I": self.input, "O": self.psum}[tensor]


class MacUnit(Sourced):
    """One multiply-accumulate unit. What is missing comes from a fit by operand width and technology."""

    energy_pj: Energy | None = Field(default=None, description="pJ per multiply-accumulate.")
    area_um2: Area | None = Field(default=None, description="Area in um2.")
    leakage_mw: Power | None = Field(default=None, description="Standby power in mW.")
    cycles: Count = Field(
        default=1, description="Cycles of one multiply-accumulate: more for a bit-serial or folded unit."
    )
    on_zero: OnZero = Field(
        default_factory=OnZero, description="What zeros in the data spare, if `density` says there are any."
    )
    precision: Literal["fixed", "fused"] = Field(
        default="fixed",
        description="What a layer in precisions of its own makes of the unit. fixed: narrower operands take "
        "all of it. fused: it is made of narrower multipliers that work side by side on narrower operands. "
        "Wider ones take several passes either way.",
    )


class Dataflow(Sourced):
    """The character of the template: what the array may spread and in which order the loops may run."""

    axes: dict[Name, dict[Name, tuple[Dim, ...]]] = Field(
        default_factory=dict,
        description="Memory name -> axis name -> dimensions that the axis may carry, preferred first. "
        "An axis that is left out may carry any dimension.",
    )
    orders: dict[Name, tuple[tuple[Dim, ...], ...]] = Field(
        default_factory=dict,
        description="Memory name -> loop orders that its loops may have, outermost dimension first; the "
        "first is the template's own. Dimensions left out come outermost, in the order N G K C P Q R S. A "
        "memory that is left out may use any order.",
    )


class Residency(Sourced):
    """What may stay on chip from one layer to the next, and what an inference costs beyond its layers."""

    activations: Literal["dram", "on_chip_if_fit"] = Field(
        default="dram",
        description="on_chip_if_fit: activations between two layers skip the outermost memory when they fit.",
    )
    weights: Literal["dram", "resident_if_fit"] = Field(
        default="dram",
        description="resident_if_fit: weights that fit the chip are not fetched again for every inference.",
    )
    stacks: Literal["none", "auto"] = Field(
        default="none",
        description="auto: layers may be fused, and are by default where that is better; none: it ends "
        "one layer before the next.",
    )
    overhead_us: Microseconds = Field(
        default=0.0,
        description="Microseconds that each inference of a network takes beyond its layers: driver, command "
        "and interrupt of a chip behind a host link. Not charged to a layer priced alone.",
    )

    @property
    def keeps(self) -> bool:
        """Whether anything may stay on chip: if not, costs of layers add up to a network's."""
        return (self.activations, self.weights) != ("dram", "dram")
