"""The same question gets the same answer from every verb; options change it; mappers keep their order."""

from __future__ import annotations

from typing import Any

import pytest

import accelsim
from accelsim.hardware.resize import resized
from accelsim.lut import build_table
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.residency import plan
from tests.pricing.nets import MACHINES, every_kind, machine

Figures = tuple[float, float]


def by_evaluate(hw: accelsim.Accelerator, net: accelsim.Network, **way: Any) -> Figures:
    cost = accelsim.evaluate(hw, net, **way)
    return cost.latency_s, cost.energy_pj


def by_map(hw: accelsim.Accelerator, net: accelsim.Network, **way: Any) -> Figures:
    cost = accelsim.map_network(hw, net, **way).cost
    return cost.latency_s, cost.energy_pj


def by_sweep(hw: accelsim.Accelerator, net: accelsim.Network, **way: Any) -> Figures:
    (row,) = accelsim.sweep(hw, net, [], **way).rows
    assert row["status"] == "ok"
    return row["latency_s"], row["energy_pj"]


def by_search(hw: accelsim.Accelerator, net: accelsim.Network, objective: str = "edp", **way: Any) -> Figures:
    """The priced candidate, not finished by another mapper; its energy is kept in joules."""
    found = accelsim.search(
        hw, networks=net, fix="hardware", objectives=objective, evaluations=2, population=2, finish=0, **way
    )
    metrics = found.best.metrics
    (again,) = found.mappings(found.best)
    assert again.cost.latency_s == metrics["latency"]
    return metrics["latency"], metrics["energy"] / 1e-12


VERBS = {"evaluate": by_evaluate, "map": by_map, "sweep": by_sweep, "search": by_search}


def scores(hw: accelsim.Accelerator, net: accelsim.Network, objective: str, mapper: str) -> list[float]:
    """The objective in every verb."""
    out = []
    for ask in VERBS.values():
        latency, energy = ask(hw, net, mapper=mapper, objective=objective, seed=1)
        out.append({"latency": latency, "energy": energy, "edp": latency * energy}[objective])
    return out


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    "way", [{}, {"mapper": "template"}, {"budget": 400, "seed": 3, "objective": "latency"}]
)
def test_every_verb_gives_the_same(name, way) -> None:
    hw, net = machine(name), every_kind()
    expected = by_map(hw, net, **way)
    for verb, ask in VERBS.items():
        assert ask(hw, net, **way) == pytest.approx(expected, rel=1e-14), verb


@pytest.mark.parametrize("hardware", ["eyeriss", "shidiannao"])
def test_a_block_costs_the_same_in_a_table(hardware) -> None:
    """Where nothing stays on chip, sums over blocks are whole networks, by the same default."""
    table = build_table(hardware, "nasbench_macro", subnets=5)
    keeps = accelsim.load_hardware(hardware).network.activations != "dram"
    assert table.about == {"mapper": "genetic", "objective": "edp", "budget": 2000, "seed": 0}
    worst = max(table.check[name]["largest_relative_error"] for name in ("latency", "energy"))
    assert worst < (0.2 if keeps else 1e-12)


@pytest.mark.parametrize("name", ["five", "two", "cube", "tiny", "vector", "nested", "eyeriss"])
@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
def test_genetic_is_never_worse_than_the_template(name, objective) -> None:
    hw, net = machine(name), every_kind()
    start, found = (scores(hw, net, objective, mapper) for mapper in ("template", "genetic"))
    assert all(b <= a * (1 + 1e-12) for a, b in zip(start, found, strict=True))
    if name == "nested":
        assert found[0] < start[0]


@pytest.mark.parametrize("name", ["two", "tiny", "eyeriss"])
def test_optimal_is_never_worse_than_genetic(name) -> None:
    hw, net = machine(name), every_kind()
    found, best = (scores(hw, net, "edp", mapper) for mapper in ("genetic", "optimal"))
    assert all(b <= a * (1 + 1e-12) for a, b in zip(found, best, strict=True))


# -- each option changes an answer ---------------------------------------------------------------------

WAY = [
    ({"mapper": "template"}, {"mapper": "genetic"}),
    ({"objective": "latency"}, {"objective": "energy"}),
    ({"budget": 0}, {"budget": 2000}),
    ({"seed": 0}, {"seed": 1}),
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("one", "other"), WAY)
def test_every_option_of_a_way_counts(verb, one, other) -> None:
    hw, net = machine("nested"), accelsim.load_network("lenet5")
    assert VERBS[verb](hw, net, **one) != VERBS[verb](hw, net, **other)


@pytest.mark.parametrize("verb", ["sweep", "search"])
def test_the_model_counts(verb) -> None:
    hw, net = machine("eyeriss"), accelsim.load_network("lenet5")
    if verb == "sweep":
        assert by_sweep(hw, net) != by_sweep(hw, net, model="maestro")
        return
    one, other = (
        accelsim.search(hw, networks=net, fix="hardware", evaluations=2, population=2, finish=0, model=model)
        for model in ("accelsim", "maestro")
    )
    assert one.best.metrics["latency"] != other.best.metrics["latency"]


def test_tiles_and_seconds_count() -> None:
    layer = accelsim.Layer.conv2d(K=7, C=5, P=7, Q=7, R=3, S=3)
    hw = machine("nested")
    options = {"mapper": "optimal", "objective": "energy"}
    few, all_ = (accelsim.map_layer(hw, layer, **options, tiles=tiles) for tiles in ("divisors", "all"))
    assert all_.certificate.space_size > few.certificate.space_size
    hurried = accelsim.map_layer(hw, layer, **options, tiles="all", seconds=0)
    assert hurried.status == "budget"


SEARCH: dict[str, Any] = {
    "hardware": "eyeriss", "networks": "lenet5", "evaluations": 32, "population": 8, "budget": 0,
    "finish": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return accelsim.search(**SEARCH)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("objectives", "latency"), ("strategy", "joint"), ("optimiser", "random"), ("population", 16),
        ("seed", 1), ("fix", "dataflow"), ("batch", 2), ("resolution", 64), ("evaluations", 16),
        ("networks", ["lenet5", "alexnet"]), ("max_area", 2.5), ("hardware", "nvdla_64"),
    ],
)  # fmt: skip
def test_every_option_of_search_counts(option, value, plain) -> None:
    def answer(found: Any) -> str:
        """As text, since an accuracy that is not known is equal to no other."""
        return repr((len(found), found.best.metrics if found.best else None, found.feasible.sum()))

    if option == "resolution":
        base = SEARCH | {"networks": "squeezenet1_1"}
        assert answer(accelsim.search(**base | {option: value})) != answer(accelsim.search(**base))
    else:
        assert answer(accelsim.search(**SEARCH | {option: value})) != answer(plain)


SUBNETS: dict[str, Any] = {
    "hardware": "nvdla_64", "space": "ofa_mbv3", "resolution": 128, "evaluations": 8, "population": 8,
    "mapper": "template", "finish": 0,
}  # fmt: skip


@pytest.mark.parametrize(("option", "value"), [("space", "ofa_proxyless"), ("min_accuracy", 74.0)])
def test_every_option_of_a_search_over_subnets_counts(option, value) -> None:
    one, other = (accelsim.search(**options) for options in (SUBNETS, SUBNETS | {option: value}))
    assert (one.feasible != other.feasible).any() or one.values.tobytes() != other.values.tobytes()


@pytest.mark.parametrize("limit", ["latency", "energy", "edp", "power", "macs"])
def test_every_limit_of_search_counts(limit, plain) -> None:
    most = plain.best.metrics[limit]
    tight = accelsim.search(**SEARCH, **{f"max_{limit}": most * 0.999})
    values = tight.column(limit)
    assert (values[tight.feasible] <= most * 0.999).all()
    assert tight.best is None or tight.best.metrics[limit] <= most * 0.999


# -- what stays on chip, and what an inference costs beyond its layers ---------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_what_stays_gives_way_to_tiles(verb, monkeypatch) -> None:
    """A plan that fills the buffer leaves no room for tiles; every verb still maps the network, and alike."""
    monkeypatch.setattr("accelsim.pricing.residency.SHARE", 1.0)
    data = accelsim.load_hardware("example").to_dict()
    data["network"] = data.get("network", {}) | {"activations": "on_chip_if_fit"}
    hw = resized(accelsim.load_hardware(data), {"memories.buffer.size_bytes": 1176})
    net = accelsim.load_network("lenet5")
    found = accelsim.map_network(hw, net, "template")
    assert plan(hw, net).kept > {net.names.index(name) for name in found.kept}
    expected = found.cost.latency_s, found.cost.energy_pj
    assert VERBS[verb](hw, net, mapper="template") == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("verb", VERBS)
def test_overhead_of_an_inference_counts_once(verb) -> None:
    hw, net = machine("example"), every_kind()
    slow = accelsim.load_hardware(hw.to_dict() | {"network": {"overhead_us": 250}})
    before, after = (VERBS[verb](chip, net, mapper="template") for chip in (hw, slow))
    assert after[0] - before[0] == pytest.approx(250e-6, rel=1e-9)
    drawn = slow.static_pj_per_cycle * 250 * slow.clock_mhz
    assert drawn > 0
    assert after[1] - before[1] == pytest.approx(drawn, rel=1e-9)


def test_equal_questions_are_asked_once() -> None:
    """Within a network, between networks, and again later; unlike schedules are unlike questions."""
    from accelsim.pricing.models.loopnest import LoopNest
    from accelsim.pricing.run import Run
    from accelsim.pricing.way import Way

    hw, net = machine("example"), accelsim.load_network("resnet18")
    pricer = NetworkPricer(LoopNest(Way.of("template")))
    once = pricer.price([Run(hw, net), Run(hw, net)])
    asked = pricer.tally.pairs
    assert asked == len(set(net.layers)) < len(net.layers)
    assert once.latency_cycles[0] == once.latency_cycles[1]
    given = accelsim.map_network(hw, net, "random", budget=1).results
    schedule = dict(zip(net.names, (r.mapping for r in given), strict=True))
    pricer.price([Run(hw, net, schedule=lambda layer: schedule[layer.name])])
    assert pricer.tally.pairs > asked


def test_what_is_forgotten_is_asked_again(monkeypatch) -> None:
    """A long search's memory is bounded; answers do not depend on it."""
    from accelsim.pricing.models.loopnest import LoopNest
    from accelsim.pricing.run import Run
    from accelsim.pricing.way import Way

    runs = [Run(machine("example"), accelsim.load_network(name)) for name in ("lenet5", "resnet18", "lenet5")]
    whole, short = (NetworkPricer(LoopNest(Way.of("template"))) for _ in range(2))
    known = [(whole.price([run]), whole.bounds([run])) for run in runs]
    monkeypatch.setattr("accelsim.pricing.network.MOST_KNOWN", 2)
    for run, (figures, bounds) in zip(runs, known, strict=True):
        again = short.price([run])
        assert (again.latency_cycles[0], again.energy_pj[0]) == (
            figures.latency_cycles[0],
            figures.energy_pj[0],
        )
        assert short.bounds([run]).tolist() == bounds.tolist()
    assert short.tally.pairs > whole.tally.pairs


ONE = accelsim.Layer(K=4, C=4)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: accelsim.map_layer("example", ONE, tiles="legal"), "tiles: for the mapper opt"),
        (
            lambda: accelsim.map_layer("example", ONE, "genetic_index", seconds=1),
            "seconds: for th",
        ),
        (lambda: accelsim.map_network("example", "lenet5", seconds=1), "seconds: for the mapper"),
        (lambda: accelsim.evaluate("example", ONE, fuse="auto"), "fuse: for networks, not a"),
    ],
)
def test_options_that_would_change_nothing(ask, message) -> None:
    """As on the command line, refused with the reason."""
    with pytest.raises(accelsim.AccelsimError) as fault:
        ask()
    assert message in str(fault.value)
