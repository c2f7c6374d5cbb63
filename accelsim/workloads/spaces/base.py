"""`Space`: a family of subnets behind an integer genome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import chain as flat
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import genes as g
from accelsim.workloads.spaces.chain import chain
from accelsim.workloads.spaces.genes import BlockGenes, Depth, Gene, Genomes
from accelsim.workloads.spaces.subnet import Subnet

__all__ = ["BlockGenes", "Depth", "Gene", "Genomes", "Space"]

SMALLEST_RESOLUTION = 32
"""Most spaces divide the input by up to 32; below that the last maps are smaller than one pixel."""

LARGEST_RESOLUTION = 4096

LISTED = 10_000_000
"""Genomes that are listed at most."""


class Space(ABC):
    """Subnets of one once-for-all network (or one benchmark), as rows of small integers.

    A genome is int64 [genes]; entry j is an index into `genes[j].values`; gene 0 is the resolution. Methods
    take [n, genes] (or one genome) and raise AccelsimError for a wrong shape or an index out of range.
    Two genomes are the same subnet exactly when their `canonical` rows are equal.

    A subclass states `genes` and `parts` and builds one part at a time; parts are built once and kept, so
    layers, counts and networks of any number of subnets come from the same blocks. One that divides its input
    by less may set `least_resolution` below 32 before it calls this class's constructor.
    """

    least_resolution = SMALLEST_RESOLUTION

    def __init__(self, name: str, genes: Sequence[Gene], parts: Sequence[BlockGenes]) -> None:
        self.name = name
        self.genes = tuple(genes)
        self.parts = tuple(parts)
        for r in self.resolutions:
            check_resolution(r, name, self.least_resolution)
            if self.resolutions.count(r) > 1:
                raise AccelsimError(f"{name}: resolution {r} is given twice; name each once")
        self.lower = np.zeros(len(self.genes), np.int64)
        self.upper = np.array([len(x.values) - 1 for x in self.genes], np.int64)
        # A block's number is its part's first number plus its genes read as mixed-radix digits: a linear map.
        self._digits = np.zeros((len(self.genes), len(self.parts)), np.int64)
        self._starts = np.zeros(len(self.parts) + 1, np.int64)
        for i, part in enumerate(self.parts):
            stride = 1
            for column in reversed(part.columns):
                self._digits[column, i] = stride
                stride *= len(self.genes[column].values)
            self._starts[i + 1] = self._starts[i] + stride
        self._switch = np.array([p.depth.column if p.depth else 0 for p in self.parts])
        self._least = np.array([p.depth.least if p.depth else 0 for p in self.parts])
        self._decides = (self._digits > 0).T
        self._always = np.isin(np.arange(len(self.genes)), self._switch)
        self._counts = np.full((int(self._starts[-1]), 2), -1, np.int64)
        self._built: dict[tuple[int, int], Network] = {}
        self._elsewhere: dict[int, Space] = {}

    # -- what a subclass says ------------------------------------------------------------------------

    @abstractmethod
    def decode(self, genome: ArrayLike) -> Subnet:
        """The readable form of one genome."""

    @abstractmethod
    def encode(self, subnet: Subnet) -> Genomes:
        """Canonical genome [genes] of a subnet; AccelsimError where a choice is not in this space."""

    @abstractmethod
    def _parse(self, text: str) -> Subnet:
        """Read `Subnet.encoding`; choices are checked by `encode`."""

    @abstractmethod
    def at(self, *resolutions: int) -> Space:
        """The same space with other input resolutions, any from 32 to 4096."""

    def having(self, resolution: int) -> Space:
        """This space if it has the resolution, else the same with that alone, made once."""
        if resolution in self.resolutions:
            return self
        if resolution not in self._elsewhere:
            self._elsewhere[resolution] = self.at(resolution)
        return self._elsewhere[resolution]

    @abstractmethod
    def build_part(self, part: int, values: tuple[Any, ...], batch: int) -> Network:
        """One part as a network with a single output; `values` are its genes' chosen values."""

    # -- genomes -------------------------------------------------------------------------------------

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Input heights (= widths) that the resolution gene chooses from."""
        return self.genes[0].values

    def input_shape(self, resolution: int) -> tuple[int, int, int]:
        """Channels, height and width of an input of a resolution."""
        return 3, resolution, resolution

    @cached_property
    def size(self) -> int:
        """Number of distinct subnets, resolutions included."""
        return g.count(self.genes, self.parts)

    def check(self, genomes: ArrayLike) -> Genomes:
        """The genomes as int64 [n, genes], or AccelsimError naming the row and gene."""
        return g.check(genomes, self.genes, self.name)

    def sample(self, rng: np.random.Generator, n: int) -> Genomes:
        """`n` canonical genomes [n, genes], each gene uniform, as OFA draws in training; repeats occur."""
        return self.canonical(rng.integers(0, self.upper + 1, (n, len(self.genes))))

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """Genomes with every gene that decides nothing (those of skipped blocks) set to 0."""
        rows = self.check(genomes)
        return np.where(self.active(rows), rows, 0)

    def active(self, genomes: ArrayLike) -> NDArray[np.bool_]:
        """[n, genes]: whether each gene decides anything, given the others."""
        decided: NDArray[np.bool_] = self._present(self.check(genomes)) @ self._decides
        return decided | self._always

    def neighbours(self, genome: ArrayLike) -> Genomes:
        """Distinct canonical genomes [m, genes] one gene away; a block that appears starts with choices 0."""
        base = self.canonical(genome)[0]
        rows = []
        for column, gene in enumerate(self.genes):
            for value in range(len(gene.values)):
                row = base.copy()
                row[column] = value
                rows.append(row)
        found = g.first_rows(self.canonical(np.array(rows)))
        return np.asarray(found[(found != base).any(axis=1)])

    def parse(self, text: str) -> Subnet:
        """Read `Subnet.encoding`, or the words `smallest` and `largest`, at any resolution from 32 to 4096.

        Raises AccelsimError for what is not in the space.
        """
        if text in ("smallest", "largest"):
            return self.decode(self.smallest() if text == "smallest" else self.largest())
        subnet = self._parse(text)
        self.having(subnet.resolution).encode(subnet)
        return subnet

    def smallest(self) -> Genomes:
        """Genome [genes] with the first choice everywhere: the least work, since choices ascend."""
        return np.asarray(self.canonical(self.lower)[0])

    def largest(self) -> Genomes:
        """Genome [genes] with the last choice everywhere."""
        return np.asarray(self.canonical(self.upper)[0])

    # -- blocks --------------------------------------------------------------------------------------

    def block_ids(self, genomes: ArrayLike) -> NDArray[np.int64]:
        """[n, parts]: the number of each part's block, -1 where the part is skipped.

        Equal numbers are equal blocks, across subnets too: price each once.
        """
        rows = self.check(genomes)
        return np.asarray(np.where(self._present(rows), rows @ self._digits + self._starts[:-1], -1))

    @property
    def num_blocks(self) -> int:
        """Distinct blocks: `block` takes 0 to this less 1, part by part, the last gene of a part fastest."""
        return int(self._starts[-1])

    @cached_property
    def existing_blocks(self) -> tuple[int, ...]:
        """Numbers of the blocks that are one: a gene of its own may say that a block is left out."""
        return tuple(i for i in range(self.num_blocks) if self._exists(i))

    def enumerate(self) -> Genomes:
        """Every distinct subnet [size, genes]. Raises AccelsimError for more than ten million genomes."""
        radix = [len(x.values) for x in self.genes]
        total = prod(radix)
        if total > LISTED:
            raise AccelsimError(f"{self.name}: {total} codes are too many to list; at most {LISTED}")
        rows = np.stack(np.unravel_index(np.arange(total), radix), axis=1)
        return g.first_rows(self.canonical(rows))

    def block_choice(self, block_id: int) -> tuple[int, tuple[Any, ...]]:
        """(part, value of each of its genes) of a block."""
        part = int(np.searchsorted(self._starts, block_id, "right")) - 1
        rest = block_id - int(self._starts[part])
        values: list[Any] = []
        for column in reversed(self.parts[part].columns):
            rest, index = divmod(rest, len(self.genes[column].values))
            values.append(self.genes[column].values[index])
        return part, tuple(reversed(values))

    def block(self, block_id: int, batch: int = 1) -> Network:
        """Block number `block_id` as a network with one output, built once and kept."""
        network = self._built.get((block_id, batch))
        if network is None:
            network = self.build_part(*self.block_choice(block_id), batch)
            self._built[block_id, batch] = network
        return network

    def macs(self, genomes: ArrayLike) -> NDArray[np.int64]:
        """[n] multiply-accumulates of one input: convolutions and fully connected layers."""
        return np.asarray(self._count(genomes)[:, 0])

    def params(self, genomes: ArrayLike) -> NDArray[np.int64]:
        """[n] parameters: weights, biases, BatchNorm scales and shifts."""
        return np.asarray(self._count(genomes)[:, 1])

    # -- networks ------------------------------------------------------------------------------------

    def layers(self, genome: ArrayLike, batch: int = 1) -> tuple[Layer, ...]:
        """Every layer in execution order; equal layers compare and hash equal."""
        blocks = self._blocks(genome, batch)
        return tuple(flat.from_iterable(b.layers for b in blocks))

    def to_network(self, genome: ArrayLike | Subnet, batch: int = 1) -> Network:
        """The whole network of a genome, or of a subnet of this space at any resolution from 32 to 4096."""
        space = self
        if isinstance(genome, Subnet):
            space = self.having(genome.resolution)
            subnet, genome = genome, space.encode(genome)
        else:
            subnet = self.decode(genome)
        return chain(str(subnet), space._blocks(genome, batch))

    # -- inside --------------------------------------------------------------------------------------

    def _present(self, rows: Genomes) -> NDArray[np.bool_]:
        present: NDArray[np.bool_] = rows[:, self._switch] >= self._least
        return present

    def _blocks(self, genome: ArrayLike, batch: int) -> list[Network]:
        return [self.block(i, batch) for i in self.block_ids(genome)[0].tolist() if i >= 0]

    def _exists(self, block_id: int) -> bool:
        part, values = self.block_choice(block_id)
        depth, columns = self.parts[part].depth, self.parts[part].columns
        if depth is None or depth.column not in columns:
            return True
        value = values[columns.index(depth.column)]
        return self.genes[depth.column].values.index(value) >= depth.least

    def _count(self, genomes: ArrayLike) -> NDArray[np.int64]:
        ids = self.block_ids(genomes)
        for i in np.unique(ids[self._counts[ids, 0] < 0]).tolist():
            if i >= 0:
                block = self.block(i)
                self._counts[i] = block.macs, block.params
        return np.asarray(np.where(ids[..., None] >= 0, self._counts[ids], 0).sum(axis=1))

    def __repr__(self) -> str:
        return f"<Space {self.name}: {len(self.genes)} genes, {self.size:.3g} subnets>"


def check_resolution(value: object, space: str, least: int = SMALLEST_RESOLUTION) -> int:
    """A whole number from `least` to 4096, or AccelsimError."""
    if type(value) is not int or not least <= value <= LARGEST_RESOLUTION:
        raise AccelsimError(
            f"{space}: resolution must be a whole number from {least} to {LARGEST_RESOLUTION}, "
            f"but got {value!r}"
        )
    return value
