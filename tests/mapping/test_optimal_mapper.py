"""The exact mapper behind the common door."""

from __future__ import annotations

from threading import Event

import pytest

import accelsim
from accelsim.mapping.optimal import optimal

LAYER = accelsim.Layer.conv2d(K=24, C=12, P=14, Q=14, R=3, S=3)


@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
@pytest.mark.parametrize("hardware", ["eyeriss", "example", "nvdla_64"])
def test_agrees_with_the_function_and_beats_the_heuristics_on_dividing_tiles(hardware, objective) -> None:
    hw = accelsim.load_hardware(hardware)
    found = accelsim.map_layer(hw, LAYER, "optimal", objective)
    direct = optimal(hw, LAYER, objective=objective)
    assert direct is not None
    assert found.status == "optimal"
    assert found.certificate.complete
    assert found.certificate.gap == 0
    assert found.value <= accelsim.map_layer(hw, LAYER, "template", objective).value
    assert direct.cost >= found.certificate.lower_bound


def test_cancelled_search_keeps_its_best_and_a_valid_bound() -> None:
    stop = Event()
    stop.set()
    found = accelsim.map_layer("example", LAYER, "optimal", cancel=stop)
    assert found.status == "cancelled"
    assert 0 <= found.certificate.lower_bound <= found.certificate.optimum
    full = accelsim.map_layer("example", LAYER, "optimal")
    assert found.certificate.lower_bound <= full.certificate.optimum <= found.certificate.optimum


def test_network_with_residents_is_proved_layer_by_layer() -> None:
    mapped = accelsim.map_network("shidiannao", "lenet5", mapper="optimal", workers=2)
    assert all(r.status == "optimal" for r in mapped.results)
    again = accelsim.evaluate("shidiannao", "lenet5", mapped.to_dict())
    assert (again.latency_cycles, again.energy_pj) == (mapped.cost.latency_cycles, mapped.cost.energy_pj)


@pytest.mark.parametrize("limit", [{"budget": 0}, {"budget": 3}, {"seconds": 0.0}])
def test_stopped_by_its_budget_it_says_how_much_is_left(limit) -> None:
    layer = accelsim.Layer.conv2d(K=32, C=24, P=14, Q=14, R=3, S=3)
    found = accelsim.map_layer("nvdla_64", layer, "optimal", "energy", **limit)
    full = accelsim.map_layer("nvdla_64", layer, "optimal", "energy")
    assert found.evaluations <= limit.get("budget", 0)
    assert found.status == "budget"
    assert full.status == "optimal"
    assert found.certificate.lower_bound <= full.certificate.optimum <= found.certificate.optimum
    assert found.certificate.gap > 0


def test_all_tile_sizes_hold_those_that_divide() -> None:
    layer = accelsim.Layer.conv2d(K=10, C=6, P=5, Q=5)
    one, more = (
        accelsim.map_layer("example", layer, "optimal", tiles=tiles) for tiles in ("divisors", "all")
    )
    assert more.status == "optimal"
    assert more.value <= one.value
    assert more.certificate.space_size > one.certificate.space_size
