"""Speed of the mappers, as ratios within one run: a search against the pricing of as many mappings."""

from __future__ import annotations

import time

import numpy as np
import pytest

import accelsim
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.optimal import optimal
from accelsim.mapping.pairs import Machines, map_pairs
from accelsim.pack import Batch, pack_layer, pack_machine
from cost_models.loopnest.price import price_batch
from cost_models.loopnest.records import Prices
from cost_models.mappers import brood

LAYERS = {
    "3x3": accelsim.Layer.conv2d(K=128, C=64, P=28, Q=28, R=3, S=3),
    "1x1": accelsim.Layer.conv2d(K=256, C=64, P=56, Q=56),
    "depthwise": accelsim.Layer.depthwise(C=96, P=56, Q=56),
}


def least_time(work, rounds=5) -> float:
    """CPU seconds of the fastest of some rounds, the first not counted."""
    work()
    out = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        out.append(time.process_time() - start)
    return min(out)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("budget", [0, 2000])
@pytest.mark.parametrize("hardware", ["eyeriss", "example"])
@pytest.mark.parametrize("lanes", [True, False])
def test_search_against_pricing(benchmark, monkeypatch, lanes, hardware, layer, budget):
    """The mappings of a search, template or genetic, against the pricing of as many, one at a time."""
    for after in ("_COMPILED_AFTER", "_LOADED_AFTER"):
        monkeypatch.setattr(brood, after, 0 if lanes else np.inf)
    hw, pairs = accelsim.load_hardware(hardware), 20
    machines = Machines.stack([pack_machine(hw)], [allowed_on(hw)])
    problem = pack_layer(LAYERS[layer])
    arguments = (np.tile(problem, (pairs, 1)), machines, np.zeros(pairs, np.int64), budget)
    seeds = np.arange(pairs).astype(np.uint64)

    def search():
        return map_pairs(*arguments, seeds)

    found = benchmark(search)
    if not benchmark.enabled:
        return
    spent = int(found.spent.sum())
    many = Batch(*(np.resize(a, (spent, *a.shape[1:])) for a in found.batch))
    told = Prices.empty(spent)
    one = least_time(search)
    other = least_time(lambda: price_batch(problem, pack_machine(hw), many, told))
    benchmark.extra_info |= {"us_per_evaluation": 1e6 * one / spent, "times_the_pricing": one / other}
    assert one < (2.5 if lanes else 4.0) * other


@pytest.mark.parametrize("layer", LAYERS)
def test_proof(benchmark, layer):
    """How many mappings the exact mapper rules out for each that it prices or looks at."""
    found = benchmark(optimal, accelsim.load_hardware("eyeriss"), LAYERS[layer])
    sure = found.certificate
    benchmark.extra_info["space_over_candidates"] = sure.space_size / max(1, sure.nodes)
    assert sure.complete
    assert sure.nodes < sure.space_size
