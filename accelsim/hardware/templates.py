"""Machines to start from by what stays in place: small, made up, every figure to be replaced."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from accelsim.errors import AccelsimError, not_one_of

_ASSUMED = "D: a template's, to be replaced"


def _axis(name: str, size: int, **able: bool) -> dict[str, Any]:
    return {"axis": name, "size": size, **able}


_CHIPS: dict[str, dict[str, Any]] = {
    "systolic": {
        "source": "Template: systolic 16 x 16; weights stay, inputs and sums move on, fold after fold",
        "fanout": [_axis("rows", 16, multicast=True, reduction=True, forwarding=True),
                   _axis("cols", 16, multicast=True, forwarding=True)],
        "axes": {"rows": ["C", "R"], "cols": ["K", "G"]},
        "PE": {"size_bytes": 1, "holds": ["W"], "serial_folds": "W", "overlap": True},
        "order": ["G", "K", "C", "R", "S", "N", "P", "Q"],
    },
    "weight_stationary": {
        "source": "Template: 16 x 16 PEs keep weights; channels are added up, kernels share inputs",
        "fanout": [_axis("channels", 16, reduction=True), _axis("kernels", 16, multicast=True)],
        "axes": {"channels": ["C", "R"], "kernels": ["K", "G"]},
        "PE": {"size_bytes": 2, "holds": ["W"], "double_buffered": True},
        "order": ["G", "K", "C", "R", "S", "N", "P", "Q"],
    },
    "output_stationary": {
        "source": "Template: 16 x 16 PEs keep partial sums until they are done",
        "fanout": [_axis("rows", 16, multicast=True, forwarding=True),
                   _axis("cols", 16, multicast=True, forwarding=True)],
        "axes": {"rows": ["P", "K"], "cols": ["Q", "K", "G"]},
        "PE": {"size_bytes": {"I": 8, "O": 4}, "holds": ["I", "O"], "overlap": True},
        "order": ["N", "G", "K", "P", "Q", "C", "R", "S"],
    },
    "row_stationary": {
        "source": "Template: 12 x 14 PEs keep rows of kernels; sums are added up along a column",
        "fanout": [_axis("rows", 12, multicast=True, reduction=True),
                   _axis("sets", 12, multicast=True, reduction=True) | {"shares": "rows"},
                   _axis("cols", 14, multicast=True)],
        "axes": {"rows": ["R"], "sets": ["C", "K", "P", "G"], "cols": ["P", "K"]},
        "PE": {"size_bytes": {"W": 224, "I": 12, "O": 96}, "holds": ["W", "I", "O"], "overlap": True},
        "order": ["G", "C", "K", "R", "S", "N", "P", "Q"],
    },
}  # fmt: skip


def template_names() -> tuple[str, ...]:
    """Names that `template` knows."""
    return tuple(_CHIPS)


def template(name: str) -> dict[str, Any]:
    """The JSON form of a made-up machine that keeps one tensor in place.

    DRAM, 128 KiB of buffer and PEs of one 8-bit MAC at 500 MHz in 28 nm. Raises AccelsimError for an unknown
    name.
    """
    if name not in _CHIPS:
        raise AccelsimError(f"template {not_one_of(name, _CHIPS)}")
    chip = deepcopy(_CHIPS[name])
    buffer = {"name": "buffer", "size_bytes": 131072, "holds": ["W", "I", "O"], "double_buffered": True}
    memories: list[dict[str, Any]] = [
        {"name": "DRAM", "size_bytes": None, "holds": ["W", "I", "O"], "bandwidth": {"read_write": 16}},
        buffer | {"bandwidth": {"read": 64, "write": 64}, "fanout": chip["fanout"]},
        {"name": "PE", "kind": "register", **chip["PE"]},
    ]
    for memory in memories:
        memory["sources"] = {
            key: _ASSUMED for key in ("size_bytes", "bandwidth", "fanout") if memory.get(key) is not None
        }
    return {
        "version": 1,
        "name": name,
        "source": chip["source"],
        "technology_nm": 28,
        "clock_mhz": 500,
        "precision_bits": {"weight": 8, "input": 8, "output": 8, "psum": 32},
        "memories": memories,
        "dataflow": {"axes": {"buffer": chip["axes"]}, "orders": {"buffer": [chip["order"]]}},
        "sources": dict.fromkeys(("technology_nm", "clock_mhz", "precision_bits"), _ASSUMED),
    }
