"""Broods: searches give the same answers in lanes and one mapping at a time, in broods of any size."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim import pack
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.pairs import Machines, PairResult, map_pairs
from cost_models.loopnest import layout as L
from cost_models.mappers import brood
from cost_models.mappers.records import Allowed
from tests.cost_models.test_lanes import LARGE, LAYERS, invented
from tests.mapping.invented import INVENTED
from tests.mapping.invented import invented as chip

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="lanes are LLVM vectors")


def both_ways(monkeypatch, *arguments, **options) -> tuple[PairResult, PairResult]:
    """Searched with mappings priced one at a time, and in lanes."""
    monkeypatch.setattr(brood, "_LOADED_AFTER", np.inf)
    alone = map_pairs(*arguments, **options)
    monkeypatch.setattr(brood, "_LOADED_AFTER", 0)
    monkeypatch.setattr(brood, "_COMPILED_AFTER", 0)
    return alone, map_pairs(*arguments, **options)


def assert_same(one: PairResult, other: PairResult) -> None:
    for a, b in zip((*one[:-1], *one.batch), (*other[:-1], *other.batch), strict=True):
        np.testing.assert_array_equal(a, b)


@compiled
@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(LAYERS)), st.integers(2, 6), st.integers(0, 2**32),
    st.sampled_from(["", "W", "I", "O", "IO", "WIO"]), st.sampled_from(["edp", "latency", "energy"]),
    st.integers(0, 400), st.booleans(),
)  # fmt: skip
def test_invented_machines(monkeypatch, layer, memories, seed, resident, objective, budget, tight) -> None:
    """Residents, serial folds, single buffers, shared lanes, ports of all kinds, transfers that take time."""
    rng = np.random.default_rng(seed)
    machine = invented(rng, memories)
    capacity = machine.memory[:, L.CAPACITY : L.CAPACITY_ALL + 1]
    if tight:
        capacity[1:] /= 16.0
    axes = rng.integers(0, 256, (memories, L.MAX_AXES))
    norders = rng.integers(0, 12, memories)
    orders = np.array([[rng.permutation(L.NDIM) for _ in range(12)] for _ in range(memories)], np.int8)
    pairs = Machines(
        pack.Machine(*(np.stack([array, array]) for array in machine)),
        Allowed(*(np.stack([array, array]) for array in (axes, orders, norders))),
    )
    problems = np.stack([pack.pack_layer(LAYERS[name], resident) for name in (layer, "3x3")])
    reserved = np.zeros((2, memories, 4))
    reserved[0, 1:] = rng.integers(0, 50)
    assert_same(*both_ways(
        monkeypatch, problems, pairs, np.array([0, 1]), budget, rng.integers(0, 2**62, 2).astype(np.uint64),
        objective, reserved=reserved, start=60,
    ))  # fmt: skip


@compiled
@pytest.mark.parametrize("name", [*accelsim.hardware_names(), *INVENTED])
def test_machines(monkeypatch, name) -> None:
    """All kinds of layers on every chip, one with counts near 2^53."""
    hw = chip(name) if name in INVENTED else accelsim.load_hardware(name)
    layers = [*LAYERS.values(), LARGE]
    machines = Machines.stack(
        [pack.pack_machine(hw.for_layer(layer)) for layer in layers], [allowed_on(hw)] * len(layers)
    )
    problems = np.stack([pack.pack_layer(layer) for layer in layers])
    index = np.arange(len(layers))
    alone, lanes = both_ways(monkeypatch, problems, machines, index, 1500, index.astype(np.uint64))
    assert_same(alone, lanes)
    assert not alone.status.any()


INTERPRETED = """
import sys
import numpy as np
import accelsim
from accelsim.mapping.template import template
from cost_models.mappers import brood
from cost_models.mappers.records import Allowed
from tests.cost_models.test_lanes import LAYERS
brood.BROOD = int(sys.argv[1])
for name in ("3x3", "depthwise", "gemm"):
    for objective in ("edp", "latency"):
        hardware = accelsim.load_hardware(sys.argv[2])
        batch, spent = template(hardware, LAYERS[name], objective=objective, evaluations=130)
        print(name, objective, spent, *(array[0].tolist() for array in batch))
"""


@pytest.mark.parametrize("hardware", ["eyeriss", "nvdla_64"])
def test_what_is_asked_together_is_what_is_asked_in_turn(hardware) -> None:
    """The start takes from eight neighbours at a time what it takes from one at a time."""
    said = [
        subprocess.run(
            [sys.executable, "-c", INTERPRETED, str(size), hardware],
            env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, check=True, capture_output=True, text=True,
        ).stdout
        for size in (1, 3, 8)
    ]  # fmt: skip
    assert said[0].count("\n") == 6
    assert said[0] == said[1] == said[2]


@compiled
def test_lanes_come_when_they_pay(monkeypatch) -> None:
    """Not for short searches; after many, or earlier where they are on disk, the memory has their address."""
    from cost_models.lanes.brood import price_addressed

    monkeypatch.setattr(brood, "_asked", 0)
    monkeypatch.setattr(type(price_addressed), "is_kept", lambda self: False)
    assert brood.memory(brood._COMPILED_AFTER - 1)[0][brood.FUNCTION] == 0
    assert brood.memory(1)[0][brood.FUNCTION] == price_addressed.address
    monkeypatch.setattr(brood, "_asked", 0)
    monkeypatch.setattr(type(price_addressed), "is_kept", lambda self: True)
    assert brood.memory(brood._LOADED_AFTER - 1)[0][brood.FUNCTION] == 0
    assert brood.memory(1)[0][brood.FUNCTION] == price_addressed.address
