"""Constants of `components` from published breakdowns, each applied to another chip than it comes from.

    area of a part = (its area by the fit + a periphery for each SRAM bank) / placement density

DianNao's breakdown prices ShiDianNao, and the clock of both 65 nm chips; ShiDianNao's prices Eyeriss; what
the vendor's NVDLA takes beyond ours at 64 and 2048 MACs prices the sizes between. The shipped files hold
these numbers; the tests derive them again.
"""

from __future__ import annotations

from typing import NamedTuple

from accelsim.hardware import load_hardware, technology
from accelsim.validation.facts import facts

NODE = 65.0


class Layout(NamedTuple):
    """What placing costs: um2 around each SRAM bank, and the share of the die that cells and macros fill."""

    periphery_um2: float
    density: float

    @property
    def placement_um2(self) -> float:
        """um2 of wiring and empty space to each mm2 of cells and macros."""
        return (1.0 / self.density - 1.0) * 1e6


def diannao() -> Layout:
    """From DianNao's total of memory and of filler cells."""
    known = facts("breakdowns")["diannao"]
    macro = technology.storage(known["macro_bytes"], known["macro_bits"], NODE).area_um2
    memory = known["memory"] * 1e6 / known["macros"]
    return Layout(memory - macro, 1.0 - known["filler"] / known["total"])


def clock_pj_per_flipflop() -> float:
    """Of DianNao's clock network, a cycle: its registers counted by the area of a flip-flop."""
    known = facts("breakdowns")["diannao"]
    flipflops = known["registers"] * 1e6 / technology.flipflop(NODE)[1]
    return float(known["clock_mw"] * 1e3 / known["clock_mhz"] / flipflops)


def shidiannao() -> Layout:
    """The two unknowns from the areas of its two kinds of bank, 4 kB and 16 kB."""
    known = facts("breakdowns")["shidiannao"]
    small, large = (
        (part["area"] * 1e6 / part["banks"], technology.storage(part["bank_bytes"], part["bank_bits"], NODE))
        for part in (known["NBin"], known["SB"])
    )
    return _solve((small[0], small[1].area_um2), (large[0], large[1].area_um2))


def controller_um2() -> float:
    """ShiDianNao's instruction buffer, as cells and macros."""
    return float(facts("breakdowns")["shidiannao"]["IB"] * 1e6 * shidiannao().density)


def scratchpad_um2() -> float:
    """Eyeriss's scratchpads of a PE by the fit: an SRAM for filters, flip-flops for inputs and sums."""
    known = facts("breakdowns")["eyeriss"]
    filters = technology.storage(known["filter_bytes"], known["filter_bits"], NODE).area_um2
    return float(filters + known["register_bits"] * technology.flipflop(NODE)[1])


def eyeriss() -> Layout:
    """The two unknowns from the areas of a bank of the buffer and of a PE's scratchpads."""
    known = facts("breakdowns")["eyeriss"]
    bank = known["core"] * known["buffer"] * 1e6 / known["buffer_banks"]
    pads = known["core"] * known["scratchpads"] * 1e6 / known["pes"]
    fit = technology.storage(known["bank_bytes"], known["bank_bits"], NODE).area_um2
    return _solve((pads, scratchpad_um2()), (bank, fit))


def _solve(one: tuple[float, float], other: tuple[float, float]) -> Layout:
    """From (published um2, um2 by the fit) of two parts with one bank each."""
    density = (other[1] - one[1]) / (other[0] - one[0])
    return Layout(one[0] * density - one[1], density)


def eyeriss_parts() -> dict[str, tuple[float, float]]:
    """Part of the core -> (mm2 as published, mm2 of the shipped file), each with its share of the placement.

    Of the file's 25 banks of buffer and 168 of filters each has its periphery; the rest is control, the
    network on chip and what holds them together.
    """
    known, hw = facts("breakdowns")["eyeriss"], load_hardware("eyeriss")
    area = hw.area_breakdown_mm2()
    spread = 1.0 + area["placement"] / (hw.area_mm2 - area["placement"])
    bank = area["periphery"] / (hw.instances(2) + hw.memories[1].banks_of("all"))
    ours = {
        "scratchpads": area["spad"] + hw.instances(2) * bank,
        "buffer": area["GLB"] + hw.memories[1].banks_of("all") * bank,
        "MACs": area["MAC"],
    }
    theirs = {part: known[part] for part in ours}
    out = {part: (theirs[part] * known["core"], ours[part] * spread) for part in ours}
    both = zip((known["core"], hw.area_mm2), map(sum, zip(*out.values())))
    out["rest"] = tuple(whole - parts for whole, parts in both)  # type: ignore[assignment]
    return out


class Overhead(NamedTuple):
    """What NVDLA has beside MACs, memories and array registers: once, and for each MAC."""

    chip: float
    per_mac: float


def nvdla(theirs: dict[int, float], ours: dict[int, float]) -> Overhead:
    """From what the vendor's chips of 64 and 2048 MACs take beyond ours; {MACs: figure} each."""
    small, large = (theirs[macs] - ours[macs] for macs in (64, 2048))
    per_mac = (large - small) / (2048 - 64)
    return Overhead(small - 64 * per_mac, per_mac)


def bare(name: str) -> float:
    """Area in mm2 of a shipped NVDLA without control and pipeline."""
    hw = load_hardware(name)
    return hw.area_mm2 - sum(x.area_mm2 for x in hw.costs.components if x.name in ("control", "pipeline"))
