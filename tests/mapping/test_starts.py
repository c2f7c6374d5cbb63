"""The template's own kernel: the mappings of a search without budget, and nothing else compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import accelsim
from accelsim.mapping.encoding import OBJECTIVES, Allowed
from accelsim.mapping.pairs import START, Machines, map_pairs
from accelsim.pack import pack_layer, pack_machine

COUNT = """
import json
import accelsim
cost = accelsim.evaluate("example", accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3))
from cost_models import loopnest, pairs, starts
kernels = {"start": starts.start_pairs, "search": pairs.map_pairs, "batch": loopnest.price_batch}
print(json.dumps({name: len(kernel.signatures) for name, kernel in kernels.items()}))
"""


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_same_as_the_search_without_budget(objective) -> None:
    from cost_models.pairs import map_pairs as kernel

    hw = accelsim.load_hardware("eyeriss")
    machines = Machines.stack([pack_machine(hw)], [Allowed.of(hw)])
    layers = dict.fromkeys(accelsim.load_network("mobilenet_v2").layers[:12])
    problems = np.stack([pack_layer(layer) for layer in layers])
    P = len(problems)
    index, seeds = np.zeros(P, np.int64), np.zeros(P, np.uint64)
    one = map_pairs(problems, machines, index, 0, seeds, objective)
    two = map_pairs(problems, machines, index, 0, seeds, objective)
    for array in (*two[:-1], *two.batch):
        array[:] = 0
    kernel(
        problems, index, seeds, np.empty((0, len(hw.memories), 4)), *machines.machine, *machines.allowed, 0,
        START, OBJECTIVES.index(objective), *two[:-1], *two.batch,
    )  # fmt: skip
    for a, b in zip((*one[:-1], *one.batch), (*two[:-1], *two.batch), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.spent[:, 0] > 1).all()


@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")
def test_a_first_evaluation_compiles_what_it_needs() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"start": 1, "search": 0, "batch": 0}
