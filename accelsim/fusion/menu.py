"""`Menu`: the choices for one stack and all that they count, on any chip of these widths.

Equal stacks share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.widths import LayerWidths, StackBits
from accelsim.stacks import KEPT, StackGraph
from accelsim.stacks.steps import Side, sides, walked
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Network
from cost_models import stacks as S

Ints = NDArray[np.int64]

MODES = tuple(KEPT)


@dataclass(frozen=True)
class StackSpace:
    """Which stacks and choices are tried.

    longest  layers of a stack at most
    tiles    sizes along each axis at most: the whole, and halves of it rounded up; None: down to 1
    kept     what may be kept between tiles
    """

    longest: int = 12
    tiles: int | None = None
    kept: tuple[str, ...] = MODES


def tiles_of(size: int, most: int | None = None) -> tuple[int, ...]:
    """Tile sizes that are tried: the whole, and halves of it rounded up, down to 1 or `most` of them."""
    out = [size]
    while out[-1] > 1 and len(out) != most:
        out.append(-(-out[-1] // 2))
    return tuple(out)


@dataclass(frozen=True)
class Menu:
    """B choices of tile and of what is kept, for one stack of layers whose tensors have given widths.

    images  how often the stack runs
    layers  the layers of one image
    factor  bool[layers] whether a layer reads an activation as W
    heavy   bool[layers] whether a layer has weights
    held    int64[2] bits of weights in memory 0 and in the home, those that layers share once
    tiles   (rows, columns) of each choice
    kept    index into MODES of each choice
    moved   int64[B, 2, 6] bits at memory 0 and at the home, columns of `accelsim.fusion.totals`
    room    int64[B, layers, ROOM_COLS] of `Steps.room_bits`
    partial bool[B] whether something outside reads rows that the stack never computes
    start, layer, rows, cols, times  the pieces of choice b are those from start[b], of all images
    """

    images: int
    layers: tuple[Layer, ...]
    factor: NDArray[np.bool_]
    heavy: NDArray[np.bool_]
    held: Ints
    tiles: tuple[tuple[int, int], ...]
    kept: Ints
    moved: Ints
    room: Ints
    partial: NDArray[np.bool_]
    start: Ints
    layer: Ints
    rows: Ints
    cols: Ints
    times: Ints


class Menus:
    """Menus of a space, by what stacks consist of: equal blocks of one network or of several share theirs."""

    def __init__(self, space: StackSpace) -> None:
        self.space = space
        self._known: dict[tuple[int, ...], Menu] = {}
        self._kinds: dict[object, int] = {}

    def of(self, network: Network, widths: tuple[LayerWidths, ...]) -> dict[tuple[int, int], Menu]:
        """Menu by (first, last) layer, for each interval of two layers and more; `widths` of each layer."""
        kinds = [
            self._kinds.setdefault((_kind(network, i), width), len(self._kinds))
            for i, width in enumerate(widths)
        ]
        out = {}
        for first in range(len(kinds)):
            for last in range(first + 1, min(len(kinds), first + self.space.longest)):
                key = tuple(kinds[first : last + 1])
                if key not in self._known:
                    graph = StackGraph(network, first, last)
                    self._known[key] = _menu(graph, StackBits.of(graph, widths), self.space)
                out[first, last] = self._known[key]
        return out


def _kind(network: Network, i: int) -> object:
    """All that a menu can depend on of layer `i`: stacks of equal kinds have equal menus."""
    reads = tuple(
        (
            INPUT if e.producer == INPUT else i - e.producer,
            e.elements,
            e.operand,
            window,
            network.size_of(e.producer),
            network.input_shape[0] * network.batch
            if e.producer == INPUT
            else network.layers[e.producer].output_elements,
        )
        for e, window in network.reads_of[i]
    )
    readers = tuple(e.consumer - i for e in network.consumers_of[i])
    held = network.held[i] if network.held else ()
    return network.layers[i], network.weights_of[i], held, reads, readers, i in network.outputs


@lru_cache(maxsize=1024)
def _choices(
    P: int, Q: int, space: StackSpace
) -> tuple[tuple[tuple[int, int], ...], Ints, tuple[Side, Side]]:
    """(tiles, index into MODES, both by axis) of the choices for a sink of P rows and Q columns."""
    every = product(tiles_of(P, space.tiles), tiles_of(Q, space.tiles))
    pairs = [(tile, word) for tile in every for word in _modes(P, Q, tile, space.kept)]
    tiles, words = zip(*pairs)
    return tiles, np.array([MODES.index(word) for word in words]), sides(tiles, words)


def _modes(P: int, Q: int, tile: tuple[int, int], words: tuple[str, ...]) -> list[str]:
    """What may be kept, without what makes no difference: along an axis that is done in one step."""
    rows, cols = tile[0] < P, tile[1] < Q
    different = {(KEPT[word][0] and rows, KEPT[word][1] and cols): word for word in reversed(words)}
    return [word for word in words if word in different.values()]


def _menu(graph: StackGraph, bits: StackBits, space: StackSpace) -> Menu:
    sink, network = graph.layers[-1], graph.network
    tiles, kept, of = _choices(sink.P, sink.Q, space)
    counts = []
    for axis, side in enumerate(of):
        sizes = graph.sizes[axis]
        times = np.zeros((len(side.tile), len(graph.nodes), int(sizes.max()) + 1), np.int64)
        S.axis_sizes(sizes, *graph.reads[axis], side.tile, side.keep, times)
        counts.append(times)
    places = [side.at for side in of]
    tensors = np.column_stack([*graph.sizes, graph.channels, graph.stored, graph.read, *bits.tensors])
    loaded, images = len(graph.loaded), graph.images
    moved, room, partial = S.count_bits(*walked(graph, of), *places, tensors, graph.live, loaded, images)
    start, layer, rows, cols, times = S.list_pieces(*counts, *places, loaded)
    return Menu(
        graph.images,
        graph.one_image,
        np.array([any(e.operand == "W" for e in network.inputs_of[i]) for i in graph.inside]),
        np.array([network.weights_of[i] > 0 for i in graph.inside]),
        bits.held(graph, (i for i in graph.inside if network.weights_of[i])),
        tiles,
        kept,
        moved,
        room,
        partial,
        start,
        layer,
        rows,
        cols,
        times * graph.images,
    )
