"""Layer lists as CSV: topologies of SCALE-Sim, and tables of ConfuciuX and its relatives (GAMMA).

SCALE-Sim has a row of `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num
Filter, Strides` for a convolution, its input padded already, or `Layer, M, N, K` for a matrix product.
Outputs are `ceil((ifmap - filter + stride) / stride)`, rounded up as the tool does (Samajdar et al., ISPASS
2020).
ConfuciuX (Kao et al., MICRO 2020) has `K, C, Y, X, R, S, T`: Y and X are input sizes, T is 1 for a
convolution, 2 for a depthwise one, 3 for a matrix product of [K, C] by [C, Y].
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from itertools import zip_longest

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer

Row = dict[str, str]

_CONV = {
    "height": ("ifmapheight", "ifmaph"), "width": ("ifmapwidth", "ifmapw"),
    "r": ("filterheight", "filterh"), "s": ("filterwidth", "filterw"), "c": ("channels", "channel"),
    "k": ("numfilter", "numfilters", "filters"),
}  # fmt: skip


_NAMES = ("layername", "layer", "name")
_SIDES = ("strideheight", "stridewidth", "strideh", "stridew")


def read(text: str) -> list[Layer]:
    """The layers. Raises AccelsimError naming the line."""
    table = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        rows = [(i, [cell.strip() for cell in row]) for i, row in enumerate(table, 1)]
    except csv.Error as fault:
        raise AccelsimError(f"line {table.line_num}: not CSV: {fault}") from None
    rows = [(i, row) for i, row in rows if any(row) and not row[0].startswith("#")]
    if not rows:
        raise AccelsimError("the table is empty")
    head = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in rows[0][1]]
    make = _kind(head, rows[0][0], rows[0][1][0])
    try:
        _check_head(head, _KNOWN[make])
    except AccelsimError as fault:
        raise AccelsimError(f"line {rows[0][0]}: {fault}") from None
    out = []
    for line, cells in rows[1:]:
        try:
            if any(cells[len(head) :]) or any(c for key, c in zip(head, cells) if not key):
                raise AccelsimError(f"it has more cells than the header: {', '.join(cells):.120}")
            out.append(make({key: cell for key, cell in zip_longest(head, cells, fillvalue="") if key}))
        except AccelsimError as fault:
            raise AccelsimError(f"line {line}: {fault}") from None
    if not out:
        raise AccelsimError("the table has a header but no layers")
    return out


def _kind(head: list[str], line: int, first: str) -> Callable[[Row], Layer]:
    if any(x in head for x in _CONV["height"]):
        return _convolution
    if {"m", "n", "k"} <= set(head):
        return _product
    if {"k", "c", "y", "x", "r", "s"} <= set(head):
        return _confuciux
    between = next((x for x in ("\t", ";") if len(head) == 1 and x in first), "")
    if between:
        raise AccelsimError(f"line {line}: cells must be separated by commas, but the header has {between!r}")
    raise AccelsimError(
        f"line {line}: the header fits no known table: SCALE-Sim's (Layer name, IFMAP Height, ...; or Layer, "
        "M, N, K) or ConfuciuX's (K, C, Y, X, R, S, T)"
    )


def _check_head(head: list[str], known: tuple[str, ...]) -> None:
    for key in filter(None, head):
        if key not in known:
            raise AccelsimError(f"column {key!r:.80} has no meaning in this table{nearest(key, known)}")
        if head.count(key) > 1:
            raise AccelsimError(f"column {key!r:.80} stands twice")


def _name(row: Row) -> str:
    return next((row[key] for key in _NAMES if row.get(key)), "")


def _number(row: Row, *keys: str, default: int | None = None) -> int:
    for key in keys:
        if row.get(key):
            if not re.fullmatch(r"[0-9]{1,12}(\.0*)?", row[key]):
                raise AccelsimError(f"{key} must be a whole number, but got {row[key]!r:.40}")
            return int(float(row[key]))
    if default is None:
        raise AccelsimError(f"{keys[0]} is missing")
    return default


def _convolution(row: Row) -> Layer:
    size = {key: _number(row, *names) for key, names in _CONV.items()}
    if any(row.get(key) for key in _SIDES):
        strides = [_number(row, f"stride{x}", f"stride{x[0]}") for x in ("height", "width")]
    else:
        strides = [_number(row, "strides", "stride")] * 2
    _check_strides(*strides)
    made = []
    for n, k, s, what in (
        (size["height"], size["r"], strides[0], "height"),
        (size["width"], size["s"], strides[1], "width"),
    ):
        if n < k:
            raise AccelsimError(f"the input's {what} {n} is smaller than the filter's {k}")
        made.append(-(-(n - k + s) // s))
    return Layer.conv2d(
        K=size["k"], C=size["c"], P=made[0], Q=made[1], R=size["r"], S=size["s"],
        stride=(strides[0], strides[1]), name=_name(row),
    )  # fmt: skip


def _check_strides(*strides: int) -> None:
    if min(strides) < 1:
        raise AccelsimError(f"strides must be at least 1, but got {min(strides)}")


def _product(row: Row) -> Layer:
    return Layer.gemm(M=_number(row, "m"), N=_number(row, "n"), K=_number(row, "k"), name=_name(row))


def _confuciux(row: Row) -> Layer:
    k, c, y, x, r, s = (_number(row, key) for key in "kcyxrs")
    kind = _number(row, "t", "type", default=None if {"t", "type"} & set(row) else 1)
    if kind == 3:
        if (x, r, s) != (1, 1, 1):
            raise AccelsimError(f"a matrix product (t = 3) has x, r and s of 1, but got {x}, {r}, {s}")
        return Layer.gemm(M=k, K=c, N=y, name=_name(row))
    if kind not in (1, 2):
        raise AccelsimError(f"t must be 1 (convolution), 2 (depthwise) or 3 (matrix product), but got {kind}")
    if y < r or x < s:
        raise AccelsimError(f"the input {y}x{x} is smaller than the filter {r}x{s}")
    stride = _number(row, "stride", "strides", default=1)
    _check_strides(stride)
    p, q = (y - r) // stride + 1, (x - s) // stride + 1
    if kind == 2:
        if k not in (1, c):
            raise AccelsimError(f"a depthwise layer (t = 2) has a k of 1 or of c, {c}, but got {k}")
        return Layer.depthwise(C=c, P=p, Q=q, R=r, S=s, stride=stride, name=_name(row))
    return Layer.conv2d(K=k, C=c, P=p, Q=q, R=r, S=s, stride=stride, name=_name(row))


_KNOWN: dict[Callable[[Row], Layer], tuple[str, ...]] = {
    _convolution: (*_NAMES, *(x for names in _CONV.values() for x in names), "strides", "stride", *_SIDES),
    _product: (*_NAMES, "m", "n", "k"),
    _confuciux: (*_NAMES, *"kcyxrst", "type", "stride", "strides"),
}
"""Columns of each table."""
