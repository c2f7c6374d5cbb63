"""`Network`: layers in execution order and the tensors that flow between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.bits import read_bits
from accelsim.workloads.layer import Layer, check_points
from accelsim.workloads.reach import Reads, Whole, derived, rows_read
from accelsim.workloads.region import Region, distinct

if TYPE_CHECKING:
    import networkx as nx

INPUT = -1
"""Producer index of tensors that come from outside the network."""

OUTSIDE = "input"
"""The same in JSON, where producers go by name."""


class Edge(NamedTuple):
    """A tensor, or the part of one, that layer `consumer` reads from layer `producer`.

    `elements` covers the whole batch and leaves padding out. `operand` is "I", or "W" where an activation
    takes the place of weights (the second factor of a matrix product). Views and concatenations are not
    layers: they show as edges from the layers that really computed the data.
    """

    producer: int
    consumer: int
    elements: int
    operand: str = "I"


class Selection(NamedTuple):
    """Which elements of which tensor an edge or a weight operand reads.

    `tensor` tells several results of one layer, or several inputs of the network, apart ("" if there is only
    one), or names weights. `region` is None for all of it, for what the edge's window reads of it, or where
    only the number of elements is known.
    """

    tensor: str = ""
    region: Region | None = None


ALL = Selection()


@dataclass(frozen=True)
class Network:
    """A directed acyclic graph of layers, stored flat; `graph` gives it as a networkx `DiGraph`.

    layers       execution order; a layer reads only from earlier ones; names are unique
    edges        sorted by consumer; producer `INPUT` (-1) is the outside world
    outputs      indices of the layers whose results leave the network
    weights_of   weight elements of each layer, without biases and BatchNorm
    params_of    parameters of each layer as frameworks count them: with biases, BatchNorm scale and shift
    input_shape  channels, height, width of one input
    batch        inputs processed at once (already inside every layer's sizes)
    notes        what an importer left out or took as a view, one sentence each
    windows      per edge, which rows and columns of the producer (its layer's P x Q, or the input's) a piece
                 of the consumer reads; left out, they follow from the sizes

    Raises AccelsimError for no layers, a repeated name, more than 2^53 iterations of all layers, an edge
    that does not lead forward, or a tensor that one layer writes and another reads in unlike bits.
    """

    name: str
    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]
    outputs: tuple[int, ...]
    weights_of: tuple[int, ...]
    params_of: tuple[int, ...]
    input_shape: tuple[int, int, int]
    batch: int = 1
    notes: tuple[str, ...] = field(default=(), compare=False)
    windows: tuple[Reads, ...] = ()
    selected: tuple[Selection, ...] = ()
    held: tuple[tuple[Selection, ...], ...] = ()

    def __post_init__(self) -> None:
        count = len(self.layers)
        if not count:
            raise AccelsimError(f"network {self.name!r} has no layers; it needs at least one")
        if len(set(self.names)) != count:
            twice = next(n for i, n in enumerate(self.names) if n in self.names[:i])
            raise AccelsimError(
                f"network {self.name!r}: layer names must be unique, but {twice!r} comes twice"
            )
        check_points(sum(x.points for x in self.layers), f"network {self.name!r}")
        if not count == len(self.weights_of) == len(self.params_of):
            raise AccelsimError(f"network {self.name!r}: weights_of and params_of need one entry a layer")
        for what, given, wanted in (
            ("selected", self.selected, self.edges),
            ("held", self.held, self.layers),
        ):
            if given and len(given) != len(wanted):
                raise AccelsimError(
                    f"network {self.name!r}: {what} needs {len(wanted)} entries, or none at all"
                )
        last = 0
        for producer, consumer, elements, _ in self.edges:
            if not (INPUT <= producer < consumer < count and last <= consumer and elements >= 1):
                raise AccelsimError(
                    f"network {self.name!r}: edge {producer} -> {consumer} with {elements} elements; edges "
                    f"go to a later layer (below {count}), in the order of their consumers, and carry data"
                )
            last = consumer
        if any(layer.bits.output for layer in self.layers):
            self._check_bits()
        if not self.windows:
            sizes = (self.size_of(e.producer) for e in self.edges)
            found = (derived(self.layers[e.consumer], x, e.operand) for e, x in zip(self.edges, sizes))
            object.__setattr__(self, "windows", tuple(found))
        if len(self.windows) != len(self.edges):
            raise AccelsimError(
                f"network {self.name!r}: {len(self.edges)} edges need a window each, not {len(self.windows)}"
            )
        if not self.outputs or not all(0 <= i < count for i in self.outputs):
            raise AccelsimError(
                f"network {self.name!r}: outputs {self.outputs} must be layers 0 to {count - 1}"
            )

    def _check_bits(self) -> None:
        """A tensor has one width: layers that both say one say the same."""
        for producer, consumer, _, operand in self.edges:
            if producer == INPUT:
                continue
            source, reader = self.layers[producer], self.layers[consumer]
            written = source.bits.output
            read = reader.bits.weight if operand == "W" else reader.bits.input
            if written and read and written != read:
                raise AccelsimError(
                    f"network {self.name!r}: a tensor has one width, but {source.name!r} writes its result "
                    f"in {written} bits and {reader.name!r} reads it in {read}; say the same in both, or put "
                    "an element-wise layer between that converts"
                )

    def with_bits(
        self,
        weight: int | None = None,
        input: int | None = None,
        output: int | None = None,
        layers: Iterable[str] | None = None,
    ) -> Network:
        """The network with these precisions in the layers of these names, or in all; None: the machine's.

        Raises AccelsimError for a layer that it does not have, and for a tensor in two widths.
        """
        bits = read_bits((weight, input, output))
        chosen = list(self.names if layers is None else layers)
        for name in chosen:
            if name not in self.names:
                raise AccelsimError(f"bits: {self.name} has no layer {name!r}{nearest(name, self.names)}")
        changed = tuple(replace(x, bits=bits) if x.name in chosen else x for x in self.layers)
        return replace(self, layers=changed)

    @classmethod
    def from_layers(cls, name: str, layers: Iterable[Layer]) -> Network:
        """Plain chain: each layer reads its predecessor.

        An edge carries what the producer makes, at most what the consumer touches (pooling between two
        layers is often left out of such lists). Layers without a name, or with one that is taken, get one.
        """
        from accelsim.workloads.network_json import chain

        unique = named(list(layers))
        if not unique:
            raise AccelsimError(f"network {name!r} has no layers; it needs at least one")
        shape, batch = padded_input(unique[0]), unique[0].N
        edges = tuple(chain(unique, i) for i in range(len(unique)))
        weights = tuple(x.weight_elements for x in unique)
        return cls(name, tuple(unique), edges, (len(unique) - 1,), weights, weights, shape, batch)

    # -- counts --------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(x.name for x in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for the whole batch: convolutions and matrix products."""
        return sum(x.macs for x in self.layers)

    @property
    def weights(self) -> int:
        """Distinct weight elements without biases and BatchNorm; activations as factors do not count."""
        return self.distinct_weights(range(len(self.layers)))

    def distinct_weights(self, layers: Iterable[int]) -> int:
        """Distinct weight elements of some layers: those that several of them share count once."""
        if not self.held:
            return sum(self.weights_of[i] for i in layers)
        total = 0
        shared: dict[str, list[Region]] = {}
        for i in layers:
            own = self.weights_of[i]
            for tensor, region in self.held[i]:
                if region is not None:
                    shared.setdefault(tensor, []).append(region)
                    own -= region.elements
            total += max(own, 0)
        return total + sum(distinct(regions) for regions in shared.values())

    @cached_property
    def input_elements(self) -> int:
        """Distinct elements that the network reads from outside, padding left out."""
        read: dict[str, list[Region]] = {}
        known: dict[str, int] = {}
        for i, edge in enumerate(self.edges):
            if edge.producer == INPUT:
                tensor, region = self.selected[i] if self.selected else ALL
                if region is None:
                    known[tensor] = max(known.get(tensor, 0), edge.elements)
                else:
                    read.setdefault(tensor, []).append(region)
        return sum(max(known.get(x, 0), distinct(read.get(x, ()))) for x in {*known, *read})

    @property
    def output_elements(self) -> int:
        """Elements that leave the network: results of its output layers, whole and once.

        A layer writes all that it makes, however many outputs of a file are views or slices of it.
        """
        return sum(self.layers[i].output_elements for i in self.outputs)

    @property
    def params(self) -> int:
        """Parameters as frameworks count them: weights, biases, BatchNorm scales and shifts, embeddings."""
        return sum(self.params_of)

    def distinct_layers(self) -> dict[Layer, int]:
        """Each distinct layer shape with its count, in the order of first appearance."""
        count: dict[Layer, int] = {}
        for layer in self.layers:
            count[layer] = count.get(layer, 0) + 1
        return count

    # -- structure -----------------------------------------------------------------------------------

    @cached_property
    def inputs_of(self) -> tuple[tuple[Edge, ...], ...]:
        """Per layer, the edges that it reads."""
        out: list[list[Edge]] = [[] for _ in self.layers]
        for edge in self.edges:
            out[edge.consumer].append(edge)
        return tuple(map(tuple, out))

    @cached_property
    def consumers_of(self) -> tuple[tuple[Edge, ...], ...]:
        """Per layer, the edges that read its result; empty for a layer whose result only leaves."""
        out: list[list[Edge]] = [[] for _ in self.layers]
        for edge in self.edges:
            if edge.producer != INPUT:
                out[edge.producer].append(edge)
        return tuple(map(tuple, out))

    @property
    def whole_edges(self) -> tuple[str, ...]:
        """Why a piece of a layer must have all of what it reads: one sentence for each such edge."""
        return tuple(
            f"{self.names[e.consumer]} reads all of "
            f"{OUTSIDE if e.producer == INPUT else self.names[e.producer]}: {window.why}"
            for e, window in zip(self.edges, self.windows)
            if isinstance(window, Whole)
        )

    @cached_property
    def reads_of(self) -> tuple[tuple[tuple[Edge, Reads], ...], ...]:
        """Per layer, the edges that it reads, each with its window."""
        out: list[list[tuple[Edge, Reads]]] = [[] for _ in self.layers]
        for edge, window in zip(self.edges, self.windows):
            out[edge.consumer].append((edge, window))
        return tuple(map(tuple, out))

    def size_of(self, producer: int) -> tuple[int, int]:
        """Rows and columns of a layer's result, or of the input."""
        if producer == INPUT:
            return self.input_shape[1:]
        return self.layers[producer].P, self.layers[producer].Q

    def area_read(self, edge: Edge, window: Reads) -> int:
        """Positions of its producer's map that an edge reads; all of them where its window is not known."""
        size, layer = self.size_of(edge.producer), self.layers[edge.consumer]
        if isinstance(window, Whole):
            return prod(size)
        return prod(rows_read(a, n, rows) for a, n, rows in zip(window, (layer.P, layer.Q), size))

    def reads_all(self, edge: Edge, window: Reads) -> bool:
        """Whether an edge reads all channels of a layer's result at the positions that it reads at all."""
        area = prod(self.size_of(edge.producer))
        return edge.elements * area == self.layers[edge.producer].output_elements * self.area_read(
            edge, window
        )

    @cached_property
    def graph(self) -> nx.DiGraph:
        """Networkx view: nodes are layer names in execution order with `layer`, `weights`, `params`,
        `input_elements` (read from outside) and `is_output`; edges carry `elements`.
        """  # fmt: skip
        import networkx as nx

        graph = nx.DiGraph(name=self.name, batch=self.batch, input_shape=self.input_shape)
        for i, layer in enumerate(self.layers):
            outside = sum(e.elements for e in self.inputs_of[i] if e.producer == INPUT)
            graph.add_node(
                layer.name,
                layer=layer,
                weights=self.weights_of[i],
                params=self.params_of[i],
                input_elements=outside,
                is_output=i in self.outputs,
            )
        for producer, consumer, elements, _ in self.edges:
            if producer == INPUT:
                continue
            pair = self.names[producer], self.names[consumer]
            before = graph.edges[pair]["elements"] if graph.has_edge(*pair) else 0
            graph.add_edge(*pair, elements=before + elements)
        return graph

    # -- JSON ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """JSON form, version 1; `from_dict` reads it back."""
        from accelsim.workloads.network_json import write

        return write(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Network:
        """Read the JSON form, version 1; a list of layers without `inputs` is a plain chain.

        Raises AccelsimError naming the place, the value and the nearest valid choice.
        """
        from accelsim.workloads.network_json import read

        return read(data)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.layers)} layers, {self.macs} MACs, batch {self.batch}>"


def padded_input(layer: Layer) -> tuple[int, int, int]:
    """Channels, height, width that a layer's windows span, padding included."""
    rows, cols = (
        (p - 1) * s + (r - 1) * d + 1
        for p, r, s, d in zip((layer.P, layer.Q), (layer.R, layer.S), layer.stride, layer.dilation)
    )
    return layer.G * layer.C, rows, cols


def named(layers: list[Layer]) -> list[Layer]:
    """The layers with a name each: those without one, or with one that is taken, get a new one."""
    taken = {x.name for x in layers}
    seen: set[str] = set()
    out = []
    for i, layer in enumerate(layers):
        name = layer.name
        if not name or name in seen:
            name = f"{name or 'layer'}_{i}"
            while name in taken:
                name += "_"
            taken.add(name)
        seen.add(name)
        out.append(layer if name == layer.name else replace(layer, name=name))
    return out
