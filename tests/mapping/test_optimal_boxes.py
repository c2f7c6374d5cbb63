"""What a box of tiles costs at least, against mappings drawn from it; and the open boxes against sorting."""

from __future__ import annotations

import random
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim import Layer, load_hardware
from accelsim.mapping.mapspace import MapSpace
from accelsim.mapping.optimal_space import SHAPES, Tiles, canonical_orders, tile_values
from accelsim.pack import Batch, pack_layer, pack_machine, price
from cost_models.exact import box as F
from cost_models.exact import least as A
from cost_models.exact import open as Q
from cost_models.exact.records import Incumbent, Options, Spatial
from cost_models.exact.search import fix, new_desk
from cost_models.loopnest import layout as L
from cost_models.loopnest import work as X
from tests.mapping.test_optimal import machine, problem


@numba.njit(error_model="numpy")
def least(problem, machine, spatial, options, found, pruned, box):
    """The bound of a box, after it is shrunk; infinite where that leaves nothing."""
    ws, iw = X.prepare(problem, machine)
    desk = new_desk(len(machine.holds), iw)
    for d in range(L.NDIM):
        desk.corner[0, d] = desk.corner[1, d] = problem[d]
    fix(0, spatial, options.shape, desk, ws, iw)
    if not F.shrink(0, spatial, box, options, ws, iw):
        return np.inf
    return A.least_of_box(box, options, desk, found, pruned, ws, iw)


def bound(arrays: tuple[Any, ...], objective: int, box: NDArray[np.int64]) -> float:
    found = Incumbent.nothing(objective, 1, box.shape[1])
    return float(least(*arrays, found, np.zeros(5, np.int64), box.copy()))


def smallest_unions(space: MapSpace, dim: NDArray[np.int8], factor: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32[1, M, 8]: the smallest union tiles of the spatial choice that a mapping makes."""
    spatial = space.spatial
    used = (spatial.factor == factor).all(axis=(1, 2)) & ((spatial.dim == dim) | (factor < 2)).all(
        axis=(1, 2)
    )
    return spatial.union[np.flatnonzero(used)[:1]]


def places(one: Batch, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[M, 8]: where the instance tiles of a mapping stand in `values`; row 0 is of no use."""
    out = np.zeros(one.tile.shape[1:], np.int64)
    for c in range(1, len(out)):
        for d in range(8):
            size = int(one.tile[0, c - 1, d])
            for axis, factor in zip(one.axis_dim[0, c - 1], one.axis_factor[0, c - 1], strict=True):
                size = -(-size // int(factor)) if factor > 1 and axis == d else size
            out[c, d] = values[d].tolist().index(size)
    return out


def larger(chance: random.Random, layer: Layer) -> Layer:
    """The layer with sizes that leave room for boxes, and remainders."""
    dims = {d: n if d in "RS" else chance.choice((n, 7, 12, 18, 25)) for d, n in layer.dims.items() if n > 1}
    return Layer(**dims, stride=layer.stride, dilation=layer.dilation, op=layer.op)


@pytest.mark.parametrize("tiles", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_no_mapping_costs_less_than_a_box_around_its_tiles(seed: int, tiles: Tiles) -> None:
    """From the box of all tiles to that of its tiles alone, and on the way the bound rises."""
    chance = random.Random(40 + seed)
    number = SHAPES.index(tiles)
    tried = risen = 0
    while tried < 60:
        hardware, layer = load_hardware(machine(chance)), larger(chance, problem(chance))
        if sum(len(memory.fanout) for memory in hardware.memories) > 3:
            continue
        space, packed = MapSpace(hardware, layer, tiles), pack_layer(layer)
        batch = space.sample(8, seed=tried)
        _, latency, energy = price(packed, pack_machine(hardware), batch)
        values = tile_values(space.sizes, tiles)
        for row in np.flatnonzero(np.isfinite(latency)):
            one = batch.take([row])
            union = smallest_unions(space, one.axis_dim[0], one.axis_factor[0])
            spatial = Spatial(one.axis_dim, one.axis_factor, union)
            options = Options(number, values, canonical_orders(hardware, packed))
            arrays = (packed, pack_machine(hardware), spatial, options)
            at = places(one, values)
            wide = np.array([np.zeros_like(at), np.broadcast_to((values > 0).sum(axis=1) - 1, at.shape)])
            first = bound(arrays, 0, wide)
            for _ in range(6):
                for objective, cost in enumerate((latency[row] * energy[row], latency[row], energy[row])):
                    assert bound(arrays, objective, wide) <= cost, (
                        hardware.to_dict(),
                        layer,
                        one,
                        objective,
                        wide,
                    )
                share = chance.choice((0.0, 0.3, 0.7))
                wide[0] = at - np.floor((at - wide[0]) * share).astype(int)
                wide[1] = at + np.floor((wide[1] - at) * share).astype(int)
            risen += bound(arrays, 0, np.array([at, at])) > 1.01 * first
            tried += 1
    assert risen > 10


# Steps are for kernels alone: the same functions, in plain Python.
_room, _take_slot, _give_back, _put, _put_first, _take, _least_key = (
    step.py_func for step in (Q.room, Q.take_slot, Q.give_back, Q.put, Q.put_first, Q.take, Q.least_key)
)


def test_open_boxes_come_by_their_keys_the_first_ones_first() -> None:
    """Against a sorted list; slots are used again."""
    chance = random.Random(7)
    keys, links, state = np.zeros(64), np.zeros((3, 64), np.int64), np.zeros(Q.STATE, np.int64)
    waiting: list[tuple[float, int]] = []
    for _ in range(2000):
        if _room(links, state) and chance.random() < 0.55:
            slot = _take_slot(links, state)
            assert all(slot != other for _, other in waiting)
            keys[slot] = chance.randrange(50)
            _put(slot, keys, links, state)
            waiting.append((keys[slot], slot))
        elif waiting:
            assert _least_key(keys, links, state) == min(waiting)[0]
            slot = _take(keys, links, state)
            assert keys[slot] == min(waiting)[0]
            waiting.remove((keys[slot], slot))
            _give_back(slot, links, state)
        assert _room(links, state) == 64 - len(waiting)
    first = _take_slot(links, state)
    keys[first] = 99.0
    _put_first(first, links, state)
    assert (state[Q.STACK], links[Q.STACK, 0]) == (1, first)
    assert _least_key(keys, links, state) == min([99.0, *(key for key, _ in waiting)])
