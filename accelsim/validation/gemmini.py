"""Gemmini: cycles of mappings on such chips, by Timeloop and by the RTL, as DOSA published them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.pack import case_batch, count, pack_layer, pack_machine
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import Case, Rank, Report, spearman, within
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L

FILES = "reference/dosa/timeloop_400.csv", "reference/dosa/firesim_74.csv"
LEVELS = ("L3", "L2", "L1", "L0")
FAN = {"L2": "columns", "L1": "rows"}
NEAR = 2e-6
"""Relative error of two equal counts: theirs are rounded to whole cycles."""
RESUMED = "sums brought back to an accumulator are read again by the first MAC that adds to them"


def report(data: Path | None) -> Report:
    """All rows of the reference folder, else the shipped ones."""
    known = facts("gemmini")
    files = [reference(data, path) for path in FILES]
    whole = all(file is not None for file in files)
    if whole:
        rows = [_fact(row) for file in files if file is not None for row in read_rows(file)]
    else:
        rows = [dict(zip(known["columns"], row, strict=True)) for row in known["rows"]]
    cases, rtl = [], []
    for row in rows:
        shared, spared = cycles(row)
        rule = RESUMED if any(abs(x / row["timeloop"] - 1) < NEAR for x in spared) else ""
        name = f"{row['mapping']} of {' '.join(f'{d}{n}' for d, n in zip('CKNPQRS', row['dims']) if n > 1)}"
        cases.append(Case(name, "Timeloop cycles", row["timeloop"], shared, within(NEAR), rule))
        if row["rtl"]:
            rtl.append((row["rtl"], shared))
            cases.append(Case(name, "RTL cycles", row["rtl"], shared, None))
    judged = [case for case in cases if case.limits is not None]
    hits = sum(case.verdict != "off" for case in judged)
    ratios = sorted(ours / theirs for theirs, ours in rtl)
    tenth, middle, last = (ratios[int(q * (len(ratios) - 1))] for q in (0.1, 0.5, 0.9))
    return Report(
        "gemmini",
        "Gemmini",
        "another model and RTL simulation, same mappings",
        known["source"],
        tuple(cases),
        (Rank("cycles of the RTL", len(rtl), spearman([o for _, o in rtl], [t for t, _ in rtl])),),
        assumptions=(
            "The shipped gemmini with the array, the port widths and the sizes of each row; a word of any "
            "tensor counts as one, as there. Latency without the first and last tiles, which Timeloop "
            "leaves out.",
            "Every mapping can be written down as it is, kernels over columns and channels over rows.",
        ),
        findings=(
            f"Cycles are equal, or equal but for one rule, in {hits} of {len(judged)} rows. The rule: "
            f"{RESUMED}; Timeloop spares that read.",
            f"Ours over the RTL's: {tenth:.2f}, {middle:.2f} and {last:.2f} at 10, 50 and 90 % of the rows: "
            "instructions, waiting for DRAM and the start of each tile are not modelled.",
        ),
        skipped=() if whole else (missing(FILES[0], f"all but {len(rows)} of 474 rows"),),
    )  # fmt: skip


def _fact(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of the reference data in the shipped form."""
    return {
        "mapping": row["mapping.mapping"],
        "dims": [int(row[f"prob.{d}"]) for d in "CKNPQRS"],
        "stride": int(row["prob.Hstride"]),
        "scratchpad": int(row["arch.mem2_shared_bandwidth"]),
        "accumulator": int(row["arch.mem1_shared_bandwidth"]),
        "timeloop": float(row["target.cycle"]),
        "rtl": float(row.get("target.gemmini_cycle") or 0),
    }


def translate(row: Mapping[str, Any]) -> tuple[Layer, list[dict[str, Any]], dict[str, Any]]:
    """(layer, memories, mapping) of a row, the mapping in our JSON form.

    Raises ValueError for a spatial loop that the chip has no axis for.
    """
    sizes = dict(zip("CKNPQRS", row["dims"], strict=True))
    layer = Layer(**sizes, stride=(row["stride"], row["stride"]))
    parts = dict(re.findall(r"(L\d)\[\w+\] ([^-]*)", row["mapping"]))
    tile = {d: getattr(layer, d) for d in DIMS}
    levels, memories = [], []
    for level, holds in zip(LEVELS, ("WIO", "WI", "O", "W")):
        loops = re.findall(r"([A-Z])(\d+)(X?)", parts.get(level, ""))
        for d, n, spread in loops:
            tile[d] = tile[d] if spread else -(-tile[d] // int(n))
        union = dict(tile)
        spatial: dict[str, Any] = {}
        for d, n, spread in loops:
            if spread and int(n) > 1:
                if spatial or level not in FAN:
                    raise ValueError(f"{row['mapping']}: no axis for {d}{n}X")
                spatial[FAN[level]] = {"dim": d, "factor": int(n)}
                tile[d] = -(-tile[d] // int(n))
        order = [d for d, n, spread in loops if not spread and int(n) > 1]
        levels.append({"order": order, "tile": union, "spatial": spatial})
        axis = {"size": 128, "multicast": True, "reduction": level == "L1", "forwarding": False}
        fan = [{"axis": FAN[level], **axis}] if level in FAN else []
        memories.append({"name": level, "holds": list(holds), "fanout": fan})
    return layer, memories, {"version": 1, "levels": levels}


def cycles(row: Mapping[str, Any]) -> tuple[float, tuple[float, float]]:
    """(ours, ours without the reads that Timeloop spares) of a row; it spares a first read at DRAM or not."""
    from accelsim.hardware import load_hardware

    layer, memories, mapping = translate(row)
    data = load_hardware("gemmini").to_dict()
    data["precision_bits"] = dict.fromkeys(("weight", "input", "output", "psum"), 8)
    for memory, name in zip(data["memories"][1:3], ("scratchpad", "accumulator"), strict=True):
        memory["bandwidth"] = {"read_write": row[name]}
        memory["size_bytes"] = 2**40
        memory["fanout"][0]["size"] = 128
    data["memories"][3]["size_bytes"] = 2**20
    machine = pack_machine(load_hardware(data))
    counts = count(pack_layer(layer), machine, case_batch(layer, memories, mapping))
    if counts.status[0] != L.OK:
        raise ValueError(f"{row['mapping']}: status {counts.status[0]}")
    steps = float(counts.summary[0, L.CYCLES])
    columns = mapping["levels"][1]["spatial"].get("columns", {"factor": 1})["factor"]
    # The PEs' own port keeps pace with the array and is left out, as there.
    words = (counts.bits[0].sum(axis=(1, 2)) / 8)[:3]
    rates = np.array([8.0, row["scratchpad"], columns * row["accumulator"]])
    back, leaving = counts.bits[0, 0, 2] / 8
    ours = max(steps, *(words / rates))
    spared = [max(steps, *((words - [extra, 0, back]) / rates)) for extra in (0.0, back - leaving)]
    return np.ceil(ours), (np.ceil(spared[0]), np.ceil(spared[1]))
