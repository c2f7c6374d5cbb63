"""The hardware that MAESTRO knows: PEs, two buffers, one network, off-chip bandwidth; and its file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import nearest
from accelsim.hardware.microcontroller import refuse
from accelsim.mapping.maestro.notation import FilePlace, MaestroError
from accelsim.mapping.maestro.parse import read_text
from cost_models.loopnest.layout import MAX_MEMORIES

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

UNLIMITED = 2**31 - 1
"""What the tool takes for a missing size or bandwidth."""

ANY_BANDWIDTH = 1e12
"""Bytes a cycle that no layer needs: for what the tool does not limit."""

L1_ENERGY, L2_ENERGY = 1.68, 18.61
"""Energy of one access in energies of one MAC: the tool's constants, from CACTI at 28 nm for L1 of 2 kB and
L2 of 1 MB (Kwon et al., MICRO 2019)."""

_WORDS = {
    "num_pes": "pes",
    "l1_size_cstr": "l1_size",
    "l2_size_cstr": "l2_size",
    "noc_bw_cstr": "noc_bw",
    "NoC_NumHops": "noc_latency",
    "offchip_bw_cstr": "offchip_bw",
    "NumPEs": "pes",
    "L1Size": "l1_size",
    "L2Size": "l2_size",
    "NoC_BW": "noc_bw",
}
"""Words of the file, the later ones of older versions of the tool."""


@dataclass(frozen=True)
class MaestroMachine:
    """Sizes in elements, bandwidths in elements per cycle, latency in cycles.

    The tool's file has no SIMD lanes: it takes them from its command line, as the energy of a MAC is ours.
    """

    pes: int
    noc_bw: int = UNLIMITED
    noc_latency: int = 1
    offchip_bw: int = UNLIMITED
    l1_size: int = UNLIMITED
    l2_size: int = UNLIMITED
    simd_lanes: int = 1
    mac_pj: float = 1.0

    def __post_init__(self) -> None:
        if not self.mac_pj > 0:
            raise MaestroError(f"mac_pj must be above 0, but got {self.mac_pj!r}")
        for name in ("pes", "noc_bw", "offchip_bw", "l1_size", "l2_size", "simd_lanes", "noc_latency"):
            least, value = int(name != "noc_latency"), getattr(self, name)
            if type(value) is not int or not least <= value <= UNLIMITED:
                raise MaestroError(
                    f"{name} must be a whole number from {least} to {UNLIMITED}, got {value!r}"
                )

    def text(self) -> str:
        """The hardware file; `read_machine` reads it back."""
        lines = [f"num_pes: {self.pes}"]
        for word, name in list(_WORDS.items())[1:6]:
            value = getattr(self, name)
            if value != (1 if name == "noc_latency" else UNLIMITED):
                lines.append(f"{word}: {value}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_accelerator(cls, hardware: Accelerator) -> MaestroMachine:
        """What MAESTRO can see of an accelerator.

        The array is all MACs; L2 is what hands each tensor to the outermost array, one memory or several; L1
        is the last memory and, where that holds no outputs, a PE's share of those that L2 has room for; the
        network is as wide as the read ports of L2 together; an element is as wide as an input.
        """
        refuse(hardware)
        memories = hardware.memories
        spread = [m for m in range(len(memories)) if hardware.lanes(m) > 1]
        top = max(1, spread[0]) if spread else 1
        element = hardware.precision_bits.input / 8
        inner = {t: max((m for m in range(1, top + 1) if t in memories[m].holds), default=top) for t in "WIO"}
        shared = sorted(set(inner.values()))

        def read(places: list[int]) -> int:
            ports = [port for m in places for port in hardware.ports(m)]
            rates = [port.rate for port in ports if any(user.startswith("read") for user in port.users)]
            return min(UNLIMITED, max(1, int(sum(rates) / element)))

        def elements(size: float) -> int:
            return UNLIMITED if size / element >= UNLIMITED else max(1, int(size / element))

        last, sums = memories[-1], memories[inner["O"]]
        kept = last.total_bytes + (0.0 if "O" in last.holds else sums.total_bytes / hardware.num_pes)
        return cls(
            pes=hardware.num_pes,
            noc_bw=read(shared),
            offchip_bw=read([0]),
            l1_size=elements(kept),
            l2_size=elements(sum(memories[m].total_bytes for m in shared)),
            mac_pj=hardware.costs.mac.energy_pj,
        )

    def accelerator(self, units: tuple[int, ...], name: str = "MAESTRO") -> Accelerator:
        """The machine that MAESTRO has in mind, in accelsim's terms: DRAM, L2, a tile buffer per further
        cluster level (C1, ...), L1. `units` are the sub-units of each level; axes are `a0`, `a1`, ...
        Elements are bytes; every level has the network's bandwidth, as the tool assumes, multicasts, reduces
        and forwards. Buffers are as large as numbers go: the tool lets no size change a cost. Only L1 and L2
        cost energy.
        """
        from accelsim.hardware import load_hardware

        if len(units) > MAX_MEMORIES - 2:
            raise MaestroError(
                f"a machine for {len(units)} cluster levels needs more than {MAX_MEMORIES} memories"
            )

        def limit(value: int) -> float:
            return ANY_BANDWIDTH if value >= UNLIMITED else value

        def access(times: float) -> dict[str, float]:
            return {f"{way}_pj_per_bit": times * self.mac_pj / 8 for way in ("read", "write")}

        def level(name: str, energy: float, size: int | None, bandwidth: float) -> dict[str, Any]:
            return {
                "name": name,
                "kind": "sram",
                "size_bytes": size,
                "holds": ["W", "I", "O"],
                "double_buffered": True,
                "bandwidth": bandwidth,
                "energy": access(energy) | {"leakage_mw": 0},
                "area_mm2": 0,
            }

        network = limit(self.noc_bw)
        memories = [
            level("DRAM", 0.0, None, limit(self.offchip_bw)) | {"kind": "dram"},
            level("L2", L2_ENERGY, UNLIMITED, network),
            *(level(f"C{i}", 0.0, UNLIMITED, network) for i in range(1, len(units))),
            level("L1", L1_ENERGY, UNLIMITED, ANY_BANDWIDTH),
        ]
        for i, size in enumerate(units):
            axis = {"axis": f"a{i}", "size": size, "multicast": True, "reduction": True, "forwarding": True}
            memories[i + 1]["fanout"] = [axis | {"hop_pj_per_bit": 0}]
        return load_hardware(
            {
                "version": 1,
                "name": name,
                "source": "the abstract machine of Kwon et al., MICRO 2019",
                "technology_nm": 28,
                "clock_mhz": 1000,
                "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 8},
                "mac": {"energy_pj": self.mac_pj, "leakage_mw": 0},
                "memories": memories,
            }
        )


def read_machine(path: str | Path) -> MaestroMachine:
    """The hardware file at `path`. Raises MaestroError with line and column."""
    return parse_machine(read_text(path), str(path))


def parse_machine(text: str, file: str = "text") -> MaestroMachine:
    """Read `word: number` lines. Raises MaestroError with line and column."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("//")[0]
        start = len(line) - len(line.lstrip()) + 1
        if not line.strip():
            continue
        place = FilePlace(file, number, start)
        match = re.fullmatch(r"\s*([^\s:]+)\s*:?\s*(\S*)\s*;?\s*", line)
        if match is None:
            raise place.fault(f"expected one `word: number`, but got {line.strip()[:60]!r}")
        word, value = match[1], match[2].rstrip(";")
        if word not in _WORDS:
            raise place.fault(f"unknown word {word!r}{nearest(word, _WORDS)}")
        if _WORDS[word] in found:
            raise place.fault(f"{word} comes twice")
        if not value.isascii() or not value.isdigit() or len(value) > 10 or int(value) > UNLIMITED:
            at = FilePlace(file, number, match.start(2) + 1)
            raise at.fault(f"{word} must be a whole number up to {UNLIMITED}, but got {value!r}")
        found[_WORDS[word]] = int(value)
    if "pes" not in found:
        raise MaestroError(f"{file}: num_pes is missing")
    try:
        return MaestroMachine(**found)
    except MaestroError as fault:
        raise MaestroError(f"{file}: {fault}") from None
