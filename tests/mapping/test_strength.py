"""No mapper is worse than the template, on any kind of layer and any machine; and the template is good."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.mapper import map_layer
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import Machines, PairResult, map_pairs
from accelsim.pack import pack_layer, pack_machine, price
from accelsim.workloads.layer import Layer
from tests.mapping.invented import INVENTED, axis, invented, machine, memory

CHIPS = {name: accelsim.load_hardware(name) for name in ("eyeriss", "edgetpu", "nvdla_64")}
CHIPS |= {name: invented(name) for name in INVENTED}


def layer(kind: str, pick) -> Layer:
    """A layer of a kind; `pick(low, high)` is a whole number."""
    if kind == "gemm":
        return Layer.gemm(M=pick(1, 200), N=pick(1, 300), K=pick(1, 300))
    window = {"P": pick(1, 60), "Q": pick(1, 60), "R": pick(1, 5), "S": pick(1, 5), "stride": pick(1, 2)}
    if kind == "depthwise":
        return Layer.depthwise(C=pick(1, 200), **window)
    if kind == "pool":
        return Layer(G=pick(1, 200), op="pool", **window)
    if kind == "eltwise":
        return Layer(G=pick(1, 200), C=2, P=window["P"], Q=window["Q"], op="eltwise")
    if kind == "broadcast":
        return Layer(pick(1, 9), pick(1, 200), pick(1, 9), 1, window["P"], window["Q"], op="broadcast")
    return Layer.conv2d(K=pick(1, 200), C=pick(1, 200), **window)


def solve(hw, layers, budget, objective="edp", seed=0) -> PairResult:
    machines = Machines.stack([pack_machine(hw)], [allowed_on(hw)])
    problems = np.stack([pack_layer(one) for one in layers])
    n = len(layers)
    return map_pairs(problems, machines, np.zeros(n, int), budget, np.full(n, seed, np.uint64), objective)


def values(found, objective):
    both = {"edp": found.latency * found.energy, "latency": found.latency, "energy": found.energy}
    return both[objective]


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from(["conv", "depthwise", "gemm", "pool", "eltwise", "broadcast"]),
    name=st.sampled_from(list(CHIPS)),
    objective=st.sampled_from(["edp", "latency", "energy"]),
    budget=st.integers(0, 2500),
    seed=st.integers(0, 2**63 - 1),
)
def test_genetic_is_never_worse_than_the_template(data, kind, name, objective, budget, seed) -> None:
    """In the batch path that search, sweep and tables use; every mapping legal and priced as said."""
    hw, one = CHIPS[name], layer(kind, lambda low, high: data.draw(st.integers(low, high)))
    start, found = solve(hw, [one], 0, objective), solve(hw, [one], budget, objective, seed)
    assert start.status[0] == found.status[0] == 0
    assert values(found, objective)[0] <= values(start, objective)[0]
    _, latency, energy = price(pack_layer(one), pack_machine(hw), found.batch)
    assert (latency[0], energy[0]) == (found.latency[0], found.energy[0])


@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
@pytest.mark.parametrize("name", INVENTED)
def test_the_template_is_close_to_a_long_search(name, objective) -> None:
    """Also for latency and energy; no axis of a large machine is left empty for nothing."""
    some = list(dict.fromkeys(accelsim.load_network("resnet18").layers))
    hw = invented(name)
    ratios = values(solve(hw, some, 0, objective), objective) / values(
        solve(hw, some, 6000, objective), objective
    )
    # Where a buffer holds a few words, single steps of a tile lead nowhere, and the template is weaker.
    mean, worst = (1.2, 2.2) if name == "tiny" else (1.1, 2.0)
    assert np.exp(np.log(ratios).mean()) < mean
    assert ratios.max() < worst


HARD = {
    # Room for a few words: only some lanes of each axis can be fed, and only outputs that leave complete fit.
    "few words": machine(
        "few words",
        memory("DRAM", None, 8),
        memory("L1", 24, 32, double_buffered=True, fanout=[axis("x", 7, "r"), axis("y", 16, "mf")]),
    ),
    # What the axis does not divide is better cut unevenly: each step fetches as many words as it has lanes.
    "uneven": machine(
        "uneven",
        memory("DRAM", None, 64, fanout=[axis("x", 32, "mr")]),
        memory("L1", 12, 2, overlap=True),
    ),
    # Memories that are best passed by: what they hold is what one step of the next one needs.
    "passed": machine(
        "passed",
        memory("DRAM", None, 8),
        memory("L1", 128 << 10, 8, double_buffered=True),
        memory("L2", 32 << 10, 32),
        memory("L3", 1 << 10, 128, overlap=True),
        memory("L4", 32, 128, overlap=True, fanout=[axis("x", 8, "r"), axis("y", 32)]),
    ),
}


@pytest.mark.parametrize(
    ("name", "template", "genetic"), [("few words", 1.2, 1.1), ("uneven", 1.05, 1.03), ("passed", 2.0, 1.8)]
)
def test_searches_come_close_to_the_optimum_on_hard_machines(name, template, genetic) -> None:
    hw = accelsim.load_hardware(HARD[name])
    some = [
        Layer.conv2d(K=20, C=392, P=9, Q=68, R=7, S=1),
        Layer.conv2d(K=32, C=103, P=16, Q=45, R=7, S=1),
        Layer.conv2d(K=9, C=8, G=8, P=64, Q=40, R=7, S=1, stride=2),
        Layer.gemm(M=72, N=16, K=1824),
    ]
    found = {
        mapper: [map_layer(hw, one, mapper).value for one in some]
        for mapper in ("optimal", "template", "genetic")
    }
    over = {
        mapper: np.exp(np.log(np.divide(values, found["optimal"])).mean()) for mapper, values in found.items()
    }
    assert over["template"] < template
    assert over["genetic"] < genetic


def test_a_large_machine_is_used() -> None:
    """2048 MACs in five memories: each of the three axes carries something."""
    one = Layer.conv2d(K=64, C=64, P=56, Q=56, R=3, S=3)
    hw = invented("five")
    found = solve(hw, [one], 0, "latency")
    used = [
        f for level in Mapping.from_arrays(hw, one, found.batch).levels for _, f in level.spatial.values()
    ]
    assert np.prod(used) > 1000
    assert found.latency[0] < 2 * one.macs / hw.num_pes
