"""A starting point for a new hardware file: a machine that is there, with comments on what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelsim.hardware.accelerator import Accelerator
from accelsim.hardware.loader import load_hardware

_NOTES = {
    "memories": (
        "Outermost. Holds all tensors; its bandwidth (bytes a cycle) is the link to the chip.",
        "Bytes of one instance, ports in bytes a cycle. Below it: what stands under `fanout`.",
        "Innermost: what one PE has. Below it stand the MACs.",
    ),
    "fanout": "`size` lanes. multicast: one read serves all; reduction: their sums are added on the way.",
}

_INTRO = (
    "Change what differs, and with each figure its entry in `sources` (a letter A to E, and where from). "
    "Leave out what you do not know: it is estimated."
)

_ORDER = (
    "version", "name", "source", "notes", "technology_nm", "clock_mhz", "precision_bits", "mac", "memories",
    "axis", "kind", "size_bytes", "size", "holds", "holds_choice", "double_buffered", "overlap", "bandwidth",
    "banks", "width_bits", "energy", "fanout", "dataflow", "network", "search",
)  # fmt: skip


def start_from(name: str, like: Accelerator | str | Path | dict[str, Any]) -> dict[str, Any]:
    """The JSON form of a machine under a new name, each part with a note on what it says.

    Figures keep their sources, since they are still those of `like`; change the source with the figure.
    Raises AccelsimError where `like` cannot be read.
    """
    old = load_hardware(like)
    data = old.to_dict()
    data["name"] = name
    data["source"] = f"Started from {old.name}; {old.source}"[:2000]
    data["notes"] = f"{_INTRO} {data.get('notes', '')}".strip()[:2000]
    last = len(data["memories"]) - 1
    for m, memory in enumerate(data["memories"]):
        memory.setdefault("notes", _NOTES["memories"][0 if m == 0 else 2 if m == last else 1])
        for axis in memory.get("fanout", []):
            axis.setdefault("notes", _NOTES["fanout"])
    return _ordered(data)  # type: ignore[no-any-return]


def _ordered(value: Any) -> Any:
    """Keys in the order in which a person reads a machine, sources and notes last."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def place(key: str) -> int:
        if key == "sources" or (key == "notes" and "version" not in value):
            return len(_ORDER) + 1
        return _ORDER.index(key) if key in _ORDER else len(_ORDER)

    return {key: _ordered(value[key]) for key in sorted(value, key=place)}
