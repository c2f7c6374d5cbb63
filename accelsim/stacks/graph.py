"""`StackGraph`: consecutive layers of a network as the arrays of `cost_models.stacks`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, OUTSIDE, Edge, Network
from accelsim.workloads.reach import Reads, RowWindow, Whole
from cost_models import stacks as S

KEPT = {"none": (False, False), "columns": (False, True), "both": (True, True)}
"""What stays between steps: (rows, columns)."""


@dataclass(frozen=True)
class StackGraph:
    """Layers `first` to `last` of a network, the last one being the sink.

    Nodes are tensors: first what the layers read from outside the stack, in the order of the network (the
    input is -1), then the layers' results.

    Raises AccelsimError where the interval is none, or where something outside reads rows that the stack
    never computes.
    """

    network: Network
    first: int
    last: int

    def __post_init__(self) -> None:
        count = len(self.network.layers)
        if not 0 <= self.first <= self.last < count:
            raise AccelsimError(
                f"stack: layers {self.first} to {self.last} are no interval of the {count} layers of "
                f"{self.network.name}"
            )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the stack."""
        return self.network.layers[self.first : self.last + 1]

    @property
    def inside(self) -> range:
        """Indices of the layers in the network."""
        return range(self.first, self.last + 1)

    @cached_property
    def loaded(self) -> tuple[int, ...]:
        """Producers outside the stack, the network's input (-1) first."""
        return tuple(sorted({e.producer for e, _ in self._edges if e.producer < self.first}))

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """Producer of each node."""
        return (*self.loaded, *range(self.first, self.last + 1))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each node: the layer that makes it, or `input`."""
        return tuple(OUTSIDE if i == INPUT else self.network.names[i] for i in self.nodes)

    @property
    def loaded_names(self) -> tuple[str, ...]:
        """Names of what the stack reads from outside."""
        return self.names[: len(self.loaded)]

    @cached_property
    def images(self) -> int:
        """How often the stack runs: the batch, one image at a time, where all its layers have it in N."""
        counts = {x.N for x in self.layers if not _grouped(x)} or {1}
        images = counts.pop() if len(counts) == 1 else 1
        return images if all(x.G % images == 0 for x in self.layers if _grouped(x)) else 1

    @cached_property
    def one_image(self) -> tuple[Layer, ...]:
        """The layers, of one of the images."""
        if self.images == 1:
            return self.layers
        return tuple(
            replace(x, G=x.G // self.images) if _grouped(x) else replace(x, N=x.N // self.images)
            for x in self.layers
        )

    @cached_property
    def stored(self) -> NDArray[np.bool_]:
        """[nodes] whether something outside the stack reads the tensor, or it leaves the network."""
        net = self.network
        out = [
            i >= self.first
            and (
                i == self.last or i in net.outputs or any(e.consumer > self.last for e in net.consumers_of[i])
            )
            for i in self.nodes
        ]
        return np.array(out)

    @cached_property
    def read(self) -> NDArray[np.bool_]:
        """[nodes] whether a layer of the stack reads the tensor."""
        producers = {edge.producer for edge, _ in self._edges}
        return np.array([i in producers for i in self.nodes])

    def weights(self, stay: Iterable[int]) -> NDArray[np.int64]:
        """[layers] words of weights that the layers `stay` keep; what layers share counts for the first."""
        out, seen = np.zeros(len(self.layers), np.int64), list[int]()
        for i in sorted(stay):
            before = self.network.distinct_weights(seen) if self.network.held else 0
            seen.append(i)
            held = self.network.distinct_weights(seen if self.network.held else [i])
            out[i - self.first] = held - before
        return out

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """[2, nodes] rows and columns of each tensor."""
        return np.array([self.network.size_of(i) for i in self.nodes], np.int64).T.copy()

    @cached_property
    def channels(self) -> NDArray[np.int64]:
        """[nodes] words of an image at each position; of a loaded tensor, those that the stack reads."""
        out = []
        for node, i in enumerate(self.nodes):
            rows, cols = self.sizes[:, node].tolist()
            if i >= self.first:
                out.append(self.network.layers[i].output_elements // (self.images * rows * cols))
            else:
                out.append(self._channels_read(i, rows, cols))
        return np.array(out, np.int64)

    @cached_property
    def macs(self) -> NDArray[np.int64]:
        """[nodes] multiply-accumulates of an image for each position of the result; 0 for loaded tensors."""
        out = [0] * len(self.nodes)
        for node, layer in enumerate(self.layers, len(self.loaded)):
            out[node] = layer.macs // (self.images * layer.P * layer.Q)
        return np.array(out, np.int64)

    @cached_property
    def live(self) -> NDArray[np.bool_]:
        """[layers, nodes] whether a step's window of the tensor is there while the layer runs."""
        at = {node: i for i, node in enumerate(self.nodes)}
        first = np.array([len(self.layers)] * len(self.loaded) + list(range(len(self.layers))))
        last = np.array([0] * len(self.loaded) + list(range(len(self.layers))))
        for edge, _ in self._edges:
            node, reader = at[edge.producer], edge.consumer - self.first
            first[node], last[node] = min(first[node], reader), max(last[node], reader)
        steps = np.arange(len(self.layers))[:, None]
        return (first <= steps) & (steps <= last)

    @cached_property
    def reads(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
        """Per axis (rows, columns) `reads` and `starts` of `cost_models.stacks`."""
        at = {node: i for i, node in enumerate(self.nodes)}
        out = []
        for axis in (0, 1):
            rows = sorted(
                (at[e.producer], at[e.consumer], *_columns(window, axis)) for e, window in self._edges
            )
            table = np.array(rows, np.int64).reshape(-1, S.READ_COLS)
            starts = np.searchsorted(table[:, 0], np.arange(len(self.nodes) + 1)).astype(np.int64)
            out.append((table, starts))
        return tuple(out)

    @cached_property
    def _edges(self) -> list[tuple[Edge, Reads]]:
        return [pair for i in self.inside for pair in self.network.reads_of[i]]

    def _channels_read(self, producer: int, rows: int, cols: int) -> int:
        total = words = 0
        for edge, window in self._edges:
            if edge.producer != producer:
                continue
            words += -(-edge.elements // (self.images * max(self.network.area_read(edge, window), 1)))
        if producer == INPUT:
            total = self.network.input_shape[0] * self.network.batch // self.images
        else:
            total = self.network.layers[producer].output_elements // (self.images * rows * cols)
        return max(1, min(total, words))


def _grouped(layer: Layer) -> bool:
    """Whether the batch is in G: each image has values of its own to be scaled with."""
    return layer.op == "broadcast" and layer.N == 1


def _columns(window: Reads, axis: int) -> tuple[int, ...]:
    if isinstance(window, Whole):
        return (*RowWindow(), 1)
    return (*window[axis], 0)
