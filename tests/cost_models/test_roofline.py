"""No legal mapping may beat the lower bounds."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.bench.mappings import machine_of, random_batch
from accelsim.pack import bare_machine, pack_layer
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L
from cost_models.loopnest.price import price_batch
from cost_models.loopnest.records import Batch, Prices
from cost_models.loopnest.roofline import bound_batch


def wide(machine):
    """Memories that keep words of widths of their own, sums narrower than outputs among them."""
    machine.memory[:, L.WIDTH : L.WIDTH + 4] = [[8, 4, 16, 8], [0, 16, 0, 0], [4, 8, 32, 32]]
    return machine


LAYERS = {
    "3x3": Layer.conv2d(K=8, C=6, P=14, Q=10, R=3, S=3),
    "strided": Layer.conv2d(K=8, C=6, P=7, Q=7, R=3, S=3, stride=2),
    "strided 1x1": Layer.conv2d(K=9, C=5, P=7, Q=7, stride=2),
    "depthwise": Layer.depthwise(C=12, P=14, Q=14, R=3, S=3),
    "gemm": Layer.gemm(M=6, N=20, K=30),
    "tiny": Layer.gemm(M=1, N=2, K=1),
}
MACHINES = {
    "no axes": machine_of([[], [], []]),
    "reducing": machine_of([[], [(4, True, True), (6, True, True)], []]),
    "plain": machine_of([[], [(4, False, False)], [(3, False, True)]]),
    "shared lanes": machine_of([[], [(8, True, True), (8, True, False)], []], shared_lanes=True),
    "bypass": machine_of([[], [(3, True, False)], [(2, False, True)], []], ["WIO", "IO", "W", "WO"]),
    "own widths": wide(machine_of([[], [(4, True, True), (6, True, True)], []])),
    "exposed": machine_of([[(2, True, True)], [(4, True, True)], []], overlaps=[True, False, True]),
}


def bounds(problem, machine):
    latency, energy = np.empty(1), np.empty(1)
    bound_batch(problem[None], machine, latency, energy)
    return latency[0], energy[0]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("machine", MACHINES)
def test_no_mapping_beats_the_bounds(layer, machine):
    rng = np.random.default_rng(sum(map(ord, layer + machine)))
    for resident in ("", "I", "WO"):
        problem = pack_layer(LAYERS[layer], resident)
        batch = random_batch(problem, MACHINES[machine], 2000, rng)
        prices = Prices.empty(2000)
        price_batch(problem, MACHINES[machine], batch, prices)
        assert (prices.status == L.OK).all()
        least, cheapest = bounds(problem, MACHINES[machine])
        assert 0 < least <= prices.latency.min() * (1 + 1e-12)
        assert 0 < cheapest <= prices.energy.min() * (1 + 1e-12)


def test_the_bounds_are_reached_when_everything_fits():
    layer = Layer.gemm(M=6, N=20, K=30)
    machine = machine_of([[], []])
    problem = pack_layer(layer)
    tile = np.ones((1, 2, 8), np.int32)
    tile[0, 0] = problem[:8]
    order = np.arange(8, dtype=np.int8)[None, None].repeat(2, 1)
    unused = np.zeros((1, 2, L.MAX_AXES), np.int8), np.zeros((1, 2, L.MAX_AXES), np.int32)
    prices = Prices.empty(1)
    machine.machine[L.LEAK_PJ] = 0.0
    price_batch(problem, machine, Batch(tile, order, *unused), prices)
    assert bounds(problem, machine)[1] == pytest.approx(prices.energy[0], rel=1e-12)


def test_bounds_by_hand():
    """120 multiplies on 4 lanes, all tensors in one memory of 1 pJ a bit."""
    fan = [{"axis": "x", "size": 4, "multicast": True, "reduction": True, "forwarding": False}]
    machine = bare_machine([{"name": "m", "holds": ["W", "I", "O"], "fanout": fan}])
    machine.memory[:, L.READ_PJ : L.READ_PJ + 6] = 1.0
    latency, energy = bounds(pack_layer(Layer.gemm(M=10, N=3, K=4)), machine)
    assert latency == 30
    # Each tensor: at least 120 / 4 words at the multipliers, or its size if that is more.
    assert energy == max(12, 30) + max(40, 30) + max(30, 30)
