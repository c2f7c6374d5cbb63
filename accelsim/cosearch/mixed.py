"""Precisions layer by layer as genes of the network, on one chip's MACs (see `hardware.precision`).

A tensor has one width: what writes it and all that read it agree, and so do all tensors that a layer reads,
the terms of a sum and the parts of a concatenation, and the layers that share weights. Tensors that must
agree are a group. What enters and leaves the network is as wide as the chip's, as whoever is outside expects
it; what the network's file gives a width to keeps it. Weights are of each layer's own width, such that it and
the width of the inputs are one of the pairs that may be chosen, or the chip's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.accuracy.base import AccuracyValue
from accelsim.accuracy.quantised import Widths, floor
from accelsim.cosearch.genes import Genomes, PartGene, Top1, unknown
from accelsim.cosearch.nets import FixedNets, SubnetSpace
from accelsim.hardware import Accelerator
from accelsim.workloads.bits import LayerBits
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.spaces import Space

_KEPT = 512  # networks


class PrecisionPairs:
    """Bits of (weights, activations) that a layer may have: those of the chip and the given ones, narrow ones
    first.
    """  # fmt: skip

    def __init__(self, chip: Accelerator, given: Iterable[Widths]) -> None:
        self.own = chip.precision_bits.weight, chip.precision_bits.input
        self.all = sorted({self.own, *given}, key=lambda pair: (pair[0] * pair[1], pair[0]))
        self.activations = sorted({activation for _, activation in self.all})

    def weights(self, activation: int) -> list[int]:
        """Widths of weights beside inputs of a width."""
        return sorted(weight for weight, beside in self.all if beside == activation)

    def weight(self, wanted: int, activation: int) -> int:
        """The narrowest of those that is not below the wanted one, else the widest."""
        there = self.weights(activation)
        return next((bits for bits in there if bits >= wanted), max(there, default=wanted))

    def told(self, bits: int, operand: int) -> int | None:
        """Bits of an operand (0 weights, 1 activations) of a layer: what is the chip's own is left to it."""
        return None if bits == self.own[operand] else bits


class TensorWidths:
    """The groups of one network's tensors, and which may have which widths.

    reads, writes  the group of what each layer reads, and of its result
    free           group -> widths to choose from, where there is a choice; all others stay as they are
    weighs         the first layer that has the weights of each layer
    chosen         of these first ones, those whose weights have a choice
    """

    def __init__(self, network: Network, pairs: PrecisionPairs) -> None:
        self.network, self.pairs = network, pairs
        n = len(network.layers)
        parent = [*range(3 * n)]  # of each layer what it reads, what it writes, its weights

        def root(x: int) -> int:
            while parent[x] != x:
                x = parent[x]
            return x

        def join(x: int, y: int) -> None:
            x, y = root(x), root(y)
            parent[max(x, y)] = min(x, y)

        holders: dict[str, int] = {}
        for i, held in enumerate(network.held):
            for tensor, _ in held:
                first = holders.setdefault(tensor, i)
                join(first, i)
                join(2 * n + first, 2 * n + i)
        for producer, consumer, _, _ in network.edges:
            if producer != INPUT:
                join(n + producer, consumer)
        self.reads, self.writes = [root(i) for i in range(n)], [root(n + i) for i in range(n)]
        self.weighs = [root(2 * n + i) - 2 * n for i in range(n)]
        self.factors = {edge.consumer for edge in network.edges if edge.operand == "W"}
        stay = {self.writes[i] for i in network.outputs}
        stay |= {self.reads[edge.consumer] for edge in network.edges if edge.producer == INPUT}
        told = {self.weighs[i] for i, layer in enumerate(network.layers) if layer.bits.weight}
        for i, layer in enumerate(network.layers):
            given = layer.bits.input or (i in self.factors and layer.bits.weight)
            stay |= {self.reads[i]} if given else set()
            stay |= {self.writes[i]} if layer.bits.output else set()
        self.free: dict[int, list[int]] = {}
        for group in dict.fromkeys(self.reads):
            squares = any(self.reads[i] == group and network.layers[i].multiplies for i in self.factors)
            able = [a for a in pairs.activations if not squares or a == pairs.own[1] or (a, a) in pairs.all]
            if group not in stay and len(able) > 1:
                self.free[group] = able
        self.chosen = [
            i
            for i, layer in enumerate(network.layers)
            if layer.multiplies and network.weights_of[i] and i not in self.factors
            and self.weighs[i] == i and i not in told and len(self.beside(i)) > 1
        ]  # fmt: skip

    def beside(self, i: int) -> list[int]:
        """Widths that the weights of a layer may have, beside any inputs that it may have."""
        read = self.free.get(self.reads[i]) or [self.network.layers[i].bits.input or self.pairs.own[1]]
        return sorted({weight for activation in read for weight in self.pairs.weights(activation)})

    def settled(self, widths: Mapping[int, int], weights: Mapping[int, int]) -> tuple[LayerBits, ...]:
        """Bits of each layer, where free groups and chosen layers have the given ones.

        A width of weights for which there is no pair becomes the next wider one.
        """
        out, told = [], self.pairs.told
        for i, layer in enumerate(self.network.layers):
            weight, read, write = layer.bits
            given, result, wanted = (
                widths.get(self.reads[i]), widths.get(self.writes[i]), weights.get(self.weighs[i])
            )  # fmt: skip
            if wanted is not None:
                weight = told(self.pairs.weight(wanted, given or read or self.pairs.own[1]), 0)
            if given is not None:
                read = told(given, 1)
                weight = read if i in self.factors else weight
            out.append(LayerBits(weight, read, write if result is None else told(result, 1)))
        return tuple(out)

    def made(self, bits: Sequence[LayerBits]) -> Network:
        """The network with these."""
        layers = tuple(
            layer if layer.bits == one else replace(layer, bits=one)
            for layer, one in zip(self.network.layers, bits, strict=True)
        )
        return self.network if layers == self.network.layers else replace(self.network, layers=layers)


def used(network: Network, chip: Accelerator) -> dict[Widths, int]:
    """Bits of (weights, inputs) -> multiply-accumulates in that precision."""
    own, out = chip.precision_bits, dict[Widths, int]()
    for layer in network.layers:
        if layer.multiplies:
            pair = layer.bits.weight or own.weight, layer.bits.input or own.input
            out[pair] = out.get(pair, 0) + layer.macs
    return out


def _words(name: str, network: Network, chip: Accelerator) -> str:
    found = used(network, chip)
    total = sum(found.values()) or 1
    weight, read = (sum(pair[k] * macs for pair, macs in found.items()) / total for k in (0, 1))
    return f"{name} W{weight:.2f} A{read:.2f}"


class MixedNets(FixedNets):
    """Given networks; a gene for each group of tensors and for the weights of each layer.

    known  published top-1 by bits of weights and activations of the one network, where accuracy is a goal
    """

    def __init__(
        self,
        networks: Sequence[Network],
        chip: Accelerator,
        pairs: Sequence[Widths],
        known: dict[Widths, AccuracyValue] | None = None,
        weights: Sequence[float] = (),
    ) -> None:
        super().__init__(networks, known, weights)
        self.chip, self.pairs = chip, PrecisionPairs(chip, pairs)
        self.tensors = [TensorWidths(network, self.pairs) for network in networks]
        genes: list[PartGene] = []
        self._groups: list[dict[int, int]] = []  # of each network: group -> column
        self._chosen: list[dict[int, int]] = []  # layer -> column
        for n, one in enumerate(self.tensors):
            of = f"bits.{n}" if len(networks) > 1 else "bits"
            self._groups.append({})
            self._chosen.append({})
            for i, name in enumerate(one.network.names):
                if (group := one.reads[i]) in one.free and group not in self._groups[n]:
                    self._groups[n][group] = len(genes)
                    genes.append(PartGene(f"{of}.{name}.input", len(one.free[group])))
                if i in one.chosen:
                    self._chosen[n][i] = len(genes)
                    genes.append(PartGene(f"{of}.{name}.weight", len(one.beside(i))))
        self.genes = tuple(genes)
        self._tables = [self._table(n, i) for n in range(len(networks)) for i in self._chosen[n]]
        self._made = lru_cache(_KEPT)(self._make)

    def _table(self, n: int, i: int) -> tuple[int, int | None, NDArray[np.int64]]:
        """(column of a layer's weights, of its inputs, [widths of inputs, of weights] which gene counts)."""
        one = self.tensors[n]
        column = self._groups[n].get(one.reads[i])
        own = [one.network.layers[i].bits.input or self.pairs.own[1]]
        there = one.beside(i)
        table = [
            [there.index(self.pairs.weight(wanted, read)) for wanted in there]
            for read in one.free.get(one.reads[i], own)
        ]
        return self._chosen[n][i], column, np.array(table, np.int64)

    def canonical(self, rows: Genomes) -> Genomes:
        """A width of weights that no pair has beside the inputs is the next wider one."""
        out = rows.copy()
        for at, column, table in self._tables:
            out[:, at] = table[rows[:, column] if column is not None else 0, rows[:, at]]
        return out

    def own(self, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the networks in the chip's precisions."""
        out = np.zeros(len(self.genes), np.int64)
        for one, groups, chosen in zip(self.tensors, self._groups, self._chosen, strict=True):
            for group, column in groups.items():
                out[column] = one.free[group].index(self.pairs.own[1])
            for i, column in chosen.items():
                there = one.beside(i)
                out[column] = there.index(self.pairs.own[0]) if self.pairs.own[0] in there else 0
        return np.asarray(self.canonical(out[None])[0])

    def plain(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The networks as they were given."""
        return self.all

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """All of them, each layer in its precisions."""
        return self._made(np.asarray(row, np.int64).tobytes())

    def _make(self, key: bytes) -> tuple[Network, ...]:
        row = np.frombuffer(key, np.int64)
        return tuple(
            one.made(
                one.settled(
                    {group: one.free[group][row[column]] for group, column in groups.items()},
                    {i: one.beside(i)[row[column]] for i, column in chosen.items()},
                )
            )
            for one, groups, chosen in zip(self.tensors, self._groups, self._chosen, strict=True)
        )

    def accuracy(self, rows: Genomes, chips: Sequence[Accelerator]) -> Top1:
        """As published where all layers agree, else at least that of the narrowest, see `floor`."""
        if self.published is None:
            return unknown(rows)
        told = [floor(self.published, used(self.networks(row)[0], self.chip)) for row in rows]
        return Top1(np.array([one.value for one in told]), np.array([one.error for one in told]))

    def label(self, row: NDArray[np.int64]) -> str:
        """Names of the networks, and the mean bits of weights and inputs over multiply-accumulates."""
        return ", ".join(_words(net.name, net, self.chip) for net in self.networks(row))


class MixedSubnets(SubnetSpace):
    """Subnets of a space; a gene for the precision of each of its blocks.

    A group of tensors that several blocks read is as wide as the widest of them asks.
    """

    def __init__(self, space: Space, chip: Accelerator, pairs: Sequence[Widths], batch: int = 1) -> None:
        super().__init__(space, None, batch)
        self.chip, self.pairs = chip, PrecisionPairs(chip, pairs)
        self._inner = len(self.genes)
        many = len(self.pairs.all)
        self.genes += tuple(PartGene(f"bits.{part.name}", many) for part in space.parts)
        self._tensors = lru_cache(_KEPT)(self._parted)
        self._mixed = lru_cache(_KEPT)(self._mix)

    def canonical(self, rows: Genomes) -> Genomes:
        """Genes of skipped blocks are 0."""
        inner = super().canonical(rows[:, : self._inner])
        there = self.space.block_ids(inner) >= 0
        return np.column_stack([inner, np.where(there, rows[:, self._inner :], 0)])

    def subnets(self, rows: Genomes) -> Genomes:
        """Canonical genomes of the space."""
        return super().canonical(rows[:, : self._inner])

    def own(self, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the same subnet in the chip's precisions."""
        out = row.copy()
        out[self._inner :] = self.pairs.all.index(self.pairs.own)
        return np.asarray(self.canonical(out[None])[0])

    def plain(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The subnet as the chip has it."""
        return super().networks(self.subnets(row[None])[0])

    def _parted(self, key: bytes) -> tuple[TensorWidths, list[int]]:
        """The tensors of a subnet, and the part of each of its layers."""
        inner = np.frombuffer(key, np.int64)
        ids = self.space.block_ids(inner[None])[0].tolist()
        parts = [part for part, block in enumerate(ids) if block >= 0 for _ in self.space.block(block).layers]
        return TensorWidths(super().networks(inner)[0], self.pairs), parts

    def networks(self, row: NDArray[np.int64]) -> tuple[Network, ...]:
        """The subnet, each layer in its precisions."""
        return (self._mixed(np.asarray(row, np.int64).tobytes()),)

    def _mix(self, key: bytes) -> Network:
        row = np.frombuffer(key, np.int64)
        tensors, parts = self._tensors(self.subnets(row[None])[0].tobytes())
        asked = [self.pairs.all[row[self._inner + part]] for part in parts]
        widths: dict[int, int] = {}
        for i, group in enumerate(tensors.reads):
            if group in tensors.free:
                able = [a for a in tensors.free[group] if a >= asked[i][1]] or tensors.free[group][-1:]
                widths[group] = max(widths.get(group, 0), able[0])
        weights = {i: asked[i][0] for i in tensors.chosen}
        return tensors.made(tensors.settled(widths, weights))

    def macs(self, rows: Genomes) -> NDArray[np.float64]:
        """[n] multiply-accumulates of one input."""
        return super().macs(rows[:, : self._inner])

    def label(self, row: NDArray[np.int64]) -> str:
        """The subnet as `SPACE:ENCODING`, and the mean bits of weights and inputs."""
        name = super().label(self.subnets(row[None])[0])
        return _words(name, self.networks(row)[0], self.chip)


Mixed = (MixedNets, MixedSubnets)
