"""The networks of a search: a space of subnets, or fixed ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.accuracy import AccuracySource, AccuracyValue
from accelsim.cosearch.genes import Genomes, PartGene, Top1, unknown
from accelsim.cosearch.metrics import mean
from accelsim.cosearch.transformed import TransformedNets
from accelsim.hardware import Accelerator
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import Space

_KEPT = 512  # subnets


class FixedNets:
    """Always the same networks; with several, figures are geometric means over them, weighted or not.

    published  top-1 of the one network, by bits of weights and activations, where it is known
    """

    genes: tuple[PartGene, ...] = ()

    def __init__(
        self,
        networks: Sequence[Network],
        published: dict[tuple[int, int], AccuracyValue] | None = None,
        weights: Sequence[float] = (),
    ) -> None:
        self.all = tuple(networks)
        self.published = published
        self.weights = tuple(weights)

    def canonical(self, rows: Genomes) -> Genomes:
        """The rows."""
        return rows

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """All of them."""
        return self.all

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] geometric mean of the multiply-accumulates."""
        return np.full(len(rows), mean((float(net.macs) for net in self.all), self.weights))

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator]) -> Top1:
        """Of the network in the precisions of each chip, where that is published."""
        if self.published is None:
            return unknown(rows)
        bits = [chip.precision_bits for chip in chips]
        told = [self.published[one.weight, one.input] for one in bits]
        return Top1(np.array([one.value for one in told]), np.array([one.error for one in told]))

    def label(self, row: NDArray[np.int64]) -> str:
        """Names of the networks."""
        return ", ".join(net.name for net in self.all)


class SubnetSpace:
    """Subnets of a space, with an accuracy each if there is a source."""

    def __init__(self, space: Space, source: AccuracySource | None, batch: int = 1) -> None:
        self.space = space if source is None else source.restrict(space)
        self.source = source
        self.batch = batch
        self.genes = tuple(PartGene(f"net.{g.name}", len(g.values)) for g in self.space.genes)
        self._network = lru_cache(_KEPT)(self._make)

    def canonical(self, rows: Genomes) -> Genomes:
        """Genes of skipped blocks are 0."""
        return self.space.canonical(rows)

    def _make(self, genome: bytes) -> Network:
        return self.space.to_network(np.frombuffer(genome, np.int64), self.batch)

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The subnet, kept for the next time."""
        return (self._network(np.asarray(row, np.int64).tobytes()),)

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates of one input."""
        return self.space.macs(rows).astype(float)

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator] = ()) -> Top1:
        """Of the subnets, on any chip; NaN without a source."""
        if self.source is None:
            return unknown(rows)
        found = self.source.predict(self.space, rows)
        return Top1(np.asarray(found.value), np.asarray(found.error))

    def label(self, row: NDArray[np.int64]) -> str:
        """The subnet as `SPACE:ENCODING`."""
        return str(self.space.decode(row))

    def subnets(self, rows: Genomes) -> Genomes:
        """Canonical genomes of the space."""
        return self.space.canonical(rows)


class SlicedNets(SubnetSpace):
    """Subnets of a space some of whose genes are fixed: column -> index of its value."""

    def __init__(self, whole: SubnetSpace, fixed: dict[int, int]) -> None:
        super().__init__(whole.space, whole.source, whole.batch)
        self.fixed = fixed
        self._free = [c for c in range(len(self.genes)) if c not in fixed]
        self.genes = tuple(self.genes[c] for c in self._free)

    def subnets(self, rows: Genomes) -> Genomes:
        """Canonical genomes of the space."""
        whole = np.zeros((len(rows), len(self.space.genes)), np.int64)
        whole[:, self._free] = rows
        whole[:, list(self.fixed)] = list(self.fixed.values())
        return self.space.canonical(whole)

    def canonical(self, rows: Genomes) -> Genomes:
        """Genes of skipped blocks are 0."""
        return np.asarray(self.subnets(rows)[:, self._free])

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The subnet."""
        return super().networks(self.subnets(row[None, :])[0])

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates of one input."""
        return super().macs(self.subnets(rows))

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator] = ()) -> Top1:
        """Of the subnets, on any chip; NaN without a source."""
        return super().accuracy(self.subnets(rows))

    def label(self, row: NDArray[np.int64]) -> str:
        """The subnet as `SPACE:ENCODING`."""
        return super().label(self.subnets(row[None, :])[0])


class ListedNets:
    """Some rows of another space, one gene choosing among them."""

    def __init__(self, space: SubnetSpace | ListedNets, rows: Genomes) -> None:
        self.inner = space
        self.space: Space = space.space
        self.rows = rows
        self.genes = (PartGene("net", len(rows)),)

    def canonical(self, rows: Genomes) -> Genomes:
        """The rows."""
        return rows

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The chosen subnet."""
        return self.inner.networks(self.rows[row[0]])

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates of one input."""
        return self.inner.macs(self.rows[rows[:, 0]])

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator] = ()) -> Top1:
        """Of the subnets, on any chip; NaN without a source."""
        return self.inner.accuracy(self.rows[rows[:, 0]])

    def label(self, row: NDArray[np.int64]) -> str:
        """The subnet as `SPACE:ENCODING`."""
        return self.inner.label(self.rows[row[0]])

    def subnets(self, rows: Genomes) -> Genomes:
        """Canonical genomes of the space."""
        return self.inner.subnets(self.rows[rows[:, 0]])


class BlockNets:
    """Blocks of a space, each a small network by itself; one gene chooses among them."""

    def __init__(self, space: Space, blocks: NDArray[np.int64], batch: int = 1) -> None:
        self.space, self.blocks, self.batch = space, blocks, batch
        self.genes = (PartGene("block", len(blocks)),)

    def canonical(self, rows: Genomes) -> Genomes:
        """The rows."""
        return rows

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The block."""
        return (self.space.block(int(self.blocks[row[0]]), self.batch),)

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates of one input."""
        return np.array([float(self.space.block(int(i)).macs) for i in self.blocks[rows[:, 0]]])

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator]) -> Top1:
        """A block has none."""
        return unknown(rows)

    def label(self, row: NDArray[np.int64]) -> str:
        """Its part and the values of its genes."""
        part, values = self.space.block_choice(int(self.blocks[row[0]]))
        chosen = self.space.parts[part]
        names = [self.space.genes[c].name for c in chosen.columns]
        words = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
        return f"block {chosen.name} of {self.space.name}: {words}"


Nets = FixedNets | SubnetSpace | ListedNets | BlockNets | TransformedNets
