"""Speed of MAESTRO's model; `pytest tests/benchmarks --benchmark-enable` measures, else each runs once.

The tool itself, built with optimisation, prices 1,300 to 1,800 two-level and 7,600 to 8,000 one-level layers
a second on one core of a machine like the one that docs/maestro.md names. Nothing asserts a time; the one
ratio compares the kernel with its oracle, which does as the tool does.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from accelsim import load_network
from accelsim.mapping.maestro import MaestroLayer, MaestroMachine, load_dataflow, with_dataflow
from accelsim.mapping.maestro.pricing import pack_dataflows, pack_layers, pack_machines, price
from tests.cost_models.maestro_programs import oracle

MACHINES = [
    MaestroMachine(256, 32),
    MaestroMachine(256, 1_000_000),
    MaestroMachine(1024, 64, 2),
    MaestroMachine(168, 14, 1, 16),
]
LEVELS = {"one-level": ("xp_ws", "dpt"), "two-level": ("kcp_ws", "ykp_os", "yxp_os", "rs")}
SIZE = 20_000


def layers(levels: str) -> list[MaestroLayer]:
    """Unlike layers of three networks under the dataflows of so many levels."""
    names = ("vgg16", "resnet50", "mobilenet_v2")
    shapes = dict.fromkeys(x for name in names for x in load_network(name).layers if x.has_weights)
    return [with_dataflow(x, load_dataflow(name)) for x in shapes for name in LEVELS[levels]]


def prepared(levels: str, size: int, shuffled: bool = False):
    items = layers(levels)
    flows = pack_dataflows([item.dataflow for item in items if item.dataflow])
    grid = np.array([(i, j, i) for i in range(len(items)) for j in range(len(MACHINES))], np.int32)
    if shuffled:
        grid = np.random.default_rng(0).permutation(grid)
    pick = np.ascontiguousarray(np.resize(grid, (size, 3)))
    return items, (pack_layers(items), pack_machines(MACHINES), flows, pick)


@pytest.mark.parametrize("compat", [True, False], ids=["compat", "default"])
@pytest.mark.parametrize("shuffled", [False, True], ids=["grid", "shuffled"])
@pytest.mark.parametrize("levels", LEVELS)
def test_network_layers(benchmark, levels, shuffled, compat):
    """Four machines a layer and dataflow, side by side or in any order, as a search over dataflows asks."""
    _, tables = prepared(levels, SIZE if benchmark.enabled else 500, shuffled)
    price(*tables, compat=compat)  # compiles, or loads
    benchmark(price, *tables, compat=compat)
    if benchmark.stats:
        benchmark.extra_info["evaluations_per_second"] = SIZE / benchmark.stats["min"]


@pytest.mark.parametrize("levels", LEVELS)
def test_faster_than_walking_the_cases(benchmark, levels):
    """Same questions, a ratio within one run: the oracle walks all iteration cases, as the tool does."""
    items, tables = prepared(levels, SIZE)
    price(*tables, compat=True)
    start = time.process_time()
    for item in items[:60:3]:
        oracle(item, MACHINES[0], True)
    slow = (time.process_time() - start) / 20
    fast = 1e9
    for _ in range(5):
        start = time.process_time()
        price(*tables, compat=True)
        fast = min(fast, (time.process_time() - start) / SIZE)
    benchmark.extra_info["times_faster_than_the_oracle"] = slow / fast
    benchmark(lambda: None)
    assert slow / fast > 50
