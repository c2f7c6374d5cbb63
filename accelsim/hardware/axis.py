"""`Axis`: one direction of the array below a memory."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, StrictBool

from accelsim.hardware.fields import Count, Energy, Name, Sourced, Tensor


class Axis(Sourced):
    """One direction of the array below a memory."""

    axis: Name = Field(description="Name, unique in this fan-out; mappings and `dataflow` use it.")
    size: Count = Field(description="Instances along the axis.")
    multicast: StrictBool = Field(
        default=False, description="One read serves all instances along the axis that want the same element."
    )
    reduction: StrictBool = Field(
        default=False, description="Partial sums of one output are added up along the axis before the parent."
    )
    forwarding: StrictBool = Field(
        default=False,
        description="Neighbours hand inputs on, so that the axis keeps its sliding window; needs multicast.",
    )
    shares: Name | None = Field(
        default=None,
        description="Another axis of this fan-out on whose physical lanes this one lies: the product of the "
        "factors of axes that share is at most that axis's size.",
    )
    hop_pj_per_bit: Energy | None = Field(
        default=None,
        description="pJ per bit delivered over the axis. Default: a wire as long as one instance is wide.",
    )
    by_distance: StrictBool = Field(
        default=False,
        description="A bit pays `hop_pj_per_bit` for each lane on its way from the first one, (lanes in use "
        "+ 1) / 2 of them on average. Else once: wires on which lanes pass on what all want.",
    )


def skew(sizes: Sequence[int], tensor: Tensor) -> int:
    """Cycles from end to end of an array of such axes, and to load a tile of `tensor`: what a fold takes."""
    return sum(sizes) - len(sizes) + (0 if tensor == "O" else sizes[0]) if sizes else 0
