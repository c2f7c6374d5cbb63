"""The table of a sweep as JSON; `SweepTable.to_json` writes it, a CSV has the same columns."""

from __future__ import annotations

from accelsim.mapping.encoding import OBJECTIVES
from accelsim.schemas.parts import NUMBER_OR_NULL, TEXT, Schema, items, said, titled
from accelsim.sweeps.table import FIGURES, YOUNG

_WORDS = {
    "latency_cycles": "Cycles of one inference.",
    "latency_s": "Seconds of one inference.",
    "energy_pj": "Picojoules of one inference.",
    "edp_js": "Energy-delay product, joule-seconds.",
    "utilisation": "Share of the array's steps that multiply.",
    "macs": "Multiply-accumulates of the network.",
    "num_pes": "MAC units.",
    "onchip_bytes": "Bytes of all memories on the chip.",
    "area_mm2": "Square millimetres.",
    "peak_memory_bytes": "Most activations of the network that live at once, by the memory plan.",
    "flash_bytes": "Weights of the network, and 8 bytes an output channel.",
}


def schema() -> Schema:
    """Of a table: a row per point, network and objective; what is not named here is a varied figure."""
    keys = {
        "network": TEXT,
        "objective": {"enum": list(OBJECTIVES)},
        **{name: said(_WORDS[name], NUMBER_OR_NULL) for name in FIGURES},
        "status": said("ok, or why the point cannot work.", TEXT),
    }
    row: Schema = {
        "type": "object",
        "properties": keys,
        "required": [name for name in keys if name not in YOUNG],
        "additionalProperties": said(
            "A varied figure, by where it stands in the hardware file.",
            {"type": ["number", "string", "boolean"]},
        ),
    }
    works = {"if": {"properties": {"status": {"const": "ok"}}}, "then": {"properties": {
        name: {"type": "number"} for name in FIGURES
    }}}  # fmt: skip
    return titled("table", items(row | works))
