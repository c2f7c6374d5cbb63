"""Machines that nobody built, without a `dataflow`: mappers must be good at more than the shipped chips."""

from __future__ import annotations

from typing import Any

import accelsim

_WORD = {"weight": 8, "input": 8, "output": 8, "psum": 32}


_WIRES = {"m": "multicast", "r": "reduction", "f": "forwarding"}


def axis(name: str, size: int, can: str = "") -> dict[str, Any]:
    """An array axis; `can` names what its wires do."""
    return {"axis": name, "size": size} | {_WIRES[letter]: True for letter in can}


def memory(name: str, size: Any, bandwidth: Any, holds: str = "WIO", **rest: Any) -> dict[str, Any]:
    """A memory; bandwidth in bytes a cycle, None for unlimited."""
    out = {"name": name, "size_bytes": size, "holds": list(holds)} | rest
    return out if bandwidth is None else out | {"bandwidth": bandwidth}


def machine(name: str, *memories: dict[str, Any]) -> dict[str, Any]:
    """The JSON form of a machine at 1 GHz, a byte a word."""
    return {
        "version": 1, "name": name, "source": "invented", "technology_nm": 28, "clock_mhz": 1000,
        "precision_bits": _WORD, "memories": list(memories),
    }  # fmt: skip


INVENTED = {
    # 2048 MACs in five memories, two axes that add up
    "five": machine(
        "five",
        memory("DRAM", None, 16),
        memory("L2", 2 << 20, 64, double_buffered=True, fanout=[axis("cores", 8, "mr")]),
        memory("L1", 128 << 10, 64, double_buffered=True,
               fanout=[axis("rows", 16, "mr"), axis("cols", 16, "m")]),
        memory("spad", 1 << 10, 8, double_buffered=True),
        memory("reg", {"W": 2, "I": 2, "O": 8}, None, overlap=True),
    ),
    # 36,864 MACs in four
    "huge": machine(
        "huge",
        memory("DRAM", None, 64),
        memory("L2", 8 << 20, 512, double_buffered=True, fanout=[axis("cores", 16, "mr")]),
        memory("L1", 256 << 10, 256, double_buffered=True,
               fanout=[axis("rows", 48, "mr"), axis("cols", 48, "m")]),
        memory("reg", 32, None, overlap=True),
    ),
    # DRAM and the PEs' own memories, nothing between
    "two": machine(
        "two",
        memory("DRAM", None, 32, fanout=[axis("rows", 16, "mr"), axis("cols", 16, "m")]),
        memory("PE", 2 << 10, 8, double_buffered=True),
    ),
    # a cube of MACs, weights past the buffer
    "cube": machine(
        "cube",
        memory("DRAM", None, 8),
        memory("buffer", 96 << 10, 64, "IO", double_buffered=True, fanout=[
            axis("x", 8, "m"), axis("y", 8, "mf"), axis("z", 8, "r")]),
        memory("PE", {"W": 16, "I": 8, "O": 32}, 4, overlap=True),
    ),
    # buffers of a few words
    "tiny": machine(
        "tiny",
        memory("DRAM", None, 4),
        memory("buffer", 512, 16, double_buffered=True, fanout=[axis("lanes", 12, "mr")]),
        memory("line", 24, 4, "WO", fanout=[axis("macs", 4, "mr")]),
        memory("reg", {"W": 1, "I": 1, "O": 4}, None, overlap=True),
    ),
    # a lone vector of adders, fills that compute waits for
    "vector": machine(
        "vector",
        memory("DRAM", None, 8),
        memory("buffer", 64 << 10, {"read": 128, "write": 64}, fanout=[axis("lanes", 256, "rm")]),
        memory("reg", {"W": 4, "O": 4}, None, "WO", overlap=True),
    ),
    # two arrays of unlike wires, one below the other
    "nested": machine(
        "nested",
        memory("DRAM", None, 24),
        memory("L2", 512 << 10, 48, double_buffered=True, fanout=[axis("a", 6, "m"), axis("b", 10)]),
        memory("L1", 8 << 10, 24, double_buffered=True, fanout=[axis("c", 7, "mr"), axis("d", 4)]),
        memory("reg", {"W": 8, "I": 8, "O": 16}, 3, overlap=True),
    ),
}  # fmt: skip


OPEN = machine(
    "open",
    memory("DRAM", None, 8),
    memory("L2", 24 << 10, 16, double_buffered=True, holds_choice=["W", "I"]),
    memory("L1", 1 << 10, 16, overlap=True, holds_choice=["W", "O"], fanout=[axis("rows", 8, "mr")]),
    memory("PE", {"W": 16, "O": 32}, 8, "WO", overlap=True, fanout=[axis("lanes", 4, "m")]),
)
"""Two memories that leave it to the mapper whether they hold two tensors each: 16 ways to hold."""


def invented(name: str) -> accelsim.Accelerator:
    """One of them, ready to use."""
    return accelsim.load_hardware(INVENTED[name])
