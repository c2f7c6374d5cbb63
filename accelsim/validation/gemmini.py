"""Gemmini: cycles of mappings on such chips, by Timeloop and by the RTL, as DOSA published them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.pack import case_batch, count, pack_layer, pack_machine
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import Case, Rank, Report, spearman, within
from accelsim.validation.timeloop import box_of
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L

FILES = "reference/dosa/timeloop_400.csv", "reference/dosa/firesim_74.csv"
LEVELS = ("L3", "L2", "L1", "L0")
FAN = {"L2": "columns", "L1": "rows"}
NEAR = 2e-6
"""Relative error of two equal counts, or a cycle: theirs are rounded to whole ones, memory by memory."""
RESUMED = "sums: ours are read again, where they come back, by the first MAC that adds to them, theirs not"
WINDOW = (
    "windows: theirs moves the box that a strided window spans, and all of it anew where a loop over kernels "
    "turns inside; ours only the rows and columns in use that are new"
)


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
        shared, ruled, loaded = cycles(row)
        near = max(NEAR, 1.000001 / row["timeloop"])
        rule = next((rule for rule, x in ruled.items() if abs(x / row["timeloop"] - 1) <= near), "")
        name = f"{row['mapping']} of {' '.join(f'{d}{n}' for d, n in zip('CKNPQRS', row['dims']) if n > 1)}"
        cases.append(Case(name, "Timeloop cycles", row["timeloop"], shared, within(near), rule))
        if row["rtl"]:
            rtl.append((row["rtl"], loaded, shared))
            cases.append(Case(name, "RTL cycles", row["rtl"], loaded, None))
    judged = [case for case in cases if case.limits is not None]
    hits = sum(case.verdict != "off" for case in judged)
    told = Counter(case.rule for case in judged if case.verdict == "explained")
    ratios = sorted(ours / theirs for theirs, ours, _ in rtl)
    off, bare = (np.mean([abs(row[i] / row[0] - 1) for row in rtl]) for i in (1, 2))
    tenth, middle, last = (ratios[int(q * (len(ratios) - 1))] for q in (0.1, 0.5, 0.9))
    return Report(
        "gemmini",
        "Gemmini",
        "another model and RTL simulation, same mappings",
        known["source"],
        tuple(cases),
        (Rank("cycles of the RTL", len(rtl), spearman([o for _, o, _ in rtl], [t for t, *_ in rtl])),),
        assumptions=(
            "The shipped gemmini with the array, the port widths and the sizes of each row; a word of any "
            "tensor counts as one, as there. Latency without the first and last tiles, which Timeloop "
            "leaves out; beside the RTL with the loading of weights, which takes 16 cycles a tile.",
            "Every mapping can be written down as it is, kernels over columns and channels over rows.",
        ),
        findings=(
            f"Cycles are equal in {hits - told.total()} of {len(judged)} rows, and in {told.total()} others "
            "rules of Timeloop's, written down again here, give its number.",
            *(f"{count} x {rule}." for rule, count in told.most_common()),
            f"Ours over the RTL's: {tenth:.2f}, {middle:.2f} and {last:.2f} at 10, 50 and 90 % of the rows: "
            f"{off:.1%} off on average, and {bare:.1%} if tiles of weights came in one cycle. Instructions, "
            "waiting for DRAM and the start of each tile are not modelled.",
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


def cycles(row: Mapping[str, Any]) -> tuple[float, dict[str, float], float]:
    """(ours, ours by each rule of Timeloop's, ours with the loading of the PEs) of a row."""
    from accelsim.hardware import load_hardware

    layer, memories, mapping = translate(row)
    data = load_hardware("gemmini").to_dict()
    data["precision_bits"] = dict.fromkeys(("weight", "input", "output", "psum"), 8)
    for memory, name in zip(data["memories"][1:3], ("scratchpad", "accumulator"), strict=True):
        memory["bandwidth"] = {"read_write": row[name]}
        memory["size_bytes"] = 2**40
        memory["fanout"][0]["size"] = 128
    data["memories"][3]["size_bytes"] = 2**20
    chip = load_hardware(data)
    machine = pack_machine(chip)
    counts = count(pack_layer(layer), machine, case_batch(layer, memories, mapping))
    if counts.status[0] != L.OK:
        raise ValueError(f"{row['mapping']}: status {counts.status[0]}")
    steps = float(counts.summary[0, L.CYCLES])
    columns, rows = (
        mapping["levels"][m]["spatial"].get(axis, {"factor": 1})["factor"]
        for m, axis in ((1, "columns"), (2, "rows"))
    )
    # Timeloop's PEs take any number of weights a cycle.
    words = (counts.bits[0].sum(axis=(1, 2)) / 8)[:3]
    rates = np.array([8.0, row["scratchpad"], columns * row["accumulator"]])
    spared = np.array([0.0, 0.0, counts.bits[0, 0, 2, 0] / 8])  # sums that come back from DRAM
    window = their_window(layer, mapping["levels"][0]) - counts.bits[0, 0, 1, 0] / 8
    window = np.array([window, window, 0.0])  # DRAM reads what the scratchpad gets
    changes = {RESUMED: -spared, WINDOW: window, f"{RESUMED}; {WINDOW}": window - spared}
    ours, *ruled = (
        float(np.ceil(max(steps, *((words + more) / rates)))) for more in (np.zeros(3), *changes.values())
    )
    into = next(port.rate for port in chip.ports(3) if "write W" in port.users)
    loading = counts.bits[0, 3, 0, 1] / 8 / (columns * rows) / into
    return ours, dict(zip(changes, ruled, strict=True)), max(ours, float(loading))


def their_window(layer: Layer, dram: Mapping[str, Any]) -> float:
    """Words of the inputs that DRAM reads by Timeloop's rules: the box that a tile spans at first, then what
    it moves on by as the innermost loop that it depends on turns, but all of it where kernels turn inside.
    """  # fmt: skip
    step = {"P": layer.stride[0], "Q": layer.stride[1], "R": layer.dilation[0], "S": layer.dilation[1]}
    box = box_of(dram["tile"], step)
    words, began, kernels = float(math.prod(box.values())), False, False
    for d in reversed(dram["order"]):
        turns = -(-layer.dims[d] // dram["tile"][d])
        if began:
            words *= turns
        elif d == "K":
            kernels = True
        else:
            began, new = True, words
            pair = "h" if d in "PR" else "w" if d in "QS" else ""
            if pair and not kernels:
                new *= min(step[d] * dram["tile"][d], box[pair]) / box[pair]
            words += (turns - 1) * new
    return words
