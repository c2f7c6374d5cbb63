"""ZigZag: elements moved per operand and level, for the loops that it chose."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from accelsim.pack import price_case
from accelsim.validation.facts import facts, missing, read_json, reference
from accelsim.validation.result import EXACT, Case, Report
from cost_models.loopnest.layout import MAX_MEMORIES

FILES = ("tpu_like", "edge_tpu_like", "eyeriss_like")
DIMS = {"B": "N", "G": "G", "K": "K", "C": "C", "OY": "P", "OX": "Q", "FY": "R", "FX": "S"}
WORDS = {"W": "weights", "I": "inputs", "O": "outputs"}
PADDING = "padding: theirs leaves padded zeros out, ours reads them like data"
LATCH = "latch: the MAC keeps an operand through loops that do not touch it, ours is read at each step"
FIRST = "first partial sum: theirs reads one in every PE of a reduction group but the first, ours none"

Loops = list[tuple[str, int]]


def report(data: Path | None) -> Report:
    """All layers of the reference folder, else the shipped ones."""
    shipped = facts("zigzag")
    found = {name: reference(data, f"reference/zigzag/{name}.json") for name in FILES}
    whole = all(found.values())
    chips = {name: read_json(file) for name, file in found.items() if file} if whole else shipped["chips"]
    cases: list[Case] = []
    left: Counter[str] = Counter()
    for name, chip in chips.items():
        for layer in chip["layers"]:
            for operand in "WIO":
                reason = _unfit(layer, operand)
                if reason:
                    left[reason] += 1
                else:
                    cases += compare(name, layer, operand)
    rules = Counter(case.rule for case in cases if case.verdict == "explained")
    return Report(
        "zigzag",
        "ZigZag",
        "another model, run on the same loops",
        shipped["source"],
        tuple(cases),
        assumptions=(
            "ZigZag gives each operand its own levels (uneven mapping): an operand is priced on a machine "
            "of the memories that it passes, all axes with multicast and reduction. Each count of ours "
            "comes from one such nest.",
            "Elements moved are compared, and cycles of compute; not energy (its accesses are rounded up "
            "to ports), nor its stalls, which add the first fill and last drain without overlap.",
        ),
        findings=(
            "Weights and outputs between memories, and cycles, are equal throughout; partial sums too, but "
            "for those that each PE finds when it starts.",
            *(f"{count} x {rule}." for rule, count in rules.most_common()),
        ),
        skipped=(
            *(f"{count} operands: {reason}." for reason, count in left.items()),
            *(() if whole else (missing("reference/zigzag/*.json", "most layers"),)),
        ),
    )  # fmt: skip


def _unfit(layer: dict[str, Any], operand: str) -> str:
    """Why an operand's loops have no counterpart here, "" if they have."""
    whole: dict[str, float] = {}
    one = layer["operands"][operand]
    for loops in (*one["temporal_loops_per_level_inner_to_outer"], *one["spatial_loops_per_level"]):
        for d, size in loops:
            whole[d] = whole.get(d, 1) * size
    if any(whole.get(d, 1) != size for d, size in layer["dims"].items()):
        return "loops that do not divide, whose sizes ZigZag keeps as fractions or rounds up"
    if len(_nest(layer, operand)) > MAX_MEMORIES:
        return f"loops that take more than {MAX_MEMORIES} levels of ours"
    return ""


def _nest(layer: dict[str, Any], operand: str) -> list[tuple[str, Loops, Loops]]:
    """(memory or "" for none, temporal loops, fan-out below), inner to outer, no dimension twice in one."""
    one = layer["operands"][operand]
    names = [level["memory"] for level in one["levels"]]
    out: list[tuple[str, Loops, Loops]] = []
    for name, temporal, spatial in zip(
        names, one["temporal_loops_per_level_inner_to_outer"], one["spatial_loops_per_level"], strict=False
    ):
        axes = [(DIMS[d], int(f)) for d, f in spatial if f > 1]
        parts: list[Loops] = [[]]
        for d, f in ((DIMS[d], int(f)) for d, f in temporal if f > 1):
            if parts[-1] and parts[-1][-1][0] == d:
                parts[-1][-1] = (d, parts[-1][-1][1] * f)
            elif d in [x for x, _ in parts[-1]]:
                parts.append([(d, f)])
            else:
                parts[-1].append((d, f))
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            out.append((name if last else "", part, axes if i == 0 else []))
    return out


def compare(chip: str, layer: dict[str, Any], operand: str) -> list[Case]:
    """Every move of one operand."""
    nest = _nest(layer, operand)
    tile = dict.fromkeys(DIMS.values(), 1)
    memories: list[dict[str, Any]] = []
    levels: list[dict[str, Any]] = []
    for name, temporal, axes in nest:
        for d, f in axes:
            tile[d] *= f
        fanout = [
            {"axis": f"a{i}", "size": f, "multicast": True, "reduction": True, "forwarding": False}
            for i, (_, f) in enumerate(axes)
        ]
        spatial = {f"a{i}": {"dim": d, "factor": f} for i, (d, f) in enumerate(axes)}
        held = list(operand) if name else []
        memories.insert(0, {"name": name or f"wires{len(memories)}", "holds": held, "fanout": fanout})
        order = [d for d, _ in reversed(temporal)]
        levels.insert(
            0, {"memory": memories[0]["name"], "order": order, "tile": dict(tile), "spatial": spatial}
        )
        for d, f in temporal:
            tile[d] *= f
    memories[0]["holds"] = list("WIO")
    stride, dilation = _window(layer["relations"])
    shape = {
        "dims": {DIMS[d]: n for d, n in layer["dims"].items()},
        "stride": stride,
        "dilation": dilation,
    }
    ours = price_case(shape, memories, {"version": 1, "levels": levels})
    moves = {x["memory"]: x["elem_moves_total"] for x in layer["operands"][operand]["levels"]}
    label = f"{chip} {layer['layer']}"
    out = []
    if operand == "O":
        out.append(Case(label, "compute cycles", layer["cycles"]["compute"], ours["compute_steps"], EXACT))
    for row in ours["traffic"]:
        if row["tensor"] != operand:
            continue
        parent, child = moves[row["parent"]], moves.get(row["child"])
        if operand == "O":
            pairs = [
                ("outputs", parent["wr_in_by_low"], row["parent_words"]),
                ("partial sums read", parent["rd_out_to_low"], row["parent_psum_reads"]),
            ]
            if child:
                pairs.append(("outputs", child["rd_out_to_high"], row["child_words"]))
        else:
            pairs = [(f"{WORDS[operand]}", parent["rd_out_to_low"], row["parent_words"])]
            if child:
                pairs.append((f"{WORDS[operand]}", child["wr_in_by_high"], row["child_words"]))
        for quantity, theirs, mine in pairs:
            if row["child"] == "MAC" and operand != "O":
                quantity += " at the MACs"
            rule = _rule(layer, operand, row, theirs, mine)
            out.append(Case(f"{label} {row['parent']}>{row['child']}", quantity, theirs, mine, EXACT, rule))
    return out


def _window(relations: list[str]) -> tuple[list[int], list[int]]:
    """(stride, dilation) by rows and columns from relations such as `ix=2*ox+1*fx`."""
    found = {}
    for text in relations:
        name, right = text.replace(" ", "").split("=")
        found[name] = [int(part.split("*")[0]) for part in right.split("+")]
    rows, cols = found.get("iy", [1, 1]), found.get("ix", [1, 1])
    return [rows[0], cols[0]], [rows[1], cols[1]]


def _rule(layer: dict[str, Any], operand: str, row: dict[str, Any], theirs: float, ours: float) -> str:
    """The difference of the contracts behind a count, "" unless its arithmetic comes out."""
    dims = layer["dims"]
    if operand == "O":
        outputs = math.prod(dims[d] for d in ("B", "G", "K", "OY", "OX"))
        return FIRST if theirs == row["parent_words"] - outputs else ""
    if row["child"] == "MAC":
        kept = 1
        for d, f in layer["operands"][operand]["temporal_loops_per_level_inner_to_outer"][0]:
            if d not in _FREE[operand]:
                break
            kept *= int(f)
        if theirs * kept == ours:
            return LATCH
    if operand == "I":
        sizes, extra = (layer["input_size"][d] for d in ("IX", "IY")), (sum(p) for p in layer["padding_x_y"])
        most = math.prod((size + more) / size for size, more in zip(sizes, extra, strict=True))
        return PADDING if 1.0 < ours / theirs <= most * (1 + 1e-12) else ""
    return ""


_FREE = {"W": ("B", "OY", "OX"), "I": ("K",)}
