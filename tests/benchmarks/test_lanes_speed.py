"""Eight mappings at a time against one at a time: ratios within one run."""

from __future__ import annotations

import time

import numba
import numpy as np
import pytest

from accelsim.bench import LAYERS, prepared
from cost_models.lanes.price import price_lanes
from cost_models.loopnest import layout as L
from cost_models.loopnest import price as loopnest


def least_times(first, second, rounds=7):
    """CPU seconds of the fastest of some rounds of two calls, taken in turns."""
    best = [np.inf, np.inf]
    for call in (first, second):
        call()
    for _ in range(rounds):
        for i, call in enumerate((first, second)):
            start = time.process_time()
            call()
            best[i] = min(best[i], time.process_time() - start)
    return best


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="lanes are LLVM vectors")
@pytest.mark.parametrize("exact", [True, False], ids=["dividing", "any"])
@pytest.mark.parametrize("layer", LAYERS)
def test_eight_at_a_time(benchmark, layer, exact):
    arguments = prepared(layer, 3, 2000, exact)
    lanes, scalar = least_times(lambda: price_lanes(*arguments), lambda: loopnest.price_batch(*arguments))
    price_lanes(*arguments)
    assert (arguments[-1].status != L.PENDING).all()
    benchmark(price_lanes, *arguments)
    benchmark.extra_info |= {"mappings_per_second": 2000 / lanes, "times_the_scalar_kernel": scalar / lanes}
    assert scalar > 1.2 * lanes


def test_a_batch_against_single_calls(benchmark):
    """What a mapping costs in a batch, against a call of its own."""
    many, one = prepared("3x3", 3, 2000, True), prepared("3x3", 3, 1, True)
    batch, single = least_times(
        lambda: loopnest.price_batch(*many), lambda: [loopnest.price_batch(*one) for _ in range(200)]
    )
    benchmark(lambda: None)
    benchmark.extra_info["single_over_batch"] = (single / 200) / (batch / 2000)
    assert single / 200 > 1.2 * batch / 2000
