"""Which parts of the contract a case really exercises.

A rule counts as exercised only if the case would come out different without it: the oracle is asked again,
with one capability of the machine flipped or one rule replaced. What is plain from the case is read off it.
"""

from __future__ import annotations

from collections.abc import Set
from copy import deepcopy
from functools import cached_property
from math import gcd
from typing import Any

from tests.oracle.generate import handed
from tests.oracle.other_rules import RULES, NoSliding
from tests.oracle.walk import DIMS, Flow, Problem, flows_of, walk

Case = dict[str, Any]


FLIPS = {
    ("multicast", False): {"W": "multicast-shared:W", "I": "multicast-shared:I"},
    ("multicast", True): {"W": "multicast-missing:W", "I": "multicast-missing:I"},
    ("reduction", False): {"O": "reduction"},
    ("reduction", True): {"O": "no-reduction"},
    ("forwarding", False): {"I": "forwarding-kept"},
    ("forwarding", True): {"I": "forwarding-missing"},
}
"""A capability given to all axes or taken from all: the feature it shows when words of a tensor change."""

COUNTED = frozenset([*(f"stationary:{t}" for t in "WIO"), "psum-readback", "psum-none"])
"""Read off the counts themselves."""

NAMES = frozenset(
    [
        *(f"memories-{n}" for n in (2, 3, 4, 5)),
        *(f"bypass:{t}" for t in "WIO"), "bypass-with-axes", "holds-nothing",
        "batch", "groups", "depthwise", "stride", "dilation", "gap", "halo",
        "edge-temporal", "edge-temporal-twice", "edge-spatial", "edge-spatial-and-temporal", "idle-instance",
        "axes-3", "axis-unused", "factor-beyond-tile", "multi-axis-one-dim", "multi-axis-mixed-capability",
        "order-left-out",
        *COUNTED, "sliding-kept:child", "sliding-kept:parent", *RULES,
        *(name for names in FLIPS.values() for name in names.values()),
    ]
)  # fmt: skip
"""All names that `features` may return."""


def features(case: Case, among: Set[str] = NAMES) -> set[str]:
    """Return the features of a case, out of `among`; the fewer are asked for, the fewer walks it takes."""
    return (_of_layer(case["layer"]) | _of_machine(case) | _of_tiles(case) | _of_counts(case, among)) & among


def _of_layer(layer: dict[str, Any]) -> set[str]:
    size = {d: layer["dims"].get(d, 1) for d in DIMS}
    found = set()
    if size["N"] > 1:
        found.add("batch")
    if size["G"] > 1:
        found.add("depthwise" if size["K"] == size["C"] == 1 else "groups")
    for out, kernel, stride, dilation in zip("PQ", "RS", layer["stride"], layer["dilation"]):
        touched = {p * stride + r * dilation for p in range(size[out]) for r in range(size[kernel])}
        if stride > 1 and size[out] > 1:
            found.add("stride")
        if dilation > 1 and size[kernel] > 1:
            found.add("dilation")
        if (
            len(touched) < max(touched) + 1
            and gcd(stride, dilation) == 1
            and min(size[out], size[kernel]) > 1
        ):
            found.add("gap")
        if len(touched) < size[out] * size[kernel]:
            found.add("halo")
    return found


def _of_machine(case: Case) -> set[str]:
    memories, levels = case["memories"], case["mapping"]["levels"]
    found = {f"memories-{len(memories)}"}
    for memory, level in zip(memories, levels):
        passing = set("WIO") - set(memory["holds"])
        found |= {f"bypass:{t}" for t in passing}
        if passing and level["spatial"]:
            found.add("bypass-with-axes")
        if not memory["holds"]:
            found.add("holds-nothing")
        if len(level["spatial"]) == 3:
            found.add("axes-3")
        if len(level["spatial"]) < len(memory["fanout"]):
            found.add("axis-unused")
        if len(level["order"]) < len(DIMS):
            found.add("order-left-out")
        carried: dict[str, list[Any]] = {}
        for axis in memory["fanout"]:
            if axis["axis"] in level["spatial"]:
                able = (axis["multicast"], axis["reduction"], axis["forwarding"])
                carried.setdefault(level["spatial"][axis["axis"]]["dim"], []).append(able)
        for able_ones in carried.values():
            if len(able_ones) > 1:
                found.add("multi-axis-one-dim")
            if len(set(able_ones)) > 1:
                found.add("multi-axis-mixed-capability")
    return found


def _of_tiles(case: Case) -> set[str]:
    """Edges on the way of the first instance's full tiles: these are always met."""
    found = set()
    tile = {d: case["layer"]["dims"].get(d, 1) for d in DIMS}
    ragged = dict.fromkeys(DIMS, 0)
    for memory, level in zip(case["memories"], case["mapping"]["levels"]):
        left = {d: level["tile"].get(d, tile[d]) for d in DIMS}
        for d in DIMS:
            if tile[d] % left[d]:
                ragged[d] += 1
                found.add("edge-temporal" if ragged[d] == 1 else "edge-temporal-twice")
        for axis in memory["fanout"]:
            if axis["axis"] in level["spatial"]:
                dim, factor = (level["spatial"][axis["axis"]][k] for k in ("dim", "factor"))
                if factor > left[dim]:
                    found.add("factor-beyond-tile")
                full, part = divmod(left[dim], -(-left[dim] // factor))
                if part:
                    found |= {"edge-spatial"} | ({"edge-spatial-and-temporal"} if ragged[dim] else set())
                if full + (part > 0) < factor:
                    found.add("idle-instance")
                left[dim] = -(-left[dim] // factor)
        tile = handed(tile, level, memory)
    return found


def _of_counts(case: Case, among: Set[str]) -> set[str]:
    found = set()
    base = Result(case)
    if among & COUNTED:
        for row in base.traffic:
            if row["child"] != "MAC" and row["fills"] < base.most_fills(row["child"]):
                found.add(f"stationary:{row['tensor']}")
            if row["tensor"] == "O":
                found.add("psum-readback" if row["parent_psum_reads"] else "psum-none")
    if among & {"sliding-kept:child", "sliding-kept:parent"}:
        found |= {f"sliding-kept:{side}" for _, side in base.changed(case, NoSliding, "I")}
    for name, flow in RULES.items():
        if name in among and base.changed(case, flow, "I"):
            found.add(name)
    for (capability, value), names in FLIPS.items():
        tensors = "".join(t for t in names if names[t] in among)
        if tensors:
            found |= {names[t] for t, _ in base.changed(_with(case, capability, value), Flow, tensors)}
    return found


class Result:
    """What the oracle says of a case, asked when first needed."""

    def __init__(self, case: Case) -> None:
        self.case = case

    @cached_property
    def traffic(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = walk(**self.case)["traffic"]
        return rows

    def most_fills(self, child: str) -> int:
        """Return how often some tensor's tile in a memory changes."""
        return max(row["fills"] for row in self.traffic if row["child"] == child)

    def changed(self, other: Case, flow: type[Flow], tensors: str) -> set[tuple[str, str]]:
        """Return (tensor, "parent" or "child") of words that differ in another case or by another rule."""
        if _decisions(self.case, Flow, tensors) == _decisions(other, flow, tensors):
            return set()  # nothing is decided otherwise, so nothing can be counted otherwise: spare the walk
        rows = sorted(
            (r for r in self.traffic if r["tensor"] in tensors), key=lambda r: tensors.index(r["tensor"])
        )
        return {
            (a["tensor"], side)
            for a, b in zip(rows, walk(**other, flow=flow, tensors=tensors)["traffic"], strict=True)
            for side in ("parent", "child")
            if a[f"{side}_words"] != b[f"{side}_words"]
        }


def _decisions(case: Case, flow: type[Flow], tensors: str) -> list[Any]:
    return [(f.slides_child, f.slides_parent, f.separate) for f in flows_of(Problem(**case), flow, tensors)]


def _with(case: Case, capability: str, value: bool) -> Case:
    """Return the same case on a machine where every axis has, or lacks, a capability."""
    case = deepcopy(case)
    for memory in case["memories"]:
        for axis in memory["fanout"]:
            axis[capability] = value
    return case
