"""Default energy and area by size, width and technology, for what a hardware file leaves out.

The coefficients in `technology.json` come from `experiments/fit_energy.py`; its `source` and `sram.error`
say from which tables and how far off. Between the table's nodes everything is interpolated in log-log; SRAM
is tabulated from 16 to 65 nm, logic from 7 to 65 nm. Beyond the last node the slope of the outermost
interval goes on (for SRAM that of a 32 KB memory), which is a guess; leakage, which the tables do not scale
consistently, keeps its last value. Sizes beyond 4 MB and widths beyond 256 bits follow the same curve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

REGISTER_BYTES = 16.0
"""Up to here a memory is plain flip-flops; from 512 bytes on SRAM; between them a geometric blend."""

MACRO_BYTES = 90.0
"""From here on, half-way between the two, a bank counts as a macro with a periphery of its own."""

TYPICAL_BYTES, TYPICAL_BITS = 32768.0, 64.0
"""The memory that tells how all of them scale beyond the tabulated nodes."""

WIRE_NODES_NM = (10.0, 40.0)
WIRE_PJ_PER_BIT_MM = (200.0 / 2560.0, 310.0 / 2560.0)
"""Keckler et al., IEEE Micro 31(5) 2011, table 1: 256 random bits over 10 mm cost 310 pJ at 40 nm and 0.9 V,
200 pJ at 10 nm and 0.75 V (confidence B)."""


@dataclass(frozen=True, slots=True)
class Storage:
    """One on-chip memory. pJ per bit, um2 of the whole macro, mW of the whole macro."""

    read_pj_per_bit: float
    write_pj_per_bit: float
    area_um2: float
    leakage_mw: float


@dataclass(frozen=True, slots=True)
class Mac:
    """One multiplier with its accumulating adder: pJ per operation, um2, mW."""

    energy_pj: float
    area_um2: float
    leakage_mw: float


@lru_cache(maxsize=1)
def tables() -> dict[str, Any]:
    """The contents of `technology.json`."""
    text = resources.files("accelsim.hardware").joinpath("technology.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@lru_cache(maxsize=65536)
def storage(size_bytes: float, width_bits: float, technology_nm: float) -> Storage:
    """Energy, area and leakage of `size_bytes` read and written `width_bits` at a time.

    Rises with size and with node; energy per bit falls with width. Mean relative error against the tables,
    from 512 bytes to 4 MB: read 14 %, write 10 %, area 6 %, leakage 19 % (worst 63, 33, 24, 54 %: the
    tables themselves jump where the estimator changes its organisation).
    """
    t = tables()["sram"]
    low = t["unit_bytes"]
    size = max(size_bytes, low)
    read = _sram("read_pj", size, width_bits, technology_nm) / width_bits
    write = _sram("write_pj", size, width_bits, technology_nm) / width_bits
    area = _sram("area_um2", size, width_bits, technology_nm)
    if size_bytes < low:
        bit_pj, bit_um2 = flipflop(technology_nm)
        share = max(0.0, math.log(size_bytes / REGISTER_BYTES) / math.log(low / REGISTER_BYTES))
        read = _blend(bit_pj, read, share)
        write = _blend(bit_pj, write, share)
        area = _blend(8.0 * bit_um2 * min(size_bytes, REGISTER_BYTES), area, share)
    leakage = size_bytes * _at(t["nodes_nm"], t["leakage_mw_per_byte"], technology_nm, hold=True)
    return Storage(read, write, area, leakage)


def mac(weight_bits: int, input_bits: int, psum_bits: int, technology_nm: float) -> Mac:
    """Integer multiply-accumulate: multiplier by the product of the widths, adder by the psum width."""
    t = tables()["logic"]
    products = weight_bits * input_bits / 64.0
    adders = psum_bits / 8.0

    def total(quantity: str, hold: bool = False) -> float:
        multiplier = _at(t["nodes_nm"], t["multiplier_8x8"][quantity], technology_nm, hold)
        adder = _at(t["nodes_nm"], t["adder_8"][quantity], technology_nm, hold)
        return products * multiplier + adders * adder

    return Mac(total("pj"), total("um2"), total("leakage_mw", hold=True))


def flipflop(technology_nm: float) -> tuple[float, float]:
    """(pJ per access, um2) of one flip-flop bit."""
    t = tables()["logic"]
    bit = t["flipflop_bit"]
    return _at(t["nodes_nm"], bit["pj"], technology_nm), _at(t["nodes_nm"], bit["um2"], technology_nm)


MULTIPLEXER = 1.862 / 4.522
"""A 2:1 multiplexer over a flip-flop: area of MUX2_X1 over DFF_X1, Nangate 45 nm Open Cell Library (C); its
energy a bit is taken to have the same share."""


def multiplexer(technology_nm: float) -> tuple[float, float]:
    """(pJ per bit that passes, um2) of a 2:1 multiplexer of one bit."""
    pj, um2 = flipflop(technology_nm)
    return MULTIPLEXER * pj, MULTIPLEXER * um2


def dram_pj_per_bit(kind: str) -> float:
    """Energy of one bit read from or written to a DRAM of that kind; independent of the logic's node."""
    return float(tables()["dram_pj_per_bit"][kind])


def wire_pj_per_bit_mm(technology_nm: float) -> float:
    """Energy of one bit over a millimetre of on-chip wire with repeaters."""
    return _at(WIRE_NODES_NM, WIRE_PJ_PER_BIT_MM, technology_nm)


def _sram(quantity: str, size_bytes: float, width_bits: float, technology_nm: float) -> float:
    """The fitted sum for the whole access or macro, at the nodes and interpolated.

    Beyond the outermost node its shape stays and a factor common to all sizes and widths scales it, so that
    extrapolation keeps the fit's order.
    """
    nodes = tables()["sram"]["nodes_nm"]
    inside = min(max(technology_nm, nodes[0]), nodes[-1])
    value = _at(nodes, _at_nodes(quantity, size_bytes, width_bits), inside)
    if inside != technology_nm:
        typical = _at_nodes(quantity, TYPICAL_BYTES, TYPICAL_BITS)
        value *= _at(nodes, typical, technology_nm) / _at(nodes, typical, inside)
    return value


def _at_nodes(quantity: str, size_bytes: float, width_bits: float) -> list[float]:
    t = tables()["sram"]
    s = size_bytes / t["unit_bytes"]
    w = width_bits / t["unit_bits"]
    base = [s**p * w**q for p, q in t["exponents"]]
    return [sum(map(float.__mul__, base, column)) for column in zip(*t[quantity])]


def _blend(low: float, high: float, share: float) -> float:
    """Geometric mean that starts at `low` (never above `high`) and ends at `high`."""
    low = min(low, high)
    return float(low * (high / low) ** share)


def _at(nodes: Sequence[float], values: Sequence[float], nm: float, hold: bool = False) -> float:
    """Log-log interpolation of `values` at ascending `nodes`; beyond them goes on, or with `hold` stays."""
    if hold:
        nm = min(max(nm, nodes[0]), nodes[-1])
    i = 1
    while i < len(nodes) - 1 and nm > nodes[i]:
        i += 1
    share = math.log(nm / nodes[i - 1]) / math.log(nodes[i] / nodes[i - 1])
    return float(values[i - 1] * (values[i] / values[i - 1]) ** share)
