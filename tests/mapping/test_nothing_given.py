"""Where a machine has no `dataflow`: mappings met again, and loop orders that suit their tiles."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.mapspace import MapSpace
from accelsim.pack import Batch, pack_layer, pack_machine, price
from accelsim.workloads.layer import DIMS, Layer
from cost_models._jit import kernel
from cost_models.loopnest import work as X
from cost_models.mappers.genetic import search_on
from cost_models.mappers.greedy import OPEN
from cost_models.mappers.inner import suit
from cost_models.mappers.met import MET, met, nothing_given
from cost_models.mappers.proposals import COLUMNS, DIM, PLACE, TILE
from cost_models.mappers.records import Pool, Workspace
from tests.mapping.invented import INVENTED, invented

MACHINES = {name: invented(name) for name in INVENTED}
FREE = {"W": "NPQ", "I": "K", "O": "CRS"}


@kernel
def which_were_met(problem, machine, batch, known):
    _, iw = X.prepare(problem, machine)
    seen = np.zeros(MET, np.uint64)
    for b in range(len(known)):
        known[b] = met(b, seen, batch, iw)


@kernel
def whether_open(problem, machine, allowed, out):
    _, iw = X.prepare(problem, machine)
    out[0] = nothing_given(allowed, iw)


@kernel
def suited(problem, machine, allowed, pool, space):
    X.place(problem, machine, space.ws, space.iw)
    suit(0, 0, allowed, pool, space)


def small(data) -> Layer:
    """A layer of at most a few loops a dimension."""
    pick = lambda high: data.draw(st.integers(1, high))  # noqa: E731
    return Layer.conv2d(K=pick(8), C=pick(8), P=pick(6), Q=pick(6), R=pick(3), S=pick(3), stride=pick(2))


def are_met(hw, layer, batch) -> list[bool]:
    known = np.zeros(len(batch.tile), np.bool_)
    which_were_met(pack_layer(layer), pack_machine(hw), batch, known)
    return known.tolist()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(list(MACHINES)))
def test_what_was_met_costs_the_same(data, name) -> None:
    """Whatever the orders, or with another tile, axis or order altogether."""
    hw, layer = MACHINES[name], small(data)
    one = MapSpace(hw, layer, "all").sample(6, seed=data.draw(st.integers(0, 99)))
    orders = np.random.default_rng(data.draw(st.integers(0, 99))).permuted(one.order.repeat(5, 0), axis=2)
    many = Batch(one.tile.repeat(5, 0), orders, one.axis_dim.repeat(5, 0), one.axis_factor.repeat(5, 0))
    status, latency, energy = price(pack_layer(layer), pack_machine(hw), many)
    costs = list(zip(status.tolist(), latency.tolist(), energy.tolist(), strict=True))
    for i in range(30):
        for j in range(5 * (i // 5), i):
            if are_met(hw, layer, many.take([j, i]))[1]:
                assert costs[i] == pytest.approx(costs[j], rel=1e-12)
    if are_met(hw, layer, many.take([0, 29]))[1]:
        assert costs[0] == pytest.approx(costs[29], rel=1e-12)


def test_orders_of_loops_that_are_not_there_are_met() -> None:
    hw, layer = MACHINES["two"], Layer(K=4, P=3)
    batch = Batch.empty(3, 2)
    k, p, c = (DIMS.index(d) for d in "KPC")
    rest = [d for d in range(8) if d not in (k, p, c)]
    for row, inner in enumerate(([c, k, p], [k, p, c], [p, k, c])):  # the layer has no loop over C
        batch.order[row, 0] = rest + inner
    assert are_met(hw, layer, batch) == [False, True, False]


@pytest.mark.parametrize("name", [*INVENTED, *accelsim.hardware_names()])
def test_a_dataflow_gives_something(name) -> None:
    hw = MACHINES.get(name) or accelsim.load_hardware(name)
    out = np.zeros(1, np.bool_)
    layer = Layer(K=4)
    whether_open(pack_layer(layer), pack_machine(hw), allowed_on(hw), out)
    assert out[0] == (not (hw.dataflow.axes or hw.dataflow.orders))


def walked(layer: Layer, order: str, trips: dict[str, int], tile: dict[str, int]) -> float:
    """Bits that go down while the loops run, by walking them: a tile comes whenever another is needed."""
    bits = {"W": 8, "I": 8, "O": 8}
    total = 0.0
    for t in bits:
        here, fills, seen, again = None, 0, set(), False
        for at in product(*(range(trips[d]) for d in order)):
            needed = tuple(i for i, d in zip(at, order, strict=True) if d not in FREE[t])
            if needed != here:
                fills += 1
                again |= needed in seen
                seen.add(needed)
                here = needed
        rows, columns = tile["P"] + tile["R"] - 1, tile["Q"] + tile["S"] - 1
        words = {
            "W": tile["K"] * tile["C"] * tile["R"] * tile["S"],
            "O": tile["K"] * tile["P"] * tile["Q"],
            "I": tile["C"] * rows * columns,
        }[t]
        total += fills * words * (2 * 32 if t == "O" and again else bits[t])
    return total


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_order_that_suits_hands_down_fewest_bits(data) -> None:
    """Of those that are tried, as a walk through the loops counts them."""
    hw = MACHINES["two"]
    sizes = {d: data.draw(st.integers(1, 4)) for d in "KCPQRS"}
    layer, allowed, machine = Layer.conv2d(**sizes), allowed_on(hw), pack_machine(hw)
    tile = {d: data.draw(st.integers(1, size)) for d, size in sizes.items()}
    trips = {d: -(-sizes[d] // tile[d]) if d in sizes else 1 for d in DIMS}
    pool, space = Pool.empty(0, 2, 10, 10), Workspace.empty(2, 10)
    pool.state[0] = 1 + data.draw(st.integers(0, 99))
    pool.proposal[0] = 1
    for d, size in tile.items():
        pool.proposal[0, TILE + DIMS.index(d)] = size
    for m in range(2):
        pool.proposal[0, COLUMNS * m + DIM : COLUMNS * m + PLACE] = -1
        pool.proposal[0, COLUMNS * m + PLACE] = 0
    suited(pack_layer(layer), machine, allowed, pool, space)
    bits = [walked(layer, "".join(DIMS[d] for d in order), trips, tile) for order in allowed.orders[0]]
    assert bits[pool.proposal[0, PLACE]] == min(bits)


def test_a_mapping_met_again_leaves_budget_for_others() -> None:
    """The search counts what it has not met, and remembers it; with a dataflow all counts."""
    hw, layer = MACHINES["nested"], Layer.conv2d(K=24, C=12, P=14, Q=14, R=3, S=3)
    allowed, tried = allowed_on(hw), []
    for orders in (0, len(allowed.orders[0])):  # naming all orders that are tried gives something
        pool, space = Pool.empty(0, 4, 1000, 2000), Workspace.empty(4, 2000)
        allowed.norders[:] = orders
        search_on(pack_layer(layer), pack_machine(hw), allowed, pool, space, 2000, np.uint64(0))
        tried.append((pool.counters[OPEN], np.count_nonzero(pool.seen)))
    assert tried[1] == (0, 0)
    assert tried[0][0] == 1
    assert tried[0][1] > 300
