"""A chip in a few words."""

from __future__ import annotations

from accelsim.hardware.accelerator import Accelerator


def brief(chip: Accelerator) -> str:
    """Array and memories in a few words: `14x12 K,CR  GLB 96K spad 520`."""
    arrays = []
    for memory in chip.memories:
        axes = [axis for axis in memory.fanout if axis.shares is None]
        if axes:
            dims = ",".join(_dims(chip, memory.name, axis.axis) for axis in axes)
            arrays.append("x".join(str(axis.size) for axis in axes) + f" {dims}")
    sizes = [f"{x.name} {size(x.total_bytes)}" for x in chip.memories if x.technology != "dram"]
    return " + ".join(arrays) + "  " + " ".join(sizes)


def _dims(chip: Accelerator, memory: str, axis: str) -> str:
    """Dimensions that an axis may carry, groups left out where there are others."""
    dims = chip.axis_dims(memory, axis)
    return "".join(d for d in dims if d != "G") or "G"


def size(number: float) -> str:
    """Bytes in short: 96K, 1.5M, 520."""
    for factor, unit in ((2**20, "M"), (2**10, "K")):
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.0f}"
