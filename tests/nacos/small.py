"""`python -m tests.nacos.small -o FOLDER`: `accelsim nacos build` of a few tiny layers, chips of one base."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace

from accelsim.cli import main
from accelsim.nacos import build
from accelsim.nacos.nets import Nets
from accelsim.nacos.pair import tabulate


def small(layer):
    """The same kind of layer, its sizes at most 2."""
    return dataclasses.replace(layer, **{d: min(size, 2) for d, size in layer.dims.items()})


def quick(chip, layer, **options):
    return tabulate(chip, small(layer), **options)


if __name__ == "__main__":
    build.bases = lambda: ("nvdla_64",)  # type: ignore[assignment]
    build.SHIPPED = 1
    build.Nets = lambda name: SimpleNamespace(name=name, layers=Nets(name).layers[:5])  # type: ignore
    build.tabulate = quick
    main(["nacos", "build", *sys.argv[1:]])
