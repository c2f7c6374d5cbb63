"""Layers as YAML: problems of Timeloop, and workloads of ZigZag.

Timeloop gives sizes by name; which stride goes with `P` and which with `Q` follows from the projection of the
inputs, in its own shape `cnn-layer` Wstride with P and Hstride with Q (Parashar et al., ISPASS 2019). ZigZag
gives an equation, whose indices have their roles by the operands that they select (Mei et al., IEEE TC 2021).
"""

from __future__ import annotations

import re
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer, check_size

_MOST_VALUES = 1_000_000
_MOST_TEXT = 2_000_000  # half a minute of reading


def read(text: str) -> list[Layer]:
    """The layers. Raises AccelsimError."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise AccelsimError("reading YAML needs the PyYAML package: pip install 'accelsim[yaml]'") from None
    if len(text) > _MOST_TEXT:
        raise AccelsimError(
            f"layers as YAML may take at most {_MOST_TEXT:,} characters, but take {len(text):,}"
        )
    try:
        roots = list(yaml.compose_all(text, yaml.SafeLoader))
        _check_aliases(roots)
        documents = [yaml.SafeLoader("").construct_document(root) for root in roots if root is not None]
        documents = [d for d in documents if d is not None]
    except AccelsimError:
        raise
    except RecursionError:
        raise AccelsimError("not YAML: nested too deeply") from None
    except Exception as fault:  # its constructors raise many types for values like !!bool 7
        raise AccelsimError(f"not YAML: {' '.join(str(fault).split())[:200]}") from None
    out: list[Layer] = []
    for document in documents:
        if isinstance(document, dict) and "problem" in document:
            out.append(_timeloop(document["problem"]))
        elif isinstance(document, list):
            out += [_zigzag(entry, f"[{i}]") for i, entry in enumerate(document)]
        elif isinstance(document, dict) and isinstance(document.get("layers"), list):
            out += [_zigzag(entry, f"layers[{i}]") for i, entry in enumerate(document["layers"])]
        else:
            raise AccelsimError(
                "neither a Timeloop problem (problem: ...) nor a ZigZag workload (a list of layers)"
            )
    if not out:
        raise AccelsimError("the file has no layers")
    return out


def _check_aliases(roots: list[Any]) -> None:
    """Raise AccelsimError where aliases make a document endless, or of 10^9 values in a kilobyte."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = _MOST_VALUES + 1  # until it is known: what holds itself is too large
            parts = node.value if isinstance(node.value, list) else ()
            known = 1 + sum(sum(map(size, x)) if isinstance(x, tuple) else size(x) for x in parts)
            sizes[id(node)] = known
        return known

    if sum(map(size, filter(None, roots))) > _MOST_VALUES:
        raise AccelsimError(f"its aliases stand for more than {_MOST_VALUES:,} values, or hold themselves")


# -- Timeloop ------------------------------------------------------------------------------------------


def _timeloop(problem: Any) -> Layer:
    if not isinstance(problem, dict):
        raise AccelsimError(f"problem must be a mapping, but got {problem!r:.80}")
    instance = problem.get("instance", problem)
    if not isinstance(instance, dict):
        raise AccelsimError(f"problem.instance must be a mapping, but got {instance!r:.80}")
    shape = problem.get("shape", "cnn-layer")
    name = shape.get("name", "") if isinstance(shape, dict) else ""

    def size(*keys: str) -> int:
        value = next((instance[key] for key in keys if key in instance), 1)
        return check_size(value, f"problem.{keys[0]}")

    said = shape.get("dimensions") if isinstance(shape, dict) else None
    known = set("CKMRSPQNG")
    extra = [d for d in said or [] if d not in known and size(d) > 1]
    if extra:
        raise AccelsimError(
            f"problem.shape has the dimensions {', '.join(map(str, extra))}, which a convolution or a matrix "
            f"product has not"
        )
    with_p, with_q = _pairs(shape)
    if not any(key in instance for key in "CKMPQRSN"):
        raise AccelsimError("problem gives no sizes (C, K or M, P, Q, R, S, N)")
    return Layer(
        size("N"), size("G"), size("M", "K"), size("C"), size("P"), size("Q"), size("R"), size("S"),
        (size(with_p["stride"]), size(with_q["stride"])),
        (size(with_p["dilation"]), size(with_q["dilation"])),
        name=re.sub(r"\s+", "_", str(name)) if said else "",
    )  # fmt: skip


def _pairs(shape: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Names of the coefficients of P and R, and of Q and S, from the projections of the shape."""
    found = {"P": "Wstride", "R": "Wdilation", "Q": "Hstride", "S": "Hdilation"}
    spaces = (shape.get("data-spaces") or shape.get("data_spaces") or []) if isinstance(shape, dict) else []
    for space in spaces:
        for axis in space.get("projection", []) if isinstance(space, dict) else []:
            for term in axis if isinstance(axis, list) else []:
                if isinstance(term, list) and len(term) == 2 and term[0] in found:
                    found[term[0]] = str(term[1])
    return (
        {"stride": found["P"], "dilation": found["R"]},
        {"stride": found["Q"], "dilation": found["S"]},
    )


# -- ZigZag --------------------------------------------------------------------------------------------


_RELATION = r"(\w+)=(?:(\d+)\*)?(\w+)\+(?:(\d+)\*)?(\w+)"


def _zigzag(entry: Any, path: str) -> Layer:
    if not isinstance(entry, dict) or "equation" not in entry:
        raise AccelsimError(f"{path} must be a layer with an equation, but got {entry!r:.80}")
    name = str(entry.get("name") or entry.get("id", ""))
    sizes = _sizes(entry, path)
    out, left, right = _operands(str(entry["equation"]), path)
    relations = _relations(entry, path)
    weights, image = _roles(left, right, relations)
    lost = [x for x in (*out, *image) if x not in sizes and x not in relations]
    if lost or any(x not in sizes for x in out):
        raise AccelsimError(
            f"{path}: index {(lost or [x for x in out if x not in sizes])[0]!r} has no size in loop_dims; "
            f"relations must give input indices by output and kernel indices, as in ix=1*ox+1*fx"
        )
    size = dict.fromkeys(("N", "G", "K", "C", "P", "Q", "R", "S"), 1)
    stride, dilation, sliding = [1, 1], [1, 1], set()
    spans = [x for x in image if x in relations]
    for i, index in enumerate(sorted(spans, key=lambda x: (not x.endswith("y"), image.index(x)))[:2]):
        x, a, y, b = relations[index]
        if x not in out:
            x, a, y, b = y, b, x, a
        if x not in out or y in out or x not in sizes or y not in sizes:
            raise AccelsimError(f"{path}: {index} is no sum of an output index and a kernel index with sizes")
        size["PQ"[i]], size["RS"[i]] = sizes[x], sizes[y]
        stride[i], dilation[i] = a, b
        sliding |= {x, y}
    kind = str(entry.get("operator_type", "")).lower()
    pooled, alone = "pool" in kind, kind in ("add", "elementwise")
    op = "pool" if pooled else "eltwise" if alone else "conv" if sliding else "gemm"
    for index, n in sizes.items():
        if index in sliding:
            continue
        if index in out:
            size[_of_output(index, op, bool(sliding), index in weights, index in image)] *= n
        elif index in weights or index in image:
            size["C"] *= n
    if op == "pool":
        size["G"], size["K"] = size["G"] * size["K"] * size["C"], 1
        size["C"] = 1
    if op == "eltwise":
        size["C"] = 2
    return Layer(**size, stride=tuple(stride), dilation=tuple(dilation), op=op, name=name)  # type: ignore[arg-type]


def _relations(entry: dict[str, Any], path: str) -> dict[str, tuple[str, int, str, int]]:
    """By index made: the two that it is a sum of, each with its coefficient."""
    found = {}
    for text in entry.get("dimension_relations") or []:
        match = re.fullmatch(_RELATION, str(text).replace(" ", "").lower())
        if match is None:
            raise AccelsimError(f"{path}.dimension_relations: cannot read {text!r:.80}")
        made, a, x, b, y = match.groups()
        found[made] = (x, int(a or 1), y, int(b or 1))
    return found


def _of_output(index: str, op: str, slides: bool, weighs: bool, shared: bool) -> str:
    """The dimension of an `index` of the output: `weighs` if in the weights too, `shared` if in the image."""
    if op == "eltwise":
        return {"b": "N", "n": "N", "oy": "P", "ox": "Q"}.get(index, "G")
    if weighs:
        return "G" if shared else "K"
    if index in ("b", "n"):
        return "N"
    return "G" if op == "pool" else "N" if slides else "P"


def _sizes(entry: dict[str, Any], path: str) -> dict[str, int]:
    if isinstance(entry.get("loop_dim_size"), dict):
        pairs = list(entry["loop_dim_size"].items())
    else:
        dims, sizes = entry.get("loop_dims"), entry.get("loop_sizes")
        if not isinstance(dims, list) or not isinstance(sizes, list) or len(dims) != len(sizes):
            raise AccelsimError(f"{path}: loop_dims and loop_sizes must be lists of one length")
        pairs = list(zip(dims, sizes))
    return {str(dim).lower(): check_size(n, f"{path}: size of {dim}") for dim, n in pairs}


def _operands(equation: str, path: str) -> tuple[list[str], tuple[str, list[str]], tuple[str, list[str]]]:
    match = re.fullmatch(
        r"(\w+)((?:\[\w+\])+)\+?=(\w+)((?:\[\w+\])*)[*+](\w+)((?:\[\w+\])*)", equation.replace(" ", "")
    )
    if match is None:
        raise AccelsimError(f"{path}.equation: cannot read {equation!r:.120}")
    indices = [re.findall(r"\w+", match[i].lower()) for i in (2, 4, 6)]
    return indices[0], (match[3], indices[1]), (match[5], indices[2])


def _roles(
    left: tuple[str, list[str]], right: tuple[str, list[str]], relations: dict[str, Any]
) -> tuple[set[str], list[str]]:
    """(indices of the weights, of the inputs): weights are the operand W, or the one that does not slide."""
    swap = left[0].upper() != "W" and (right[0].upper() == "W" or not any(x in relations for x in right[1]))
    weights, image = (right[1], left[1]) if swap else (left[1], right[1])
    return set(weights), image
