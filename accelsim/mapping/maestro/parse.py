"""Reading MAESTRO's files; every fault is one message with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from accelsim import text_file
from accelsim.errors import nearest
from accelsim.mapping.maestro.notation import (
    KERNEL_OF,
    LAYER_DIMS,
    Cluster,
    FilePlace,
    MaestroDataflow,
    MaestroError,
    MaestroLayer,
    MaestroNetwork,
    Map,
    Size,
)

_TOKEN = re.compile(r"(?P<space>[ \t\r\f\v]+|//[^\n]*)|(?P<end>\n)|(?P<word>[A-Za-z_0-9.']+)|(?P<sign>.)")
_DIMS = ("N", "G", "K", "C", "Y", "X", "R", "S", "M", "Y'", "X'")


@dataclass(frozen=True)
class _Token:
    text: str
    place: FilePlace


def read_text(path: str | Path) -> str:
    """Content of a text file, or MaestroError saying why there is none."""
    return text_file.read_text(path, kind=MaestroError)


def read_network(path: str | Path) -> MaestroNetwork:
    """The network file at `path`. Raises MaestroError with line and column."""
    return parse_network(read_text(path), str(path))


def read_dataflow(path: str | Path) -> MaestroDataflow:
    """The file at `path`, which holds one `Dataflow { ... }` block. Raises MaestroError."""
    return parse_dataflow(read_text(path), str(path), Path(path).stem)


def parse_network(text: str, file: str = "text") -> MaestroNetwork:
    """Read `Constant` lines and one `Network`. Raises MaestroError with line and column."""
    reader = _Reader(text, file)
    reader.constants()
    network = reader.network()
    reader.finish()
    return network


def parse_dataflow(text: str, file: str = "text", name: str = "") -> MaestroDataflow:
    """Read `Constant` lines and one `Dataflow`. Raises MaestroError with line and column."""
    reader = _Reader(text, file)
    reader.constants()
    reader.word({"Dataflow"})
    dataflow = reader.dataflow(None, name)
    reader.finish()
    return dataflow


MOST_WORDS = 1_000_000
"""Of a file, which take about 240 MiB; networks have thousands."""


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.tokens: list[_Token] = []
        line, start = 1, 0
        for match in _TOKEN.finditer(text):
            if match["end"]:
                line, start = line + 1, match.end()
            elif not match["space"]:
                self.tokens.append(_Token(match[0], FilePlace(file, line, match.start() - start + 1)))
                if len(self.tokens) > MOST_WORDS:
                    raise MaestroError(f"{file}: a file may have at most {MOST_WORDS:,} words and signs")
        self.end = FilePlace(file, line, len(text) - start + 1)
        self.at = 0
        self.known: dict[str, int] = {}

    # -- tokens ----------------------------------------------------------------------------------------

    def peek(self) -> str:
        """The next token, or "" at the end."""
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    @property
    def place(self) -> FilePlace:
        """Where the next token stands."""
        return self.tokens[self.at].place if self.at < len(self.tokens) else self.end

    def next(self) -> str:
        text = self.peek()
        self.at += 1
        return text

    def expect(self, sign: str, what: str) -> None:
        if self.peek() != sign:
            raise self.place.fault(f"expected {sign!r} {what}, but got {self.shown()}")
        self.at += 1

    def shown(self) -> str:
        return repr(self.peek()) if self.peek() else "the end of the file"

    def skip(self, signs: str) -> None:
        """Separators that the tool does not look at."""
        while self.peek() and self.peek() in signs:
            self.at += 1

    def word(self, known: Collection[str]) -> str:
        text = self.peek()
        if text not in known:
            if not text:
                raise self.place.fault(f"the file ends where one of {', '.join(sorted(known))} is expected")
            raise self.place.fault(f"unknown word {text!r}{nearest(text, known)}")
        return self.next()

    def number(self, what: str) -> int:
        place, text = self.place, self.next()
        if text in self.known:
            return self.known[text]
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
            raise place.fault(
                f"{what} must be a whole number from 1 to 999999999 or a Constant, but got {text!r}"
            )
        return int(text)

    def finish(self) -> None:
        if self.peek():
            raise self.place.fault(f"expected the end of the file, but got {self.shown()}")

    # -- blocks ----------------------------------------------------------------------------------------

    def constants(self) -> None:
        """`Constant NAME VALUE;` lines."""
        while self.peek() == "Constant":
            self.next()
            place, name = self.place, self.next()
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise place.fault(f"a Constant needs a name of letters and digits, but got {name!r}")
            self.skip(":")
            self.known[name] = self.number(f"Constant {name}")
            self.skip(";,")

    def name(self) -> str:
        """All up to the brace: names may hold dashes and dots."""
        parts = []
        while self.peek() not in ("{", "}", ""):
            parts.append(self.next())
        return "".join(parts)

    def network(self) -> MaestroNetwork:
        self.word({"Network"})
        name = self.name() or "network"
        self.expect("{", f"after Network {name}")
        layers: list[MaestroLayer] = []
        while self.peek() == "Layer":
            layers.append(self.layer(layers[-1].dataflow if layers else None))
        if self.peek() != "}":
            raise self.place.fault(f"expected a Layer or the closing '}}' of Network, but got {self.shown()}")
        self.next()
        self.skip(";")
        if not layers:
            raise self.place.fault(f"Network {name} has no Layer")
        return MaestroNetwork(name, tuple(layers))

    def layer(self, before: MaestroDataflow | None) -> MaestroLayer:
        """One layer; without a Dataflow of its own it takes the one `before`, as the tool does."""
        place = self.place
        self.next()
        name = self.name()
        self.expect("{", f"after Layer {name}")
        kind, dataflow = "", before
        dims: dict[str, int] = {}
        strides: dict[str, int] = {}
        while self.peek() != "}":
            at = self.place
            word = self.word({"Type", "Stride", "Dimensions", "Dataflow"})
            if word == "Type":
                self.skip(":")
                kind = self.word(LAYER_DIMS)
                self.skip(";,")
            elif word == "Stride":
                if dims:
                    raise at.fault("Stride must stand before Dimensions")
                strides = self.sizes(("Y", "X"), "Stride")
            elif word == "Dimensions":
                if not kind:
                    raise at.fault("Type must stand before Dimensions")
                optional = () if kind == "GEMM" else ("N", "K", "Y'", "X'")
                dims = self.dimensions(LAYER_DIMS[kind], optional, kind, strides, at)
            else:
                if not dims:
                    raise at.fault("Dimensions must stand before Dataflow")
                dataflow = self.dataflow(dims)
        self.next()
        self.skip(";")
        if not dims:
            raise place.fault(f"Layer {name} has no Dimensions")
        if dataflow is None:
            raise place.fault(f"Layer {name} has no Dataflow, and no layer before it has one")
        stride = (strides.get("Y", 1), strides.get("X", 1))
        return MaestroLayer(kind, dims, stride, name, dataflow, place)

    def dimensions(
        self,
        needed: tuple[str, ...],
        optional: tuple[str, ...],
        kind: str,
        strides: dict[str, int],
        at: FilePlace,
    ) -> dict[str, int]:
        dims = self.sizes((*needed, *optional), "Dimensions")
        for dim, kernel in KERNEL_OF.items():
            size = dims.pop(dim + "'", None)
            if size is not None and dim in dims:
                raise at.fault(f"Dimensions gives both {dim} and {dim}'; one follows from the other")
            if size is not None and kernel in dims:
                dims[dim] = (size - 1) * strides.get(dim, 1) + dims[kernel]
        missing = [dim for dim in needed if dim not in dims]
        if missing:
            raise at.fault(f"a {kind} needs the dimensions {', '.join(needed)}; {', '.join(missing)} missing")
        if kind == "DSCONV" and dims.pop("K", 1) != 1:
            raise at.fault("a DSCONV has no K: each channel makes one output channel")
        for dim, kernel in KERNEL_OF.items():
            if dim in dims and dims[dim] < dims[kernel]:
                raise at.fault(
                    f"{dim} = {dims[dim]} inputs are fewer than the kernel's {kernel} = {dims[kernel]}"
                )
        return dims

    def sizes(self, known: tuple[str, ...], what: str) -> dict[str, int]:
        """`{ K: 64, C: 3 }`."""
        self.expect("{", f"after {what}")
        out: dict[str, int] = {}
        while self.peek() != "}":
            place = self.place
            dim = self.word(known)
            if dim in out:
                raise place.fault(f"{what} gives {dim} twice")
            self.skip(":")
            out[dim] = self.number(f"{what} {dim}")
            self.skip(",;")
        self.next()
        return out

    def dataflow(self, dims: dict[str, int] | None, name: str = "") -> MaestroDataflow:
        """The block after the word; `dims` are those of the layer, if there is one."""
        self.expect("{", "after Dataflow")
        levels: list[list[Map]] = [[]]
        clusters: list[Cluster] = []
        while self.peek() != "}":
            place = self.place
            word = self.word({"TemporalMap", "SpatialMap", "Cluster"})
            self.expect("(", f"after {word}")
            size = self.size(dims)
            if word == "Cluster":
                logical = False
                self.skip(",")
                if self.peek() != ")":
                    logical = self.word({"P", "L"}) == "L"
                self.expect(")", "closing Cluster")
                clusters.append(Cluster(size, logical, place))
                levels.append([])
            else:
                self.expect(",", f"between size and step of {word}")
                step = self.size(dims)
                self.expect(")", f"closing {word}")
                levels[-1].append(Map(word == "SpatialMap", size, step, self.word(_DIMS), place))
            self.skip(";,")
        self.next()
        return MaestroDataflow(tuple(map(tuple, levels)), tuple(clusters), name)

    def size(self, dims: dict[str, int] | None) -> Size:
        """`16`, `Sz(R)`, a constant, or sums and differences of them."""
        place = self.place
        constant, terms, sign = 0, [], 1
        while True:
            if self.peek() == "Sz":
                self.next()
                self.expect("(", "after Sz")
                at = self.place
                dim = self.word(_DIMS if dims is None else dims)
                if dim.endswith("'"):
                    raise at.fault("Sz takes a dimension that the layer gives a size: Y or X, not Y' or X'")
                self.expect(")", "closing Sz")
                terms.append((sign, dim))
            else:
                constant += sign * self.number("a size")
            if self.peek() not in ("+", "-"):
                break
            sign = 1 if self.next() == "+" else -1
        size = Size(constant, tuple(terms))
        if (dims is not None or not terms) and size.value(dims or {}) < 1:
            raise place.fault(f"a size must be at least 1, but {size} is {size.value(dims or {})}")
        return size
