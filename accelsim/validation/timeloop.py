"""Timeloop: every count of the same loops on the same three memories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelsim.pack import price_case
from accelsim.validation.facts import facts, missing, read_json, reference
from accelsim.validation.result import EXACT, Case, Report

FILE = "reference/timeloop/cases.json"
# Their dimension -> ours, by sort of layer. A gemm is Z[M, N] += A[M, K] B[K, N] with A the inputs.
DIMS = {
    "conv": dict(zip("NKCPQRS", "NKCPQRS", strict=True)),
    "depthwise": dict(zip("NCPQRS", "NGPQRS", strict=True)),
    "gemm": {"M": "P", "N": "K", "K": "C"},
}
TENSORS = {"W": "Weights", "I": "Inputs", "O": "Outputs"}
HALO = "halo: we read an input once for all PEs that want it, theirs shares identical tiles only"
GAPS = (
    "gaps: theirs counts and moves the bounding box of a strided window, we only the rows and columns in use"
)
SPLIT = "split window: where an axis splits the window, we refill a PE whole, theirs slides"
WRAP = "wrap: theirs keeps part of a window where two loops over one input rank stand next to each other"


def report(data: Path | None) -> Report:
    """All cases of the reference folder, else the shipped ones."""
    file = reference(data, FILE)
    shipped = facts("timeloop")
    cases = read_json(file) if file is not None else shipped["cases"]
    out: list[Case] = []
    for case in cases:
        out += compare(case)
    rules = Counter(case.rule for case in out if case.verdict == "explained")
    inputs = sum(case.quantity.startswith("inputs") for case in out)
    return Report(
        "timeloop",
        "Timeloop",
        "another model, run on the same loops",
        shipped["source"],
        tuple(out),
        assumptions=(
            "Three memories, perfect factors, every axis multicasts and reduces, no forwarding: as the "
            "cases are made.",
            "Partial sums sent back to all PEs of a reduction group are not compared: we read them once.",
        ),
        findings=(
            f"Weights, outputs, partial sums and cycles are equal throughout; {sum(rules.values())} of "
            f"{inputs} counts of inputs differ. Between memories a difference counts as explained only "
            "where Timeloop's documented rules, written down again here, give its number exactly; the one "
            "exception is the case that Timeloop itself treats unlike its rules (wrap).",
            *(f"{count} x {rule}." for rule, count in rules.most_common()),
        ),
        skipped=() if file is not None else (missing(FILE, f"all but {len(cases)} of 92 cases"),),
    )  # fmt: skip


def compare(case: dict[str, Any]) -> list[Case]:
    """Every count of one case."""
    layer, memories, mapping = translate(case)
    ours = price_case(layer, memories, mapping)
    rows = {(row["tensor"], row["child"]): row for row in ours["traffic"]}
    expect = case["expect"]
    counts = expect["per_instance_counts"]
    out = [Case(case["name"], "cycles", expect["cycles"], ours["compute_steps"], EXACT)]
    for (tensor, child), row in rows.items():
        parent = counts[row["parent"]][TENSORS[tensor]]
        below = None if child == "MAC" else counts[child][TENSORS[tensor]]
        if tensor == "O":
            got = parent["updates"] * parent["instances_used"]
            out.append(Case(f"{case['name']} {child}", "outputs", got, row["parent_words"], EXACT))
            back = parent["reads"] * parent["instances_used"]
            out.append(
                Case(f"{case['name']} {child}", "partial sums read", back, row["parent_psum_reads"], EXACT)
            )
            continue
        word = "weights" if tensor == "W" else "inputs"
        pairs = [(parent["reads"] * parent["instances_used"], row["parent_words"])]
        if below is not None:
            pairs.append((below["fills"] * below["instances_used"], row["child_words"]))
        for way, (theirs, mine) in zip(("read", "written"), pairs, strict=False):
            rule = _rule(case, child, way, theirs, mine) if tensor == "I" else ""
            quantity = word if word == "weights" else f"inputs {way}"
            out.append(Case(f"{case['name']} {child}", quantity, theirs, mine, EXACT, rule))
    return out


def translate(case: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """(layer, memories, mapping) in our JSON forms."""
    layer, loops = case["layer"], case["mapping"]
    names = DIMS[layer["type"]]
    shape: dict[str, Any] = {"dims": {names[d]: n for d, n in layer["dims"].items()}}
    shape |= {key: layer.get(key, [1, 1]) for key in ("stride", "dilation")}
    axes = [(names[d], f) for axis in "YX" for d, f, a in loops["spatial"] if a == axis and f > 1]
    held = [_held(loops.get("bypass", {}), memory) for memory in ("GlobalBuffer", "PE")]
    memories: list[dict[str, Any]] = [
        {"name": "DRAM", "holds": list("WIO"), "fanout": []},
        {"name": "GlobalBuffer", "holds": held[0], "fanout": _axes(axes)},
        {"name": "PE", "holds": held[1], "fanout": []},
    ]
    buffer = _times({names[d]: f for d, f in loops["PE_temporal"]}, axes)
    top = _times(buffer, [(names[d], f) for d, f in loops["GlobalBuffer_temporal"]])
    spatial = {f"a{i}": {"dim": d, "factor": f} for i, (d, f) in enumerate(axes)}
    levels = [
        {
            "memory": memory["name"],
            "order": [names[d] for d, _ in loops[f"{memory['name']}_temporal"]],
            "tile": _whole(tile, names),
            "spatial": spatial if memory["fanout"] else {},
        }
        for memory, tile in zip(memories, (top, buffer, {}), strict=True)
    ]
    return shape, memories, {"version": 1, "levels": levels}


def _times(tile: dict[str, int], loops: list[tuple[str, int]]) -> dict[str, int]:
    out = dict(tile)
    for d, f in loops:
        out[d] = out.get(d, 1) * f
    return out


def _whole(tile: dict[str, int], names: dict[str, str]) -> dict[str, int]:
    return dict.fromkeys(names.values(), 1) | tile


def _axes(fanout: list[tuple[str, int]]) -> list[dict[str, Any]]:
    able = {"multicast": True, "reduction": True, "forwarding": False}
    return [{"axis": f"a{i}", "size": f, **able} for i, (_, f) in enumerate(fanout)]


def _held(bypass: dict[str, Any], memory: str) -> list[str]:
    return [t for t, name in TENSORS.items() if name not in bypass.get(memory, [])]


def _rule(case: dict[str, Any], child: str, way: str, theirs: float, ours: float) -> str:
    """The difference of the contracts behind a count, but only if Timeloop's own rules give its number."""
    if child == "MAC":
        read = written = math.nan
    else:
        read, written = their_inputs(case, child)
    if not case["closed_form_rule_matches"]:
        return WRAP
    names = DIMS[case["layer"]["type"]]
    split = {names[d] for d, f, _ in case["mapping"]["spatial"] if f > 1} & set("PQRS")
    gaps = max(*case["layer"].get("stride", [1, 1]), *case["layer"].get("dilation", [1, 1])) > 1
    if child != "MAC" and (read if way == "read" else written) != theirs:
        return ""
    if ours > theirs:
        return GAPS if gaps else SPLIT if split else ""
    return HALO if split else GAPS if gaps else ""


def their_inputs(case: dict[str, Any], child: str) -> tuple[float, float]:
    """(words read, words written) of the inputs of `child` by Timeloop's rules, as its users document them.

    The box that a tile spans, gaps included; the innermost relevant loop adds what the box moves on by; every
    loop outside it multiplies; instances share a read only if their boxes start at the same place.
    """
    loops, names = case["mapping"], DIMS[case["layer"]["type"]]
    stride, dilation = (case["layer"].get(key, [1, 1]) for key in ("stride", "dilation"))
    step = {"P": stride[0], "Q": stride[1], "R": dilation[0], "S": dilation[1]}
    inside = dict.fromkeys("NGKCPQRS", 1)
    for d, f in loops["PE_temporal"]:
        inside[names[d]] *= f
    places: set[tuple[int, ...]] = {(0,) * 8}
    box = box_of(inside, step)
    below = [*reversed(loops["spatial"])] if child == "PE" else []
    after = dict(inside)
    instances = 1
    for d, f, _ in [*[x for x in below if x[2] == "X"], *[x for x in below if x[2] == "Y"]]:
        places = {_moved(place, names[d], i * after[names[d]], step) for place in places for i in range(f)}
        after[names[d]] *= f
        instances *= f
    above = [*reversed(loops["GlobalBuffer_temporal"]), *reversed(loops["DRAM_temporal"])]
    if child == "GlobalBuffer":
        for d, f, *_ in [*loops["spatial"], *loops["GlobalBuffer_temporal"]]:
            after[names[d]] *= f
        box = box_of(after, step)
        above = [*reversed(loops["DRAM_temporal"])]
    words: float = math.prod(box.values())
    began = False
    for d, f in above:
        dim = names[d]
        if began:
            words *= f
        elif f > 1 and dim != "K":
            began = True
            pair = "h" if dim in "PR" else "w" if dim in "QS" else ""
            new = words
            if pair:
                new = words * min(step[dim] * after[dim], box[pair]) / box[pair]
            words += (f - 1) * new
        after[dim] *= f
    return words * len(places), words * instances


def box_of(tile: Mapping[str, int], step: Mapping[str, int]) -> dict[str, int]:
    """Extents of the inputs that a tile spans."""
    out = {d: tile[d] for d in "NGC"}
    for pair, (p, r) in (("h", "PR"), ("w", "QS")):
        out[pair] = (tile[p] - 1) * step[p] + (tile[r] - 1) * step[r] + 1
    return out


def _moved(place: tuple[int, ...], dim: str, by: int, step: dict[str, int]) -> tuple[int, ...]:
    """Where the box of an instance starts: N, G, C, row, column."""
    if dim == "K":
        return place
    at = {"N": 0, "G": 1, "C": 2, "P": 3, "R": 3, "Q": 4, "S": 4}[dim]
    out = list(place)
    out[at] += by * step.get(dim, 1)
    return tuple(out)
