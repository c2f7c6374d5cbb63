"""Many pairs in one kernel call: each answer legal, its own, and the same as behind the door."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim.mapping.encoding import allowed_on
from accelsim.mapping.mapper import load_mapper
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.pairs import START, Machines, PairResult, map_pairs
from accelsim.mapping.task import Task
from accelsim.mapping.template import template
from accelsim.pack import Batch, less_room, pack_layer, pack_machine, price
from cost_models.loopnest import layout as L

CHIPS = ("eyeriss", "example", "edgetpu", "shidiannao")
LAYERS = (
    accelsim.Layer.conv2d(K=24, C=12, P=14, Q=14, R=3, S=3),
    accelsim.Layer.depthwise(C=32, P=15, Q=15, R=3, S=3, stride=2),
    accelsim.Layer.gemm(M=7, N=100, K=84),
    accelsim.Layer(),
)


def solve(rows, budget=300, seeds=None, chips=CHIPS, **options) -> PairResult:
    """Pairs (chip, layer) by number."""
    hardware = [accelsim.load_hardware(name) for name in chips]
    machines = Machines.stack([pack_machine(hw) for hw in hardware], [allowed_on(hw) for hw in hardware])
    problems = np.stack([pack_layer(LAYERS[layer]) for _, layer in rows])
    index = np.array([chip for chip, _ in rows], np.int64)
    seeds = np.arange(len(rows)) if seeds is None else np.array(seeds)
    return map_pairs(problems, machines, index, budget, seeds.astype(np.uint64), **options)


ALL = [(chip, layer) for chip in range(len(CHIPS)) for layer in range(len(LAYERS))]


@pytest.mark.parametrize("budget", [1, 40, 500])
@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
def test_mappings_cost_what_is_said(budget, objective) -> None:
    found = solve(ALL, budget, objective=objective)
    assert (found.status == 0).all()
    assert (found.spent[:, 0] <= START).all()
    whole = [layer != len(LAYERS) - 1 for _, layer in ALL]  # the last has a single mapping: nothing to vary
    assert (found.spent.sum(axis=1)[whole] == np.maximum(budget, found.spent[:, 0])[whole]).all()
    for p, (chip, layer) in enumerate(ALL):
        hw = accelsim.load_hardware(CHIPS[chip])
        _, latency, energy = price(pack_layer(LAYERS[layer]), pack_machine(hw), found.batch.take([p]))
        assert (latency[0], energy[0]) == (found.latency[p], found.energy[p])
        mapping = Mapping.from_arrays(hw, LAYERS[layer], found.batch, p)
        for level in mapping.levels:
            for axis, (dim, _) in level.spatial.items():
                assert dim in hw.axis_dims(level.memory, axis)


def test_a_pair_does_not_depend_on_the_others() -> None:
    together = solve(ALL, 400)
    for p in (0, 5, 9, 14):
        alone = solve([ALL[p]], 400, seeds=[p])
        assert (alone.latency[0], alone.energy[0]) == (together.latency[p], together.energy[p])
        for one, many in zip(alone.batch, together.batch, strict=True):
            assert np.array_equal(one[0], many[p])


def test_without_budget_it_is_the_template() -> None:
    found = solve(ALL, 0)
    for p, (chip, layer) in enumerate(ALL):
        given = template(accelsim.load_hardware(CHIPS[chip]), LAYERS[layer])
        assert given is not None
        assert given[1] == found.spent[p, 0] <= START
        assert found.spent[p, 1] == 0
        for one, many in zip(given[0], found.batch, strict=True):
            assert np.array_equal(one[0], many[p])


@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
@pytest.mark.parametrize("budget", [1, 300, 1500])
def test_one_layer_at_a_time_gives_the_same(objective, budget) -> None:
    """What `map` finds is what a search and a sweep find."""
    found = solve(ALL, budget, [7] * len(ALL), objective=objective)
    for p, (chip, layer) in enumerate(ALL):
        task = Task(accelsim.load_hardware(CHIPS[chip]), LAYERS[layer], objective, budget, 7)
        alone = load_mapper("genetic").map(task)
        assert alone is not None
        assert (alone.cost.latency_cycles, alone.cost.energy_pj) == (found.latency[p], found.energy[p])
        assert alone.mapping == Mapping.from_arrays(task.hardware, LAYERS[layer], found.batch, p)
        assert [alone.start_evaluations, alone.evaluations] == found.spent[p].tolist()


def test_the_genetic_search_finds_what_the_template_misses() -> None:
    start, found = solve(ALL, 0), solve(ALL, 2000)
    edp, after = start.latency * start.energy, found.latency * found.energy
    assert (after <= edp).all()
    assert (after < edp).any()


def test_the_seed_changes_an_answer() -> None:
    """Of layers that are hard enough: where the best is found whatever the seed, it changes nothing."""
    hw = accelsim.load_hardware("eyeriss")
    machines = Machines.stack([pack_machine(hw)], [allowed_on(hw)])
    some = [accelsim.Layer.conv2d(K=k, C=152, P=40, Q=31, R=5, S=1) for k in (97, 331, 645)]
    problems = np.stack([pack_layer(layer) for layer in some])
    where = np.zeros(len(some), np.int64)
    one, *more = (
        map_pairs(problems, machines, where, 2000, np.full(len(some), s, np.uint64)) for s in range(4)
    )
    assert any((other.batch.tile != one.batch.tile).any() for other in more)
    assert any((other.latency * other.energy != one.latency * one.energy).any() for other in more)


def test_reserved_bits_are_taken_off() -> None:
    rows = [(0, 0), (0, 0)]
    reserved = np.zeros((2, 3, 4))
    reserved[1, 1, 3] = 8 * 102_000
    found = solve(rows, 500, seeds=[1, 1], reserved=reserved)
    edp = found.latency * found.energy
    assert edp[1] > edp[0]
    chip = accelsim.load_hardware("eyeriss")
    before = pack_machine(chip).memory.tobytes()
    machine = less_room(pack_machine(chip), reserved[1])
    assert pack_machine(chip).memory.tobytes() == before != machine.memory.tobytes()
    status, latency, _ = price(pack_layer(LAYERS[0]), machine, found.batch.take([1]))
    assert status[0] == 0
    assert latency[0] == found.latency[1]


def test_where_nothing_fits_the_status_says_why() -> None:
    reserved = np.zeros((2, 3, 4))
    reserved[1, 2, 0] = 1e9
    found = solve([(0, 0), (0, 0)], 500, reserved=reserved)
    assert found.status[0] == 0
    assert found.status[1] == L.CAPACITY_OVER + 256 * 2
    assert np.isinf(found.latency[1])
    assert np.isinf(found.energy[1])
    smallest = Batch.empty(1, 3)
    assert np.array_equal(found.batch.tile[1], smallest.tile[0])
