"""A problem of Timeloop: sizes by name, and a shape that says which operand has which.

Its own shape `cnn-layer` has Wstride with P and Hstride with Q (Parashar et al., ISPASS 2019); a shape in the
file says so in the projections of its data spaces, with the coefficients' defaults.
"""

from __future__ import annotations

import re
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer, check_size
from accelsim.workloads.lists.roles import Sum, layer

_SIZES = ("N", "G", "C", "K", "M", "P", "Q", "R", "S")
_COEFFICIENTS = ("Wstride", "Hstride", "Wdilation", "Hdilation")
_BESIDE = ("shape", "version", "name", "type", "instance")


def read(problem: Any) -> Layer:
    """The layer. Raises AccelsimError naming the place in the problem."""
    if not isinstance(problem, dict):
        raise AccelsimError(f"problem must be a mapping, but got {problem!r:.80}")
    instance = problem.get("instance", problem)
    if not isinstance(instance, dict):
        raise AccelsimError(f"problem.instance must be a mapping, but got {instance!r:.80}")
    shape = problem.get("shape", "cnn-layer")
    if isinstance(shape, dict):
        return _own(shape, instance)
    if shape not in ("cnn-layer", "cnn-layer.yaml"):
        raise AccelsimError(
            f"problem.shape {shape!r:.80} stands in another file; write it here, or cnn-layer"
        )
    return _convolution(instance)


def _number(instance: dict[str, Any], key: str, default: Any = 1) -> int:
    return check_size(instance.get(key, default), f"problem.{key}")


def _check_keys(instance: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in instance:
        if key not in (*known, *_BESIDE):
            hint = "; price it dense without them" if key == "densities" else nearest(str(key), known)
            raise AccelsimError(f"problem has a size {key!r:.80} that its shape does not have{hint}")


def _convolution(instance: dict[str, Any]) -> Layer:
    _check_keys(instance, (*_SIZES, *_COEFFICIENTS))
    if not any(key in instance for key in _SIZES):
        raise AccelsimError("problem gives no sizes (C, K or M, P, Q, R, S, N)")
    if "K" in instance and "M" in instance:
        raise AccelsimError("problem gives both K and M, which are the same")
    n, g, c, p, q, r, s = (_number(instance, key) for key in "NGCPQRS")
    pairs = [[_number(instance, side + what) for side in "WH"] for what in ("stride", "dilation")]
    k = _number(instance, "M" if "M" in instance else "K")
    return Layer(n, g, k, c, p, q, r, s, (pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1]))


def _own(shape: dict[str, Any], instance: dict[str, Any]) -> Layer:
    """The layer of a shape that the file defines."""
    dimensions = [str(d) for d in shape.get("dimensions") or []]
    defaults = {}
    for one in shape.get("coefficients") or []:
        if not isinstance(one, dict) or "name" not in one:
            raise AccelsimError(f"problem.shape.coefficients: expected name and default, got {one!r:.80}")
        defaults[str(one["name"])] = one.get("default", 1)
    spaces = shape.get("data-spaces", shape.get("data_spaces"))
    if not isinstance(spaces, list) or len(spaces) != 3 or not all(isinstance(x, dict) for x in spaces):
        raise AccelsimError("problem.shape must have three data-spaces: two operands and a result")
    axes = [_axes(space, instance, defaults) for space in spaces]
    mentioned = {str(term[1]) for space in spaces for term in _pairs_of(space.get("projection"))}
    _check_keys(instance, tuple(dict.fromkeys((*dimensions, *defaults, *mentioned))))
    for d in dimensions:
        if d not in instance:
            raise AccelsimError(f"problem.instance does not give the size of {d}")
    sizes = {d: _number(instance, d) for d in dimensions}
    results = [i for i, x in enumerate(spaces) if x.get("read-write", x.get("read_write"))] or [2]
    operands = [i for i in range(3) if i != results[0]]
    image = next((i for i in operands if any(isinstance(x, Sum) for x in axes[i])), operands[0])
    weights = next(i for i in operands if i != image)
    for i in (weights, results[0]):
        if any(isinstance(x, Sum) for x in axes[i]):
            raise AccelsimError(f"data-space {spaces[i].get('name')!r:.80} has a sum that no convolution has")
    rows_first = sorted(axes[image], key=lambda x: isinstance(x, Sum) and "Q" in (x.x, x.y))
    name = re.sub(r"\s+", "_", str(shape.get("name", "")))
    try:
        return layer(sizes, _names(axes[results[0]]), _names(axes[weights]), rows_first, name=name)
    except AccelsimError as fault:
        raise AccelsimError(f"problem.shape: {fault}") from None


def _names(axes: list[str | Sum]) -> list[str]:
    return [x for x in axes if isinstance(x, str)]


def _axes(space: dict[str, Any], instance: dict[str, Any], defaults: dict[str, Any]) -> list[str | Sum]:
    """The axes of a data space: an index, or a sum of two with their coefficients."""
    axes = space.get("projection")
    if not isinstance(axes, list):
        raise AccelsimError(f"problem.shape: the projection of {space.get('name')!r:.80} must be a list")
    out: list[str | Sum] = []
    for axis in axes:
        terms = [_term(x) for x in axis] if isinstance(axis, list) else [(str(axis), "")]
        if not re.fullmatch(r"\w+", terms[0][0] if terms else "") or len(terms) > 2:
            raise AccelsimError(f"problem.shape: cannot read the axis {axis!r:.80} of a projection")
        if len(terms) == 1:
            if terms[0][1]:
                raise AccelsimError(f"problem.shape: a factor without a sum in the axis {axis!r:.80}")
            out.append(terms[0][0])
            continue
        factors = [_number(instance, key, defaults.get(key, 1)) if key else 1 for _, key in terms]
        out.append(Sum(terms[0][0], factors[0], terms[1][0], factors[1]))
    return out


def _term(term: Any) -> tuple[str, str]:
    """An index and the name of its coefficient, "" for none."""
    if isinstance(term, list) and 1 <= len(term) <= 2:
        return str(term[0]), str(term[1]) if len(term) == 2 else ""
    if isinstance(term, str):
        return term, ""
    raise AccelsimError(f"problem.shape: cannot read {term!r:.80} in a projection")


def _pairs_of(axes: Any) -> list[list[Any]]:
    terms = [x for axis in axes or [] if isinstance(axis, list) for x in axis]
    return [x for x in terms if isinstance(x, list) and len(x) == 2]
