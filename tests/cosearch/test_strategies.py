"""What every strategy promises, what may be fixed, and that found designs cost what they are said to cost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch.configure import configure
from accelsim.cosearch.export import design_files
from accelsim.cosearch.loop import generation
from accelsim.cosearch.run import resume, search
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies import load_strategy, strategy_names
from tests.cosearch.small import DEVICE, MACRO, SUBNETS, TINY, same, tiny

ROUTE = {name: SUBNETS | {"strategy": name} for name in strategy_names()} | {
    "nested": TINY,
    "joint": TINY | {"strategy": "joint"},
    "holistic": DEVICE | {"strategy": "holistic"},
    "single": TINY | {"strategy": "single"},
    "blockwise": MACRO | {"strategy": "blockwise"},
    "blockwise_exact": MACRO | {"strategy": "blockwise_exact"},
    "gradient": MACRO | {"strategy": "gradient"},
    "nested, layers": TINY | {"layer_precision": "4x4,8x8"},
    "joint, blocks": SUBNETS | {"strategy": "joint", "layer_precision": "4x8", "objectives": "edp,bits"},
}
"""The smallest search of each strategy: of subnets and chips where none is named; two choose precisions."""

LISTING = ("blockwise", "blockwise_exact", "holistic", "gradient")
"""Strategies that begin with a list, which no seed changes and whose last generation need not be full."""


@pytest.mark.parametrize("strategy", ["nested", "joint"])
def test_what_memories_hold_stays_left_to_the_mapper(strategy) -> None:
    """Every chip of the space has its base's choice; a vector of genes counts on the best way to hold."""
    closed = accelsim.load_hardware("eyeriss").to_dict()
    data = json.loads(json.dumps(closed))
    data["memories"][1]["holds_choice"] = ["I", "O"]
    options = TINY | {"strategy": strategy, "evaluations": 16}
    one, more = (search(**options | {"hardware": hw, "optimiser": "random"}) for hw in (closed, data))
    assert one.generations[0].rows.tobytes() == more.generations[0].rows.tobytes()
    values = [evaluated(found, "edp")[:8] for found in (one, more)]
    assert (values[1] <= values[0]).all()
    assert (values[1] < values[0]).any()
    for item in (more.found(i) for i in range(4)):
        assert more.design(item).chip.memories[1].holds_choice == ("I", "O")
    (mapped,) = more.mappings(more.found(0))
    assert mapped.cost.edp_js == pytest.approx(values[1][0], rel=1e-12)
    again = accelsim.evaluate(more.design(more.found(0)).chip, TINY["networks"], mapped.to_dict())
    assert again.edp_js == mapped.cost.edp_js


def evaluated(found, column: str) -> np.ndarray:
    return found.column(column)


@pytest.fixture(scope="module", autouse=True)
def few_descents() -> Iterator[None]:
    """What they find is asserted in test_gradient.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accelsim.cosearch.strategies.gradient.TARGETS", 4)
        yield


@pytest.fixture(scope="module", params=ROUTE)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def found(name):
    return search(**ROUTE[name], evaluations=32)


class TestEveryStrategy:
    def test_same_seed_same_search(self, name, found) -> None:
        assert same(search(**ROUTE[name], evaluations=32, workers=2), found)
        other = search(**ROUTE[name] | {"seed": 3}, evaluations=8)
        alike = other.generations[0].rows.tobytes() == found.generations[0].rows.tobytes()
        assert alike == (name in LISTING)

    def test_no_candidate_comes_twice_in_a_phase(self, found) -> None:
        seen = set()
        for made, phase in zip(found.generations, found._phases):
            keys = [(made.phase, key) for key in phase.keys(made.rows)]
            assert len(set(keys)) == len(keys)
            assert len(keys) == 8 or found.config.strategy in LISTING
            assert not seen & set(keys)
            seen.update(keys)

    def test_every_candidate_is_within_the_envelope(self, found) -> None:
        section = found.setup.base.search
        if section is None:
            pytest.skip("a microcontroller is as it is")
        for item in (found.found(i) for i in range(0, len(found), 5)):
            chip = found.design(item).chip
            assert chip.num_pes <= section.max_pes
            assert chip.onchip_bytes <= section.max_onchip_bytes

    def test_replay_restores_it(self, name, found) -> None:
        """tell() of what is known gives the same next generation; follow() the same phases."""
        strategy = load_strategy(Setup(found.config))
        follower = load_strategy(Setup(found.config))
        for made in found.generations:
            rows = strategy.ask()
            assert rows.tobytes() == made.rows.tobytes()
            assert strategy.phase.name == follower.phase.name == made.phase
            strategy.tell(rows, made.values, made.levels)
            follower.follow(made.rows, made.values)

    def test_metrics_are_what_evaluate_says(self, found) -> None:
        """After a round trip through the exported JSON."""
        if found.setup.base.microcontroller is not None:
            check_on_device(found)
            return
        for item in found.front[:3]:
            files = {name: json.loads(json.dumps(data)) for name, data in design_files(found, item).items()}
            sheet = files[f"design_{item.index:05d}.json"]
            chip = files[sheet["hardware"]]
            costs = [
                accelsim.evaluate(chip, accelsim.Network.from_dict(files[n["network"]]), files[n["mapping"]])
                for n in sheet["networks"]
            ]
            (cost,) = costs
            assert cost.edp_js == item.metrics["edp"]
            assert cost.latency_s == item.metrics["latency"]
            assert cost.energy_pj * 1e-12 == item.metrics["energy"]
            assert accelsim.load_hardware(chip).area_mm2 == item.metrics["area"]
            assert accelsim.load_hardware(chip).hash == sheet["hardware_hash"]
            power = cost.energy_pj * 1e-9 / cost.latency_s
            assert power == pytest.approx(item.metrics["power"], rel=1e-12)

    def test_front(self, found) -> None:
        costs = found.setup.goals.costs(found.values)
        for item in found.front:
            mine = costs[item.index]
            assert item.feasible
            assert not ((costs <= mine).all(axis=1) & (costs < mine).any(axis=1) & found.feasible).any()
        assert found.best == found.front[0]
        shown = np.array([list(item.metrics.values()) for item in found.front])
        firsts = found.setup.goals.costs(shown)[:, 0].tolist()
        assert firsts == sorted(firsts)

    def test_every_mapper_objective(self, name) -> None:
        """An objective that mappings decide is what they are chosen by."""
        fast = search(**ROUTE[name] | {"objectives": "latency"}, evaluations=32)
        assert fast.setup.mapping_objective == "latency"
        assert fast.best.metrics["latency"] <= np.nanmin(evaluated(fast, "latency")[fast.feasible])
        known = [fast.found(i) for i in range(len(fast))]
        priced = [one.metrics["latency"] for one in known if one.feasible and one.level != "bounded"]
        assert fast.best.metrics["latency"] == min(priced)


def check_on_device(found) -> None:
    for item in found.front[:3]:
        files = {name: json.loads(json.dumps(data)) for name, data in design_files(found, item).items()}
        sheet = files[f"design_{item.index:05d}.json"]
        (net,) = sheet["networks"]
        cost = accelsim.evaluate(files[sheet["hardware"]], accelsim.Network.from_dict(files[net["network"]]))
        assert net["name"] == item.network
        if "(" not in item.network:  # the plain schedule
            assert cost.latency_s == item.metrics["latency"]
            assert cost.plan.peak == item.metrics["peak_memory"]
        assert (cost.plan.flash, cost.macs) == (item.metrics["flash"], item.metrics["work"])


# -- several networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["nested", "joint"])
def test_several_networks_count_by_geometric_mean(strategy) -> None:
    nets = [tiny("one", 4), tiny("two", 8), tiny("three", 12)]
    options = TINY | {"networks": nets, "strategy": strategy}
    found = search(**options, evaluations=16)
    item = found.best
    files = design_files(found, item)
    sheet = files[f"design_{item.index:05d}.json"]
    assert [n["name"] for n in sheet["networks"]] == ["one", "two", "three"]
    costs = [
        accelsim.evaluate(
            files[sheet["hardware"]], accelsim.Network.from_dict(files[n["network"]]), files[n["mapping"]]
        )
        for n in sheet["networks"]
    ]
    for metric, values in (
        ("edp", [c.edp_js for c in costs]),
        ("latency", [c.latency_s for c in costs]),
        ("energy", [c.energy_pj * 1e-12 for c in costs]),
        ("macs", [accelsim.Network.from_dict(net).macs for net in nets]),
    ):
        assert item.metrics[metric] == pytest.approx(np.prod(values) ** (1 / 3), rel=1e-12)
    assert item.network == "one, two, three"


def test_a_single_network_counts_exactly() -> None:
    assert (evaluated(search(**TINY, evaluations=8), "macs") == accelsim.Network.from_dict(tiny()).macs).all()


# -- what is fixed ---------------------------------------------------------------------------------------


def test_fixed_hardware() -> None:
    found = search(**TINY | {"hardware": "example", "fix": "hardware"}, evaluations=16)
    assert len(found) == 1  # there is no other candidate
    assert found.exhausted
    assert found.design(found.best).chip == accelsim.load_hardware("example")


def test_fixed_hardware_and_a_space_of_networks() -> None:
    found = search(**SUBNETS | {"fix": ["hardware"], "mapper": "template"}, evaluations=8)
    item = found.best
    cost = accelsim.evaluate("nvdla_64", found.design(item).networks[0], mapper="template")
    assert (cost.edp_js, cost.latency_s) == (item.metrics["edp"], item.metrics["latency"])
    assert found.design(item).networks[0].name == item.network


def test_fixed_mapping_is_the_template() -> None:
    found = search(**TINY | {"fix": "mapping"}, evaluations=8)
    item = found.best
    cost = accelsim.evaluate(found.design(item).chip, accelsim.Network.from_dict(tiny()), mapper="template")
    assert cost.edp_js == item.metrics["edp"]


def test_fixed_dataflow_changes_sizes_only() -> None:
    found = search(**TINY | {"fix": "dataflow"}, evaluations=16)
    base = accelsim.load_hardware("eyeriss")
    for item in (found.found(i) for i in range(4)):
        assert found.design(item).chip.dataflow.axes == base.dataflow.axes


def test_fixed_network_is_one_that_is_given() -> None:
    found = search(**TINY | {"fix": "network, mapping"}, evaluations=8)
    assert found.config.fix == ("mapping",)


# -- limits ----------------------------------------------------------------------------------------------


def test_limits_are_kept() -> None:
    free = search(**SUBNETS, evaluations=32)
    cut = float(np.median(evaluated(free, "accuracy")))
    area = float(np.median(evaluated(free, "area")))
    found = search(**SUBNETS, evaluations=32, min_accuracy=cut, max_area=area)
    assert found.front
    for item in found.front:
        assert item.metrics["accuracy"] >= cut
        assert item.metrics["area"] <= area
    missed = (evaluated(found, "accuracy") < cut) | (evaluated(found, "area") > area)
    assert (found.feasible == ~missed).all()
    assert 0 < missed.sum() < len(found)
    assert np.isnan(evaluated(found, "edp")[missed]).all()  # what mappings cannot mend is not mapped
    shares = found.missed()
    assert shares["accuracy"] == pytest.approx((evaluated(found, "accuracy") < cut).mean())
    assert shares["area"] == pytest.approx((evaluated(found, "area") > area).mean())


def test_limits_of_mapped_figures() -> None:
    free = search(**TINY, evaluations=24)
    for name in ("latency", "energy", "edp", "power"):
        cut = float(np.nanmedian(evaluated(free, name)))
        found = search(**TINY, evaluations=24, **{f"max_{name}": cut})
        assert (found.feasible == (evaluated(found, name) <= cut)).all()
        assert np.isfinite(evaluated(found, "edp")).all()
        assert found.best.metrics[name] <= cut


def test_limits_that_nothing_meets() -> None:
    found = search(**TINY, evaluations=16, max_latency=1e-9, max_area=1e-6)
    assert found.best is None
    assert found.front == ()
    assert found.hypervolume() == 0.0
    assert found.missed()["area"] == 1.0


def test_power_budget_of_the_chip() -> None:
    free = search(**TINY, evaluations=16)
    base = accelsim.load_hardware("eyeriss").to_dict()
    cut = float(np.nanmedian(evaluated(free, "power")))
    base["search"]["max_power_mw"] = cut
    found = search(**TINY | {"hardware": base}, evaluations=16)
    priced = found.levels > 0
    assert (found.feasible == (evaluated(found, "power") <= cut))[priced].all()
    assert found.missed()["power budget"] == pytest.approx((evaluated(found, "power") > cut).mean())


def test_area_budget_of_the_chip() -> None:
    base = accelsim.load_hardware("eyeriss").to_dict()
    cut = float(np.median(evaluated(search(**TINY, evaluations=16), "area")))
    base["search"]["max_area_mm2"] = cut
    found = search(**TINY | {"hardware": base}, evaluations=16)
    assert (evaluated(found, "area") <= cut).all()
    assert found.rejected()["area"] > 0


def test_an_impossible_envelope() -> None:
    base = accelsim.load_hardware("eyeriss").to_dict()
    base["search"]["max_onchip_bytes"] = 1
    with pytest.raises(AccelsimError) as fault:
        search(**TINY | {"hardware": base}, evaluations=16)
    text = str(fault.value)
    assert "envelope of Eyeriss" in text
    assert "on-chip bytes" in text
    assert "%" in text


@pytest.mark.parametrize("strategy", ["nested", "joint"])
@pytest.mark.parametrize("mapper", ["genetic", "template"])
def test_layers_that_fit_nowhere(strategy, mapper, monkeypatch) -> None:
    """Counts beyond 2^53: no candidate has a mapping."""
    monkeypatch.setattr("accelsim.workloads.layer.MAX_POINTS", 2**80)
    net = accelsim.NetworkBuilder("huge", 2**20, 2**10, 2**10)
    huge = net.build(net.conv(net.input, 2**20, 1)).to_dict()
    found = search(
        **TINY | {"networks": [tiny(), huge], "strategy": strategy, "mapper": mapper}, evaluations=8
    )
    assert np.isinf(evaluated(found, "edp")).all()
    assert found.best is None
    assert found.missed() == {"no mapping fits": 1.0}


# -- sequential ------------------------------------------------------------------------------------------


def test_sequential_goes_through_its_phases(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("accelsim.cosearch.strategies.sequential.NETWORK_GENERATIONS", 2)
    options = ROUTE["sequential"]
    path = tmp_path / "a.study"
    search(**options, evaluations=24, study=path)
    found = resume(path, 48, finish=0)
    phases = [g.phase for g in found.generations]
    assert phases[:3] == ["network", "network", "mapping"]
    assert set(phases[3:]) == {"chip"}
    assert same(found, search(**options, evaluations=48))
    assert same(accelsim.load_study(path), found)
    base = found.setup.base
    first = [found.found(i) for i in range(16)]
    assert all(found.design(item).chip == base for item in first)
    networks = {item.network for item in map(found.found, range(len(found))) if item.phase != "network"}
    assert networks <= {item.network for item in first}
    assert any(found.design(item).chip != base for item in map(found.found, range(24, len(found))))


def test_sequential_leaves_a_space_of_networks_that_is_exhausted(monkeypatch, tmp_path) -> None:
    """Few networks: the chips have their turn all the same, also when read back."""
    setup = Setup(configure(**{k: v for k, v in ROUTE["sequential"].items() if k != "finish"}))
    strategy = load_strategy(setup)
    taken = strategy.phase.nets
    few = strategy.phase.genome.sample(np.random.default_rng(0), 3)
    monkeypatch.setattr(strategy.phase, "draw", lambda rng, n, others=None, near=0.0: few[: 3 * (not seen)])
    monkeypatch.setattr(strategy.phase, "fresh", lambda rows, others=None: np.zeros(len(rows), bool))
    seen: list[np.ndarray] = []
    names = []
    for _ in range(3):
        made = generation(strategy, setup)
        names.append(made.phase)
        strategy.tell(made.rows, made.values, made.levels)
        seen.append(made.rows)
    assert names == ["network", "mapping", "chip"]
    assert taken is setup.nets


# -- what does not go together ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "nestd"}, ["strategy", "'nestd'", "nested"]),
        ({"strategy": "sequential"}, ["sequential", "space of networks"]),
        ({"strategy": "joint", "fix": "mapping"}, ["joint", "nested"]),
        ({"optimiser": "nsga"}, ["optimiser", "'nsga'", "nsga2"]),
        ({"optimiser": "cmaes", "objectives": "edp,area"}, ["cmaes", "one objective"]),
        ({"objectives": "edp,accuracy"}, ["accuracy", "space"]),
        ({"limits": {"accuracy": 75}}, ["accuracy", "space"]),
        ({"objectives": "edpp"}, ["'edpp'", "edp"]),
        ({"objectives": 5}, ["metric", "5"]),
        ({"limits": {"latency": "soon"}}, ["max_latency", "'soon'"]),
        ({"max_latency": -1}, ["max_latency", "-1"]),
        ({"fix": "hardwear"}, ["fix", "'hardwear'", "hardware"]),
        ({"mapper": "genetics"}, ["mapper", "genetic"]),
        ({"population": 1}, ["population", "1"]),
        ({"population": 2.0}, ["population", "2.0"]),
        ({"budget": -1}, ["budget", "-1"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"batch": 0}, ["batch", "0"]),
        ({"evaluations": 0}, ["evaluations", "0"]),
        ({"evaluations": 3.5}, ["evaluations", "3.5"]),
        ({"hardware": "example"}, ["Example", "search"]),
        ({"hardware": "eyeris"}, ["eyeris", "eyeriss"]),
        ({"networks": []}, ["networks", "at least one"]),
        ({"networks": "lenet6"}, ["lenet6", "lenet"]),
        ({"networks": None}, ["space", "networks"]),
        ({"space": "ofa_mbv3"}, ["either", "space", "networks"]),
        ({"networks": None, "space": "ofa_mbv4"}, ["ofa_mbv4", "ofa_mbv3"]),
        ({"networks": None, "space": "ofa_mbv3", "resolution": 7}, ["7"]),
        ({"networks": None, "space": "ofa_mbv3", "accuracy": "surogate"}, ["surogate"]),
        ({"networks": None, "space": "ofa_mbv3", "accuracy": "table:/no.csv"}, ["/no.csv"]),
        ({"networks": None, "space": "ofa_mbv3", "fix": "network"}, ["network", "instead of a space"]),
        ({"networks": None, "space": "nasbench_macro"}, ["nasbench_macro"]),
        ({"colour": "red"}, ["search", "colour"]),
        ({"engine": "threeds"}, ["engine", "threads"]),
        ({"workers": 0}, ["workers", "0"]),
    ],
)
def test_bad_options(options, words, tmp_path) -> None:
    with pytest.raises(AccelsimError) as fault:
        search(**{"evaluations": 8, "study": tmp_path / "a.study", **TINY, **options})
    assert all(word in str(fault.value) for word in words), str(fault.value)
    assert "\n" not in str(fault.value)
    assert not list(tmp_path.iterdir())
