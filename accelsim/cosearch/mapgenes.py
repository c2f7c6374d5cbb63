"""Mapping genes of a joint genome: one mapping style for each kind of layer, applied to all its layers.

NAAS's encoding (section 2.3): importances give the loop order of each memory, ratios the tile sizes on a log
scale. Axes are filled with the first dimension that the chip lets them carry.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import LEVELS, Genomes, PartGene
from accelsim.workloads.layer import DIMS, Layer

KINDS = ("conv", "pointwise", "depthwise", "dense", "other")


def kind_of(layer: Layer) -> str:
    """Which of KINDS a layer is."""
    if not layer.multiplies:
        return "other"
    if layer.G > 1 and layer.C == 1:
        return "depthwise"
    if layer.P * layer.Q == 1:
        return "dense"
    return "pointwise" if layer.R * layer.S == 1 else "conv"


class MappingGenes:
    """Order importances of every memory and tile ratios of all but the last, for each kind of layer."""

    def __init__(self, memories: int) -> None:
        self.memories = memories
        genes = []
        for kind in KINDS:
            for m in range(memories):
                genes += [PartGene(f"{kind}.order{m}.{d}", LEVELS) for d in DIMS]
                if m < memories - 1:
                    genes += [PartGene(f"{kind}.tile{m}.{d}", LEVELS) for d in DIMS]
        self.genes = tuple(genes)
        self._each = len(genes) // len(KINDS)

    def canonical(self, rows: Genomes) -> Genomes:
        """Importances become places."""
        out = rows.copy()
        at = 0
        n = len(DIMS)
        for _ in KINDS:
            for m in range(self.memories):
                order = np.argsort(-rows[:, at : at + n], axis=1, kind="stable")
                out[:, at : at + n] = np.argsort(order, axis=1)
                at += n if m == self.memories - 1 else 2 * n
        return out

    def of(self, row: NDArray[np.int64]) -> Callable[[Layer], NDArray[np.float64]]:
        """The vector float64[M * (BLOCK + MORE)] of each layer under one row: see `cost_models.mappers`."""
        made: dict[str, NDArray[np.float64]] = {}

        def genes(layer: Layer) -> NDArray[np.float64]:
            kind = kind_of(layer)
            if kind not in made:
                made[kind] = self._vector(row, KINDS.index(kind))
            return made[kind]

        return genes

    def _vector(self, row: NDArray[np.int64], kind: int) -> NDArray[np.float64]:
        from cost_models.mappers import genes as X

        piece = row[kind * self._each : (kind + 1) * self._each] / (LEVELS - 1)
        out = np.ones((self.memories, X.BLOCK))
        n = len(DIMS)
        at = 0
        for m in range(self.memories):
            out[m, X.ORDER : X.ORDER + n] = piece[at : at + n]
            at += n
            if m < self.memories - 1:
                out[m, X.RATIO : X.RATIO + n] = piece[at : at + n]
                at += n
        return np.append(out, np.ones(self.memories * X.MORE))
