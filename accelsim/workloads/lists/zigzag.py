"""Layers of a ZigZag workload: an equation, whose indices have roles by operands (Mei et al., IEEE TC 2021).

Precisions and sources of operands are left aside.
"""

from __future__ import annotations

import re
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer, check_size
from accelsim.workloads.lists.roles import Sum, layer

_RELATION = r"(\w+)=(?:(\d+)\*)?(\w+)\+(?:(\d+)\*)?(\w+)"
_KEYS = (
    "id", "name", "operator_type", "equation", "dimension_relations", "loop_dims", "loop_sizes",
    "loop_dim_size", "pr_loop_dims", "pr_loop_sizes", "padding", "operand_precision", "operand_source",
)  # fmt: skip


def read(entry: Any, path: str) -> Layer:
    """The layer of one entry. Raises AccelsimError naming its path."""
    if not isinstance(entry, dict) or "equation" not in entry:
        raise AccelsimError(f"{path} must be a layer with an equation, but got {entry!r:.80}")
    for key in entry:
        close = nearest(str(key), _KEYS)
        if key not in _KEYS and "did you mean" in close:
            raise AccelsimError(f"{path}: unknown key {key!r:.80}{close}")
    sizes = _sizes(entry, path)
    out, left, right = _operands(str(entry["equation"]), path)
    relations = _relations(entry, path)
    weights, image = _roles(left, right, relations)
    lost = [x for x in image if x not in sizes and x not in relations]
    lost += [x for x in out if x not in sizes]
    if lost:
        raise AccelsimError(
            f"{path}: index {lost[0]!r} has no size in loop_dims; "
            f"relations must give input indices by output and kernel indices, as in ix=1*ox+1*fx"
        )
    kind = str(entry.get("operator_type", "")).lower()
    op = "pool" if "pool" in kind else "eltwise" if kind in ("add", "elementwise") else ""
    spans = sorted((x for x in image if x in relations), key=lambda x: (not x.endswith("y"), image.index(x)))
    axes: list[str | Sum] = [*(relations[x] for x in spans), *(x for x in image if x not in relations)]
    try:
        return layer(sizes, out, weights, axes, op, str(entry.get("name") or entry.get("id", "")))
    except AccelsimError as fault:
        raise AccelsimError(f"{path}: {fault}") from None


def _relations(entry: dict[str, Any], path: str) -> dict[str, Sum]:
    """By index made: the two that it is a sum of, each with its coefficient."""
    found: dict[str, Sum] = {}
    for text in entry.get("dimension_relations") or []:
        match = re.fullmatch(_RELATION, str(text).replace(" ", "").lower(), re.ASCII)
        if match is None or match[1] in found:
            raise AccelsimError(f"{path}.dimension_relations: cannot read {text!r:.80}")
        made, a, x, b, y = match.groups()
        found[made] = Sum(x, int(a or 1), y, int(b or 1))
    return found


def _sizes(entry: dict[str, Any], path: str) -> dict[str, int]:
    if isinstance(entry.get("loop_dim_size"), dict):
        pairs = list(entry["loop_dim_size"].items())
    else:
        dims, sizes = entry.get("loop_dims"), entry.get("loop_sizes")
        if not isinstance(dims, list) or not isinstance(sizes, list) or len(dims) != len(sizes):
            raise AccelsimError(f"{path}: loop_dims and loop_sizes must be lists of one length")
        pairs = list(zip(dims, sizes))
    found: dict[str, int] = {}
    for dim, n in pairs:
        index = str(dim).lower()
        if index in found:
            raise AccelsimError(f"{path}: {dim} has two sizes")
        found[index] = check_size(n, f"{path}: size of {dim}")
    return found


def _operands(equation: str, path: str) -> tuple[list[str], tuple[str, list[str]], tuple[str, list[str]]]:
    match = re.fullmatch(
        r"(\w+)((?:\[\w+\])+)\+?=(\w+)((?:\[\w+\])*)[*+](\w+)((?:\[\w+\])*)", equation.replace(" ", "")
    )
    if match is None:
        raise AccelsimError(f"{path}.equation: cannot read {equation!r:.120}")
    indices = [re.findall(r"\w+", match[i].lower()) for i in (2, 4, 6)]
    return indices[0], (match[3], indices[1]), (match[5], indices[2])


def _roles(
    left: tuple[str, list[str]], right: tuple[str, list[str]], relations: dict[str, Sum]
) -> tuple[list[str], list[str]]:
    """(indices of the weights, of the inputs): weights are the operand W, or the one that does not slide."""
    swap = left[0].upper() != "W" and (right[0].upper() == "W" or not any(x in relations for x in right[1]))
    return (right[1], left[1]) if swap else (left[1], right[1])
