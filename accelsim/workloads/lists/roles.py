"""The layer of a sum of products that a file gives as sizes, indices of operands, and sums of indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer


class Sum(NamedTuple):
    """An index of the inputs that is `a * x + b * y`: an output index and a kernel index."""

    x: str
    a: int
    y: str
    b: int


def layer(
    sizes: Mapping[str, int], out: Sequence[str], weights: Sequence[str], image: Sequence[str | Sum],
    op: str = "", name: str = "",
) -> Layer:  # fmt: skip
    """The layer, rows before columns: the first two sums of `image` slide, a third is images and channels.

    Indices of output, weights and inputs are groups; of output and weights K; of output and inputs N, or P of
    a matrix product; of weights and inputs C. Without `op` it is a convolution if anything slides. Raises
    AccelsimError for an index without a size, or one that no such layer has.
    """
    sums = [x for x in image if isinstance(x, Sum)]
    single = {x for x in image if isinstance(x, str)}
    used = {*out, *weights, *single, *(i for s in sums for i in (s.x, s.y))}
    for index in sorted(used - sizes.keys()):
        raise AccelsimError(f"index {index!r:.80} has no size")
    for index in sizes:
        if index not in used and sizes[index] > 1:
            raise AccelsimError(f"index {index!r:.80} has a size, but no operand has it")
    for where, indices in (("the output", out), ("the weights", weights)):
        twice = next((x for x in indices if list(indices).count(x) > 1), None)
        if twice:
            raise AccelsimError(f"index {twice!r:.80} stands twice in {where}")
    op = op or ("conv" if sums else "gemm")
    size = dict.fromkeys(("N", "G", "K", "C", "P", "Q", "R", "S"), 1)
    stride, dilation, sliding = [1, 1], [1, 1], set[str]()
    for i, one in enumerate(sums[:2]):
        x, a, y, b = one if one.x in out else Sum(one.y, one.b, one.x, one.a)
        if x not in out or y in out or {x, y} & sliding:
            raise AccelsimError(f"{_text(one)} is no sum of an output index and a kernel index of its own")
        if a < 1 or b < 1:
            raise AccelsimError(f"{_text(one)} must have factors of at least 1")
        size["PQ"[i]], size["RS"[i]] = sizes[x], sizes[y]
        stride[i], dilation[i] = a, b
        sliding |= {x, y}
    inner = single | {i for s in sums[2:] for i in (s.x, s.y)}
    for index, n in sizes.items():
        if index in sliding or index not in used:
            continue
        role = _role(index, index in out, index in weights, index in inner, op, bool(sliding))
        size[role] *= n
    if op == "pool":
        size["G"], size["K"], size["C"] = size["G"] * size["K"] * size["C"], 1, 1
    if op == "eltwise":
        size["C"] = 2
    return Layer(**size, stride=tuple(stride), dilation=tuple(dilation), op=op, name=name)  # type: ignore[arg-type]


def _role(index: str, out: bool, weighs: bool, read: bool, op: str, slides: bool) -> str:
    if op == "eltwise":
        return {"b": "N", "n": "N", "oy": "P", "ox": "Q"}.get(index, "G")
    if out and weighs:
        return "G" if read else "K"
    if out:
        if not read:
            raise AccelsimError(f"index {index!r:.80} is in the output alone")
        if index in ("b", "n", "N", "B"):
            return "N"
        return "G" if op == "pool" else "N" if slides else "P"
    if not (weighs and read) and op != "pool":
        raise AccelsimError(f"index {index!r:.80} is summed over in one operand alone")
    return "C"


def _text(one: Sum) -> str:
    return f"{one.a}*{one.x}+{one.b}*{one.y}"
