"""The search over stacks against exhaustive enumeration, and its bounds against what is priced."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.fusion.choices import Offers
from accelsim.fusion.menu import Menus, StackSpace, tiles_of
from accelsim.fusion.paths import best_path
from accelsim.fusion.price import price_stack
from accelsim.fusion.room import StackError
from accelsim.fusion.schedule import Stack
from accelsim.fusion.search import fuse
from accelsim.fusion.widths import widths_of
from accelsim.hardware import load_hardware
from accelsim.mapping.mapping import MappingError
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer, overhead_cycles
from accelsim.pricing.run import Run
from accelsim.pricing.stack_bounds import bounds_with_stacks
from accelsim.pricing.way import Way
from accelsim.stacks import KEPT
from accelsim.workloads import NetworkBuilder, load_network
from tests.command import run
from tests.fusion.enumeration import Solver, alone, compare, enumerated, figures, value_of
from tests.mapping.invented import INVENTED, invented
from tests.stacks.nets import networks


def chain(layers, side=8, channels=8):
    b = NetworkBuilder("chain", channels, side, side)
    x = b.input
    for i in range(layers):
        y = b.conv(x, channels, 3 if i % 2 else 1, name=f"c{i}")
        x = b.add(x, y, name=f"a{i}") if i % 3 == 2 else y
    return b.build(x)


SMALL = [
    ("eyeriss", lambda: chain(3, 8), "edp"),
    ("eyeriss", lambda: chain(4, 6), "latency"),
    ("example", lambda: chain(3, 6), "energy"),
    ("example", lambda: chain(3, 4), "edp"),
    ("dpu_zcu102", lambda: chain(3, 4), "edp"),
]


@pytest.mark.parametrize(("chip", "make", "objective"), SMALL)
def test_nothing_in_the_space_is_better(chip, make, objective):
    hw, net = load_hardware(chip), make()
    solve = Solver(hw, objective)
    singles = alone(hw, net, solve)
    stacks, proof = fuse(hw, net, figures(singles), solve.answer, objective)
    stacks = [price_stack(hw, net, stack, solve) for stack in stacks]
    assert proof.proved
    assert proof.value == enumerated(hw, net, singles, solve, objective)
    # What is returned adds up to the value.
    fused = {i for s in stacks for i in range(s.stack.first, s.stack.last + 1)}
    latency = sum(c.latency_cycles for i, c in enumerate(singles) if i not in fused)
    energy = sum(c.energy_pj for i, c in enumerate(singles) if i not in fused)
    latency += sum(s.latency_cycles for s in stacks)
    energy += sum(s.energy_pj for s in stacks)
    assert proof.value == pytest.approx(value_of(latency, energy, objective), rel=1e-12)
    assert proof.choices >= proof.unfit + proof.beaten + proof.priced


@given(
    networks(most=7, side=4, least=3),
    st.sampled_from(sorted(INVENTED)),
    st.sampled_from(("edp", "latency", "energy")),
)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_enumeration_agrees_bit_for_bit(net, chip, objective):
    """Chains, residuals and branches; `python -m tests.fusion.enumeration 300` goes on for longer."""
    found = compare(invented(chip), net, objective)
    if found is not None:
        proof, best = found
        assert proof.proved
        assert proof.value == best


@given(networks(most=4, side=8), st.sampled_from(("eyeriss", "example", "edgetpu", "dpu_zcu102")), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_bounds_are_never_above_what_is_priced(net, chip, data):
    if len(net.layers) < 2:
        return
    hw = load_hardware(chip)
    solve = Solver(hw, "edp")
    first = data.draw(st.integers(0, len(net.layers) - 2))
    last = data.draw(st.integers(first + 1, len(net.layers) - 1))
    offers = Offers(hw, Menus(StackSpace()).of(net, widths_of(hw, net)))
    span = first, last
    if span not in offers.arcs:
        return
    bounds = offers.arcs[span].bounds
    for n in data.draw(st.lists(st.integers(0, len(bounds) - 1), min_size=1, max_size=3)):
        pieces = offers.pieces(span, n)
        answers = solve.answer(pieces)
        try:
            cost = price_stack(hw, net, offers.stack(span, n), solve)
        except MappingError:
            assert np.isinf(answers[0]).any()
            continue
        assert [(p.cost.layer.P, p.cost.layer.Q) for p in cost.pieces] == [(x.P, x.Q) for x, *_ in pieces]
        assert offers.price(span, n, *answers) == (cost.latency_cycles, cost.energy_pj)
        assert bounds[n, 0] <= cost.latency_cycles * (1 + 1e-12)
        assert bounds[n, 1] <= cost.energy_pj * (1 + 1e-12)


@given(networks(most=6, side=8, least=2), st.sampled_from(sorted(INVENTED)), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_bounds_with_stacks_hold_for_any_schedule(net, chip, data):
    """Random intervals in random tiles, the other layers one by one, against what no schedule is below."""
    hw = invented(chip)
    (least,) = bounds_with_stacks(NetworkPricer(LoopNest(Way.of("template"))), [Run(hw, net, fuse=True)])
    solve = Solver(hw, data.draw(st.sampled_from(("edp", "latency", "energy"))))
    total, at = np.array([overhead_cycles(hw), 0.0]), 0
    while at < len(net.layers):
        last = data.draw(st.integers(at, len(net.layers) - 1))
        sink = net.layers[last]
        tile = data.draw(st.sampled_from(tiles_of(sink.P))), data.draw(st.sampled_from(tiles_of(sink.Q)))
        stay = tuple(i for i in range(at, last + 1) if net.weights_of[i]) if data.draw(st.booleans()) else ()
        kept = data.draw(st.sampled_from(sorted(KEPT)))
        try:
            if last == at:
                raise StackError("a layer alone")
            cost = price_stack(hw, net, Stack(at, last, tile, kept, stay), solve)
        except (StackError, MappingError):
            last, (cost,) = at, [alone(hw, net, solve)[at]]
        if cost is None:
            return
        total += cost.latency_cycles, cost.energy_pj
        at = last + 1
    assert (least > 0).all()
    assert (least <= total * (1 + 1e-12)).all()


@given(st.integers(1, 5), st.randoms(use_true_random=False), st.sampled_from(("edp", "latency", "energy")))
@settings(max_examples=200, deadline=None)
def test_the_best_path_is_that_of_enumeration(count, random, objective):
    points = {(i, i + 1): [[random.random(), random.random()] for _ in range(2)] for i in range(count)}
    for a in range(count):
        for b in range(a + 2, count + 1):
            points[a, b] = [[random.random() * 2, random.random() * 2] for _ in range(random.randint(0, 3))]
    table = {k: np.array(v).reshape(-1, 2) for k, v in points.items()}
    best, stack = np.inf, [(0, 0.5, 0.25)]
    while stack:
        cut, latency, energy = stack.pop()
        if cut == count:
            best = min(best, value_of(latency, energy, objective))
            continue
        for (a, b), choices in points.items():
            if a == cut:
                stack += [(b, latency + x, energy + y) for x, y in choices]
    value, path = best_path(count, table, objective, (0.5, 0.25))
    assert value == pytest.approx(best, rel=1e-12)
    sums = [sum(table[k][n][c] for k, n in path) for c in (0, 1)]
    assert value_of(sums[0] + 0.5, sums[1] + 0.25, objective) == pytest.approx(best, rel=1e-12)
    assert [k[0] for k, _ in path] == [0, *[k[1] for k, _ in path[:-1]]]
    assert best_path(count, table, objective, (0.5, 0.25), best) == (best, []) or value > best * (1 - 1e-12)


def test_time_gives_a_gap_and_the_layers_one_by_one_at_least():
    hw, net = load_hardware("eyeriss"), load_network("mobilenet_v2", resolution=96)
    solve = Solver(hw, "edp")
    singles = alone(hw, net, solve)
    menus = Menus(StackSpace(longest=4))
    _, proof = fuse(hw, net, figures(singles), solve.answer, menus=menus, seconds=0.0)
    plain = sum(c.latency_cycles for c in singles) * sum(c.energy_pj for c in singles)
    assert proof.value <= plain * (1 + 1e-12)
    assert 0 < proof.gap < 1
    assert not proof.proved
    stacks, better = fuse(hw, net, figures(singles), solve.answer, menus=menus)
    assert better.proved
    assert better.value < 0.8 * plain
    assert stacks[0].first == 0


def test_equal_stacks_are_priced_at_once_wherever_they_lie():
    """Four times as many equal layers ask for less than twice as many pieces."""
    hw = load_hardware("eyeriss")
    pieces = []
    for layers in (12, 48):
        b = NetworkBuilder("equal", 16, 12, 12)
        x = b.input
        for i in range(layers):
            x = b.conv(x, 16, 3, name=f"c{i}")
        net, solve, asked = b.build(x), Solver(hw, "edp"), []

        def answer(questions, solve=solve, asked=asked):
            asked.append(len(questions))
            return solve.answer(questions)

        stacks, proof = fuse(hw, net, figures(alone(hw, net, solve)), answer, menus=Menus(StackSpace(6)))
        assert proof.proved
        assert stacks
        pieces.append(sum(asked))
    assert pieces[1] < 2 * pieces[0]


def test_the_same_search_gives_the_same_stacks():
    hw, net = load_hardware("eyeriss"), chain(5, 12)
    found = []
    for _ in range(2):
        solve = Solver(hw, "edp")
        found.append(fuse(hw, net, figures(alone(hw, net, solve)), solve.answer))
    assert found[0] == found[1]
    assert accelsim.load_hardware("eyeriss") == hw


def test_fuse_auto_finds_stacks_and_saves_a_schedule_that_prices_the_same(capsys, tmp_path):
    path, saved = tmp_path / "net.json", tmp_path / "schedule.json"
    path.write_text(json.dumps(chain(4, 12).to_dict()))
    plain = accelsim.evaluate("eyeriss", path, mapper="template")
    found = accelsim.map_network("eyeriss", path, "template", fuse="auto")
    cost = found.cost
    assert cost.stacks
    assert cost.edp_js < plain.edp_js
    assert cost.fusion.proved
    raw = cost.energy_pj * cost.latency_cycles
    assert cost.fusion.value == pytest.approx(raw, rel=1e-12)
    saved.write_text(json.dumps(found.to_dict()))
    again = accelsim.evaluate("eyeriss", path, json.loads(saved.read_text()))
    assert (again.latency_cycles, again.energy_pj) == (cost.latency_cycles, cost.energy_pj)
    arguments = ("evaluate", "eyeriss", str(path), "--mapper", "template")
    code, out, _ = run(capsys, *arguments, "--fuse", "auto", "--json")
    assert code == 0
    data = json.loads(out)
    assert data["latency_cycles"] == cost.latency_cycles
    assert data["fusion"]["proved"] is True
    code, out, _ = run(capsys, *arguments[:3], "--fuse", str(saved), "--json")
    assert json.loads(out)["energy_pj"] == cost.energy_pj
    code, out, _ = run(capsys, "map", "eyeriss", str(path), "--mapper", "template", "--fuse", "auto")
    assert code == 0
    assert "Fused" in out
    code, out, _ = run(capsys, *arguments, "--fuse", "none", "--json")
    assert json.loads(out)["edp_js"] == plain.edp_js


def test_hardware_says_whether_to_fuse():
    hw = load_hardware("eyeriss").to_dict()
    assert hw["network"]["stacks"] == "none"
    hw["network"]["stacks"] = "auto"
    net = chain(3, 12)
    assert accelsim.evaluate(hw, net, mapper="template").stacks
    assert not accelsim.evaluate(hw, net, mapper="template", fuse="none").stacks
    assert not accelsim.evaluate("eyeriss", net, mapper="template").stacks


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "eyeriss", "lenet5", "--fuse", "aut"), "must be auto, none or a schedule file"),
        (
            ("evaluate", "nvdla_64", "lenet5", "--fuse", "auto"),
            "has no memory on chip that holds both I and O",
        ),
        (
            ("evaluate", "eyeriss", "--layer", "K=4", "--fuse", "auto"),
            "--fuse: for networks, not a single --layer",
        ),
        (("map", "eyeriss", "lenet5", "--fuse", "aut"), "fuse: must be auto, none or a schedule file"),
    ],
)
def test_bad_words_for_fuse(capsys, words, message):
    code, _, fault = run(capsys, *words)
    assert code == 2
    assert message in fault
