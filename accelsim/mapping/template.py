"""The template mapper: the chip's own dataflow, its array filled, its buffers filled greedily.

Deterministic. It starts from the smallest tiles, tries every choice of dimensions that the `dataflow`
section allows on the axes, and then improves one coordinate at a time (one tile size, one axis, one loop
order) as long as the energy-delay product falls.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.decode import decode, tile_sizes
from accelsim.pack import Batch, pack_layer, pack_machine, price
from accelsim.workloads.layer import DIMS, Layer
from cost_models import layout as L

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

# Orders to try where the dataflow allows any: weights, outputs or inputs stay in place innermost.
_STATIONARY = ("GKCRSNPQ", "NGKPQCRS", "NGCRSPQK")
_SWEEPS = 4
_MAX_AXIS_CHOICES = 512


class Wish:
    """One wished mapping: inner tiles int64[M, 8], orders int8[M, 8], axes [M, 3]."""

    def __init__(self, M: int) -> None:
        self.inner = np.ones((M, L.NDIM), np.int64)
        self.order = np.zeros((M, L.NDIM), np.int8)
        self.axis_dim = np.zeros((M, L.MAX_AXES), np.int8)
        self.axis_factor = np.zeros((M, L.MAX_AXES), np.int32)

    def copy(self) -> Wish:
        """An independent copy."""
        other = Wish(len(self.inner))
        for name in ("inner", "order", "axis_dim", "axis_factor"):
            getattr(other, name)[:] = getattr(self, name)
        return other


def template(
    hardware: Accelerator,
    layer: Layer,
    *,
    resident: str = "",
    reserved_bits: NDArray[np.float64] | None = None,
) -> tuple[Batch, int] | None:
    """(mapping as kernel arrays with one row, evaluations), or None if not even the smallest tiles fit.

    `reserved_bits` float64[M] is taken off each memory's capacity.
    """
    machine = pack_machine(hardware)
    if reserved_bits is not None:
        machine.memory[:, L.CAPACITY_ALL] -= reserved_bits
    problem = pack_layer(layer, resident)
    search = _Search(hardware, layer, problem, machine)
    best = search.best_start()
    if best is None:
        return None
    return search.improve(best), search.evaluations


class _Search:
    def __init__(self, hardware, layer, problem, machine) -> None:  # type: ignore[no-untyped-def]
        self.hardware = hardware
        self.layer = layer
        self.problem = problem
        self.machine = machine
        self.sizes = problem[: L.NDIM]
        self.M = len(hardware.memories)
        self.orders = [_orders(hardware, m) for m in range(self.M)]
        self.evaluations = 0

    def score(self, wishes: list[Wish]) -> tuple[Batch, NDArray[np.float64]]:
        """Decoded mappings and their energy-delay product (pJ x cycles)."""
        batch = decode(
            self.sizes,
            np.stack([w.inner for w in wishes]),
            np.stack([w.order for w in wishes]),
            np.stack([w.axis_dim for w in wishes]),
            np.stack([w.axis_factor for w in wishes]),
        )
        _, latency, energy = price(self.problem, self.machine, batch)
        self.evaluations += len(wishes)
        return batch, latency * energy

    def best_start(self) -> Wish | None:
        """Best choice of dimensions for the axes, with the smallest tiles and the default orders."""
        base = Wish(self.M)
        for m in range(self.M):
            base.order[m] = self.orders[m][0]
        starts = [base]
        for choice in self.axis_choices():
            wish = base.copy()
            for (m, a), d in choice.items():
                wish.axis_dim[m, a] = d
            self.fill_axes(wish)
            starts.append(wish)
        _, edp = self.score(starts)
        best = int(np.argmin(edp))
        return starts[best] if np.isfinite(edp[best]) else None

    def axis_choices(self) -> list[dict[tuple[int, int], int]]:
        """Which dimension each axis may carry, over all axes together, preferred ones first."""
        slots: list[tuple[int, int]] = []
        options: list[list[int]] = []
        for m, memory in enumerate(self.hardware.memories):
            for a, axis in enumerate(memory.fanout):
                allowed = [DIMS.index(d) for d in self.hardware.axis_dims(m, axis.axis)]
                useful = [d for d in allowed if self.sizes[d] > 1]
                if useful:
                    slots.append((m, a))
                    options.append(useful)
        while np.prod([len(o) for o in options], dtype=float) > _MAX_AXIS_CHOICES:
            longest = max(range(len(options)), key=lambda i: len(options[i]))
            options[longest] = options[longest][:-1]
        return [dict(zip(slots, choice, strict=True)) for choice in product(*options)]

    def fill_axes(self, wish: Wish) -> None:
        """Largest even factor on every axis whose dimension is set, axes on shared lanes in turn."""
        left = [int(n) for n in self.sizes]
        for m, memory in enumerate(self.hardware.memories):
            lanes = [int(n) for n in self.machine.fan[m, :, L.AXIS_SIZE]]
            for a in range(len(memory.fanout)):
                d = int(wish.axis_dim[m, a])
                host = int(self.machine.fan[m, a, L.LANES])
                room = min(int(self.machine.fan[m, a, L.AXIS_SIZE]), lanes[host], left[d])
                if room < 2:
                    wish.axis_factor[m, a] = 0
                    continue
                each = -(-left[d] // room)
                factor = -(-left[d] // each)
                wish.axis_factor[m, a] = factor
                lanes[host] //= factor
                left[d] = each

    def improve(self, wish: Wish) -> Batch:
        """Coordinate descent from `wish`; the mapping that no single change improves."""
        batch, edp = self.score([wish])
        best, best_edp = batch, float(edp[0])
        for _ in range(_SWEEPS):
            before = best_edp
            for moves in self.coordinates():
                wishes = [changed for move in moves if (changed := move(wish)) is not None]
                if not wishes:
                    continue
                batch, edp = self.score(wishes)
                i = int(np.argmin(edp))
                if edp[i] < best_edp:
                    wish, best, best_edp = wishes[i], batch.take([i]), float(edp[i])
            if best_edp >= before:
                break
        return best

    def coordinates(self):  # type: ignore[no-untyped-def]
        """Groups of single changes: functions from a wish to a changed one, or None."""
        for m in range(self.M - 2, -1, -1):
            for d in range(L.NDIM):
                if self.sizes[d] > 1:
                    yield [_tile_move(m, d, size) for size in tile_sizes(int(self.sizes[d]))]
            if len(self.orders[m]) > 1:
                yield [_order_move(m, order) for order in self.orders[m]]
        choices = self.axis_choices()
        if len(choices) > 1:
            yield [self.axes_move(choice) for choice in choices]

    def axes_move(self, choice):  # type: ignore[no-untyped-def]
        def move(wish: Wish) -> Wish:
            changed = wish.copy()
            for (m, a), d in choice.items():
                changed.axis_dim[m, a] = d
            self.fill_axes(changed)
            return changed

        return move


def _tile_move(m: int, d: int, size: int):  # type: ignore[no-untyped-def]
    def move(wish: Wish) -> Wish | None:
        if wish.inner[m, d] == size:
            return None
        changed = wish.copy()
        changed.inner[m, d] = size
        # A larger tile below needs at least as large a one above.
        changed.inner[:m, d] = np.maximum(changed.inner[:m, d], size)
        return changed

    return move


def _order_move(m: int, order: NDArray[np.int8]):  # type: ignore[no-untyped-def]
    def move(wish: Wish) -> Wish:
        changed = wish.copy()
        changed.order[m] = order
        return changed

    return move


def _orders(hardware: Accelerator, m: int) -> list[NDArray[np.int8]]:
    """Loop orders to try in memory `m`, the template's own first."""
    allowed = hardware.loop_orders(m) or _STATIONARY
    out = []
    for order in allowed:
        full = [d for d in DIMS if d not in order] + list(order)
        out.append(np.array([DIMS.index(d) for d in full], np.int8))
    return out
