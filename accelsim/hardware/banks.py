"""Banks of an on-chip memory: how many, how wide, and what the way to one of them costs.

A bank reads or writes `width_bits` a cycle, and no more; ports that move more keep several busy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from accelsim.hardware import technology
from accelsim.hardware.ports import SRAM_WIDTH_BITS

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator


def banks(hw: Accelerator, m: int, part: str) -> int:
    """Banks of a part: as given, or more where its ports keep more busy."""
    return max(hw.memories[m].banks_of(part), _busy(hw, m, part))


def _busy(hw: Accelerator, m: int, part: str) -> int:
    """Banks of a part that its ports keep busy."""
    if hw.memories[m].technology != "sram":
        return 1
    bits = sum(
        8 * port.rate for port in hw.ports(m) if part == "all" or any(u[-1] == part for u in port.users)
    )
    size = hw.memories[m].parts()[part]
    return min(math.ceil(bits / width(hw, m, part)), size)


def width(hw: Accelerator, m: int, part: str) -> int:
    """Bits of one access: as given, else 64, or for registers the operand (the widest, for a shared part)."""
    memory = hw.memories[m]
    if memory.width_bits is not None:
        return memory.width_bits
    if memory.technology == "sram":
        return SRAM_WIDTH_BITS
    bits = hw.kept_bits(m)
    return max(bits.of(t) for t in memory.holds if part in (t, "all"))


def macros(hw: Accelerator, m: int) -> tuple[int, int]:
    """(SRAM banks, bits in flip-flops) of one instance: parts too small for a macro are flip-flops."""
    number = bits = 0
    for part, size in hw.memories[m].parts().items():
        count = banks(hw, m, part)
        if size / count >= technology.MACRO_BYTES:
            number += count
        else:
            bits += 8 * size
    return number, bits


def way_to_a_bank(hw: Accelerator, m: int, part: str) -> tuple[float, float]:
    """(factor on the energy of a bank's access, millimetres of wire between ports and bank) of an SRAM.

    The wires are an H-tree over all banks, as in CACTI (`uca.cc`, `htree2.cc`: all banks are equally far): of
    a square of side L its segments L/4, L/4, L/8, L/8, ... add up to L - L / sqrt(banks). Where ports keep
    more banks busy than are given, each given one serves several at once; its word and bit lines, and what
    charging them takes, grow with its side (CACTI, `subarray.cc`: capacitance by cell width and height).
    """
    memory = hw.memories[m]
    given, all_ = memory.banks_of(part), banks(hw, m, part)
    if memory.technology != "sram" or all_ == 1:
        return 1.0, 0.0

    def side(bytes_: float, count: int) -> float:
        one = technology.storage(bytes_ / count, width(hw, m, part), hw.technology_nm)
        return math.sqrt(count * one.area_um2) * 1e-3

    size = memory.parts()[part]
    grown = side(size, all_) / side(size, given)
    return max(1.0, grown), side(size, all_) * (1 - 1 / math.sqrt(given))
