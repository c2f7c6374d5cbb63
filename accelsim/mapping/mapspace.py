"""`MapSpace`: the mappings of a layer that a chip's dataflow allows, as a set to count, sample and list.

A member spreads dimensions over the axes, and gives every memory a union tile per dimension and one of the
loop orders that differ in what they do. Capacity is no part of it: a member may not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, not_one_of
from accelsim.hardware.holding import ways_for
from accelsim.mapping.mapping import Mapping, MappingError
from accelsim.mapping.optimal_space import (
    Tiles,
    canonical_orders,
    chains,
    count_chains,
    rest_of,
    spatial_choices,
    tile_values,
    unions,
)
from accelsim.pack import Batch, pack_layer
from accelsim.workloads.layer import DIMS, Layer
from cost_models.exact.records import Factors, Spatial
from cost_models.loopnest import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

_ENUMERABLE = 10_000_000
_CHUNK = 4096


class MapSpace:
    """Mappings of `layer` on `hardware`.

    tiles  "divisors": every tile divides the one around it, axes included.
           "all": the tile of an instance is the smallest of a trip count over the whole dimension; the union
           tile above it is full (as many such tiles as there are instances, or all that there is), or the
           smallest of its own trip count; all instances have work in it.
           "legal": whatever the cost model takes.

    Loop orders: of those of a memory, the ones that no other matches in every fill, see docs/mappers.md.
    Where memories leave a choice of what they hold, the space is that of all ways to hold that differ for the
    layer, `resident` tensors staying where they lie; one of its `ways` can be sampled and listed.
    Raises AccelsimError for other words.
    """

    def __init__(
        self, hardware: Accelerator, layer: Layer, tiles: Tiles = "divisors", resident: str = ""
    ) -> None:
        if tiles not in get_args(Tiles):
            raise AccelsimError(f"tiles: {not_one_of(tiles, get_args(Tiles))}")
        self.hardware = hardware.for_layer(layer)
        self.layer, self.tiles, self.resident = layer, tiles, resident
        self.sizes = [layer.dims[d] for d in DIMS]

    @cached_property
    def ways(self) -> tuple[MapSpace, ...]:
        """The space of each way to hold; only itself where there is no choice."""
        if not self.hardware.leaves_choice:
            return (self,)
        machines = ways_for(self.hardware, self.layer, self.resident)
        return tuple(MapSpace(way, self.layer, self.tiles) for way in machines)

    def _alone(self, verb: str) -> None:
        if self.hardware.leaves_choice:
            raise AccelsimError(
                f"{verb}: {self.hardware.name} leaves open what its memories hold; {verb} one of the "
                f"{len(self.ways)} `ways` of the space"
            )

    @cached_property
    def spatial(self) -> Spatial:
        """Ways to use the array."""
        return spatial_choices(self.hardware, self.layer, self.tiles)

    @cached_property
    def orders(self) -> list[NDArray[np.int8]]:
        """Loop orders int8[n, 8] of each memory."""
        table = canonical_orders(self.hardware, pack_layer(self.layer))
        kept = [dict.fromkeys(tuple(row[: L.NDIM]) for row in rows if row[0] >= 0) for rows in table.tolist()]
        return [np.array(list(rows), np.int8) for rows in kept]

    @cached_property
    def _alike(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each dimension the first of all spatial choices alike in it, and which of them each is like."""
        dim, factor = self.spatial.dim, self.spatial.factor
        out = []
        for d in range(L.NDIM):
            used = np.where((dim == d) & (factor > 1), factor, 1).reshape(len(dim), -1)
            _, first, like = np.unique(used, axis=0, return_index=True, return_inverse=True)
            out.append((first, like.ravel()))
        return out

    @cached_property
    def _chains(self) -> list[list[int]]:
        """Chains of tiles of each dimension, per spatial choice."""
        columns = []
        for d, (size, (first, like)) in enumerate(zip(self.sizes, self._alike, strict=True)):
            counts = [count_chains(size, self.spatial.factors(int(b), d), self.tiles) for b in first]
            columns.append([counts[i] for i in like])
        return [list(row) for row in zip(*columns, strict=True)]

    def counting(self, most: int) -> int:
        """About how many steps it takes to find `size`, of up to `most` spatial choices.

        Raises AccelsimError where there are more.
        """
        spatial_choices(self.hardware, self.layer, self.tiles, most)
        if self.tiles == "divisors":
            return len(self.spatial.dim)
        wholes = (tile_values(self.sizes, self.tiles) > 0).sum(axis=1)
        each = wholes if self.tiles == "legal" else wholes**2
        kinds = np.array([len(first) for first, _ in self._alike])
        return len(self.orders) * int((each * kinds)[wholes > 1].sum())

    @cached_property
    def size(self) -> int:
        """Number of members: tilings of all spatial choices, times loop orders; of all ways to hold."""
        if self.hardware.leaves_choice:
            return sum(way.size for way in self.ways)
        return sum(map(prod, self._chains)) * prod(map(len, self.orders))

    def sample(self, n: int, seed: int = 0) -> Batch:
        """`n` members, uniform and independent. Raises AccelsimError for an empty space or bad numbers."""
        self._alone("sample")
        if n < 0 or seed < 0:
            raise AccelsimError(f"sample: n and seed must be whole numbers from 0, but got {n} and {seed}")
        weights = np.array([float(prod(ways)) for ways in self._chains])
        if not weights.sum():
            raise AccelsimError(f"the space of {self.layer} on {self.hardware.name} is empty")
        rng = np.random.default_rng(seed)
        picks = rng.choice(len(weights), n, p=weights / weights.sum())
        batch = Batch.empty(n, len(self.orders))
        for row, b in enumerate(picks):
            self._write(batch, row, int(b), [self._chain(int(b), d, rng) for d in range(L.NDIM)])
            for m, orders in enumerate(self.orders):
                batch.order[row, m] = orders[rng.integers(len(orders))]
        return batch

    def decode(self, genes: NDArray[np.float64]) -> Batch:
        """Mappings that B vectors of numbers in [0, 1] stand for, float64[B, genes].

        The encoding of `cost_models.mappers.genes`, whose `width` tells how many genes, which the searching
        mappers vary. Its tiles may have any size: dataflow and sizes are kept, membership is not promised.
        """
        self._alone("decode")
        from accelsim.mapping.encoding import score
        from accelsim.mapping.task import Task
        from cost_models.mappers.genes import width

        task = Task(self.hardware, self.layer)
        many = width(task.machine.fan)
        genes = np.ascontiguousarray(genes, np.float64)
        if genes.ndim != 2 or genes.shape[1] != many or not ((genes >= 0) & (genes <= 1)).all():
            raise AccelsimError(f"genes: must be numbers from 0 to 1, shape [B, {many}], got {genes.shape}")
        return score(task, genes)[0]

    def __contains__(self, mapping: Any) -> bool:
        """Whether a `Mapping` is a member, or costs what a member costs because only idle loops differ."""
        if not isinstance(mapping, Mapping):
            return False
        try:
            mapping.machine(self.hardware, self.resident)
        except MappingError:
            return False
        return self.holds(mapping.arrays(self.hardware, self.layer))

    def holds(self, batch: Batch) -> bool:
        """The same of row 0 of kernel arrays, on a machine without a choice of what to hold."""
        axis_dim, axis_factor = batch.axis_dim[0].tolist(), batch.axis_factor[0].tolist()
        uses = [[(0, 0)] * L.MAX_AXES for _ in self.hardware.memories]
        lanes: dict[tuple[int, str], int] = {}
        for m, memory in enumerate(self.hardware.memories):
            for a, axis in enumerate(memory.fanout):
                factor, d = axis_factor[m][a], axis_dim[m][a]
                if factor < 2:
                    continue
                host = (m, axis.shares or axis.axis)
                lanes[host] = lanes.get(host, 1) * factor
                room = next(x.size for x in memory.fanout if x.axis == host[1])
                allowed = self.hardware.axis_dims(memory.name, axis.axis)
                if DIMS[d] not in allowed or factor > axis.size or lanes[host] > room:
                    return False
                uses[m][a] = (d, factor)
        for d, size in enumerate(self.sizes):
            factors = tuple(tuple(f for dim, f in row if dim == d and f > 1) for row in uses)
            whole = size
            for union, some in zip(batch.tile[0, :, d].tolist(), factors, strict=True):
                whole = rest_of(union, whole, size, some, self.tiles)
                if not whole:
                    return False
            if whole != 1:
                return False
        return self._orders_allowed(batch)

    def _orders_allowed(self, batch: Batch) -> bool:
        for m, memory in enumerate(self.hardware.memories):
            allowed = self.hardware.orders(memory.name)
            loops = self._loops(batch, m)
            said = [d for d in batch.order[0, m] if d in loops]
            rows = [[DIMS.index(d) for d in order] for order in allowed]
            if rows and said not in [[d for d in row if d in loops] for row in rows]:
                return False
        return True

    def _loops(self, batch: Batch, m: int) -> set[int]:
        """Dimensions whose loop in memory `m` runs more than once."""
        whole = self.sizes
        for x in range(m):
            whole = [int(u) for u in batch.tile[0, x]]
            for a in range(L.MAX_AXES):
                if batch.axis_factor[0, x, a] > 1:
                    d = int(batch.axis_dim[0, x, a])
                    whole[d] = -(-whole[d] // int(batch.axis_factor[0, x, a]))
        return {d for d in range(L.NDIM) if whole[d] > batch.tile[0, m, d]}

    def enumerate(self) -> Iterator[Batch]:
        """All members, each once, some thousands at a time. Raises AccelsimError where there are too many."""
        self._alone("enumerate")
        if self.size > _ENUMERABLE:
            raise AccelsimError(
                f"the space of {self.layer} on {self.hardware.name} has {self.size:.3g} members; "
                f"at most {_ENUMERABLE:,} are enumerated: sample it instead"
            )
        nests = list(product(*self.orders))
        rows: list[tuple[int, tuple[tuple[int, ...], ...], Any]] = []
        for b in range(len(self.spatial.dim)):
            each = [chains(size, self.spatial.factors(b, d), self.tiles) for d, size in enumerate(self.sizes)]
            for tiling in product(*each):
                for nest in nests:
                    rows.append((b, tiling, nest))
                    if len(rows) == _CHUNK:
                        yield self._batch(rows)
                        rows = []
        if rows:
            yield self._batch(rows)

    def _batch(self, rows: list[tuple[int, tuple[tuple[int, ...], ...], Any]]) -> Batch:
        batch = Batch.empty(len(rows), len(self.orders))
        for row, (b, tiling, nest) in enumerate(rows):
            self._write(batch, row, b, tiling)
            batch.order[row] = nest
        return batch

    def _write(self, batch: Batch, row: int, b: int, tiling: Any) -> None:
        batch.tile[row] = np.array(tiling).T
        batch.axis_dim[row], batch.axis_factor[row] = self.spatial.dim[b], self.spatial.factor[b]

    def _chain(self, b: int, d: int, rng: np.random.Generator) -> tuple[int, ...]:
        """One chain of tiles of a dimension, all equally likely."""
        factors, size = self.spatial.factors(b, d), self.sizes[d]
        whole, chain = size, []
        for m in range(len(factors)):
            ways, shares = _next_tiles(whole, size, factors[m:], self.tiles)
            union, whole = ways[int(shares.searchsorted(rng.random(), side="right"))]
            chain.append(union)
        return tuple(chain)


@lru_cache(maxsize=65536)
def _next_tiles(
    whole: int, size: int, factors: Factors, tiles: Tiles
) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """(union tile, what an instance gets) of the next memory, and the share of chains up to each."""
    ways = list(unions(whole, size, factors[0], tiles).items())
    counts = np.array([float(count_chains(rest, factors[1:], tiles, size)) for _, rest in ways])
    shares = (counts / counts.sum()).cumsum()
    return ways, shares / shares[-1]
