"""`Memory`: one level of storage, its ports, its energy, and the array axes below it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag

from accelsim.hardware.fields import (
    TENSORS,
    Area,
    BytesPerCycle,
    Count,
    Energy,
    Name,
    Part,
    Power,
    Sourced,
    Tensor,
    is_number,
)

DramType = Literal["LPDDR4", "LPDDR", "DDR3", "HBM2", "HBM3"]


class BytesPerTensor(Part):
    """A part of the memory for each tensor it holds."""

    W: Count | None = Field(default=None, description="Bytes for weights.")
    I: Count | None = Field(default=None, description="Bytes for inputs.")
    O: Count | None = Field(default=None, description="Bytes for outputs and partial sums.")


class BanksPerTensor(Part):
    """Number of banks of each tensor's part."""

    W: Count | None = Field(default=None, description="Banks of the weights' part.")
    I: Count | None = Field(default=None, description="Banks of the inputs' part.")
    O: Count | None = Field(default=None, description="Banks of the outputs' part.")


class EnergyPerTensor(Part):
    """A figure for each tensor; a missing one comes from the fit."""

    W: Energy | None = Field(default=None, description="pJ for weights.")
    I: Energy | None = Field(default=None, description="pJ for inputs.")
    O: Energy | None = Field(default=None, description="pJ for outputs and partial sums.")


class Ports(Part):
    """A read and a write port, in bytes per cycle and instance; missing or null = unlimited."""

    read: BytesPerCycle | None = Field(default=None, description="Read port, bytes per cycle.")
    write: BytesPerCycle | None = Field(default=None, description="Write port, bytes per cycle.")


class PortsPerTensor(Part):
    """Own ports for each tensor; missing or null = unlimited."""

    W: Ports | None = Field(default=None, description="Ports of the weights.")
    I: Ports | None = Field(default=None, description="Ports of the inputs.")
    O: Ports | None = Field(default=None, description="Ports of the outputs and partial sums.")


class SeparatePorts(Part):
    """Ports that each serve one tensor only."""

    ports: PortsPerTensor = Field(description="Ports by tensor.")


def _form(value: Any) -> str | None:
    """Which way a value is written; tags start with ~ so that they can be told from keys."""
    if isinstance(value, SeparatePorts) or (isinstance(value, dict) and "ports" in value):
        return "~ports"
    if isinstance(value, dict | Part):
        return "~object"
    return "~number" if is_number(value) else None


def _one_or_each(what: str) -> Discriminator:
    """Tells a number from an object with one per tensor."""
    return Discriminator(
        lambda v: "~object" if _form(v) == "~ports" else _form(v),
        custom_error_type="form",
        custom_error_message=f"must be {what}, or an object with one for each of W, I, O",
    )


Size = Annotated[
    Annotated[Count, Tag("~number")] | Annotated[BytesPerTensor, Tag("~object")],
    _one_or_each("a whole number of bytes, null"),
]
Banks = Annotated[
    Annotated[Count, Tag("~number")] | Annotated[BanksPerTensor, Tag("~object")],
    _one_or_each("a whole number of banks"),
]
EnergyFigure = Annotated[
    Annotated[Energy, Tag("~number")] | Annotated[EnergyPerTensor, Tag("~object")],
    _one_or_each("a number of pJ"),
]
Bandwidth = Annotated[
    Annotated[BytesPerCycle, Tag("~number")]
    | Annotated[Ports, Tag("~object")]
    | Annotated[SeparatePorts, Tag("~ports")],
    Discriminator(
        _form,
        custom_error_type="form",
        custom_error_message="must be a number of bytes per cycle, null, "
        'an object {"read", "write"}, or {"ports": {"W": {"read", "write"}, ...}}',
    ),
]


class AccessEnergy(Sourced):
    """Energy of the memory. What is missing comes from a fit by size, width and technology."""

    read_pj_per_bit: EnergyFigure | None = Field(default=None, description="pJ per bit read.")
    write_pj_per_bit: EnergyFigure | None = Field(default=None, description="pJ per bit written.")
    read_pj_per_word: EnergyFigure | None = Field(
        default=None, description="pJ per word of `word_bits` read; instead of read_pj_per_bit."
    )
    write_pj_per_word: EnergyFigure | None = Field(
        default=None, description="pJ per word of `word_bits` written; instead of write_pj_per_bit."
    )
    word_bits: Count | None = Field(default=None, description="Bits of a word in the figures per word.")
    leakage_mw: Power | None = Field(default=None, description="Standby power of one instance in mW.")

    def given(self, direction: Literal["read", "write"], tensor: Tensor) -> float | None:
        """pJ per bit as the file has it, or None."""
        per_bit: float | None = _of(getattr(self, f"{direction}_pj_per_bit"), tensor)
        per_word: float | None = _of(getattr(self, f"{direction}_pj_per_word"), tensor)
        if per_word is not None and self.word_bits is not None:
            return per_word / self.word_bits
        return per_bit


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


class Memory(Sourced):
    """One level of storage. Instances: the product of the array axes above it."""

    name: Name = Field(description="Name, unique in the file; mappings use it.")
    kind: Literal["dram", "sram", "register"] | None = Field(
        default=None,
        description="dram: off chip, energy by `dram_type`, no area. sram: on chip, `width_bits` 64 unless "
        "given. register: on chip, accessed an operand at a time. Default: dram without a size, else sram.",
    )
    size_bytes: Size | None = Field(
        default=None,
        description="Bytes of one instance; null = unlimited; or an object with a part for each held tensor.",
    )
    holds: tuple[Tensor, ...] = Field(
        min_length=1, max_length=3, description="Tensors that stay here; the others pass by."
    )
    double_buffered: StrictBool = Field(
        default=False,
        description="Every tile is there twice, so that filling one hides behind the use of the other.",
    )
    overlap: StrictBool | None = Field(
        default=None,
        description="Whether fills hide behind compute; otherwise their time adds up. Default: as "
        "double_buffered. True without double buffering: a queue, a ring of banks or a sliding window "
        "feeds the memory, so that tiles need no second copy.",
    )
    serial_folds: Tensor | None = Field(
        default=None,
        description="For systolic arrays: the tensor whose tile here is a fold of the array above. Folds run "
        "one after the other: each adds the array's skew, the sum of (size - 1) over the axes right above, "
        "and, unless it is O, the loading of the tile, as many cycles as the first of these axes is long.",
    )
    bandwidth: Bandwidth | None = Field(
        default=None,
        description="Bytes per cycle and instance. A number: one read port and one write port of that width "
        'for all tensors. {"read", "write"}: each its own. {"ports": {"W": {"read", "write"}, ...}}: own '
        "ports for each tensor. Missing or null = unlimited.",
    )
    energy: AccessEnergy = Field(default_factory=AccessEnergy, description="Energy and leakage.")
    dram_type: DramType | None = Field(
        default=None, description="Sort of DRAM, for its default pJ per bit; LPDDR4 unless given."
    )
    width_bits: Count | None = Field(
        default=None, description="Bits of one access of one bank, for the default energy and area."
    )
    banks: Banks | None = Field(
        default=None,
        description="Equal banks that make up the memory, one of which an access wakes; default 1.",
    )
    area_mm2: Area | None = Field(default=None, description="Area of one instance in mm2.")
    fanout: tuple[Axis, ...] = Field(
        default=(), max_length=3, description="Axes of the array between this memory and the next (or MACs)."
    )

    @property
    def technology(self) -> Literal["dram", "sram", "register"]:
        """`kind`, or its default."""
        return self.kind or ("dram" if self.size_bytes is None else "sram")

    @property
    def overlaps(self) -> bool:
        """Whether fills hide behind compute."""
        return self.double_buffered if self.overlap is None else self.overlap

    @property
    def partitioned(self) -> bool:
        """Whether each tensor has a part of its own."""
        return isinstance(self.size_bytes, BytesPerTensor)

    @property
    def total_bytes(self) -> float:
        """Bytes of one instance; infinite where unlimited."""
        if self.size_bytes is None:
            return math.inf
        return float(sum(self.parts().values()))

    def parts(self) -> dict[str, int]:
        """Bytes by tensor where partitioned, else of the whole under "all"; {} where unlimited."""
        if isinstance(self.size_bytes, BytesPerTensor):
            return {t: b for t in TENSORS if (b := _of(self.size_bytes, t)) is not None}
        return {} if self.size_bytes is None else {"all": self.size_bytes}

    def banks_of(self, part: str) -> int:
        """Banks of a part as named by `parts`."""
        return 1 if self.banks is None else (_of(self.banks, part) or 1)

    def ports(self, direction: Literal["read", "write"]) -> tuple[dict[str, float], bool]:
        """Bytes per cycle by tensor (infinite = unlimited), and whether all tensors share one port."""
        given = self.bandwidth
        if isinstance(given, SeparatePorts):
            each = {t: getattr(given.ports, t) for t in TENSORS}
            return {t: _limit(p and getattr(p, direction)) for t, p in each.items()}, False
        one = getattr(given, direction) if isinstance(given, Ports) else given
        return {t: _limit(one) for t in TENSORS}, True


def _of(value: Any, tensor: str) -> Any:
    """The figure of a tensor, of one number or of an object per tensor."""
    return getattr(value, tensor, None) if isinstance(value, Part) else value


def _limit(value: float | None) -> float:
    return math.inf if value is None else value
