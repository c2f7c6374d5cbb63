"""Speed of the cost model, on the batches of `accelsim bench`.

`pytest tests/benchmarks --benchmark-enable` measures, else each runs once. Nothing asserts a time: machines
differ. The one ratio compares the kernel with the same source run by the Python interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from accelsim.bench import LAYERS, prepared
from cost_models.loopnest import layout as L
from cost_models.loopnest.price import price_batch

ROOT = Path(__file__).resolve().parents[2]

COLD = """
import sys, time
import numpy as np
sys.path.insert(0, {root!r})
from accelsim.bench import prepared
from tests.benchmarks.test_kernel_speed import run
arguments = prepared("3x3", 3, 1, True)
start = time.process_time()
run(arguments)
print(time.process_time() - start)
"""


def run(arguments):
    price_batch(*arguments)
    assert (arguments[-1].status == L.OK).all()
    assert np.isfinite(arguments[-1].latency).all()


def measure(benchmark, arguments):
    run(arguments)  # compiles, or loads
    benchmark(price_batch, *arguments)
    if benchmark.stats:
        benchmark.extra_info["mappings_per_second"] = len(arguments[-1].status) / benchmark.stats["min"]


@pytest.mark.parametrize("size", [1, 10, 100, 1000, 10_000, 100_000, 1_000_000])
def test_batch_size(benchmark, size):
    """Size 1 is the overhead of one call."""
    if not benchmark.enabled:
        size = min(size, 10_000)
    measure(benchmark, prepared("3x3", 3, size, True))


@pytest.mark.parametrize("exact", [True, False], ids=["dividing", "any"])
@pytest.mark.parametrize("memories", [2, 3, 4])
@pytest.mark.parametrize("layer", LAYERS)
def test_layer(benchmark, layer, memories, exact):
    measure(benchmark, prepared(layer, memories, 2000, exact))


def interpreter(code, cache, **environment):
    env = os.environ | {"ACCELSIM_CACHE_DIR": str(cache)} | environment
    command = [sys.executable, "-c", code.format(root=str(ROOT))]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_compile_then_load(benchmark, tmp_path):
    """CPU seconds of the first call, without and with machine code on disk."""
    if not benchmark.enabled:
        pytest.skip("compiles the kernel from scratch: seconds; runs with --benchmark-enable")
    cold = interpreter(COLD, tmp_path)
    warm = benchmark.pedantic(interpreter, (COLD, tmp_path), rounds=3)
    benchmark.extra_info |= {"cold_s": cold, "warm_s": warm}
    assert warm < cold / 2


def test_faster_than_the_interpreter(benchmark, tmp_path):
    """Same source, same mappings: a ratio, which survives a change of machine."""
    code = COLD.replace("3, 1, True", "3, 20, True").replace("start =", "run(arguments)\nstart =")
    slow = interpreter(code, tmp_path, NUMBA_DISABLE_JIT="1") / 20
    arguments = prepared("3x3", 3, 2000, True)
    run(arguments)
    fast = 1e9
    for _ in range(5):
        start = time.process_time()
        price_batch(*arguments)
        fast = min(fast, (time.process_time() - start) / 2000)
    benchmark.extra_info["times_faster_than_python"] = slow / fast
    benchmark(lambda: None)
    assert slow / fast > 20
