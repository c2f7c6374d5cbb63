"""MAESTRO's data-centric notation as Python objects: directives, dataflows, layers, networks.

A dataflow is a list of directives per cluster level, outermost first. `TemporalMap(size, step) d` moves a
tile of `size` along dimension `d` by `step`; `SpatialMap` gives sub-unit i the tile that begins at i * step;
`Cluster(n)` opens the next level inside groups of n sub-units. `Y` and `X` are input rows and columns,
padding included; `Y'` and `X'` output rows and columns. (Kwon et al., "Understanding Reuse, Performance, and
Hardware Cost of DNN Dataflows: A Data-Centric Approach", MICRO 2019.)
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer

KERNEL_OF = {"Y": "R", "X": "S"}
"""The kernel dimension that slides over each input dimension."""

LAYER_DIMS: dict[str, tuple[str, ...]] = {
    "CONV": ("K", "C", "R", "S", "Y", "X"),
    "DSCONV": ("C", "R", "S", "Y", "X"),
    "NGCONV": ("G", "K", "C", "R", "S", "Y", "X"),
    "TRCONV": ("K", "C", "R", "S", "Y", "X"),
    "GEMM": ("M", "N", "K"),
}
"""Dimensions that a layer of each type must give a size; a batch `N` is optional except in GEMM."""

MAX_LEVELS = 4


class MaestroError(AccelsimError):
    """A MAESTRO file, or a dataflow that does not fit its layer; names the place where one is known."""


@dataclass(frozen=True)
class FilePlace:
    """Where something stands in a file, from 1; 0 = made in Python."""

    file: str = ""
    line: int = 0
    column: int = 0

    def fault(self, text: str) -> MaestroError:
        """The fault `text`, with the place in front."""
        return MaestroError(f"{self.file}:{self.line}:{self.column}: {text}" if self.line else text)


@dataclass(frozen=True)
class Size:
    """A number plus sizes of dimensions: `Sz(R)`, `16`, `Sz(S)+7`. `terms` are (factor, dimension)."""

    constant: int = 0
    terms: tuple[tuple[int, str], ...] = ()

    def value(self, dims: Dict[str, int]) -> int:
        """The number for a layer of these dimensions; KeyError with a dimension that it lacks."""
        return self.constant + sum(factor * dims[dim] for factor, dim in self.terms)

    def __str__(self) -> str:
        text = ""
        for factor, dim in self.terms:
            text += ("-" if factor < 0 else "+") * (text != "" or factor < 0)
            text += f"{abs(factor)}*Sz({dim})" if abs(factor) != 1 else f"Sz({dim})"
        if self.constant or not text:
            text += ("+" if self.constant >= 0 and text else "") + str(self.constant)
        return text


@dataclass(frozen=True)
class Map:
    """One `TemporalMap` or `SpatialMap`."""

    spatial: bool
    size: Size
    step: Size
    dim: str
    place: FilePlace = field(default=FilePlace(), compare=False)

    def __str__(self) -> str:
        return f"{'SpatialMap' if self.spatial else 'TemporalMap'}({self.size},{self.step}) {self.dim}"


@dataclass(frozen=True)
class Cluster:
    """`Cluster(size, P)`: groups of `size` sub-units; MAESTRO prices physical (P) and logical (L) alike."""

    size: Size
    logical: bool = False
    place: FilePlace = field(default=FilePlace(), compare=False)

    def __str__(self) -> str:
        return f"Cluster({self.size},{'L' if self.logical else 'P'})"


@dataclass(frozen=True)
class MaestroDataflow:
    """Directives per level, outermost level first, and the clusters between the levels."""

    levels: tuple[tuple[Map, ...], ...]
    clusters: tuple[Cluster, ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.clusters) + 1:
            raise MaestroError(
                f"a dataflow of {len(self.levels)} levels needs {len(self.levels) - 1} Cluster directives, "
                f"but has {len(self.clusters)}"
            )

    def without(self, *dims: str) -> MaestroDataflow:
        """The same without the maps of these dimensions, as for a depthwise layer, which has no K."""
        levels = tuple(tuple(m for m in level if m.dim not in dims) for level in self.levels)
        return MaestroDataflow(levels, self.clusters, self.name)

    def text(self, indent: str = "") -> str:
        """The `Dataflow { ... }` block."""
        lines = [f"{indent}Dataflow {{"]
        for i, level in enumerate(self.levels):
            if i:
                lines.append(f"{indent}  {self.clusters[i - 1]};")
            lines += [f"{indent}  {directive};" for directive in level]
        return "\n".join([*lines, f"{indent}}}"])


@dataclass(frozen=True)
class MaestroLayer:
    """A layer in MAESTRO's terms: `Y` and `X` are input extents with padding already added."""

    type: str
    dims: Dict[str, int]
    stride: tuple[int, int] = (1, 1)
    name: str = ""
    dataflow: MaestroDataflow | None = None
    place: FilePlace = field(default=FilePlace(), compare=False)

    def to_layer(self) -> Layer:
        """The layer in accelsim's terms. A transposed convolution is taken as MAESTRO takes it: as CONV."""
        d = self.dims
        if self.type == "GEMM":
            return Layer.gemm(M=d["M"], N=d["N"], K=d["K"], name=self.name)
        P = (d["Y"] - d["R"]) // self.stride[0] + 1
        Q = (d["X"] - d["S"]) // self.stride[1] + 1
        G, K, C = d.get("G", 1), d.get("K", 1), d["C"]
        if self.type == "DSCONV":
            G, K, C = d["C"], 1, 1
        N, R, S = d.get("N", 1), d["R"], d["S"]
        return Layer(N, G, K, C, P, Q, R, S, stride=self.stride, name=self.name)

    @classmethod
    def from_layer(cls, layer: Layer, dataflow: MaestroDataflow | None = None) -> MaestroLayer:
        """The layer in MAESTRO's terms. Raises MaestroError for what it cannot say."""
        if layer.op == "gemm":
            if layer.G != 1 or layer.N != 1:
                raise MaestroError(
                    f"{layer}: MAESTRO's GEMM has no batch; it multiplies one pair of matrices"
                )
            return cls("GEMM", {"M": layer.P, "N": layer.K, "K": layer.C}, name=layer.name, dataflow=dataflow)
        if layer.op != "conv":
            raise MaestroError(f"{layer}: MAESTRO prices multiply-accumulates only, not {layer.op}")
        if layer.dilation != (1, 1):
            raise MaestroError(f"{layer}: MAESTRO has no dilation")
        dims = {
            "R": layer.R,
            "S": layer.S,
            "Y": (layer.P - 1) * layer.stride[0] + layer.R,
            "X": (layer.Q - 1) * layer.stride[1] + layer.S,
        }
        if layer.N > 1:
            dims = {"N": layer.N} | dims
        if layer.G > 1 and layer.K == 1 and layer.C == 1:
            return cls("DSCONV", {"C": layer.G} | dims, layer.stride, layer.name, dataflow)
        dims = {"K": layer.K, "C": layer.C} | dims
        if layer.G > 1:
            return cls("NGCONV", {"G": layer.G} | dims, layer.stride, layer.name, dataflow)
        return cls("CONV", dims, layer.stride, layer.name, dataflow)

    def text(self, indent: str = "") -> str:
        """The `Layer NAME { ... }` block."""
        lines = [f"{indent}Layer {self.name or 'layer'} {{", f"{indent}  Type: {self.type}"]
        if self.stride != (1, 1):
            lines.append(f"{indent}  Stride {{ Y: {self.stride[0]}, X: {self.stride[1]} }}")
        sizes = ", ".join(f"{dim}: {size}" for dim, size in self.dims.items())
        lines.append(f"{indent}  Dimensions {{ {sizes} }}")
        if self.dataflow is not None:
            lines.append(self.dataflow.text(indent + "  "))
        return "\n".join([*lines, f"{indent}}}"])


@dataclass(frozen=True)
class MaestroNetwork:
    """A whole file: a network of layers, each with its dataflow."""

    name: str
    layers: tuple[MaestroLayer, ...]

    def text(self) -> str:
        """The file; `read_network` reads it back."""
        body = "\n".join(layer.text("  ") for layer in self.layers)
        return f"Network {self.name} {{\n{body}\n}}\n"
