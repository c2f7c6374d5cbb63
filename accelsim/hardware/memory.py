"""`Memory`: one level of storage, its ports and its energy."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, StrictBool

from accelsim.hardware.axis import Axis
from accelsim.hardware.fields import (
    TENSORS,
    Area,
    Bits,
    Count,
    Cycles,
    Name,
    Power,
    Sourced,
    Tensor,
)
from accelsim.hardware.figures import (
    WAYS,
    Bandwidth,
    Banks,
    BytesPerTensor,
    EnergyFigure,
    ListedPorts,
    OnePort,
    Ports,
    SeparatePorts,
    Size,
    of_tensor,
)
from cost_models.loopnest.layout import MAX_AXES

DramType = Literal["LPDDR4", "LPDDR", "DDR3", "HBM2", "HBM3"]


class KeptBits(Sourced):
    """Bits of an element as a memory keeps it; what is missing is as in the machine's `precision_bits`."""

    weight: Bits | None = Field(default=None, description="Bits of a weight here.")
    input: Bits | None = Field(default=None, description="Bits of an input here.")
    output: Bits | None = Field(default=None, description="Bits of a finished output here.")
    psum: Bits | None = Field(default=None, description="Bits of a partial sum here.")


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
        per_bit: float | None = of_tensor(getattr(self, f"{direction}_pj_per_bit"), tensor)
        per_word: float | None = of_tensor(getattr(self, f"{direction}_pj_per_word"), tensor)
        if per_word is not None and self.word_bits is not None:
            return per_word / self.word_bits
        return per_bit


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
    holds_choice: tuple[Tensor, ...] = Field(
        default=(),
        max_length=3,
        description="Tensors of `holds` that a mapping may let pass by as well, layer by layer. Mappers try "
        "all ways; a mapping that does not say holds all of `holds`.",
    )
    precision_bits: KeptBits | None = Field(
        default=None,
        description="Bits of an element as this memory keeps it, where that is not the machine's "
        "`precision_bits`: an accumulator as wide as the sums, a store of compressed weights. Capacity, "
        "ports and energy count these; the array's wires and the MACs have the machine's.",
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
        'for all tensors. {"read", "write"}: each its own. {"read_write"}: one port on which all reads and '
        'writes take turns. {"ports": {"W": {"read", "write"}, ...}}: own ports for each tensor. {"ports": '
        '[{"bytes_per_cycle": 8, "users": ["read W", "write O"]}, ...]}: any ports, each with its users. '
        "What is missing has a default: DRAM one port of 8 bytes for reads and writes; SRAM a read and a "
        "write port of `width_bits` each; registers, for each tensor, "
        "ports of one operand a lane below, two for sums.",
    )
    start_cycles: Cycles = Field(
        default=0.0,
        description="Cycles at the port before the first bit of each transfer with the memory below: a row "
        "to open, a request to answer, a descriptor to read. A transfer is one fill or drain of one tensor.",
    )
    burst_bytes: Count | None = Field(
        default=None, description="Transfers with the memory below move whole bursts of so many bytes."
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
    fold_cycles: Cycles | None = Field(
        default=None, description="Cycles of a fold, see `serial_folds`, instead of the array's skew."
    )
    fanout: tuple[Axis, ...] = Field(
        default=(),
        max_length=MAX_AXES,
        description="Axes of the array between this memory and the next (or MACs).",
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
            return {t: b for t in TENSORS if (b := of_tensor(self.size_bytes, t)) is not None}
        return {} if self.size_bytes is None else {"all": self.size_bytes}

    def banks_of(self, part: str) -> int:
        """Banks of a part as named by `parts`."""
        return 1 if self.banks is None else (of_tensor(self.banks, part) or 1)

    def given_ports(self) -> tuple[tuple[float, tuple[str, ...]], ...]:
        """(bytes per cycle, users as "read W") of each port that the file gives, held tensors only."""
        given = self.bandwidth
        out: list[tuple[float | None, list[str]]] = []
        if isinstance(given, ListedPorts):
            for port in given.ports:
                out.append((port.bytes_per_cycle, [u for user in port.users for u in self._users(user)]))
        elif isinstance(given, SeparatePorts):
            for t in self.holds:
                one = getattr(given.ports, t)
                out += [(getattr(one, way), [f"{way} {t}"]) for way in WAYS if one is not None]
        elif isinstance(given, OnePort):
            out.append((given.read_write, [*self._users("read"), *self._users("write")]))
        elif given is not None:
            for way in WAYS:
                out.append((getattr(given, way) if isinstance(given, Ports) else given, self._users(way)))
        return tuple((rate, tuple(dict.fromkeys(users))) for rate, users in out if rate is not None)

    def _users(self, user: str) -> list[str]:
        """A user with its tensor, or those of all held tensors."""
        ways = [f"{user} {t}" for t in TENSORS] if user in WAYS else [user]
        return [way for way in ways if way[-1] in self.holds]
