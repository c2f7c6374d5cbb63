"""The template mapper: the chip's own dataflow, its array filled, its buffers filled greedily.

Deterministic. It tries every choice of dimensions that the `dataflow` section allows on the axes with the
smallest tiles, and improves the most promising ones by one coordinate at a time (one tile size, one axis,
one loop order) as long as the objective falls, the energy-delay product unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.decode import decode, tile_sizes
from accelsim.pack import Batch, pack_layer, pack_machine, price
from accelsim.workloads.layer import DIMS, Layer
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Objective = Literal["edp", "latency", "energy"]

# Orders to try where the dataflow allows any: weights, outputs or inputs stay in place innermost.
_STATIONARY = (tuple("GKCRSNPQ"), tuple("NGKPQCRS"), tuple("NGCRSPQK"))
_STARTS = 4
_SWEEPS = 6
_POLISHES = 3
_PAIR_DIMS = 4
_MAX_AXIS_CHOICES = 512


class Wishes(NamedTuple):
    """B wished mappings, which `decode` makes legal: inner tiles, loop orders, axes (see there)."""

    inner: NDArray[np.int64]
    order: NDArray[np.int8]
    axis_dim: NDArray[np.int8]
    axis_factor: NDArray[np.int32]

    @classmethod
    def smallest(cls, M: int) -> Wishes:
        """One wish: every tile a single element, no axis in use."""
        order = np.broadcast_to(np.arange(L.NDIM, dtype=np.int8), (1, M, L.NDIM)).copy()
        axes = np.zeros((1, M, L.MAX_AXES), np.int8)
        return cls(np.ones((1, M, L.NDIM), np.int64), order, axes, axes.astype(np.int32))

    def _map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Wishes:
        return Wishes(*(change(array) for array in self))

    def repeat(self, n: int) -> Wishes:
        """`n` copies of a single wish."""
        return self._map(lambda array: array.repeat(n, axis=0))

    def one(self, row: int) -> Wishes:
        """The wish in a row."""
        return self._map(lambda array: array[row : row + 1])


Group = Callable[[Wishes], Wishes]
"""Changed copies of a wish."""


def template(
    hardware: Accelerator,
    layer: Layer,
    *,
    resident: str = "",
    reserved_bits: NDArray[np.float64] | None = None,
    objective: Objective = "edp",
) -> tuple[Batch, int] | None:
    """(mapping as kernel arrays with one row, evaluations), or None if not even the smallest tiles fit.

    `resident` names tensors that lie on chip; `reserved_bits` float64[M, 4] is taken off each memory's
    parts for W, I, O and off its whole.
    """
    search = _Search(hardware, layer, resident, reserved_bits, objective)
    starts = search.starts()
    if not starts:
        return None
    ends = [search.improve(start) for start in starts]
    best = search.polish(min(ends, key=lambda end: end.cost))
    return best.batch, search.evaluations


class _End(NamedTuple):
    """Where a descent ended: the wish, the mapping it decodes to, and its score."""

    wish: Wishes
    batch: Batch
    cost: float


class _Search:
    def __init__(
        self,
        hardware: Accelerator,
        layer: Layer,
        resident: str,
        reserved: NDArray[np.float64] | None,
        objective: Objective,
    ) -> None:
        self.objective = objective
        self.hardware = hardware
        self.problem = pack_layer(layer, resident)
        self.machine = pack_machine(hardware)
        if reserved is not None:
            self.machine.memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] -= reserved
        self.sizes = self.problem[: L.NDIM]
        self.M = len(hardware.memories)
        self.orders = [_orders(hardware, m) for m in range(self.M)]
        self.tiles = [np.array(tile_sizes(int(size))) for size in self.sizes]
        self.axes = self._axis_choices()
        self.evaluations = 0

    def score(self, wishes: Wishes) -> tuple[Batch, NDArray[np.float64], NDArray[np.float64]]:
        """Decoded mappings, their objective (pJ x cycles, cycles or pJ) and their latency."""
        batch = decode(self.sizes, *wishes)
        _, latency, energy = price(self.problem, self.machine, batch)
        self.evaluations += len(latency)
        if self.objective == "edp":
            return batch, latency * energy, latency
        return batch, latency if self.objective == "latency" else energy, latency

    def starts(self) -> list[Wishes]:
        """The best axis choices, by energy-delay product and by latency, with the smallest tiles."""
        wishes = Wishes.smallest(self.M).repeat(len(self.axes) + 1)
        for m in range(self.M):
            wishes.order[:, m] = self.orders[m][0]
        for row, (dims, factors) in enumerate(self.axes):
            wishes.axis_dim[row] = dims
            wishes.axis_factor[row] = factors
        _, edp, latency = self.score(wishes)
        if not np.isfinite(edp).any():
            return []
        ranks = [*np.argsort(edp, kind="stable")[:_STARTS], *np.argsort(latency, kind="stable")[:_STARTS]]
        return [wishes.one(int(row)) for row in dict.fromkeys(ranks) if np.isfinite(edp[row])]

    def improve(self, wish: Wishes) -> _End:
        """Coordinate descent: the mapping that no single change improves."""
        batch, edp, _ = self.score(wish)
        return self._descend(_End(wish, batch, float(edp[0])), lambda: self._neighbours(), _SWEEPS)

    def polish(self, end: _End) -> _End:
        """Leave traps that need two tile sizes changed at once."""
        for _ in range(_POLISHES):
            better = self._descend(end, lambda: self._pairs(), 1)
            if better.cost >= end.cost:
                break
            end = self._descend(better, lambda: self._neighbours(), _SWEEPS)
        return end

    def _descend(self, end: _End, neighbours: Callable[[], Iterator[Group]], sweeps: int) -> _End:
        for _ in range(sweeps):
            before = end.cost
            for group in neighbours():
                wishes = group(end.wish)
                batch, edp, _ = self.score(wishes)
                row = int(np.argmin(edp))
                if edp[row] < end.cost:
                    end = _End(wishes.one(row), batch.take([row]), float(edp[row]))
            if end.cost >= before:
                break
        return end

    def _neighbours(self) -> Iterator[Group]:
        """Groups of single changes, each a function from a wish to its changed copies."""
        for m in range(self.M - 2, -1, -1):
            for d in range(L.NDIM):
                if self.sizes[d] > 1:
                    yield partial(self._other_tiles, m, d)
            if len(self.orders[m]) > 1:
                yield partial(self._other_orders, m)
        if len(self.axes) > 1:
            yield self._other_axes

    def _pairs(self) -> Iterator[Group]:
        """As `_neighbours`, two tile sizes of one memory at once."""
        large = [d for d in np.argsort(-self.sizes, kind="stable")[:_PAIR_DIMS] if self.sizes[d] > 1]
        for m in range(self.M - 2, -1, -1):
            for first, second in combinations(large, 2):
                yield partial(self._other_pair, m, int(first), int(second))

    def _other_pair(self, m: int, first: int, second: int, wish: Wishes) -> Wishes:
        one, two = self.tiles[first], self.tiles[second]
        out = wish.repeat(len(one) * len(two))
        _set_tiles(out, m, first, np.repeat(one, len(two)))
        _set_tiles(out, m, second, np.tile(two, len(one)))
        return out

    def _other_tiles(self, m: int, d: int, wish: Wishes) -> Wishes:
        out = wish.repeat(len(self.tiles[d]))
        _set_tiles(out, m, d, self.tiles[d])
        return out

    def _other_orders(self, m: int, wish: Wishes) -> Wishes:
        out = wish.repeat(len(self.orders[m]))
        out.order[:, m] = self.orders[m]
        return out

    def _other_axes(self, wish: Wishes) -> Wishes:
        out = wish.repeat(len(self.axes))
        for row, (dims, factors) in enumerate(self.axes):
            out.axis_dim[row] = dims
            out.axis_factor[row] = factors
        return out

    def _axis_choices(self) -> list[tuple[NDArray[np.int8], NDArray[np.int32]]]:
        """Dimension and largest even factor of every axis [M, 3], for all allowed choices together."""
        slots: list[tuple[int, int]] = []
        options: list[list[int]] = []
        for m, memory in enumerate(self.hardware.memories):
            for a, axis in enumerate(memory.fanout):
                allowed = (DIMS.index(d) for d in self.hardware.axis_dims(memory.name, axis.axis))
                useful = [d for d in allowed if self.sizes[d] > 1]
                if useful:
                    slots.append((m, a))
                    options.append(useful)
        while np.prod([len(o) for o in options], dtype=float) > _MAX_AXIS_CHOICES:
            longest = max(range(len(options)), key=lambda i: len(options[i]))
            options[longest] = options[longest][:-1]
        return [self._fill(dict(zip(slots, choice, strict=True))) for choice in product(*options)]

    def _fill(self, choice: dict[tuple[int, int], int]) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
        dims = np.zeros((self.M, L.MAX_AXES), np.int8)
        factors = np.zeros((self.M, L.MAX_AXES), np.int32)
        left = [int(n) for n in self.sizes]
        lanes = self.machine.fan[:, :, L.AXIS_SIZE].copy()
        for (m, a), d in choice.items():
            dims[m, a] = d
            host = int(self.machine.fan[m, a, L.LANES])
            room = min(int(self.machine.fan[m, a, L.AXIS_SIZE]), int(lanes[m, host]), left[d])
            if room < 2:
                continue
            each = -(-left[d] // room)
            factors[m, a] = -(-left[d] // each)
            lanes[m, host] //= factors[m, a]
            left[d] = each
        return dims, factors


def _set_tiles(wishes: Wishes, m: int, d: int, sizes: NDArray[np.int64]) -> None:
    """Give each wish a tile; a larger tile below needs at least as large a one above."""
    wishes.inner[:, m, d] = sizes
    wishes.inner[:, :m, d] = np.maximum(wishes.inner[:, :m, d], sizes[:, None])


def _orders(hardware: Accelerator, m: int) -> NDArray[np.int8]:
    """Loop orders [n, 8] to try in memory `m`, the template's own first."""
    allowed = hardware.orders(hardware.memories[m].name) or _STATIONARY
    return np.array([[DIMS.index(d) for d in order] for order in allowed], np.int8)
