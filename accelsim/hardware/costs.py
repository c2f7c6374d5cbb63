"""Energy and area of an accelerator's parts: from its file where given, else from the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from accelsim.hardware import technology
from accelsim.hardware.banks import banks, macros, way_to_a_bank, width
from accelsim.hardware.components import (
    Resolved,
    figures,
    fitted_figures,
    multiplexers,
    resolve_components,
    stages,
)
from accelsim.hardware.fields import Tensor
from accelsim.hardware.memory import AccessEnergy, Memory
from accelsim.hardware.technology import Mac, Storage

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator

Access = dict[str, tuple[float, float]]
"""(pJ per bit read, pJ per bit written) by tensor held."""


@dataclass(frozen=True, slots=True)
class Costs:
    """All figures of one accelerator. Tuples run over the memories, outermost first."""

    mac: Mac
    access: tuple[Access, ...]
    memory_mm2: tuple[float, ...]
    """One instance; 0 for DRAM unless given."""
    memory_leakage_mw: tuple[float, ...]
    """One instance; 0 for DRAM unless given."""
    hop_pj_per_bit: tuple[tuple[float, ...], ...]
    """By axis of each fan-out."""
    array_mm2: float
    """All fan-outs together: per lane one pipeline register of the wider operand where an axis multicasts,
    one of a partial sum where an axis reduces. Wires are taken to lie above the logic."""
    components: tuple[Resolved, ...]
    """What the file names beside MACs, memories and registers, in its order."""
    area_mm2: float
    """The whole chip."""
    estimated: tuple[str, ...]
    """JSON paths of the values that come from the fit."""


def resolve(hw: Accelerator, given: bool = True) -> Costs:
    """Fill in every figure that the file leaves out; without `given` every figure comes from the fit."""
    if not given:
        hw = _bare(hw)
    estimated: list[str] = []
    mac = _mac(hw, estimated)
    access = []
    areas = []
    leakages = []
    macro_banks = flipflops = 0
    for m in range(len(hw.memories)):
        path = f"memories[{m}]"
        energy, area, leakage = _memory(hw, m, path, estimated)
        if hw.memories[m].technology != "dram":
            number, bits = macros(hw, m)
            macro_banks += hw.instances(m) * number
            flipflops += hw.instances(m) * bits
        flipflops += hw.instances(m + 1) * _lane_bits(hw, hw.memories[m])
        access.append(energy)
        areas.append(area)
        leakages.append(leakage)

    # From the MACs outwards: area of one instance with all that lies below it.
    bit_mm2 = technology.flipflop(hw.technology_nm)[1] * 1e-6
    hop_by_memory: list[tuple[float, ...]] = []
    array_total = 0.0
    muxes = [figures(hw, part) for part in hw.components if part.per == "choice"]
    mux_mm2, mux_pj = (sum(column) for column in zip(*muxes)) if muxes else (0.0, 0.0)
    mux_mm2 *= 1e-6
    below = mac.area_um2 * 1e-6
    for m in reversed(range(len(hw.memories))):
        hops = []
        wire = technology.wire_pj_per_bit_mm(hw.technology_nm) * math.sqrt(below)
        for a, axis in enumerate(hw.memories[m].fanout):
            if axis.hop_pj_per_bit is None:
                estimated.append(f"memories[{m}].fanout[{a}].hop_pj_per_bit")
            hop = wire if axis.hop_pj_per_bit is None else axis.hop_pj_per_bit
            hops.append(hop + (stages(hw, m, axis.axis) * mux_pj if muxes else 0.0))
        hop_by_memory.insert(0, tuple(hops))
        array = bit_mm2 * _lane_bits(hw, hw.memories[m]) * hw.lanes(m)
        array_total += array * hw.instances(m)
        own = mux_mm2 * multiplexers(hw, m) * hw.lanes(m) if muxes else 0.0
        below = areas[m] + array + own + hw.lanes(m) * below
    plain = below
    if hw.components:
        plain = array_total + mac.area_um2 * 1e-6 * hw.num_pes
        plain += sum(area * hw.instances(m) for m, area in enumerate(areas))
    components = resolve_components(hw, macro_banks, flipflops, plain)
    estimated += fitted_figures(hw)
    return Costs(
        mac,
        tuple(access),
        tuple(areas),
        tuple(leakages),
        tuple(hop_by_memory),
        array_total,
        components,
        plain + sum(part.area_mm2 for part in components),
        tuple(estimated),
    )


def _bare(hw: Accelerator) -> Accelerator:
    """The machine without the figures of its own that the fit could give; wires between banks stay."""
    memories = tuple(
        memory.model_copy(
            update={
                "energy": AccessEnergy(),
                "area_mm2": None,
                "fanout": tuple(axis.model_copy(update={"hop_pj_per_bit": None}) for axis in memory.fanout),
            }
        )
        for memory in hw.memories
    )
    wires = tuple(part for part in hw.components if part.per == "routing")
    return hw.model_copy(update={"mac": type(hw.mac)(), "memories": memories, "components": wires})


def _mac(hw: Accelerator, estimated: list[str]) -> Mac:
    bits = hw.precision_bits
    fit = technology.mac(bits.weight, bits.input, bits.psum, hw.technology_nm)
    values = []
    for key in ("energy_pj", "area_um2", "leakage_mw"):
        given = getattr(hw.mac, key)
        if given is None:
            estimated.append(f"mac.{key}")
        values.append(getattr(fit, key) if given is None else given)
    return Mac(*values)


def _memory(hw: Accelerator, m: int, path: str, estimated: list[str]) -> tuple[Access, float, float]:
    """(energy, area in mm2, leakage in mW) of one instance."""
    memory = hw.memories[m]
    access: Access = {}
    fitted = set()
    for tensor in memory.holds:
        fit = _fit(hw, m, tensor)
        both = []
        for direction, estimate in (("read", fit.read_pj_per_bit), ("write", fit.write_pj_per_bit)):
            given = memory.energy.given(direction, tensor)  # type: ignore[arg-type]
            if given is None:
                fitted.add(f"{path}.energy.{direction}_pj_per_bit")
            both.append(estimate if given is None else given)
        access[tensor] = (both[0], both[1])
    estimated.extend(sorted(fitted))
    area = leakage = 0.0
    if memory.technology != "dram":
        for part, size in memory.parts().items():
            count = banks(hw, m, part)
            one = technology.storage(size / count, width(hw, m, part), hw.technology_nm)
            area += count * one.area_um2 * 1e-6
            leakage += count * one.leakage_mw
        if memory.area_mm2 is None:
            estimated.append(f"{path}.area_mm2")
        if memory.energy.leakage_mw is None:
            estimated.append(f"{path}.energy.leakage_mw")
    if memory.area_mm2 is not None:
        area = memory.area_mm2
    if memory.energy.leakage_mw is not None:
        leakage = memory.energy.leakage_mw
    return access, area, leakage


def _fit(hw: Accelerator, m: int, tensor: Tensor) -> Storage:
    """Fitted energy of the part of memory `m` that holds the tensor, and of the wires to its banks."""
    memory = hw.memories[m]
    if memory.technology == "dram":
        pj = technology.dram_pj_per_bit(memory.dram_type or "LPDDR4")
        return Storage(pj, pj, 0.0, 0.0)
    parts = memory.parts()
    part = tensor if tensor in parts else "all"
    bits = width(hw, m, tensor)
    bank = technology.storage(parts[part] / memory.banks_of(part), bits, hw.technology_nm)
    wires = [figures(hw, one)[1] for one in hw.components if one.per == "routing"]
    if not wires:
        return bank
    grown, mm = way_to_a_bank(hw, m, part)
    way = sum(wires) * mm
    return replace(
        bank,
        read_pj_per_bit=bank.read_pj_per_bit * grown + way,
        write_pj_per_bit=bank.write_pj_per_bit * grown + way,
    )


def _lane_bits(hw: Accelerator, memory: Memory) -> int:
    """Flip-flops that the array has in each lane below `memory`."""
    bits = hw.precision_bits
    operand = max(bits.weight, bits.input) if any(a.multicast for a in memory.fanout) else 0
    return operand + (bits.psum if any(a.reduction for a in memory.fanout) else 0)
