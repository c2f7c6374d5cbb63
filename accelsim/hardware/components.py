"""What a chip has beside MACs, memories and array registers: control, post-processors, clock, wiring.

A component is named in the hardware file with its figures and their source; a file that names none has none.
Each stands once on the chip, or once for each MAC, bank, choice or square millimetre of the rest, so that it
grows with what a search makes larger. What it draws, it draws as long as the chip is on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from accelsim.hardware import technology
from accelsim.hardware.fields import Area, Energy, Name, Power, Sourced

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator

Per = Literal["chip", "MAC", "bank", "flipflop", "port", "choice", "routing", "mm2"]


class Component(Sourced):
    """A part of the chip, and what one of it takes."""

    name: Name = Field(description="Name in reports, unique in the file.")
    per: Per = Field(
        default="chip",
        description="How many there are. chip: one. MAC: one for each. bank: one for each bank of on-chip "
        "SRAM. flipflop: one for each bit of array registers and of memories too small for a macro. port: "
        "one register bit for each bit a cycle of the ports of on-chip SRAM. choice: "
        "one 2:1 multiplexer for each bit of a lane's operands and sum and each dimension beyond "
        "the first that an axis may carry. routing: the wires between ports and banks of on-chip SRAM, over "
        "which each bit pays its way, beside lines of a bank that lengthen where ports keep more banks busy "
        "than the file gives. mm2: one for each mm2 of everything else.",
    )
    area_um2: Area | None = Field(
        default=None, description="Area of one in um2. Missing: 0, for `port` and `choice` that of the fit."
    )
    pj_per_cycle: Energy = Field(
        default=0.0, description="Energy of one in every cycle, busy or not: clock tree, control."
    )
    leakage_mw: Power = Field(default=0.0, description="Standby power of one in mW.")
    pj_per_bit: Energy | None = Field(
        default=None,
        description="For `choice`: energy of a bit that passes one multiplexer. For `routing`: of a bit and "
        "millimetre of wire; counts where the energy of an access is of the fit. Missing: that of the fit.",
    )


class Resolved(NamedTuple):
    """A component of one chip, all of it together."""

    name: str
    number: float
    area_mm2: float
    static_mw: float


def choices(hw: Accelerator, m: int) -> int:
    """Dimensions beyond the first that the axes below memory `m` may carry, all axes together.

    Axes that lie on the lanes of another one add their dimensions to its own.
    """
    memory = hw.memories[m]
    total = 0
    for axis in memory.fanout:
        if axis.shares is None:
            lying = [a.axis for a in memory.fanout if axis.axis in (a.axis, a.shares)]
            total += sum(len(hw.axis_dims(memory.name, name)) for name in lying) - 1
    return total


def stages(hw: Accelerator, m: int, axis: str) -> int:
    """Multiplexers that a bit passes on its way over an axis: a tree over the axis's choices."""
    return math.ceil(math.log2(len(hw.axis_dims(hw.memories[m].name, axis))))


def multiplexers(hw: Accelerator, m: int) -> int:
    """2:1 multiplexers of one bit in one lane below memory `m`."""
    bits = hw.precision_bits
    return choices(hw, m) * (bits.weight + bits.input + bits.psum)


def figures(hw: Accelerator, component: Component) -> tuple[float, float]:
    """(um2 of one, pJ of a bit that passes one, or a millimetre of it): as given, else of the fit for
    multiplexers, wires and registers, else 0.
    """  # fmt: skip
    fit_pj, fit_um2 = technology.multiplexer(hw.technology_nm) if component.per == "choice" else (0.0, 0.0)
    if component.per == "routing":
        fit_pj = technology.wire_pj_per_bit_mm(hw.technology_nm)
    if component.per == "port":
        fit_um2 = technology.flipflop(hw.technology_nm)[1]
    return (
        fit_um2 if component.area_um2 is None else component.area_um2,
        fit_pj if component.pj_per_bit is None else component.pj_per_bit,
    )


def fitted_figures(hw: Accelerator) -> list[str]:
    """JSON paths of the figures of components that come from the fit."""
    out = []
    for i, part in enumerate(hw.components):
        if part.per in ("port", "choice") and part.area_um2 is None:
            out.append(f"components[{i}].area_um2")
        if part.per in ("choice", "routing") and part.pj_per_bit is None:
            out.append(f"components[{i}].pj_per_bit")
    return out


def resolve_components(hw: Accelerator, banks: int, flipflops: int, other_mm2: float) -> tuple[Resolved, ...]:
    """All components of a chip whose MACs, memories and array registers have so many SRAM banks and
    flip-flops, and take `other_mm2`.

    Those per mm2 count the area of all that is not per mm2.
    """
    lanes = [hw.instances(m + 1) for m in range(len(hw.memories))]
    counts: dict[Per, float] = {
        "chip": 1,
        "MAC": hw.num_pes,
        "bank": banks,
        "flipflop": flipflops,
        "port": sum(
            8.0 * port.rate * hw.instances(m)
            for m, memory in enumerate(hw.memories)
            if memory.technology == "sram"
            for port in hw.ports(m)
        ),
        "routing": 1,
        "choice": sum(multiplexers(hw, m) * lanes[m] for m in range(len(hw.memories))),
    }
    found: dict[str, Resolved] = {}
    for last in (False, True):
        if last:
            counts["mm2"] = other_mm2 + sum(one.area_mm2 for one in found.values())
        for part in hw.components:
            if (part.per == "mm2") == last:
                count = counts[part.per]
                power = part.leakage_mw + part.pj_per_cycle * hw.clock_mhz * 1e-3  # pJ x MHz = uW
                found[part.name] = Resolved(
                    part.name, count, count * figures(hw, part)[0] * 1e-6, count * power
                )
    return tuple(found[part.name] for part in hw.components)
