"""Layers of a MAESTRO network file (.m): type, stride and dimensions; dataflows are left aside.

`Y` and `X` are input sizes, padding included, `Y'` and `X'` output sizes (Kwon et al., MICRO 2019).
`TRCONV` is what the tool takes it for, a `CONV`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer

_DIMS = {
    **dict.fromkeys(("CONV", "TRCONV", "NGCONV"), ("N", "G", "K", "C", "R", "S", "Y", "X", "Y'", "X'")),
    "DSCONV": ("N", "K", "C", "R", "S", "Y", "X", "Y'", "X'"),
    "GEMM": ("M", "N", "K"),
}
"""Dimensions that a layer of each type may have."""

_SECTIONS = ("Type", "Stride", "Dimensions", "Dataflow")
_MOST_WORDS = 1_000_000
_TOKEN = re.compile(r"(?P<space>[^\S\n]+|//[^\n]*)|(?P<end>\n)|[A-Za-z0-9_'.\"-]+|.")


class _Word(NamedTuple):
    text: str
    line: int


def read(text: str) -> list[Layer]:
    """The layers. Raises AccelsimError naming the line."""
    return _Reader(text).file()


class _Reader:
    def __init__(self, text: str) -> None:
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
        self.words: list[_Word] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match["end"]:
                line += 1
            elif not match["space"]:
                self.words.append(_Word(match[0], line))
                if len(self.words) > _MOST_WORDS:
                    raise AccelsimError(f"a network may have at most {_MOST_WORDS:,} words")
        self.words.append(_Word("", line))
        self.at = 0
        self.constants: dict[str, int] = {}

    def file(self) -> list[Layer]:
        """Constants and one network."""
        out: list[Layer] = []
        networks = 0
        while self.word.text:
            kind = self.take()
            if kind.text == "Constant":
                name = self.take().text
                if name in self.constants:
                    raise AccelsimError(f"line {kind.line}: Constant {name} stands twice")
                self.skip(":", "=")
                self.constants[name] = _whole(self.take().text, f"line {kind.line}: Constant {name}")
                self.skip(";", ",")
            elif kind.text == "Accelerator":
                self.block(kind)
            elif kind.text == "Network" and not networks:
                networks += 1
                self.until("{")
                out = self.network(kind)
            else:
                said = "a second Network" if kind.text == "Network" else repr(kind.text)
                raise AccelsimError(
                    f"line {kind.line}: expected Constant or one Network {{ ... }}, got {said:.80}"
                )
        if not networks:
            raise AccelsimError("no Network { ... } in this file")
        if not out:
            raise AccelsimError("the Network has no Layer")
        return out

    def network(self, head: _Word) -> list[Layer]:
        out = []
        while (word := self.take()).text != "}":
            if not word.text:
                raise AccelsimError(f"line {head.line}: Network: its closing brace is missing")
            if word.text != "Layer":
                raise AccelsimError(f"line {word.line}: expected Layer NAME {{ ... }}, got {word.text!r:.80}")
            name = "_".join(x.strip("\"'") for x in self.until("{"))
            try:
                out.append(self.layer(name))
            except AccelsimError as fault:
                raise AccelsimError(f"line {word.line}: layer {name}: {fault}") from None
        return out

    def layer(self, name: str) -> Layer:
        kind, found = "", dict[str, dict[str, int]]()
        seen: set[str] = set()
        while (word := self.take()).text != "}":
            if not word.text or word.text == "Layer":
                raise AccelsimError("its closing brace is missing")
            if word.text in (";", ","):
                continue
            if word.text not in _SECTIONS:
                raise AccelsimError(f"{word.text!r:.80} is no part of a layer{nearest(word.text, _SECTIONS)}")
            if word.text in seen:
                raise AccelsimError(f"{word.text} stands twice")
            seen.add(word.text)
            self.skip(":")
            if word.text == "Type":
                kind = self.take().text
            elif word.text == "Dataflow":
                self.block(word)
            else:
                found[word.text] = self.sizes(word.text)
        if kind not in _DIMS:
            raise AccelsimError(f"Type {kind or 'is missing'!r}{nearest(kind, _DIMS)}")
        return _layer(name, kind, found.get("Dimensions", {}), found.get("Stride", {}))

    def sizes(self, section: str) -> dict[str, int]:
        """`{ K: 64, C: 3 }`, numbers or constants."""
        if self.take().text != "{":
            raise AccelsimError(f"{section} must be a list in braces, as in {section} {{ X: 2, Y: 2 }}")
        known = (
            ("X", "Y") if section == "Stride" else tuple(dict.fromkeys(d for x in _DIMS.values() for d in x))
        )
        out: dict[str, int] = {}
        while (word := self.take()).text != "}":
            if word.text not in known:
                said = (
                    f"{section} has no {word.text!r:.80}" if word.text else f"{section}: its brace is missing"
                )
                raise AccelsimError(f"{said}{nearest(word.text, known)}")
            if word.text in out:
                raise AccelsimError(f"{section} {word.text} stands twice")
            self.skip(":")
            value, what = self.take().text, f"{section} {word.text}"
            out[word.text] = self.constants[value] if value in self.constants else _whole(value, what)
            self.skip(",", ";")
        return out

    # -- words ---------------------------------------------------------------------------------------------

    @property
    def word(self) -> _Word:
        return self.words[self.at]

    def take(self) -> _Word:
        word = self.word
        self.at += bool(word.text)
        return word

    def skip(self, *texts: str) -> None:
        if self.word.text in texts:
            self.at += 1

    def until(self, text: str) -> list[str]:
        """The words before `text`, which is taken too."""
        first, line = self.at, self.word.line
        while self.word.text not in (text, ""):
            self.at += 1
        if not self.take().text:
            raise AccelsimError(f"line {line}: {text!r} is missing")
        return [x.text for x in self.words[first : self.at - 1]]

    def block(self, head: _Word) -> None:
        """Pass over `{ ... }`."""
        self.until("{")
        depth = 1
        while depth:
            word = self.take()
            if not word.text:
                raise AccelsimError(f"{head.text}: its closing brace is missing")
            depth += {"{": 1, "}": -1}.get(word.text, 0)


def _layer(name: str, kind: str, size: dict[str, int], stride: dict[str, int]) -> Layer:
    if not size:
        raise AccelsimError("it has no Dimensions { ... }")
    alien = next((d for d in size if d not in _DIMS[kind]), None)
    if alien:
        raise AccelsimError(f"a {kind} has no dimension {alien}; known: {', '.join(_DIMS[kind])}")
    if kind == "GEMM":
        return Layer.gemm(M=_of(size, "M"), N=_of(size, "N"), K=_of(size, "K"), name=name)
    if len(stride) == 1:
        raise AccelsimError("Stride must give both X and Y")
    steps = (stride.get("Y", 1), stride.get("X", 1))
    if min(steps) < 1:
        raise AccelsimError(f"Stride must be at least 1, but got X: {steps[1]}, Y: {steps[0]}")
    r, s, c = (_of(size, d) for d in "RSC")
    p, q = (_out(size, dim, k, step) for dim, k, step in (("Y", r, steps[0]), ("X", s, steps[1])))
    groups, k = size.get("G", 1), size.get("K", 1)
    if kind == "DSCONV":
        if k not in (1, c):
            raise AccelsimError(f"a DSCONV makes a channel of each: K must be 1 or {c}, but is {k}")
        groups, k, c = c, 1, 1
    elif "K" not in size:
        raise AccelsimError("dimension K is missing")
    return Layer(size.get("N", 1), groups, k, c, p, q, r, s, stride=steps, name=name)


def _out(size: dict[str, int], dim: str, kernel: int, step: int) -> int:
    stated = size.get(dim + "'")
    if dim not in size and stated is not None:
        return stated
    n = _of(size, dim)
    if n < kernel:
        raise AccelsimError(f"{dim} = {n} inputs are fewer than the kernel's {kernel}")
    made = (n - kernel) // step + 1
    if stated is not None and stated != made:
        raise AccelsimError(f"{dim} = {n} makes {made} outputs, but {dim}' is {stated}")
    return made


def _of(size: dict[str, int], dim: str) -> int:
    if dim not in size:
        raise AccelsimError(f"dimension {dim} is missing")
    return size[dim]


def _whole(value: str, what: str) -> int:
    """Digits of ASCII, and few: other scripts, and thousands of digits, are no numbers to Python."""
    if not re.fullmatch("[0-9]{1,18}", value):
        raise AccelsimError(f"{what} must be a number or a Constant, but got {value!r:.80}")
    return int(value)
