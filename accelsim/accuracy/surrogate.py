"""`SurrogateSource`: additive fits that ship with the package; the default, needs no files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.accuracy.additive import Additive
from accelsim.accuracy.base import AccuracySource, nearest_space
from accelsim.workloads.spaces import Space
from accelsim.workloads.spaces.genes import Genomes

SPACES = ("ofa_mbv3", "ofa_mbv3_w1.2", "ofa_proxyless", "ofa_resnet50")

WIDENING = 10.0
"""Beyond the fitted range of MACs the error doubles with every tenth of the bound."""


class SurrogateSource(AccuracySource):
    """`experiments/fit_accuracy.py` makes the fits; their JSON says from what, when and how well.

    top-1 = additive model of the genes at 224 x 224 + effect of the resolution + offset of the space. The
    error joins the three errors (root of squares) and widens where MACs leave the fitted range. Resolutions
    that no source covers are refused.
    """

    def kinds(self, space: Space) -> tuple[str, ...]:
        """`("surrogate",)`."""
        _data(space.name)
        return ("surrogate",)

    def resolutions(self, space: Space) -> tuple[int, ...]:
        """Those between the least and the largest resolution with a known effect."""
        known = [int(r) for r in _data(space.name)["resolution"]]
        return tuple(r for r in space.resolutions if min(known) <= r <= max(known))

    def describe(self, space: Space) -> str:
        """Where the fit comes from and on what footing."""
        return str(_data(space.name)["summary"])

    def effects(self, space: Space) -> tuple[NDArray[np.float64], ...]:
        """Those of the fit."""
        return _model(space.name).by_gene(space)

    def _resolution_hint(self, space: Space) -> str:
        known = [int(r) for r in _data(space.name)["resolution"]]
        return f"the surrogate covers {min(known)} to {max(known)}"

    def _predict(self, space: Space, genomes: Genomes) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        data = _data(space.name)
        knots = sorted((int(r), *effect) for r, effect in data["resolution"].items())
        known, points, spread = (np.array(column) for column in zip(*knots))
        at = np.array(space.resolutions)[genomes[:, 0]]
        value = _model(space.name).predict(space, genomes) + np.interp(at, known, points) + data["offset"][0]
        error = np.sqrt(data["error"] ** 2 + data["offset"][1] ** 2 + np.interp(at, known, spread) ** 2)
        return np.clip(value, 0.0, 100.0), error * self._widening(space, genomes, data), "surrogate"

    def _widening(self, space: Space, genomes: Genomes, data: dict[str, Any]) -> NDArray[np.float64]:
        if data["macs_at"] is not None:
            genomes = genomes.copy()
            genomes[:, 0] = 0
            space = _at(space.name, data["macs_at"], space)
        macs = space.macs(genomes)
        low, high = data["macs_range"]
        beyond = np.maximum(np.maximum((low - macs) / low, (macs - high) / high), 0.0)
        return np.asarray(1.0 + WIDENING * beyond)


@cache
def _data(space: str) -> dict[str, Any]:
    if space not in SPACES:
        raise nearest_space(space, SPACES, "the surrogate")
    text = files("accelsim.accuracy").joinpath("data", f"{space}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def _model(space: str) -> Additive:
    data = _data(space)
    shared = data["model"]
    return _model(shared) if isinstance(shared, str) else Additive.from_dict(shared)


_kept: dict[tuple[str, int], Space] = {}


def _at(name: str, resolution: int, space: Space) -> Space:
    """The space at one resolution, kept because its blocks are costly to build."""
    if (name, resolution) not in _kept:
        _kept[name, resolution] = space.at(resolution)
    return _kept[name, resolution]
