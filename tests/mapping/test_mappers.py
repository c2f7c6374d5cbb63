"""What every mapper promises: legal, reproducible, in budget, never worse than the template, cancellable."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.mapping.cost import price_mapping
from accelsim.mapping.encoding import encode, score
from accelsim.mapping.mapper import load_mapper, mapper_names
from accelsim.mapping.task import Task
from accelsim.mapping.template import template
from accelsim.pack import price
from tests.mapping.invented import invented

CONV = accelsim.Layer.conv2d(K=24, C=12, P=14, Q=14, R=3, S=3)
DEPTHWISE = accelsim.Layer.conv2d(G=32, K=1, C=1, P=15, Q=15, R=3, S=3, stride=2)
DENSE = accelsim.Layer.conv2d(K=100, C=84, P=1, Q=1, R=1, S=1)
POINT = accelsim.Layer.conv2d(K=1, C=1, P=1, Q=1, R=1, S=1)
LAYERS = {"conv": CONV, "depthwise": DEPTHWISE, "dense": DENSE, "point": POINT}
HEURISTICS = [name for name in mapper_names() if name != "optimal"]


def allowed_by_dataflow(hardware, mapping) -> bool:
    for level in mapping.levels:
        for axis, (dim, _) in level.spatial.items():
            if dim not in hardware.axis_dims(level.memory, axis):
                return False
        orders = hardware.orders(level.memory)
        shortened = [tuple(d for d in order if d in level.order) for order in orders]
        if orders and level.order not in shortened:
            return False
    return True


@pytest.mark.parametrize("hardware", ["eyeriss", "example"])
@pytest.mark.parametrize("mapper", HEURISTICS)
class TestEveryMapper:
    @pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
    @pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
    def test_legal_and_never_worse_than_the_template(self, mapper, hardware, layer, objective) -> None:
        hw = accelsim.load_hardware(hardware)
        start = accelsim.map_layer(hw, layer, "template", objective)
        found = accelsim.map_layer(hw, layer, mapper, objective, budget=1400)
        assert found.value <= start.value
        assert allowed_by_dataflow(hw, found.mapping)
        again = price_mapping(hw, layer, accelsim.Mapping.from_dict(found.mapping.to_dict()))
        assert (again.latency_cycles, again.energy_pj) == (found.cost.latency_cycles, found.cost.energy_pj)

    def test_reproducible_by_seed(self, mapper, hardware) -> None:
        one, two = (accelsim.map_layer(hardware, CONV, mapper, budget=700, seed=5) for _ in range(2))
        assert one.mapping == two.mapping
        assert one.value == two.value

    @pytest.mark.parametrize("budget", [0, 1, 700, 1001])
    def test_budget_counts_all_evaluations(self, mapper, hardware, budget) -> None:
        found = accelsim.map_layer(hardware, CONV, mapper, budget=budget)
        spent = found.start_evaluations + found.evaluations
        assert spent <= max(budget, found.start_evaluations)
        if found.status == "budget":
            assert spent == max(budget, found.start_evaluations)

    def test_cancelled_before_the_first_evaluation(self, mapper, hardware) -> None:
        stop = Event()
        stop.set()
        found = accelsim.map_layer(hardware, CONV, mapper, budget=10**9, cancel=stop)
        assert found.status in ("cancelled", "done")
        assert found.value == accelsim.map_layer(hardware, CONV, "template").value

    def test_cancelled_on_the_way(self, mapper, hardware) -> None:
        asked = []

        def enough() -> bool:
            asked.append(None)
            return len(asked) > 3

        found = accelsim.map_layer(hardware, CONV, mapper, budget=10**9, cancel=enough)
        assert found.status == ("done" if mapper == "template" else "cancelled")
        assert found.evaluations < 10**6

    def test_any_number_of_workers(self, mapper, hardware) -> None:
        one, three = (
            accelsim.map_network(hardware, "lenet5", mapper, budget=300, workers=workers)
            for workers in (1, 3)
        )
        assert one.to_dict() == three.to_dict()
        assert one.cost.edp_js == three.cost.edp_js


@pytest.mark.parametrize("hardware", ["edgetpu", "example", "nvdla_64"])
def test_evaluate_prices_a_network_mapping_to_the_same_numbers(hardware) -> None:
    """Also where results and weights stay on chip."""
    found = accelsim.map_network(hardware, "lenet5", budget=200)
    again = accelsim.evaluate(hardware, "lenet5", found.to_dict())
    assert (again.latency_cycles, again.energy_pj) == (found.cost.latency_cycles, found.cost.energy_pj)


@pytest.mark.parametrize(
    "way", [{}, {"mapper": "template"}, {"budget": 300, "seed": 3, "objective": "energy"}]
)
def test_evaluate_costs_what_map_finds(way) -> None:
    found = accelsim.map_network("edgetpu", "lenet5", **way)
    assert found.cost.to_dict() == accelsim.evaluate("edgetpu", "lenet5", **way).to_dict()
    layer = accelsim.map_layer("edgetpu", CONV, **way).cost
    assert layer.to_dict() == accelsim.evaluate("edgetpu", CONV, **way).to_dict()


def test_equal_layers_are_mapped_once() -> None:
    template_mapper = load_mapper("template")
    asked = []

    class Counting(type(template_mapper)):
        def search(self, task, start):
            asked.append(task.layer)
            return super().search(task, start)

    net = accelsim.load_network("resnet18")
    result = accelsim.map_network("example", net, Counting())
    assert len(result.results) == len(net.layers)
    assert len(asked) == len(set(asked)) < len(net.layers)


def test_search_finds_what_the_template_misses() -> None:
    """Where buffers hold a few words, and single steps of a tile lead nowhere."""
    gains, hw = [], invented("tiny")
    for layer in dict.fromkeys(accelsim.load_network("resnet18").layers):
        start, found = (accelsim.map_layer(hw, layer, name) for name in ("template", "genetic"))
        gains.append(found.value / start.value)
    assert min(gains) < 0.9


def test_a_larger_budget_is_never_worse() -> None:
    values = [accelsim.map_layer("example", CONV, budget=n).value for n in (0, 100, 1000, 4000)]
    assert values == sorted(values, reverse=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), hardware=st.sampled_from(["eyeriss", "example", "nvdla_64"]))
def test_vectors_decode_to_what_the_kernel_prices(seed, hardware) -> None:
    """Any vector gives well-formed tiles: if it is refused, then for capacity alone."""
    hw = accelsim.load_hardware(hardware)
    task = Task(hw, CONV)
    rng = np.random.default_rng(seed)
    width = len(encode(task, template(hw, CONV)[0]))
    for by_index in (False, True):
        batch, cost = score(task, rng.random((20, width)), by_index)
        status, latency, energy = price(task.problem, task.machine, batch)
        assert set(status % 256) <= {0, 6}
        assert np.array_equal(cost, latency * energy)
        assert (np.sort(batch.order, axis=2) == np.arange(8)).all()


@pytest.mark.parametrize("hardware", ["eyeriss", "example", "nvdla_256", "edgetpu"])
def test_the_template_survives_its_encoding(hardware) -> None:
    """The population's first member is about as good as the mapping that it stands for."""
    hw = accelsim.load_hardware(hardware)
    task = Task(hw, CONV)
    start = template(hw, CONV)[0]
    _, cost = score(task, encode(task, start)[None])
    assert cost[0] <= 1.05 * task.score(start)[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mapper": "genetics"}, ["mapper", "genetic"]),
        ({"objective": "edpp"}, ["objective", "edp"]),
        ({"budget": -1}, ["budget", "-1"]),
        ({"budget": 1.5}, ["budget", "1.5"]),
        ({"seed": -3}, ["seed", "-3"]),
    ],
)
def test_bad_options(options, words) -> None:
    with pytest.raises(accelsim.AccelsimError) as fault:
        accelsim.map_layer("example", CONV, **options)
    assert all(word in str(fault.value) for word in words)


@pytest.mark.parametrize("workers", [0, -1, 1.0])
def test_bad_workers(workers) -> None:
    with pytest.raises(accelsim.AccelsimError, match="workers"):
        accelsim.map_network("example", "lenet5", workers=workers)


@pytest.mark.parametrize(
    ("resident", "words"),
    [
        ([], ["mapping.resident", "object"]),
        ({"kept": "conv1"}, ["mapping.resident.kept", "list"]),
        ({"weights": ["nowhere"]}, ["mapping.resident.weights[0]", "nowhere"]),
    ],
)
def test_bad_residency(resident, words) -> None:
    with pytest.raises(accelsim.MappingError) as fault:
        accelsim.evaluate("example", "lenet5", {"layers": {}, "resident": resident})
    assert all(word in str(fault.value) for word in words)


def test_counts_too_large(monkeypatch) -> None:
    monkeypatch.setattr("accelsim.workloads.layer.MAX_POINTS", 2**80)
    huge = accelsim.Layer.conv2d(K=2**20, C=2**20, P=2**20, Q=2**8, R=1, S=1)
    with pytest.raises(accelsim.AccelsimError, match=r"no mapping of .* fits Example: .* exceeds 2\^53"):
        accelsim.map_layer("example", huge)


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("parts", [True, False])
def test_too_small_a_memory_says_what_would_admit_a_mapping(double, parts) -> None:
    """One byte less than the advice and it is refused; with it every layer maps."""
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][2] |= {
        "double_buffered": double,
        "size_bytes": {"W": 64, "I": 16, "O": 1} if parts else 1,
    }
    if double:
        data["memories"][2] |= {"overlap": True}
    with pytest.raises(accelsim.AccelsimError, match=r"size_bytes.* too few; raise it to \d+") as fault:
        accelsim.map_layer(data, CONV)
    assert ("double_buffered to false" in str(fault.value)) == double
    wanted = int(str(fault.value).split("raise it to ")[1].split(" ")[0])
    for size in (wanted, wanted - 1):
        data["memories"][2]["size_bytes"] = {"W": 64, "I": 16, "O": size} if parts else size
        if size == wanted:
            assert accelsim.map_layer(data, CONV).value > 0
    with pytest.raises(accelsim.AccelsimError, match="1 bytes too few"):
        accelsim.map_layer(data, CONV)


@pytest.mark.parametrize("mapper", HEURISTICS)
def test_start_from_nothing(mapper) -> None:
    """Without the template, the search is on its own; with it, it is never worse than that."""
    hw = accelsim.load_hardware("example")
    found = [
        load_mapper(mapper).map(Task(hw, CONV, budget=500, start=start)) for start in ("none", "template")
    ]
    if mapper == "template":
        return
    assert found[0].value < load_mapper("template").map(Task(hw, CONV, start="none")).value
    assert found[1].value <= accelsim.map_layer(hw, CONV, "template").value


def test_importance_encoding_beats_the_index_encoding() -> None:
    """On the same search from the same random start, as NAAS reports."""
    hw = accelsim.load_hardware("nvdla_256")
    ratios = []
    for layer in list(dict.fromkeys(accelsim.load_network("resnet18").layers))[::3]:
        values = [
            load_mapper(name).map(Task(hw, layer, seed=3, start="none")).value
            for name in ("genetic_index", "genetic_importance")
        ]
        ratios.append(values[0] / values[1])
    assert np.exp(np.mean(np.log(ratios))) > 1.0


@pytest.mark.parametrize("options", [{"tiles": "al"}, {"seconds": -1.0}])
def test_bad_options_of_the_exact_mapper(options) -> None:
    with pytest.raises(accelsim.AccelsimError, match=next(iter(options))):
        accelsim.map_layer("example", CONV, "optimal", **options)
