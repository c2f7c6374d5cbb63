"""`Nets`: the distinct networks of a benchmark's space, and how often each has which layer."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import load_space

SPACES = {"macro": "nasbench_macro"}
"""Name of a benchmark -> its space of networks."""


class Nets:
    """Networks by number.

    rows    int64[nets, genes], canonical genomes
    layers  the distinct layers of all of them, in a fixed order
    counts  int64[nets, layers], how often a network runs each
    """

    def __init__(self, name: str) -> None:
        if name not in SPACES:
            raise AccelsimError(f"nacos: no benchmark {name!r}{nearest(name, SPACES)}")
        self.name = name
        self.space = load_space(SPACES[name])
        self.rows = self.space.enumerate()
        numbers: dict[Layer, int] = {}
        blocks = {i: self.space.block(i).layers for i in self.space.existing_blocks}
        for some in blocks.values():
            for layer in some:
                numbers.setdefault(layer, len(numbers))
        each = np.zeros((self.space.num_blocks + 1, len(numbers)), np.int64)  # the last: a part left out
        for i, some in blocks.items():
            for layer in some:
                each[i, numbers[layer]] += 1
        self.layers = tuple(numbers)
        self.counts = np.asarray(each[self.space.block_ids(self.rows)].sum(axis=1))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def macs(self) -> NDArray[np.int64]:
        """[nets] multiply-accumulates of an inference."""
        return self.space.macs(self.rows)

    @cached_property
    def params(self) -> NDArray[np.int64]:
        """[nets] parameters."""
        return self.space.params(self.rows)

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        """Number of the network of every genome, by its genes."""
        choices = [len(gene.values) for gene in self.space.genes]
        every = np.stack(np.unravel_index(np.arange(np.prod(choices)), choices), axis=1)
        numbers = {row.tobytes(): i for i, row in enumerate(self.rows)}
        same = self.space.canonical(every)
        return np.array([numbers[row.tobytes()] for row in same]).reshape(choices)

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], ...]:
        """For each network those that differ from it in one gene, rising."""
        return tuple(np.unique(self.numbers(self.space.neighbours(row))) for row in self.rows)

    def arch(self, i: int) -> str:
        """The code of a network; `index` reads it back."""
        return self.space.decode(self.rows[i]).encoding

    def index(self, arch: str) -> int:
        """Number of the network that a code stands for; several codes may be one. Raises AccelsimError."""
        subnet = self.space.parse(arch.removeprefix(f"{self.space.name}:"))
        return int(self.numbers(self.space.encode(subnet)[None])[0])

    def numbers(self, genomes: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n] numbers of the networks of genomes [n, genes]."""
        return np.asarray(self._table[tuple(genomes.T)])

    def network(self, i: int) -> Network:
        """The network itself."""
        return self.space.to_network(self.rows[i])
