"""MAESTRO: its mappings read into ours, and what both count for them."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from accelsim.pack import Batch, Counts, bare_machine, count, pack_layer, traffic_rows
from accelsim.validation.facts import facts, missing, read_rows, reference
from accelsim.validation.result import EXACT, Case, Rank, Report, spearman
from accelsim.workloads.layer import DIMS, Layer
from cost_models.loopnest import layout as L

FILES = ("reference/maestro/networks.csv", "reference/maestro/micro.csv")
RELEVANT = {"W": "GKCRS", "I": "NGCPQRS"}
WRAP = "wrap: when an outer loop advances, theirs does not reload the first tile of the loops inside"
DEFECT = "defect: a row that the data's own check flags, below the compulsory traffic"
CUT = "cut tile: theirs counts (some) tiles cut short at an edge at full size"
HALO = "halo: theirs shares overlap by rules of its own, between each input once and each unit alone"
IDLE = "idle units: theirs averages the units at work in cut tiles in its own way"


class ClusterLevel(NamedTuple):
    """One level of a dataflow: loop order, tile handed on, spatial maps as (dimension, factor, tiles)."""

    order: list[str]
    tile: dict[str, int]
    spatial: list[tuple[str, int, int]]
    units: int


class Nest(NamedTuple):
    """A row as a layer and levels, outermost first."""

    layer: Layer
    levels: list[ClusterLevel]


def report(data: Path | None) -> Report:
    """Rows at stride 1 without the flags X and M of the reference folder, else the shipped ones."""
    shipped = facts("maestro")
    files = [reference(data, name) for name in FILES]
    if all(files):
        rows: list[dict[str, Any]] = [row for file in files if file is not None for row in read_rows(file)]
    else:
        rows = [dict(zip(shipped["columns"], row, strict=True)) for row in shipped["rows"]]
    kept = [row for row in rows if usable(row)]
    cases: list[Case] = []
    for row in kept:
        cases += compare(row)
    rules = Counter(case.rule for case in cases if case.verdict == "explained")
    ratios = [c.ours / c.theirs for c in cases if c.quantity.startswith("runtime")]
    tenth, middle, ninth = np.percentile(ratios, (10, 50, 90))
    return Report(
        "maestro",
        "MAESTRO",
        "another model, run on the same mappings",
        shipped["source"],
        tuple(cases),
        tuple(_ranks(kept, cases)),
        assumptions=(
            "L2, clusters and PEs hold all tensors; units of a level share a read, partial sums are added "
            "up between them; overlap of windows is shared between PEs, not between clusters; one NoC "
            "bandwidth at every level.",
            "Runtime without off-chip traffic and with one MAC a cycle and SIMD lane.",
        ),
        fitted=("Nothing.",),
        findings=(
            f"Runtime is {middle:.2f} of MAESTRO's in the middle, {tenth:.2f} and {ninth:.2f} at the "
            "tenths: theirs adds the first fill of a cluster to every step of the level above, ours hides "
            "it behind compute.",
            *(f"{number} x {rule}." for rule, number in rules.most_common()),
        ),
        skipped=(
            f"{len(rows) - len(kept)} rows with a stride or with the flags X (failed) or M (wrong MACs).",
            *(() if all(files) else (missing(FILES[0], f"all but {len(rows)} rows"),)),
        ),
    )  # fmt: skip


def usable(row: dict[str, Any]) -> bool:
    """Whether a row is one to compare with."""
    return int(row["stride"]) == 1 and not set("XM") & set(row["flags"])


def read(row: dict[str, Any]) -> Nest:
    """A row's mapping, in the notation of the reference data: `T K 2/2; S Y 3/1; .. |cluster 4| ..`."""
    size = {key: int(row[key]) for key in ("K", "C", "R", "S", "out_y", "out_x")}
    depthwise = row["type"] == "DSCONV"
    dims = {"K": size["K"], "C": size["C"], "P": size["out_y"], "Q": size["out_x"]}
    dims |= {"R": size["R"], "S": size["S"], "G": 1, "N": 1}
    if depthwise:
        dims |= {"G": size["C"], "K": 1, "C": 1}
    parts = re.split(r"\|cluster (\d+)\|", row["mapping"])
    clusters = [int(n) for n in parts[1::2]]
    levels = []
    own = dict(dims)
    for text, units in zip(parts[::2], [int(row["num_pes"]) // math.prod(clusters), *clusters], strict=True):
        level = _level(text, units, own, depthwise)
        levels.append(level)
        own = dict(level.tile)
        for d, factor, _ in level.spatial:
            own[d] = -(-own[d] // factor)
    return Nest(Layer(**{d: dims[d] for d in DIMS}), levels)  # type: ignore[arg-type]


def _level(text: str, units: int, own: dict[str, int], depthwise: bool) -> ClusterLevel:
    maps = [item.split() for item in text.split(";")]
    taps = {d: int(size.split("/")[0]) for _, d, size in maps if d in "RS"}
    diagonal = {d for kind, d, _ in maps if kind == "S"} == {"Y", "R"}
    tile, order, spatial = dict(own), [], []
    for kind, name, text_size in maps:
        size = int(text_size.split("/")[0])
        if name in ("Y", "X"):
            if diagonal and name == "Y":  # the rows of the kernel carry it along
                continue
            d, tap = ("P", "R") if name == "Y" else ("Q", "S")
            size += 1 - min(taps.get(tap, own[tap]), own[tap])
        else:
            d = {"Y'": "P", "X'": "Q", "C": "G" if depthwise else "C"}.get(name, name)
        size = min(size, own[d])
        order.append(d)
        if kind == "T":
            tile[d] = size
        else:
            tiles = -(-own[d] // size)
            factor = min(units, tiles)
            tile[d] = min(own[d], factor * size)
            spatial.append((d, factor, tiles))
    return ClusterLevel(order, tile, spatial, units)


def price(nest: Nest, noc_bw: float) -> tuple[Counts, dict[str, dict[str, Any]]]:
    """Counts, and the traffic between L2 and the level below by tensor.

    Below the units of an outer level stand wires that hold nothing: so windows share no overlap there.
    """
    memories: list[dict[str, Any]] = []
    levels: list[tuple[list[str], dict[str, int], list[tuple[str, int, int]]]] = []
    for i, level in enumerate(nest.levels):
        able = {"multicast": True, "reduction": True, "forwarding": True}
        fanout = [{"size": factor, **able} for _, factor, _ in level.spatial]
        memories.append({"name": "L2" if i == 0 else f"cluster{i}", "holds": list("WIO"), "fanout": fanout})
        levels.append((level.order, level.tile, level.spatial))
        if i < len(nest.levels) - 1:
            below = dict(level.tile)
            for d, factor, _ in level.spatial:
                below[d] = -(-below[d] // factor)
            memories.append({"name": f"wires{i}", "holds": [], "fanout": []})
            levels.append(([], below, []))
    memories.append({"name": "PE", "holds": list("WIO"), "fanout": []})
    levels.append(([], dict.fromkeys(DIMS, 1), []))
    batch = Batch.empty(1, len(levels))
    for m, (order, tile, spatial) in enumerate(levels):
        batch.tile[0, m] = [tile[d] for d in DIMS]
        batch.order[0, m] = [DIMS.index(d) for d in (*(x for x in DIMS if x not in order), *order)]
        for a, (d, factor, _) in enumerate(spatial):
            batch.axis_dim[0, m, a], batch.axis_factor[0, m, a] = DIMS.index(d), factor
    machine = bare_machine(memories)
    served = [m for m, memory in enumerate(memories[:-1]) if memory["holds"]]
    machine.memory[served, L.READ_CPB : L.WRITE_CPB + L.NTENSOR] = 1.0 / noc_bw
    machine.memory[served, L.WRITE_PORT : L.WRITE_PORT + L.NTENSOR] = 1.0
    counts = count(pack_layer(nest.layer), machine, batch)
    assert counts.status[0] == L.OK, counts.status
    rows = traffic_rows([m["name"] for m in memories], machine.holds, counts.traffic[0])
    return counts, {row["tensor"]: row for row in rows if row["parent"] == "L2"}


def compare(row: dict[str, Any]) -> list[Case]:
    """MACs, PEs at work, reads of the L2 and runtime of one row."""
    nest = read(row)
    counts, traffic = price(nest, float(row["noc_bw"]))
    name = f"{row['layer']} {row['dataflow']} {row['hw_id']}"
    pes = math.prod(
        tiles / -(-tiles // level.units) for level in nest.levels for _, _, tiles in level.spatial
    )
    theirs = float(row["avg_active_pes"])
    close = (-1e-5, 1e-5)  # printed with six digits
    idle = IDLE if len(nest.levels) > 1 and _cut(nest, DIMS) else ""
    cases = [
        Case(name, "MACs", float(row["num_macs"]), nest.layer.macs, EXACT),
        Case(name, "PEs at work", theirs, pes, close, idle),
    ]  # fmt: skip
    for tensor, word in (("W", "filter"), ("I", "input")):
        got, ours = float(row[f"{word}_l2_read"]), traffic[tensor]["parent_words"]
        alone = traffic[tensor]["child_words"]
        rule = _rule(nest, tensor, got, ours, alone, flagged=word[0].upper() in row["flags"])
        cases.append(Case(name, f"{word} reads of L2", got, ours, EXACT, rule))
    lanes = float(row["simd_lanes"])
    if lanes == 1.0 and float(row["offchip_bw"]) >= 1e6:
        runtime = float(row["runtime_cycles"])
        word = "runtime, networks" if row["set"] == "net" else "runtime, small layers"
        cases.append(Case(name, word, runtime, float(counts.summary[0, L.LATENCY]), None))
    return cases


def _loops(nest: Nest) -> list[tuple[str, int]]:
    """Loops of the top level that run more than once, outermost first."""
    top, dims = nest.levels[0], nest.layer.dims
    order = [*(d for d in DIMS if d not in top.order), *top.order]
    return [(d, n) for d in order if (n := -(-dims[d] // top.tile[d])) > 1]


def _cut(nest: Nest, dims: str | tuple[str, ...]) -> float:
    """How much larger the layer's `dims` are if every tile is whole; 0 if none is cut."""
    whole = 1.0
    for d in dims:
        size = nest.layer.dims[d]
        own = size
        padded = 1
        for level in nest.levels:
            parts = math.prod(factor for x, factor, _ in level.spatial if x == d)
            padded *= -(-own // level.tile[d]) * parts
            own = -(-level.tile[d] // parts)
        whole *= padded * own / size
    return whole if whole > 1.0 else 0.0


def _rule(nest: Nest, tensor: str, theirs: float, ours: float, alone: float, *, flagged: bool) -> str:
    """The difference of the two models behind a count, "" where none of the known ones reaches that far."""
    if flagged and ours > theirs:
        return DEFECT
    loops = _loops(nest)
    inner = [i for i, (d, _) in enumerate(loops) if d in RELEVANT[tensor]]
    if inner and inner[-1] > 0:
        most = math.prod(loops[i][1] / (loops[i][1] - 1) for i in inner)
        if theirs < ours <= theirs * most * (1 + 1e-12):
            return WRAP
    cut = _cut(nest, tuple(RELEVANT[tensor]))
    if ours < theirs and theirs <= ours * cut * (1 + 1e-12):
        return CUT
    if tensor == "I" and max(nest.layer.R, nest.layer.S) > 1 and _inputs(nest.layer) <= theirs <= alone:
        return HALO
    return ""


def _inputs(layer: Layer) -> int:
    """Elements of the input, at stride 1."""
    return layer.N * layer.G * layer.C * (layer.P + layer.R - 1) * (layer.Q + layer.S - 1)


def _ranks(rows: list[dict[str, Any]], cases: list[Case]) -> list[Rank]:
    """Rank correlation of runtime over the dataflows, mean over layers and machines of the networks."""
    ours = {c.name: (c.theirs, c.ours) for c in cases if c.quantity == "runtime, networks"}
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        name = f"{row['layer']} {row['dataflow']} {row['hw_id']}"
        if name in ours:
            groups[f"{row['network']} {row['layer']} {row['hw_id']}"].append(ours[name])
    found = [
        spearman([a for a, _ in pairs], [b for _, b in pairs])
        for pairs in groups.values()
        if len(pairs) >= 5 and len({a for a, _ in pairs}) > 1
    ]
    if not found:
        return []
    every = list(ours.values())
    return [
        Rank("runtime over dataflows, mean of layers and machines", len(found), float(np.mean(found))),
        Rank("runtime, all network rows", len(every), spearman([a for a, _ in every], [b for _, b in every])),
    ]
