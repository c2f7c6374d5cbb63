"""`TransformedNets`: one network, each of its convolutions rewritten by up to three steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes, PartGene, Top1, unknown
from accelsim.hardware import Accelerator
from accelsim.workloads.network import Network
from accelsim.workloads.transform import FACTORS, Conv, ConvPiece, Illegal, Rewriting, Transformation, applied

KINDS = tuple(FACTORS)
STEPS = 3
"""Steps a convolution, at most."""

IDLE = 12
"""Values of a step's gene that mean no step; each kind has one: 30 % of random convolutions stay."""

SLICES = 8
"""Slices that can have a factor of their own when they are grouped."""

_MOST = max(map(len, FACTORS.values()))
_KEPT = 4096  # networks kept


class Rewritten(NamedTuple):
    """A decoded row: the steps of each changed layer, genes in which every one counts, steps left out."""

    steps: dict[int, tuple[Transformation, ...]]
    row: NDArray[np.int64]
    left_out: Counter[str]


class TransformedNets:
    """Genes a convolution: a kind and a factor for each of three steps, and factors of eight slices.

    A step that a convolution does not allow is left out, so that every row is a network; `left_out` counts
    them by reason. A step's gene has more values for none than for all kinds together.
    """

    def __init__(self, network: Network) -> None:
        self.base = network
        self.rewriting = Rewriting(network)
        genes = []
        for i in self.rewriting.able:
            name = network.layers[i].name
            for s in range(1, STEPS + 1):
                genes.append(PartGene(f"net.{name}.step{s}", IDLE + len(KINDS)))
                genes.append(PartGene(f"net.{name}.factor{s}", _MOST))
            genes += [PartGene(f"net.{name}.slice{s}", len(FACTORS["group"])) for s in range(1, SLICES + 1)]
        self.genes = tuple(genes)
        self._each = 2 * STEPS + SLICES
        self._network = lru_cache(_KEPT)(self._make)

    def decode(self, row: NDArray[np.int64]) -> Rewritten:
        """What a row stands for."""
        steps: dict[int, tuple[Transformation, ...]] = {}
        clean = np.zeros_like(row)
        left_out: Counter[str] = Counter()
        narrowed: dict[int, int] = {}
        for at, i in enumerate(self.rewriting.able):
            own = slice(at * self._each, (at + 1) * self._each)
            conv = self.rewriting.conv(i, narrowed.get(self.rewriting.producer(i)))
            found, pieces = self._legal(conv, row[own], clean[own], left_out)
            if found:
                steps[i] = tuple(found)
            outs = max(piece.outs[1] for piece in pieces)
            if outs < conv.outs:
                narrowed[i] = outs
        return Rewritten(steps, clean, left_out)

    def _legal(
        self, conv: Conv, row: NDArray[np.int64], clean: NDArray[np.int64], left_out: Counter[str]
    ) -> tuple[list[Transformation], list[ConvPiece]]:
        """The possible steps of one convolution, and its pieces; `clean` gets their genes."""
        steps: list[Transformation] = []
        pieces = applied(conv, ())
        for kind, factor in _chosen(row):
            factors = FACTORS[KINDS[kind]]
            step = Transformation(KINDS[kind], (factors[factor % len(factors)],))
            slices = 0
            if step.kind == "group" and any(s.kind == "split_out" for s in steps):
                slices = min(SLICES, sum(not piece.peeled for piece in pieces))
                own = row[2 * STEPS : 2 * STEPS + slices].tolist()
                step = Transformation("group", tuple(factors[v] for v in own))
            try:
                after = applied(conv, (*steps, step))
            except Illegal as fault:
                left_out[f"{step.kind}: {fault}"] += 1
                continue
            if after == pieces:
                left_out[f"{step.kind}: changes nothing"] += 1
                continue
            n = 2 * len(steps)
            clean[n : n + 2] = IDLE + kind, 0 if slices else factor % len(factors)
            if slices:
                clean[2 * STEPS : 2 * STEPS + slices] = own
            steps.append(step)
            pieces = after
        return steps, pieces

    def canonical(self, rows: Genomes) -> Genomes:
        """Steps that are left out are none, and those that stay come first."""
        return np.array([self.decode(row).row for row in rows], np.int64).reshape(rows.shape)

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The rewritten network."""
        return (self._network(row.tobytes()),)

    def _make(self, genome: bytes) -> Network:
        steps = self.decode(np.frombuffer(genome, np.int64)).steps
        return self.rewriting.rewrite(steps, self._name(steps))

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates."""
        return np.array([float(self.networks(row)[0].macs) for row in rows])

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator]) -> Top1:
        """Nobody has trained them."""
        return unknown(rows)

    def label(self, row: NDArray[np.int64]) -> str:
        """The network, and how many of its convolutions are changed."""
        return self._name(self.decode(row).steps)

    def _name(self, steps: dict[int, tuple[Transformation, ...]]) -> str:
        return f"{self.base.name}, {len(steps)} of {len(self.rewriting.able)} convolutions changed"

    def program(self, row: NDArray[np.int64]) -> dict[str, str]:
        """The steps of each changed convolution, in words."""
        steps = self.decode(row).steps
        return {self.base.layers[i].name: ", ".join(map(str, some)) for i, some in steps.items()}

    def left_out(self, rows: Genomes) -> Counter[str]:
        """Steps of some rows that are left out, by kind and reason."""
        return sum((self.decode(row).left_out for row in rows), Counter())

    def row(self, steps: dict[int, Sequence[Transformation]]) -> NDArray[np.int64]:
        """The row of some steps. Raises ValueError for steps or factors that no gene stands for."""
        out = np.zeros(len(self.genes), np.int64)
        for i, some in steps.items():
            own = out[self.rewriting.able.index(i) * self._each :][: self._each]
            for s, step in enumerate(some):
                own[2 * s] = IDLE + KINDS.index(step.kind)
                choices = [FACTORS[step.kind].index(factor) for factor in step.factors]
                own[2 * s + 1] = choices[0]
                if step.kind == "group":
                    own[2 * STEPS :][: len(choices)] = choices
        return out


def _chosen(row: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(kind, factor) of the steps that a convolution's genes name."""
    for s in range(STEPS):
        kind = int(row[2 * s]) - IDLE
        if kind >= 0:
            yield kind, int(row[2 * s + 1])
