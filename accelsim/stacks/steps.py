"""What a stack does for choices of tile and kept directions: regions, words, MACs and room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, not_one_of
from accelsim.stacks.graph import KEPT, StackGraph
from cost_models import stacks as S

Ints = NDArray[np.int64]

LOADED, READ_SENT, MADE_SENT = 0, 2, 4
"""Columns of `Steps.room_bits`: windows that have a second buffer where the home has two, of loaded tensors,
of results that the stack reads, and of all its results; behind each, what else there is of those tensors."""

ROOM_COLS = 6


@dataclass(frozen=True)
class Steps:
    """Counts of B choices for one stack, over all its images; nodes as in `StackGraph`.

    rows, cols  int64[B, nodes, OUT_COLS] of `cost_models.stacks`, of one image
    """

    graph: StackGraph
    rows: Ints
    cols: Ints

    @property
    def count(self) -> Ints:
        """[B] steps: tiles of the sink."""
        return self.graph.images * self.rows[:, -1, S.ACTIVE] * self.cols[:, -1, S.ACTIVE]

    @property
    def words(self) -> Ints:
        """[B, nodes] words computed, or loaded."""
        return self._product(S.TOTAL) * self.graph.channels * self.graph.images

    @property
    def macs(self) -> Ints:
        """[B] multiply-accumulates done."""
        return np.asarray((self._product(S.TOTAL) * self.graph.macs).sum(axis=1) * self.graph.images)

    @property
    def macs_needed(self) -> Ints:
        """[B] multiply-accumulates of what is ever needed, once."""
        return np.asarray((self._product(S.HULL) * self.graph.macs).sum(axis=1) * self.graph.images)

    @property
    def window(self) -> Ints:
        """[B, nodes] words of the largest step."""
        return self._product(S.NEED) * self.graph.channels

    @property
    def kept_cols(self) -> Ints:
        """[B, nodes] words kept from one step to the next."""
        return np.asarray(self.rows[..., S.NEED] * self.cols[..., S.OVERLAP] * self.graph.channels)

    @property
    def kept_rows(self) -> Ints:
        """[B, nodes] words kept from one row of tiles to the next."""
        return np.asarray(self.rows[..., S.OVERLAP] * self.graph.sizes[1] * self.graph.channels)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """[B, nodes] tensors that are read outside the stack, which does not compute all of them."""
        area = self.graph.sizes[0] * self.graph.sizes[1]
        return np.asarray(self.graph.stored & (self._product(S.HULL) < area))

    def room(self, bits: NDArray[np.float64], buffers: float = 1.0) -> NDArray[np.float64]:
        """[B, layers, nodes] bits that each tensor takes while each layer runs, weights left out.

        `bits` [nodes] is the width of a word; windows of loaded and stored tensors have `buffers`.
        """
        graph = self.graph
        loaded = np.arange(len(graph.nodes)) < len(graph.loaded)
        window = self.window * np.where(loaded | graph.stored, buffers, 1.0)
        kept = self.kept_cols + self.kept_rows
        return np.asarray((graph.live * window[:, None, :] + kept[:, None, :]) * bits)

    def moved(self, bits: Ints) -> Ints:
        """[B, 6] bits loaded, bits stored, bits loaded by an image's first step, stored by its last; how many
        transfers load, and how many store: one for each tensor and step that has some.

        `bits` [nodes] is the width of a word.
        """  # fmt: skip
        loaded, stored = slice(len(self.graph.loaded)), self.graph.stored
        first, last = (self._product(column) * self.graph.channels * bits for column in (S.FIRST, S.LAST))
        words = self.words * bits
        moves = self._product(S.ACTIVE) * self.graph.images
        columns = words[:, loaded], words[:, stored], first[:, loaded], last[:, stored]
        return np.stack([x.sum(axis=1) for x in (*columns, moves[:, loaded], moves[:, stored])], axis=1)

    def room_bits(self, bits: Ints) -> Ints:
        """[B, layers, ROOM_COLS] bits in the home while each layer runs, by what they count as.

        `bits` [nodes] is the width of a word.
        """
        graph = self.graph
        loaded = np.arange(len(graph.nodes)) < len(graph.loaded)
        out = np.zeros((len(self.rows), len(graph.layers), ROOM_COLS), np.int64)
        window = graph.live * (self.window * bits)[:, None, :]
        kept = ((self.kept_cols + self.kept_rows) * bits)[:, None, :]
        for column, nodes in ((READ_SENT, ~loaded & graph.read), (MADE_SENT, ~loaded)):
            out[..., column] = window[..., nodes & graph.stored].sum(axis=2)
            out[..., column + 1] = window[..., nodes & ~graph.stored].sum(axis=2)
            out[..., column + 1] += kept[..., nodes].sum(axis=2)
        out[..., LOADED] = window[..., loaded].sum(axis=2)
        out[..., LOADED + 1] = kept[..., loaded].sum(axis=2)
        return out

    def _product(self, column: int) -> Ints:
        return np.asarray(self.rows[..., column] * self.cols[..., column])


def steps(graph: StackGraph, tiles: Sequence[tuple[int, int]], kept: Sequence[str]) -> Steps:
    """Walk the stack for each (rows, columns) of `tiles` with what `kept` says stays between steps.

    Raises AccelsimError for a tile that is no part of the sink's output, or an unknown word in `kept`.
    """
    sink = graph.layers[-1]
    for p, q in tiles:
        for dim, size, whole in (("P", p, sink.P), ("Q", q, sink.Q)):
            if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or not 1 <= size <= whole:
                raise AccelsimError(
                    f"stack {graph.layers[0].name} to {sink.name}: tile {dim} must be a whole number from 1 "
                    f"to {whole}, the {dim} of {sink.name}, but got {size!r}"
                )
    for word in kept:
        if word not in KEPT:
            raise AccelsimError(f"stack: kept {not_one_of(word, KEPT)}")
    of = sides(tiles, kept)
    rows, cols = (found[side.at] for side, found in zip(of, walked(graph, of)))
    return Steps(graph, rows, cols)


class Side(NamedTuple):
    """Distinct choices along one axis: tile int64[A], whether it is kept bool[A], which one int64[B]."""

    tile: Ints
    keep: NDArray[np.bool_]
    at: Ints


def sides(tiles: Sequence[tuple[int, int]], kept: Sequence[str]) -> tuple[Side, Side]:
    """Of B choices, for rows and for columns."""
    out = []
    for axis in (0, 1):
        choices = [(int(t[axis]), KEPT[k][axis]) for t, k in zip(tiles, kept, strict=True)]
        at = {choice: i for i, choice in enumerate(dict.fromkeys(choices))}
        tile, keep = zip(*at)
        out.append(Side(np.array(tile, np.int64), np.array(keep), np.array([at[c] for c in choices])))
    return out[0], out[1]


def walked(graph: StackGraph, of: tuple[Side, Side]) -> tuple[Ints, Ints]:
    """int64[A, nodes, OUT_COLS] of `cost_models.stacks` for the choices of each side."""
    out = []
    for axis, side in enumerate(of):
        found = np.zeros((len(side.tile), len(graph.nodes), S.OUT_COLS), np.int64)
        S.axis_batch(graph.sizes[axis], *graph.reads[axis], side.tile, side.keep, found)
        out.append(found)
    return out[0], out[1]


def pieces(graph: StackGraph, tile: tuple[int, int], kept: str) -> list[list[tuple[int, int, int]]]:
    """Per node the distinct (rows, columns) of its regions and how often each comes, over all images."""
    times = []
    for axis in (0, 1):
        reads, starts = graph.reads[axis]
        sizes = np.ascontiguousarray(graph.sizes[axis])
        counts = np.zeros((1, len(graph.nodes), int(sizes.max()) + 1), np.int64)
        S.axis_sizes(sizes, reads, starts, np.array([tile[axis]]), np.array([KEPT[kept][axis]]), counts)
        times.append([[(int(n), int(row[n])) for n in np.flatnonzero(row)] for row in counts[0]])
    return [
        [(r, c, a * b * graph.images) for r, a in rows for c, b in cols]
        for rows, cols in zip(times[0], times[1])
    ]


def timeline(graph: StackGraph, tile: tuple[int, int], kept: str) -> Ints:
    """int64[2, steps, nodes] elements of each tensor that each step of an image needs, and that it computes
    or loads of them; steps as they follow one another.
    """  # fmt: skip
    sides = []
    for axis in (0, 1):
        reads, starts = graph.reads[axis]
        sizes = np.ascontiguousarray(graph.sizes[axis])
        sides.append(S.axis_steps(sizes, reads, starts, int(tile[axis]), KEPT[kept][axis]))
    rows, cols = sides
    return np.asarray(rows[:, :, None] * cols[:, None]).reshape(2, -1, len(graph.nodes))
