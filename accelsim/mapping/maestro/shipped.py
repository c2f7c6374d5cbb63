"""The classic dataflows that come with accelsim, written from their published semantics."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from accelsim.errors import nearest
from accelsim.mapping.maestro.notation import MaestroDataflow, MaestroError, MaestroLayer
from accelsim.mapping.maestro.parse import parse_dataflow, read_dataflow
from accelsim.workloads.layer import Layer


def dataflow_names() -> tuple[str, ...]:
    """Names of the shipped dataflows."""
    files = resources.files("accelsim.mapping.maestro").joinpath("dataflows").iterdir()
    return tuple(sorted(file.name[:-2] for file in files if file.name.endswith(".m")))


def load_dataflow(source: str | Path | MaestroDataflow) -> MaestroDataflow:
    """A dataflow from a shipped name or the path of a file with one `Dataflow { ... }` block.

    Raises MaestroError for what cannot be found or read.
    """
    if isinstance(source, MaestroDataflow):
        return source
    name = str(source)
    if name in dataflow_names():
        file = resources.files("accelsim.mapping.maestro").joinpath("dataflows", f"{name}.m")
        return parse_dataflow(file.read_text(encoding="utf-8"), f"{name}.m", name)
    if "/" not in name and "." not in name:
        raise MaestroError(f"no shipped dataflow or file is called {name!r}{nearest(name, dataflow_names())}")
    return read_dataflow(name)


def with_dataflow(layer: Layer, dataflow: MaestroDataflow) -> MaestroLayer:
    """The layer in MAESTRO's terms under a dataflow written for convolutions.

    A depthwise layer has no K: its maps are dropped, and a dataflow that splits nothing else gives way to
    `dpt`. A GEMM becomes the 1x1 convolution that it equals, grouped where it has a batch of operands, unless
    the dataflow speaks of M. Raises MaestroError for what MAESTRO cannot say.
    """
    names = {item.dim for level in dataflow.levels for item in level}
    if layer.op == "gemm" and "M" not in names:
        sizes = {"K": layer.K, "C": layer.C, "R": 1, "S": 1, "Y": layer.P, "X": 1}
        sizes |= {d: size for d, size in (("N", layer.N), ("G", layer.G)) if size > 1}
        bare = MaestroLayer("NGCONV" if layer.G > 1 else "CONV", sizes, name=layer.name)
    else:
        bare = MaestroLayer.from_layer(layer)
    if bare.type == "DSCONV":
        fewer = dataflow.without("K")
        splits = all(any(item.spatial for item in level) for level in fewer.levels)
        dataflow = fewer if splits else load_dataflow("dpt")
    return replace(bare, dataflow=dataflow)
