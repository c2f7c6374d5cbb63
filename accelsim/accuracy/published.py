"""`PublishedSource`: exactly the subnets that OFA's authors published, nothing else."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from accelsim.accuracy.base import AccuracyError, AccuracySource, nearest_space
from accelsim.workloads.spaces import Space, load_space
from accelsim.workloads.spaces.genes import Genomes

ERROR = 0.1
"""Points: top-1 is printed to 0.1; one subnet tuned for two devices differs by 0.1 (tx2-80, v100-09)."""


class PublishedSource(AccuracySource):
    """Top-1 after fine-tuning (25 or 75 epochs) of the specialised nets in OFA's repository.

    Where one subnet was fine-tuned for 25 and for 75 epochs the 25 count; equal ones are averaged.
    """

    def kinds(self, space: Space) -> tuple[str, ...]:
        """`("published",)`."""
        _nets(space.name)
        return ("published",)

    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those of published nets."""
        known = {r for r, _ in _nets(space.name)}
        return tuple(r for r in space.resolutions if r in known)

    def describe(self, space: Space) -> str:
        """Where the values come from and on what footing."""
        return str(_document()["summary"])

    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        nets = _nets(space.name)
        values = []
        for row in genomes:
            value = nets.get((space.resolutions[row[0]], row[1:].tobytes()))
            if value is None:
                raise AccuracyError(
                    f"{space.decode(row)} is not one of the {len(nets)} published subnets of {space.name}; "
                    f"the surrogate source answers for any"
                )
            values.append(value)
        return np.array(values), ERROR, "published"


@cache
def _document() -> dict[str, Any]:
    text = files("accelsim.accuracy").joinpath("data", "published.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def _nets(name: str) -> dict[tuple[int, bytes], float]:
    document = _document()["spaces"]
    if name not in document:
        raise nearest_space(name, tuple(document), "the published list")
    space = load_space(name)
    found: dict[tuple[int, bytes], list[tuple[int, float]]] = {}
    for net in document[name]:
        subnet = space.parse(net["encoding"])
        key = (subnet.resolution, space.having(subnet.resolution).encode(subnet)[1:].tobytes())
        found.setdefault(key, []).append((net["epochs"], net["top1"]))
    return {
        key: float(np.mean([top1 for epochs, top1 in values if epochs == min(values)[0]]))
        for key, values in found.items()
    }
