"""The counting contract walked step by step, with sets of coordinates: slow, obvious, independent.

Every loop is run, every tile is a set of elements, every count is a size of a set. Nothing here is a closed
form, and nothing is shared with the product: this file is what the product is checked against.

Words: memory `m` has the fan-out `m` below it; depth `M`, below the last memory, is the MACs. An *instance*
at depth `m` is its positions along the axes in use of fan-outs `0 .. m-1`; its parent is a prefix of that. A
*tile* is one `(first, end)` pair per dimension, in the order of `DIMS`.

Rules that need saying, because the words of a contract leave room:

1.  The nest of a child is all loops of the memories above it, those of bypassed memories included. A loop is
    part of it if its *nominal* trip count `ceil(T/U)` exceeds 1, even where an edge tile runs it just once.
    How often it runs is exact: the first instance's tile at that moment decides, for all instances.
2.  "`j` itself advances" means that every loop outside `j` stands still. When one of them moves, and `j`
    starts again, the whole tile comes.
3.  The MACs keep nothing, so nothing slides into them, forwarding or not: each step is a fill event of the
    whole tile. Multicast and shared halo do hold for them.
4.  A fan-out *splits an axis pair* (P and R, or Q and S) if one of its axes carries either of the two.
    Sliding is lost on both sides if a fan-out from `j`'s memory down to just above the parent does, and no
    forwarding helps. Without that, any fan-out between parent and child, also one above `j`, ends it for the
    child's writes.
5.  For the parent's reads such a split is no loss if every axis that carries one of the pair forwards, and
    sits in the fan-out right above the child. Forwarding, like halo, does not reach through a memory that the
    tensor passes by. The array then slides as one: new is what no instance of the group held before.
6.  One read serves the instances that differ only in their positions along multicast axes. An axis that
    carries P, Q, R or S counts as one without multicast, for the input, unless it is right above the child.
7.  A capability of a dimension is that of all axes which carry it in the *same* fan-out. P and R are two
    dimensions, and another fan-out answers for itself.
8.  Partial sums are added up along axes with reduction in every fan-out between parent and child. What a
    parent instance "has seen before" spans the whole run, also what has left it for its own parent since.
9.  Several axes of one dimension split one after the other in the order of the fan-out. Position `k` gets
    `[k*T, (k+1)*T)` of its tile, cut at the tile's end, with `T` the nominal size.
10. An instance whose tile is empty in any dimension, relevant or not, is idle: it brings and drains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from operator import itemgetter
from typing import Any

DIMS = "NGKCPQRS"
RELEVANT = {"W": "GKCRS", "I": "NGCPQRS", "O": "NGKPQ"}
AT = {d: i for i, d in enumerate(DIMS)}
SPANS = {t: itemgetter(*[AT[d] for d in dims]) for t, dims in RELEVANT.items()}
PAIRS = {"P": "PR", "R": "PR", "Q": "QS", "S": "QS"}

Tile = tuple[tuple[int, int], ...]
Instance = tuple[int, ...]
Tiles = dict[Instance, Tile]  # only of the instances that are not idle
Elements = frozenset[tuple[int, ...]]
NOTHING: Elements = frozenset()


class Axis:
    """One axis in use: which dimension it carries, its factor, the nominal tile it hands on."""

    def __init__(self, spec: dict[str, Any], dim: str, factor: int, tile: int) -> None:
        self.dim, self.factor, self.tile = dim, factor, tile
        self.multicast = spec["multicast"]
        self.reduction = spec["reduction"]
        self.forwarding = spec["forwarding"] and spec["multicast"]


class Level:
    """One memory's part of the mapping: its loops and the axes below it."""

    def __init__(self, memory: dict[str, Any], level: dict[str, Any], own: dict[str, int]) -> None:
        self.own = own  # nominal tile of one instance
        self.union = {d: level["tile"].get(d, own[d]) for d in DIMS}
        order = [d for d in DIMS if d not in level["order"]] + list(level["order"])
        self.loops = [d for d in order if own[d] > self.union[d]]
        self.handed = dict(self.union)
        self.axes: list[Axis] = []
        for spec in memory["fanout"]:
            use = level["spatial"].get(spec["axis"])
            if use:
                self.handed[use["dim"]] = -(-self.handed[use["dim"]] // use["factor"])
                self.axes.append(Axis(spec, use["dim"], use["factor"], self.handed[use["dim"]]))
        for name in ("multicast", "reduction", "forwarding"):  # rule 7
            able = {d: all(getattr(a, name) for a in self.axes if a.dim == d) for d in DIMS}
            for axis in self.axes:
                setattr(axis, name, able[axis.dim])

    def indices(self, first: Tile) -> Iterator[tuple[int, ...]]:
        """Run the loops, outermost first, over the tile of the first instance."""
        sizes = {d: end - start for d, (start, end) in zip(DIMS, first)}
        yield from product(*[range(-(-sizes[d] // self.union[d])) for d in self.loops])

    def children(self, tiles: Tiles, index: tuple[int, ...]) -> Tiles:
        """What the instances below work on while the loops stand at `index`."""
        below: Tiles = {}
        for instance, tile in tiles.items():
            window = list(tile)
            for d, i in zip(self.loops, index):
                window[AT[d]] = cut(tile[AT[d]], i, self.union[d])
            parts = [(instance, window)]
            for axis in self.axes:
                at = AT[axis.dim]
                parts = [
                    ((*x, k), [*w[:at], cut(w[at], k, axis.tile), *w[at + 1 :]])
                    for x, w in parts
                    for k in range(axis.factor)
                ]
            for x, w in parts:
                for start, end in w:
                    if start >= end:
                        break
                else:
                    below[x] = tuple(w)
        return below


def cut(span: tuple[int, int], position: int, size: int) -> tuple[int, int]:
    """Return the part of a span at a position, in steps of `size`; empty past the end."""
    start = span[0] + position * size
    return start, min(start + size, span[1])


class Problem:
    """A layer on a machine under a mapping, and the elements that a tile touches."""

    def __init__(
        self, layer: dict[str, Any], memories: list[dict[str, Any]], mapping: dict[str, Any]
    ) -> None:
        self.memories = memories
        self.stride, self.dilation = layer["stride"], layer["dilation"]
        self.sizes = {d: layer["dims"].get(d, 1) for d in DIMS}
        self.levels: list[Level] = []
        tile = self.sizes
        for memory, level in zip(memories, mapping["levels"], strict=True):
            self.levels.append(Level(memory, level, tile))
            tile = self.levels[-1].handed
        if any(size != 1 for size in tile.values()):
            raise ValueError(f"below the last memory every tile must be 1, but it is {tile}")
        self._known: dict[str, dict[Any, Elements]] = {tensor: {} for tensor in RELEVANT}

    def elements(self, tensor: str, tile: Tile) -> Elements:
        """Return the elements of a tensor that a tile touches, one coordinate tuple each."""
        known, key = self._known[tensor], SPANS[tensor](tile)
        if key not in known:
            at = {d: range(*tile[AT[d]]) for d in RELEVANT[tensor]}
            if tensor == "I":
                h = {p * self.stride[0] + r * self.dilation[0] for p in at["P"] for r in at["R"]}
                w = {q * self.stride[1] + s * self.dilation[1] for q in at["Q"] for s in at["S"]}
                known[key] = frozenset(product(at["N"], at["G"], at["C"], h, w))
            else:
                known[key] = frozenset(product(*at.values()))
        return known[key]

    def axes_between(self, above: int, below: int) -> list[tuple[int, Axis]]:
        """Return (memory, axis) of the axes in use in the fan-outs of the memories `above .. below-1`."""
        return [(m, axis) for m in range(above, below) for axis in self.levels[m].axes]


class Flow:
    """One tensor between two neighbouring holders: watches the tiles of the child change, and counts."""

    def __init__(self, problem: Problem, tensor: str, parent: int, child: int) -> None:
        self.problem, self.tensor, self.parent, self.child = problem, tensor, parent, child
        self.to_macs = child == len(problem.levels)
        nest = [(m, d) for m in range(child) for d in problem.levels[m].loops]
        relevant = [i for i, (_, d) in enumerate(nest) if d in RELEVANT[tensor]]
        self.j = relevant[-1] if relevant else None
        self.j_memory, self.j_dim = nest[relevant[-1]] if relevant else (0, "")
        if self.to_macs:
            self.watched = len(nest)
        else:
            self.watched = relevant[-1] + 1 if relevant else 0
        self.prefix = len(problem.axes_between(0, parent))  # positions that name the parent instance
        self.separate = list(range(self.prefix)) + [
            self.prefix + i
            for i, (m, axis) in enumerate(problem.axes_between(parent, child))
            if not self.joins(m, axis)
        ]
        self.slides_child, self.slides_parent = self.sliding()
        self.fills = self.parent_words = self.child_words = 0
        self.distinct: dict[Instance, set[tuple[int, ...]]] = {}  # drained so far, per parent instance
        self.index: tuple[int, ...] | None = None
        self.before: dict[Instance, Elements] = {}
        self.groups_before: dict[Instance, Elements] = {}

    def joins(self, memory: int, axis: Axis) -> bool:
        """Say whether one word of the parent serves (or gathers) all instances along this axis."""
        if self.tensor == "O":
            return axis.reduction  # rule 8
        if self.tensor == "I" and axis.dim in PAIRS and memory != self.child - 1:
            return False  # rule 6
        return axis.multicast

    def sliding(self) -> tuple[bool, bool]:
        """Say whether the child's writes and the parent's reads shrink when `j` itself advances."""
        if self.tensor != "I" or self.j_dim not in PAIRS or self.to_macs:
            return False, False  # rule 3
        pair = PAIRS[self.j_dim]
        if any(axis.dim in pair for _, axis in self.problem.axes_between(self.j_memory, self.parent)):
            return False, False  # rule 4
        splits = [(m, a) for m, a in self.problem.axes_between(self.parent, self.child) if a.dim in pair]
        return not splits, all(a.forwarding and m == self.child - 1 for m, a in splits)  # rule 5

    def see(self, index: tuple[int, ...], tiles: Tiles) -> None:
        """Take note that the loops above the child now stand at `index`."""
        watched = index[: self.watched]
        if watched == self.index:
            return
        self.fills += 1
        j_advances = (
            self.index is not None and self.j is not None
            and watched[: self.j] == self.index[: self.j] and watched[self.j] != self.index[self.j]
        )  # fmt: skip
        self.index = watched

        slide_child, slide_parent = (self.slides_child, self.slides_parent) if j_advances else (False, False)
        now: dict[Instance, Elements] = {}
        groups: dict[Instance, Elements] = {}
        for x, tile in tiles.items():
            elements = now[x] = self.problem.elements(self.tensor, tile)
            name = tuple([x[i] for i in self.separate])
            others = groups.get(name, NOTHING)
            groups[name] = elements if others is NOTHING or others is elements else others | elements
            self.child_words += len(elements - self.before.get(x, NOTHING) if slide_child else elements)
            if self.tensor == "O":
                self.distinct.setdefault(x[: self.prefix], set()).update(elements)
        for name, wanted in groups.items():
            self.parent_words += len(
                wanted - self.groups_before.get(name, NOTHING) if slide_parent else wanted
            )
        self.before, self.groups_before = now, groups

    def row(self) -> dict[str, Any]:
        names = [memory["name"] for memory in self.problem.memories] + ["MAC"]
        row = {
            "tensor": self.tensor,
            "parent": names[self.parent],
            "child": names[self.child],
            "fills": self.fills,
            "parent_words": self.parent_words,
            "child_words": self.child_words,
        }
        if self.tensor == "O":
            row["parent_psum_reads"] = self.parent_words - sum(map(len, self.distinct.values()))
        return row


def flows_of(problem: Problem, flow: type[Flow] = Flow, tensors: str = "WIO") -> list[Flow]:
    """Return one flow per tensor and pair of neighbouring holders, outermost first."""
    flows = []
    for tensor in tensors:
        holders = [m for m, memory in enumerate(problem.memories) if tensor in memory["holds"]]
        for parent, child in zip(holders, [*holders[1:], len(problem.memories)]):
            flows.append(flow(problem, tensor, parent, child))
    return flows


def walk(
    layer: dict[str, Any],
    memories: list[dict[str, Any]],
    mapping: dict[str, Any],
    flow: type[Flow] = Flow,
    tensors: str = "WIO",
) -> dict[str, Any]:
    """Run a legal mapping and return `compute_steps`, `macs` and the `traffic` rows.

    `flow` lets a test ask "what if one rule were different?" by passing a subclass,
    `tensors` restricts the rows to those it is about.
    Raises ValueError when the tile below the last memory is not 1.
    """
    problem = Problem(layer, memories, mapping)
    flows = flows_of(problem, flow, tensors)
    totals = {"compute_steps": 0, "macs": 0}

    def run(memory: int, index: tuple[int, ...], tiles: Tiles) -> None:
        for f in flows:
            if f.child == memory:
                f.see(index, tiles)
        if memory == len(memories):
            totals["compute_steps"] += 1
            totals["macs"] += len(tiles)
            return
        level = problem.levels[memory]
        first = (0,) * len(problem.axes_between(0, memory))
        for here in level.indices(tiles[first]):
            run(memory + 1, index + here, level.children(tiles, here))

    run(0, (), {(): tuple((0, problem.sizes[d]) for d in DIMS)})
    return {**totals, "traffic": [f.row() for f in flows]}
