"""The exact mapper behind the common door."""

from __future__ import annotations

import random
from io import StringIO
from threading import Event

import pytest
from rich.console import Console, RenderableType

import accelsim
from accelsim.mapping.optimal import optimal
from accelsim.report.mappings import layer_mapping_report
from tests.mapping.test_optimal import machine, problem

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
    mapped = accelsim.map_network("shidiannao", "lenet5", mapper="optimal", tiles="divisors", workers=2)
    assert all(r.certificate.complete for r in mapped.results)
    assert {r.status for r in mapped.results} <= {"optimal", "done"}
    again = accelsim.evaluate("shidiannao", "lenet5", mapped.to_dict())
    assert (again.latency_cycles, again.energy_pj) == (mapped.cost.latency_cycles, mapped.cost.energy_pj)


@pytest.mark.parametrize("limit", [{"budget": 0}, {"budget": 3}, {"seconds": 0.0}])
def test_stopped_by_its_budget_it_says_how_much_is_left(limit) -> None:
    layer = accelsim.Layer.conv2d(K=32, C=24, P=14, Q=14, R=3, S=3)
    found = accelsim.map_layer("nvdla_64", layer, "optimal", "energy", **limit)
    full = accelsim.map_layer("nvdla_64", layer, "optimal", "energy")
    assert found.evaluations <= limit.get("budget", 1 << 20)
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


@pytest.mark.parametrize(("k", "c", "kernel"), [(96, 384, 1), (256, 256, 3)])
def test_all_tile_sizes_cut_short_are_no_worse_than_those_that_divide(k, c, kernel) -> None:
    """Layers whose dividing tiles take longest of all of ResNet-50 and MobileNetV2 on shipped chips."""
    layer = accelsim.Layer.conv2d(K=k, C=c, P=14, Q=14, R=kernel, S=kernel)
    some = accelsim.map_layer("tpu_v1", layer, "optimal", tiles="divisors")
    direct = optimal(accelsim.load_hardware("tpu_v1"), layer, max_nodes=1 << 17)
    assert some.certificate.complete
    assert direct.certificate.optimum <= some.certificate.optimum


def test_what_divides_no_tile_is_not_called_optimal() -> None:
    """The template need not divide: such a mapping is no member of the smaller space, and said to be none."""
    layer = accelsim.Layer(K=256, C=64, P=56, Q=56)
    some = accelsim.map_layer("eyeriss", layer, "optimal", "edp", tiles="divisors")
    assert (some.status, some.certificate.inside) == ("done", False)
    assert "this one lies outside them" in _printed(layer_mapping_report(some))
    sure = accelsim.map_layer("eyeriss", layer, "optimal", "latency")
    assert (sure.status, sure.certificate.inside, sure.certificate.tiles) == ("optimal", True, "all")
    fewer = accelsim.map_layer("eyeriss", layer, "optimal", "latency", tiles="divisors")
    assert sure.value <= fewer.value
    for mapper in ("template", "genetic"):
        assert sure.value <= accelsim.map_layer("eyeriss", layer, mapper, "latency").value


@pytest.mark.parametrize("seed", range(3))
def test_no_mapper_beats_a_proof(seed: int) -> None:
    """Random, genetic and template mappings, whose tiles need not divide, on machines of any kind."""
    chance = random.Random(900 + seed)
    for _ in range(8):
        hardware, layer = accelsim.load_hardware(machine(chance)), problem(chance)
        for objective in ("edp", "latency", "energy"):
            sure = accelsim.map_layer(hardware, layer, "optimal", objective, seconds=2)
            assert sure.status == "optimal" or not (sure.certificate.complete and sure.certificate.inside)
            for mapper in ("template", "random", "genetic"):
                other = accelsim.map_layer(hardware, layer, mapper, objective, 300, seed)
                better = other.value < sure.value * (1 - 1e-12)
                outside = other.mapping not in sure.certificate.space
                assert not better or outside or not sure.certificate.complete


def _printed(report: RenderableType) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(report)
    return console.export_text()
