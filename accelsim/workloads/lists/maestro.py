"""Layers of a MAESTRO network file (.m): type, stride and dimensions; dataflows are left aside.

`Y` and `X` are input sizes, padding included, `Y'` and `X'` output sizes (Kwon et al., MICRO 2019).
"""

from __future__ import annotations

import re

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer

_TYPES = ("CONV", "DSCONV", "NGCONV", "TRCONV", "GEMM")


def read(text: str) -> list[Layer]:
    """The layers. Raises AccelsimError naming the line."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", "", text)
    constants = {m[1]: _whole(m[2], m[1]) for m in re.finditer(r"\bConstant\s+(\w+)\s+(\d+)", text)}
    if not re.search(r"\bNetwork\b", text):
        raise AccelsimError("no Network { ... } in this file")
    out = []
    line, at = 1, 0
    for match in re.finditer(r"\bLayer\s+([^\s{]+)\s*\{", text):
        line += text.count("\n", at, match.start())
        at = match.start()
        try:
            out.append(_layer(match[1].strip("\"'"), _block(text, match.end()), constants))
        except AccelsimError as fault:
            raise AccelsimError(f"line {line}: layer {match[1]}: {fault}") from None
    if not out:
        raise AccelsimError("the Network has no Layer")
    return out


def _block(text: str, start: int) -> str:
    depth = 1
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if not depth:
            return text[start:i]
    raise AccelsimError("its closing brace is missing")


def _layer(name: str, body: str, constants: dict[str, int]) -> Layer:
    found = re.search(r"\bType\s*:?\s*(\w+)", body)
    kind = found[1] if found else ""
    if kind not in _TYPES:
        raise AccelsimError(f"Type {kind or 'is missing'!r}{nearest(kind, _TYPES)}")
    size, stride = _sizes("Dimensions", body, constants), _sizes("Stride", body, constants)
    if not size:
        raise AccelsimError("it has no Dimensions { ... }")
    if kind == "GEMM":
        return Layer.gemm(M=_of(size, "M"), N=_of(size, "N"), K=_of(size, "K"), name=name)
    steps = (stride.get("Y", 1), stride.get("X", 1))
    r, s = _of(size, "R"), _of(size, "S")
    p, q = (_out(size, dim, k, step) for dim, k, step in (("Y", r, steps[0]), ("X", s, steps[1])))
    groups, k, c = size.get("G", 1), size.get("K", 1), _of(size, "C")
    if kind == "DSCONV":
        groups, k, c = c, 1, 1
    elif "K" not in size:
        raise AccelsimError("dimension K is missing")
    return Layer(size.get("N", 1), groups, k, c, p, q, r, s, stride=steps, name=name)


def _out(size: dict[str, int], dim: str, kernel: int, step: int) -> int:
    if dim + "'" in size:
        return size[dim + "'"]
    n = _of(size, dim)
    if n < kernel or step < 1:
        raise AccelsimError(f"{dim} = {n} inputs are fewer than the kernel's {kernel}, or the stride is 0")
    return (n - kernel) // step + 1


def _of(size: dict[str, int], dim: str) -> int:
    if dim not in size:
        raise AccelsimError(f"dimension {dim} is missing")
    return size[dim]


def _sizes(word: str, body: str, constants: dict[str, int]) -> dict[str, int]:
    found = re.search(rf"\b{word}\s*\{{([^}}]*)\}}", body)
    out: dict[str, int] = {}
    for dim, value in re.findall(r"([A-Z]'?)\s*:?\s*(\w+)", found[1] if found else ""):
        out[dim] = constants[value] if value in constants else _whole(value, f"{word} {dim}")
    return out


def _whole(value: str, what: str) -> int:
    """Digits of ASCII, and few: other scripts, and thousands of digits, are no numbers to Python."""
    if not re.fullmatch("[0-9]{1,18}", value):
        raise AccelsimError(f"{what} must be a number or a Constant, but got {value!r}")
    return int(value)
