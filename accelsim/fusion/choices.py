"""`Offers`: the choices for all stacks of a network that fit one chip, each with lower bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.fusion.bounds import Kind, piece_bounds
from accelsim.fusion.menu import MODES, Menu
from accelsim.fusion.room import capacity_of, home_of, reserved_bits, used_bits
from accelsim.fusion.schedule import Stack
from accelsim.fusion.totals import Frame
from accelsim.workloads.layer import Layer

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int]

Question = tuple[Layer, str, Floats]
"""A piece, the tensors that lie on chip, and bits float64[M, 4] that others keep."""


class Arc(NamedTuple):
    """What fits of a menu.

    choice  int64[n], of the menu
    stay    bool[n] whether weights stay
    bounds  float64[n, 2] on cycles and pJ
    """

    menu: Menu
    choice: Ints
    stay: NDArray[np.bool_]
    bounds: Floats


class Offers:
    """Arcs by (first, last) layer.

    size     choices in all
    fitting  of them those that fit
    """

    def __init__(self, hardware: Accelerator, menus: dict[Span, Menu]) -> None:
        """Raises StackError for a chip without a home."""
        self.hardware, self.frame = hardware, Frame(hardware)
        self._holds_weights = "W" in hardware.memories[home_of(hardware)].holds
        distinct = {id(menu): menu for menu in menus.values()}
        # A processor beside the chip has no part in stacks.
        beside = {
            layer: bool(hardware.for_layer(layer).unit_points)
            for layer in {layer for menu in distinct.values() for layer in menu.layers}
        }
        able = [
            menu
            for menu in distinct.values()
            if (self._holds_weights or not menu.factor.any()) and not any(beside[x] for x in menu.layers)
        ]
        found = dict(zip(map(id, able), self._arcs(able))) if able else {}
        self.arcs: dict[Span, Arc] = {}
        self.size = self.fitting = 0
        for span, menu in menus.items():
            self.size += len(menu.tiles) * (1 + self._may_stay(menu))
            if id(menu) in found and len(found[id(menu)].choice):
                self.arcs[span] = found[id(menu)]
                self.fitting += len(self.arcs[span].choice)

    def stack(self, span: Span, n: int) -> Stack:
        """Choice `n` of an arc as an entry of a schedule."""
        menu, choice, stay, _ = self.arcs[span]
        tile, kept = menu.tiles[choice[n]], MODES[menu.kept[choice[n]]]
        held = tuple(span[0] + i for i in np.flatnonzero(menu.heavy).tolist()) if stay[n] else ()
        return Stack(*span, tile, kept, held)

    def pieces(self, span: Span, n: int) -> list[Question]:
        """The pieces of choice `n` of an arc, by layer, rows, columns."""
        menu, choice, stay, _ = self.arcs[span]
        at = choice[n]
        used = used_bits(self.hardware, menu.room[at], int(menu.held[1]) if stay[n] else 0)
        here = slice(menu.start[at], menu.start[at + 1])
        out = []
        for i, rows, cols in zip(*(x[here].tolist() for x in (menu.layer, menu.rows, menu.cols))):
            x = menu.layers[i]
            piece = Layer(
                x.N, x.G, x.K, x.C, rows, cols, x.R, x.S, x.stride, x.dilation, x.op, x.name, x.bits
            )
            resident = "WIO" if menu.factor[i] or (stay[n] and menu.heavy[i]) else "IO"
            out.append((piece, resident, reserved_bits(self.hardware, used[i], piece, resident)))
        return out

    def price(self, span: Span, n: int, cycles: Floats, pj: Floats, busy: Floats) -> tuple[float, float]:
        """(cycles, pJ) of choice `n` of an arc, from those of its pieces and their traffic [n, M, users]."""
        menu, choice, stay, _ = self.arcs[span]
        at = choice[n]
        held = menu.held * int(stay[n])
        times = menu.times[menu.start[at] : menu.start[at + 1]]
        found = self.frame.of_pieces(menu.moved[at], held, menu.images, times, cycles, pj, busy)
        return float(found.latency_cycles[0]), float(found.energy_pj[0])

    def _may_stay(self, menu: Menu) -> bool:
        return self._holds_weights and bool(menu.heavy.any())

    def _arcs(self, menus: list[Menu]) -> list[Arc]:
        """What fits of each menu, all in one go."""
        hardware = self.hardware
        kinds: dict[Kind, int] = {}
        own = [
            np.array([kinds.setdefault((x, bool(f), bool(h)), len(kinds)) for x, f, h in zip(*m)])
            for m in ((menu.layers, menu.factor, menu.heavy) for menu in menus)
        ]
        kind = np.concatenate([ids[menu.layer] for ids, menu in zip(own, menus)])
        rows, cols, times, moved, partial = (
            np.concatenate([getattr(menu, name) for menu in menus])
            for name in ("rows", "cols", "times", "moved", "partial")
        )
        sizes = np.array([len(menu.tiles) for menu in menus])
        owner = np.repeat(np.arange(len(menus)), sizes)
        pieces = np.concatenate([np.diff(menu.start) for menu in menus])
        starts = np.concatenate([[0], np.cumsum(pieces)[:-1]])
        room = np.concatenate([menu.room.reshape(-1, menu.room.shape[2]) for menu in menus])
        depth = np.array([len(menu.layers) for menu in menus])[owner]
        steps = np.concatenate([[0], np.cumsum(depth)[:-1]])
        held = np.array([menu.held for menu in menus])[owner]
        images = np.array([menu.images for menu in menus])[owner]
        capacity = capacity_of(hardware)
        may_stay = np.array([self._may_stay(menu) for menu in menus])[owner]
        cycles, pj = piece_bounds(hardware, list(kinds), kind, rows, cols, stay=bool(may_stay.any()))
        found = []
        for stay in range(len(cycles)):
            weights = held * stay
            used = used_bits(hardware, room, np.repeat(weights[:, 1], depth))
            fit = np.logical_and.reduceat((used <= capacity).all(axis=1), steps) & ~partial
            at = np.flatnonzero(fit & may_stay if stay else fit)
            sums = (np.add.reduceat(times * x[stay], starts)[at] for x in (cycles, pj))
            least = self.frame.totals(moved[at], weights[at], images[at], *sums)
            found.append((at, np.full(len(at), bool(stay)), np.column_stack(least[:2])))
        at, stays, bounds = (np.concatenate(x) for x in zip(*found))
        order = np.lexsort((at, stays, owner[at]))
        ends = np.searchsorted(owner[at][order], np.arange(len(menus) + 1))
        first = np.cumsum(sizes) - sizes
        return [
            Arc(menu, at[part] - first[i], stays[part], bounds[part])
            for i, menu in enumerate(menus)
            for part in [order[ends[i] : ends[i + 1]]]
        ]
