"""The local search around finished designs: what it tries, that it ends where nothing near is better."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch import finish as finishing
from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.configure import configure
from accelsim.cosearch.descent import STARTS, Descent
from accelsim.cosearch.exact import listed_front
from accelsim.cosearch.export import design_files
from accelsim.cosearch.finished import Name
from accelsim.cosearch.gains import gains
from accelsim.cosearch.genes import PartGene
from accelsim.cosearch.moves import chip_moves, compound_moves, network_moves
from accelsim.cosearch.near import spot
from accelsim.cosearch.run import load_study, resume
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.study import Study
from accelsim.cosearch.sums import proposed
from accelsim.engines import load_engine
from accelsim.hardware import load_hardware
from accelsim.pricing.run import Run
from tests.cosearch.small import MACRO, SUBNETS, TINY, same, short_local_search, tiny

FINISH = 300
SEARCHED = [name for name in accelsim.hardware_names() if load_hardware(name).search is not None]
OPTIONS = SUBNETS | {"finish": FINISH, "min_accuracy": 68.0, "optimiser": "random"}


def test_moves_of_a_network_change_one_gene() -> None:
    genes = (PartGene("few", 3), PartGene("many", 40))
    rows = network_moves(genes, np.array([1, 10]))
    assert sorted(map(tuple, rows.tolist())) == [(0, 10), (1, 8), (1, 9), (1, 11), (1, 12), (2, 10)]


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("trades", [False, True])
def test_moves_of_a_chip_stay_in_the_envelope(name, trades) -> None:
    """Each another chip, with the axes' dimensions as they are."""
    space = ChipSpace(load_hardware(name), sizes_only=True)
    anchor = space.anchor()
    rows = chip_moves(space, anchor, trades)
    assert len(rows) or trades  # a chip of which all is at its range's end has nothing to trade
    assert (space.faults(rows) == "").all()
    assert len({*space.keys(rows), space.keys(anchor[None])[0]}) == len(rows) + 1
    base = load_hardware(name)
    for chip in space.accelerators(rows[:5]):
        for memory in base.memories:
            for axis in memory.fanout:
                assert chip.axis_dims(memory.name, axis.axis) == base.axis_dims(memory.name, axis.axis)


def test_what_the_moves_of_a_chip_are() -> None:
    """Every size, axes by themselves and for each other, and one more for another one less."""
    space = ChipSpace(load_hardware("nvdla_256"), sizes_only=True)
    anchor = space.anchor()
    found = [chip.memories for chip in space.accelerators(chip_moves(space, anchor))]
    arrays = {tuple(axis.size for axis in memories[2].fanout) for memories in found}
    assert {(8, 32), (4, 32), (8, 16), (16, 16), (4, 64), (6, 32)} <= arrays
    sizes = {memories[1].size_bytes for memories in found}
    assert 236032 in sizes
    assert any(abs(size / 131072 - 1) < 0.01 for size in sizes)


def test_a_part_of_a_memory_changes_alone() -> None:
    """The encoding weighs parts against each other, so that one gene changes them all."""
    space = ChipSpace(load_hardware("eyeriss"), sizes_only=True)
    anchor = space.anchor()
    own = space.sizes.divided(anchor)[0][1]
    rows = chip_moves(space, anchor)
    found = np.array([space.sizes.divided(row)[0][1] for row in rows])
    for part in range(3):
        others = np.delete(found - own, part, axis=1)
        alone = (np.abs(others) <= 8).all(axis=1)
        assert (found[alone, part] < 0.85 * own[part]).any()


def test_dimensions_of_one_importance_change_places() -> None:
    space = ChipSpace(load_hardware("eyeriss"))
    row = space.anchor()
    row[space.array.ranks] = 3
    carried = {tuple(x) for x in space.array.decode(chip_moves(space, row)).carried.tolist()}
    assert len(carried) > 6


def test_dimensions_and_lengths_change_together() -> None:
    """Each such chip is two changes away and none alone, in the envelope; with `sizes_only` there is none."""
    space = ChipSpace(load_hardware("eyeriss"))
    row = space.anchor()
    rows = compound_moves(space, row)
    assert (space.faults(rows) == "").all()
    assert len({*space.keys(rows), space.keys(row[None])[0]}) == len(rows) + 1
    before, after = space.array.decode(row[None]), space.array.decode(rows)
    assert (after.carried != before.carried).any(axis=1).all()
    assert (after.sizes != before.sizes).any(axis=1).all()
    assert (rows[:, space.sizes.start :] == row[space.sizes.start :]).all()
    assert not {*space.keys(rows)} & {*space.keys(chip_moves(space, row))}
    fixed = ChipSpace(load_hardware("eyeriss"), sizes_only=True)
    assert not len(compound_moves(fixed, fixed.anchor()))


def test_a_trade_takes_from_one_and_gives_to_another() -> None:
    """Where lanes and bytes fill the envelope, more of one needs less of the other."""
    data = load_hardware("nvdla_256").to_dict()
    data["search"]["max_pes"] = 512
    space = ChipSpace(load_hardware(data), sizes_only=True)
    anchor = space.anchor()
    before = space.accelerators(anchor[None])[0]
    one, both = (space.accelerators(chip_moves(space, anchor, trades)) for trades in (False, True))
    assert not [chip for chip in one if chip.num_pes > before.num_pes]
    assert [chip for chip in both if chip.num_pes > before.num_pes]
    assert all(chip.onchip_bytes <= 264704 for chip in both)


@contextmanager
def soon() -> Iterator[None]:
    """Where the exact mapper begins takes most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accelsim.mapping.optimal.DEFAULT_BUDGET", 300)
        yield


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with soon():
        return accelsim.search(**OPTIONS, evaluations=16, study=tmp_path_factory.mktemp("near") / "a.study")


def test_it_finds_what_the_search_did_not(found) -> None:
    plain = accelsim.search(**OPTIONS | {"finish": 0}, evaluations=16)
    assert same(found, plain)
    assert found.best.name.near
    assert found.best.metrics["edp"] < 0.9 * plain.best.metrics["edp"]
    assert all(item.metrics["accuracy"] >= 68.0 for item in found.front)


def test_no_network_one_gene_away_is_better(found) -> None:
    """On the best design's chip, by the exact mapper; sketches decide what that sees, hence the margin."""
    at = spot(found, found.best.name, FINISH)
    n = len(at.phase.nets.genes)
    rows = at.phase.nets.canonical(network_moves(at.phase.nets.genes, at.row[:n]))
    values = at.phase.evaluate(np.column_stack([rows, np.tile(at.row[n:], (len(rows), 1))]))
    edp = values[:, found.setup.goals.column["edp"]]
    meets = (at.phase.excess(values) <= 0).all(axis=1)
    assert meets.any()
    assert (edp[meets] >= found.best.metrics["edp"] * 0.998).all()


def test_no_chip_one_change_away_is_better(found) -> None:
    name = found.best.name
    chips, row = found.chips_of(name)
    edp = found.setup.goals.column["edp"]
    for made in chip_moves(chips, row)[::5]:
        other = name._replace(sizes=tuple(made.tolist()))
        if not name.base:
            genome = np.array(found.located(name)[1])
            found.genome(name.candidate)[0].genome.split(genome[None])[1][:] = made
            other = name._replace(genome=tuple(genome.tolist()))
        one = spot(found, other, FINISH)
        assert one.phase.evaluate(one.row[None])[0, edp] >= found.best.metrics["edp"] * 0.998, made


def test_proposals_are_the_best_by_sums(found) -> None:
    """No subnet drawn at random is better, nor one around them."""
    at = spot(found, found.best.name, FINISH)
    phase, sketcher = at.phase, found.setup.sketcher(found.genome(0)[0].pricer.model)
    rows = proposed(phase, at.row, sketcher, 12)
    space, goals = phase.nets.space, phase.goals
    assert 4 < len(rows) <= 12
    blocks = np.array(space.existing_blocks)
    chip = found.design(found.best).chip
    costs = sketcher.price([Run(chip, space.block(int(i)), b"own") for i in blocks])
    table = np.full((space.num_blocks, 2), np.inf)
    table[blocks] = np.column_stack([costs.latency_cycles, costs.energy_pj])
    rng = np.random.default_rng(0)
    others = [
        space.sample(rng, 2000),
        *(phase.nets.canonical(network_moves(phase.nets.genes, r)) for r in rows),
    ]
    for other in others:
        accuracy = phase.nets.accuracy(other).value
        edp = listed_front(space, other, table).prod(axis=1)
        for row in rows:
            own = listed_front(space, row[None], table).prod()
            better = accuracy >= phase.nets.accuracy(row[None]).value
            assert (edp[better] >= own * (1 - 1e-3)).all()
    assert (phase.nets.accuracy(rows).value >= goals.limits["accuracy"]).all()


def test_designs_around_are_designs_like_any(found, tmp_path) -> None:
    """In the study, in JSON, as files that price to the same figures, and on the page; their own names."""
    again = load_study(found.path)
    assert again.front == found.front
    stems = set()
    for item in [item for item in again.front if item.name.near][:3]:
        with soon():
            files = json.loads(json.dumps(design_files(again, item)))
        (stem,) = (name.removesuffix(".hardware.json") for name in files if name.endswith(".hardware.json"))
        stems.add(stem)
        assert files[f"{stem}.json"]["near"]
        network = accelsim.Network.from_dict(files[f"{stem}.network.json"])
        assert network.name in item.network
        cost = accelsim.evaluate(files[f"{stem}.hardware.json"], network, files[f"{stem}.mapping.json"])
        assert cost.edp_js == item.metrics["edp"]
    assert len(stems) == 3
    assert sum(row["near"] for row in again.to_dict()["front"]) == sum(f.name.near for f in found.front)


def test_the_gain_of_sizes_is_told_of_sizes() -> None:
    """Factors multiply to the whole, and no step is below the design."""
    data = load_hardware("nvdla_64").to_dict()
    data["search"] |= {"max_pes": 64}
    data["search"]["buffers"]["CBUF"]["min"] = 64
    made = accelsim.search(
        data,
        networks=tiny(),
        budget=20,
        population=3,
        evaluations=6,
        optimiser="random",
        finish=FINISH,
        seed=1,
    )
    best = made.best
    assert best.sizes
    steps = gains(made, best, made.mappings(best))
    assert steps[-1].name == "sizes and ports"
    assert steps[-1].gain > 1
    assert prod(step.gain for step in steps) == pytest.approx(steps[0].edp_js / best.metrics["edp"])
    assert all(best.metrics["edp"] <= step.edp_js * (1 + 1e-12) for step in steps)
    chip = made.design(best).chip
    assert chip.num_pes <= 64
    assert best.marks.startswith("b")
    assert "s" in best.marks


def test_chips_around_the_base_are_tried_where_another_is_best(monkeypatch) -> None:
    """Where the descent from a chip of the search ends 0.3 % above the base chip with other sizes."""
    data = load_hardware("nvdla_64").to_dict()
    data["search"]["buffers"]["CBUF"]["min"] = 64
    options = {"networks": tiny(), "budget": 20, "population": 2, "evaluations": 2, "optimiser": "random"}
    best = accelsim.search(data, **options, finish=FINISH).best
    monkeypatch.setattr("accelsim.cosearch.near._Search.on_base", lambda self: None)
    other = accelsim.search(data, **options, finish=FINISH).best
    assert not other.base
    assert best.base
    assert best.sizes
    assert best.metrics["edp"] < 0.998 * other.metrics["edp"]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_descent_begins_at_the_best_sketch_of_chips_drawn_and_the_base(seed) -> None:
    """Which a base with hardly a buffer never is; where it is the best of all it stays."""
    data = load_hardware("nvdla_64").to_dict()
    data["memories"][1]["size_bytes"] = data["search"]["buffers"]["CBUF"]["min"]
    setup = Setup(configure(data, networks=tiny(), objectives="edp", budget=20), load_engine("threads", 1))
    phase = setup.phase("nested", setup.nets, setup.chips)
    chips = ChipSpace(setup.base, sizes_only=True)
    sketcher = setup.sketcher(phase.pricer.model)
    made = Descent(
        phase,
        setup.searcher,
        sketcher,
        chips,
        np.zeros(0, np.int64),
        setup.goals.column["edp"],
        lambda: False,
    )
    base = chips.anchor()
    start = made.start(base, seed)
    sketches = made.sketches.copy()
    assert len(sketches) > STARTS / 2
    assert (
        sketches[chips.keys(start[None])[0]] == min(sketches.values()) < sketches[chips.keys(base[None])[0]]
    )
    assert (made.start(start, seed) == start).all()


@pytest.fixture
def short() -> Iterator[None]:
    with short_local_search():
        yield


FEW = {"networks": tiny(), "budget": 20, "population": 4, "evaluations": 8, "finish": FINISH}
FEW |= {"objectives": "latency"}  # so that the best takes much of either


@pytest.fixture(scope="module")
def free():
    with short_local_search():
        return accelsim.search("eyeriss", **FEW).best


@pytest.mark.parametrize("limit", ["area", "power"])
def test_limits_of_the_envelope_hold(short, free, limit) -> None:
    data = load_hardware("eyeriss").to_dict()
    key = {"area": "max_area_mm2", "power": "max_power_mw"}[limit]
    data["search"][key] = 0.97 * free.metrics[limit]
    made = accelsim.search(data, **FEW)
    assert made.front
    for item in made.front:
        assert item.metrics[limit] <= data["search"][key]


def test_after_a_break_it_ends_the_same(short, tmp_path) -> None:
    """Within the networks of a chip, and within the chips of a network."""
    options = MACRO | {"hardware": "nvdla_64", "fix": "", "optimiser": "random", "finish": FINISH}
    found = accelsim.search(**options, evaluations=8)
    assert {bool(name.sizes) for name in found.finished if name.near} == {True, False}
    path = tmp_path / "a.study"
    accelsim.search(**options | {"finish": 0}, evaluations=8, study=path)
    for most in (10, 40):
        asked = iter(range(most))
        resume(path, finish=FINISH, cancel=lambda asked=asked: next(asked, None) is None)
    last = resume(path, finish=FINISH, workers=2)
    assert last.finished == found.finished
    assert last.front == found.front


def test_what_is_done_is_not_done_again(found, monkeypatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("again")

    monkeypatch.setattr(finishing, "nearby", never)
    assert resume(found.path, finish=FINISH).front == found.front


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    with short_local_search():
        path = tmp_path_factory.mktemp("sound") / "a.study"
        return accelsim.search(**TINY | {"finish": FINISH}, evaluations=8, study=path)


@pytest.mark.parametrize("forged", ["long", "large", "sizes", "own sizes"])
def test_forged_genes_are_refused(sound, tmp_path, forged) -> None:
    path, made = tmp_path / "a.study", sound
    shutil.copyfile(made.path, path)
    one = next(made.finished[name] for name in made.finished if name == Name(name.candidate))
    row = tuple(made.genome(one.candidate)[1].tolist())
    wrong = {
        "long": replace(one, genome=(*row, 0)),
        "large": replace(one, genome=(10**6, *row[1:])),
        "sizes": replace(one, base=True, sizes=(0,)),
        "own sizes": replace(one, sizes=(0,)),
    }[forged]
    with Study.open(path, write=True) as study:
        study.keep(wrong)
    with pytest.raises(AccelsimError, match="no candidate or chip"):
        load_study(path)
