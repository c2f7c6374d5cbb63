"""A network whose convolutions are replaced by their pieces, exact in tensors, weights and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Edge, Network
from accelsim.workloads.reach import Reads, Whole
from accelsim.workloads.transform.pieces import Conv, ConvPiece, Transformation, applied

CUT = Whole("rows are cut into parts")


@dataclass(frozen=True)
class Transformed(Network):
    """A network and what it was made of: `base`, and the pieces of its changeable layers."""

    base: Network | None = field(default=None, compare=False)
    pieces: Mapping[int, Sequence[ConvPiece]] = field(default_factory=dict, compare=False)


class Rewriting:
    """A network, and which of its layers steps may change.

    able  dense convolutions, by index: each reads one whole tensor, and all of its own is read

    Raises AccelsimError for a network that shares weights or selects parts of tensors.
    """

    def __init__(self, network: Network) -> None:
        if network.selected or network.held:
            raise AccelsimError(
                f"network {network.name}: shares weights or reads parts of tensors, which steps do not follow"
            )
        self.network = network
        self.able = tuple(i for i, layer in enumerate(network.layers) if _dense(network, i, layer))
        self._convs = {i: self._facts(i) for i in self.able}

    def _facts(self, i: int) -> Conv:
        layer = self.network.layers[i]
        height = self.network.size_of(self.producer(i))[0]
        readers = [edge.consumer for edge in self.network.consumers_of[i]]
        narrows = bool(readers) and i not in self.network.outputs and all(c in self.able for c in readers)
        return Conv(layer.C, layer.K, layer.P, layer.P * layer.stride[0] == height, narrows)

    def producer(self, i: int) -> int:
        """The layer that a changeable layer reads."""
        return self.network.inputs_of[i][0].producer

    def conv(self, i: int, ins: int | None = None) -> Conv:
        """What steps must know of a layer; `ins`: fewer input channels, as a bottleneck before leaves."""
        conv = self._convs[i]
        return conv if ins is None else conv._replace(ins=ins)

    def pieces(self, steps: Mapping[int, Sequence[Transformation]]) -> dict[int, list[ConvPiece]]:
        """Of every changeable layer. Raises `Illegal` for a step that is not possible.

        Raises AccelsimError for steps of another layer.
        """
        for index in steps:
            if index not in self.able:
                raise AccelsimError(
                    f"network {self.network.name}: layer {index} is no convolution that steps can change"
                )
        channels: dict[int, int] = {}  # output channels of what a bottleneck narrowed
        out: dict[int, list[ConvPiece]] = {}
        for i in self.able:
            conv = self.conv(i, channels.get(self.producer(i)))
            out[i] = applied(conv, steps.get(i, ()))
            outs = max(piece.outs[1] for piece in out[i])
            if outs < conv.outs:
                channels[i] = outs
        return out

    def rewrite(self, steps: Mapping[int, Sequence[Transformation]], name: str = "") -> Transformed:
        """The network with the steps of some layers, by their index, done. Raises as `pieces`."""
        return _Layout(self.network, self.pieces(steps)).network(name or self.network.name)


class _Layout:
    """Lays the new layers out and connects them."""

    def __init__(self, network: Network, pieces: Mapping[int, Sequence[ConvPiece]]) -> None:
        self.old = network
        self.pieces = pieces
        self.layers: list[Layer] = []
        self.params: list[int] = []
        self.weights: list[int] = []
        self.places: list[list[int]] = []

    def network(self, name: str) -> Transformed:
        old = self.old
        edges: list[Edge] = []
        windows: list[Reads] = []
        for i, layer in enumerate(old.layers):
            self._lay(i, layer)
            for new in self.places[i]:
                for edge, window in old.reads_of[i]:
                    for producer, elements, whole in self._read(edge, window, self.places[i].index(new)):
                        edges.append(Edge(producer, new, elements, edge.operand))
                        windows.append(window if whole else CUT)
        outputs = tuple(new for i in old.outputs for new in self.places[i])
        return Transformed(
            name, tuple(self.layers), tuple(edges), outputs, tuple(self.weights), tuple(self.params),
            old.input_shape, old.batch, old.notes, tuple(windows), base=old, pieces=dict(self.pieces),
        )  # fmt: skip

    def _lay(self, i: int, layer: Layer) -> None:
        parts = self.pieces.get(i)
        start = len(self.layers)
        if parts is None:
            self.layers.append(layer)
            self.weights.append(self.old.weights_of[i])
            self.params.append(self.old.params_of[i])
            self.places.append([start])
            return
        beside = self.old.params_of[i] - self.old.weights_of[i]
        outs = max(piece.outs[1] for piece in parts)
        for j, piece in enumerate(parts):
            groups, (first, end) = piece.groups, piece.rows
            new = replace(
                layer,
                G=groups,
                K=(piece.outs[1] - piece.outs[0]) // groups,
                C=(piece.ins[1] - piece.ins[0]) // groups,
                P=end - first,
                name=layer.name if len(parts) == 1 else f"{layer.name}.piece{j}",
            )
            self.layers.append(new)
            self.weights.append(new.weight_elements)
            self.params.append(new.weight_elements + (beside * outs // layer.K if j == 0 else 0))
        self.places.append(list(range(start, len(self.layers))))

    def _read(self, edge: Edge, window: Reads, which: int) -> list[tuple[int, int, bool]]:
        """(producer, elements, whether no rows are cut) of what piece `which` of the consumer reads."""
        old, parts = self.old, self.pieces.get(edge.consumer)
        rows, columns = old.size_of(edge.producer)
        made = None if edge.producer == INPUT else self.pieces.get(edge.producer)
        if parts is None and made is None:
            producer = edge.producer if edge.producer == INPUT else self.places[edge.producer][0]
            return [(producer, edge.elements, True)]
        if edge.producer == INPUT:
            channels = old.input_shape[0]
        else:
            layer = old.layers[edge.producer]
            channels = layer.G * layer.K
        sources = made or [ConvPiece((0, 0), (0, channels), (0, rows))]
        wanted, seen, cut = (0, channels), (0, rows), False
        if parts is not None:
            piece, layer = parts[which], old.layers[edge.consumer]
            wanted = piece.ins
            cut = piece.rows != (0, layer.P)
            seen = (piece.rows[0] * layer.stride[0], piece.rows[1] * layer.stride[0]) if cut else seen
        out = []
        for j, source in enumerate(sources):
            whole = not cut and source.rows == (0, rows)
            area = old.area_read(edge, window) if whole else _common(source.rows, seen) * columns
            elements = _common(source.outs, wanted) * area * old.batch
            if elements:
                producer = INPUT if edge.producer == INPUT else self.places[edge.producer][j]
                out.append((producer, elements, whole))
        return out


def _common(a: tuple[int, int], b: tuple[int, int]) -> int:
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))


def _dense(network: Network, i: int, layer: Layer) -> bool:
    if layer.op != "conv" or layer.G != 1 or network.weights_of[i] != layer.weight_elements:
        return False
    reads = network.reads_of[i]
    if len(reads) != 1 or reads[0][0].operand != "I":
        return False
    edge, window = reads[0]
    readers = sorted({e.consumer for e in network.consumers_of[i]})
    return edge.elements == layer.N * layer.C * network.area_read(edge, window) and all(
        e.operand == "I" and network.reads_all(e, w)
        for j in readers
        for e, w in network.reads_of[j]
        if e.producer == i
    )
