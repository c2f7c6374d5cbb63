"""Eight mappings at a time against the scalar kernel: status, latency and energy equal bit for bit."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim import pack
from accelsim.bench.mappings import random_batch
from accelsim.hardware import hardware_names
from cost_models.lanes.batch import FEW, price_batch
from cost_models.loopnest import layout as L
from cost_models.loopnest import price as loopnest
from cost_models.loopnest.records import Prices

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="lanes are LLVM vectors")

SIZE = 64
LARGE = accelsim.Layer(N=2**10, K=2**12, C=2**12, P=2**10, Q=2**9)

conv = accelsim.Layer.conv2d
LAYERS = {
    "3x3": conv(K=12, C=10, P=14, Q=9, R=3, S=3),
    "strided": conv(K=6, C=4, P=9, Q=16, R=5, S=2, stride=2),
    "dilated": accelsim.Layer(K=5, C=6, P=12, Q=8, R=3, S=4, stride=(1, 2), dilation=(2, 3)),
    "1x1": conv(N=2, K=16, C=12, P=7, Q=7),
    "grouped": conv(K=6, C=4, P=8, Q=6, R=3, S=1, G=4),
    "depthwise": accelsim.Layer.depthwise(C=24, P=10, Q=10, R=5, S=5, stride=2),
    "pool": accelsim.Layer.pool(C=20, P=9, Q=9, R=3, S=3, stride=2),
    "eltwise": accelsim.Layer.eltwise(C=20, P=9, Q=12),
    "broadcast": accelsim.Layer(N=6, G=20, K=5, P=9, op="broadcast"),
    "gemm": accelsim.Layer.gemm(M=24, N=30, K=36),
    "one point": accelsim.Layer(),
}


def invented(rng: np.random.Generator, M: int) -> pack.Machine:
    """A machine in which anything may be missing."""
    holds = (rng.random((M, 3)) < 0.7).astype(np.int64)
    holds[0] = 1
    fan = np.zeros((M, L.MAX_AXES, L.FAN_COLS), np.int64)
    fan[:, :, L.LANES] = np.arange(L.MAX_AXES)
    memory = np.zeros((M, L.MEM_COLS))
    for m in range(M):
        axes = rng.choice([0, 0, 1, 2, 3, 6])
        for a in range(axes):
            fan[m, a, L.AXIS_SIZE] = rng.integers(2, 7)
            fan[m, a, L.MULTICAST : L.FORWARDING + 1] = rng.random(3) < 0.7
            fan[m, a, L.FORWARDING] &= fan[m, a, L.MULTICAST]
            if a and rng.random() < 0.3:
                fan[m, a, L.LANES] = fan[m, a - 1, L.LANES]
    limited = rng.random((M, 4)) < 0.4
    bits = 2.0 ** rng.uniform(5, 16, (M, 4))
    memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] = np.where(limited, np.floor(bits), np.inf)
    memory[0, L.CAPACITY : L.CAPACITY_ALL + 1] = np.inf
    memory[:, L.BUFFERS] = rng.integers(1, 3, M)
    memory[:, L.OVERLAPS] = rng.random(M) < 0.7
    memory[:, L.READ_CPB : L.READ_CPB + 6] = rng.uniform(0.0, 0.3, (M, 6)) * (rng.random((M, 6)) < 0.8)
    ports = np.array([[0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]])
    memory[:, L.READ_PORT : L.READ_PORT + L.NUSER] = ports[rng.integers(0, 3, M)]
    if rng.random() < 0.5:
        memory[rng.integers(M), L.READ_PORT : L.READ_PORT + L.NUSER] = rng.integers(0, rng.integers(1, 7), 6)
    rate = rng.uniform(0.5, 9.0) if rng.random() < 0.1 else 0.0
    if rng.random() < 0.1:
        memory[rng.integers(M), L.START_CYCLES] = 3.0
    memory[:, L.READ_PJ : L.READ_PJ + 6] = rng.uniform(0.0, 9.0, (M, 6))
    memory[:, L.WIDTH : L.WIDTH + 4] = rng.choice([0, 3, 8, 32], (M, 4))
    memory[:, L.HOP_PJ : L.HOP_MORE] = rng.uniform(0.0, 0.2, (M, L.MAX_AXES))
    far = rng.random((M, L.MAX_AXES)) < 0.5
    memory[:, L.HOP_MORE : L.MEM_COLS] = rng.uniform(0.0, 0.1, far.shape) * far
    if rng.random() < 0.4:
        memory[1:, L.FOLD_CYCLES] = rng.uniform(1.0, 20.0, M - 1) * (rng.random(M - 1) < 0.6)
        memory[:, L.FOLD_TENSOR] = rng.integers(0, 3, M)
    return pack.Machine(
        holds, fan, memory, np.array([8.0, 6.0, 16.0, 24.0, *rng.random(3), rate, rng.integers(0, 3)])
    )


def batch_of(problem, machine: pack.Machine, rng: np.random.Generator, exact: bool, size=SIZE) -> pack.Batch:
    """Mappings legal but for capacity, and some with one number changed."""
    batch = random_batch(problem, machine, size, rng, exact)
    M = len(machine.holds)
    for b in np.flatnonzero(rng.random(size) < 0.15):
        m = rng.integers(M)
        if rng.random() < 0.6:
            batch.tile[b, m, rng.integers(L.NDIM)] = rng.integers(0, 9)
        else:
            a = rng.integers(L.MAX_AXES)
            batch.axis_dim[b, m, a], batch.axis_factor[b, m, a] = rng.integers(L.NDIM), rng.integers(0, 9)
    return batch


def agree(problem, machine: pack.Machine, batch: pack.Batch) -> int:
    """Compare; return how many mappings were done eight at a time."""
    from cost_models.lanes.price import price_lanes

    size = len(batch.tile)
    true, told = Prices.empty(size), Prices.empty(size)
    loopnest.price_batch(problem, machine, batch, true)
    left = price_lanes(problem, machine, batch, told)
    done = told.status != L.PENDING
    assert left == (not done.all())
    for name, a, b in zip(("status", "latency", "energy"), told, true):
        wrong = np.flatnonzero(done & (a != b))
        assert not len(wrong), f"{name} of mapping {wrong[0]}: {a[wrong[0]]!r}, not {b[wrong[0]]!r}"
    # Nothing else is left to the scalar kernel.
    rare = {L.BAD_TILE, L.BAD_FACTOR, L.FACTOR_OVER_TILE, L.LANES_OVER, L.NOT_ONE, L.COUNT_OVER}
    starts = machine.memory[:, [L.START_CYCLES, L.BURST_BITS]].any()
    assert not (starts and done.any())
    if problem[L.K] < LARGE.K and not starts:
        assert set(true[0][~done] & 255) <= rare
    return int(done.sum())


@settings(derandomize=True, deadline=None, max_examples=800, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(LAYERS)), st.integers(2, 6), st.booleans(), st.integers(0, 2**32),
    st.sampled_from(["", "W", "I", "O", "IO", "WIO"]), st.sampled_from([(1, 1), (0, 1), (0, 0), (1, 0)]),
)  # fmt: skip
def test_invented_machines(layer, memories, exact, seed, resident, operator) -> None:
    rng = np.random.default_rng(seed)
    problem = pack.pack_layer(LAYERS[layer], resident)
    problem[L.HAS_WEIGHTS], problem[L.HAS_MACS] = operator
    machine = invented(rng, memories)
    agree(problem, machine, batch_of(problem, machine, rng, exact))


@pytest.mark.parametrize("hardware", hardware_names())
def test_shipped_machines(hardware) -> None:
    machine = pack.pack_machine(accelsim.load_hardware(hardware))
    rng = np.random.default_rng(0)
    shapes = [*LAYERS.values(), *accelsim.load_network("mobilenet_v2").layers]
    done = 0
    for layer in dict.fromkeys(shapes):
        for exact in (True, False):
            problem = pack.pack_layer(layer)
            done += agree(problem, machine, batch_of(problem, machine, rng, exact))
    assert done > 1000


@pytest.mark.parametrize("size", [FEW, FEW + 1, FEW + 7, 1000])
def test_a_batch_is_what_its_mappings_are(size) -> None:
    """Any size, illegal mappings among them: equal to the scalar kernel, whatever stands beside a mapping."""
    rng = np.random.default_rng(size)
    problem = pack.pack_layer(LAYERS["3x3"])
    machine = invented(np.random.default_rng(3), 3)
    batch = batch_of(problem, machine, rng, False, size)
    true, told = Prices.empty(size), Prices.empty(size)
    loopnest.price_batch(problem, machine, batch, true)
    price_batch(problem, machine, batch, told)
    assert {0, L.CAPACITY_OVER} < set(true[0] & 255)
    for a, b in zip(told, true):
        np.testing.assert_array_equal(a, b)
    turned = batch.take(slice(None, None, -1))
    price_batch(problem, machine, turned, told)
    for a, b in zip(told, true):
        np.testing.assert_array_equal(a[::-1], b)


def test_counts_beyond_what_floats_hold() -> None:
    """Counts near and above 2^53 get the scalar kernel's status."""
    problem = pack.pack_layer(LARGE)
    problem[L.Q], problem[L.R] = 2**10, 3  # no layer may be so large; the kernel refuses all the same
    machine = invented(np.random.default_rng(5), 3)
    machine.memory[:, L.CAPACITY : L.CAPACITY_ALL + 1] = np.inf
    rng = np.random.default_rng(1)
    batch = random_batch(problem, machine, 512, rng, True)
    told = pack.price(problem, machine, batch)
    assert L.COUNT_OVER in told[0] & 255
    agree(problem, machine, batch)
