"""Nothing beats the lower bounds: neither the best mapping of the exact mapper nor random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.mapping.optimal import optimal
from accelsim.pricing.ask import Ask
from accelsim.pricing.bounds import lower_bounds
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from tests.pricing.nets import MACHINES, every_kind, machine

EVERYWHERE = [*MACHINES, "nvdla_64"]
SLOW = ("nested", "five", "cube", "huge")  # to prove; random layers go there all the same


@pytest.mark.parametrize("name", [name for name in EVERYWHERE if name not in SLOW])
def test_the_best_mapping_does_not_beat_them(name) -> None:
    chip = machine(name)
    for layer in every_kind().layers:
        own = chip.for_layer(layer)
        (least, cheapest), *_ = lower_bounds([Ask(own, layer)])
        for objective, bound in (("latency", least), ("energy", cheapest)):
            found = optimal(own, layer, objective=objective, max_nodes=50_000)
            assert found is not None
            assert 0 < bound <= found.cost * (1 + 1e-12)


layers = st.builds(
    lambda kind, k, c, p, r: (
        accelsim.Layer.conv2d(K=k, C=c, P=p, Q=p + 1, R=r, S=r)
        if kind
        else accelsim.Layer.depthwise(C=c, P=p, Q=p, R=r, S=r)
    ),
    st.booleans(), st.integers(1, 70), st.integers(1, 70), st.integers(1, 30), st.sampled_from([1, 3]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(layers, st.sampled_from(EVERYWHERE), st.sampled_from(["", "I", "WO"]))
def test_random_layers(layer, name, resident) -> None:
    chip = machine(name).for_layer(layer)
    ask = Ask(chip, layer, resident)
    found = LoopNest(Way.of("template")).price([ask])
    ((latency, energy),) = lower_bounds([ask])
    assert 0 < latency <= found.latency_cycles[0] * (1 + 1e-12)
    assert 0 < energy <= found.energy_pj[0] * (1 + 1e-12)


def test_lanes_that_a_dataflow_cannot_use_are_not_counted() -> None:
    """A depthwise layer on lanes of K and C: one channel in a group, so that only one of each works."""
    chip = accelsim.load_hardware("nvdla_64")
    layer = accelsim.Layer.depthwise(C=64, P=14, Q=14, R=3, S=3)
    ((latency, _),) = lower_bounds([Ask(chip, layer)])
    assert latency >= 64 * 14 * 14 * 9


def test_the_best_way_to_hold_is_within_them() -> None:
    """Where a mapper may choose what a memory holds, the bounds are those of the best way."""
    chip = machine("open")
    assert len(chip.ways) > 1
    for layer in every_kind().layers:
        ask = Ask(chip, layer)
        ((latency, energy),) = lower_bounds([ask])
        each = np.array([lower_bounds([Ask(way, layer)])[0] for way in chip.ways])
        assert (latency, energy) == tuple(each.min(axis=0))
        found = LoopNest(Way.of("template")).price([ask])
        assert latency <= found.latency_cycles[0] * (1 + 1e-12)
        assert energy <= found.energy_pj[0] * (1 + 1e-12)


def test_of_whole_networks() -> None:
    """Sums over the layers, with what stays on chip, and the chip's overhead."""
    chips = [accelsim.load_hardware(name) for name in ("edgetpu", "nvdla_64")]
    runs = [Run(chip, every_kind()) for chip in chips]
    pricer = NetworkPricer(LoopNest(Way.of("template")))
    bounds, found = pricer.bounds(runs), pricer.price(runs)
    assert (bounds[:, 0] <= found.latency_cycles * (1 + 1e-12)).all()
    assert (bounds[:, 1] <= found.energy_pj * (1 + 1e-12)).all()
    assert (bounds > 0).all()
    alone = np.array([pricer.bounds([run])[0] for run in runs])
    assert alone.tolist() == bounds.tolist()
