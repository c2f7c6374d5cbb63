"""A schedule given to map, sweep and search: its stacks on every machine, pieces mapped anew."""

import json
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.run import resume
from accelsim.errors import AccelsimError
from accelsim.fusion import Stack
from accelsim.hardware import load_hardware
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.residency import plan
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from accelsim.workloads import load_network
from tests.command import run
from tests.cosearch.small import short_local_search
from tests.fusion.test_search import chain

STACKS = {"stacks": [{"layers": ["c1", "c2", "a2"], "tile": {"P": 8, "Q": 16}}]}
VARY = "memories.GLB.size_bytes=1KiB,16KiB,100KiB"


def net():
    return chain(5, 16)


@pytest.mark.parametrize("mapper", ["template", "genetic"])
def test_every_verb_prices_a_schedule_alike(mapper):
    how = {"mapper": mapper, "budget": 200 if mapper == "genetic" else None}
    alone = accelsim.evaluate("eyeriss", net(), STACKS, **how)
    assert len(alone.stacks) == 1
    assert accelsim.evaluate("eyeriss", net(), fuse=STACKS, **how).edp_js == alone.edp_js
    assert accelsim.map_network("eyeriss", net(), fuse=STACKS, **how).cost.edp_js == alone.edp_js
    table = accelsim.sweep("eyeriss", net(), [VARY], fuse=STACKS, workers=2, **how)
    bad, small, same = table.rows
    size = load_hardware("eyeriss").memories[1].size_bytes
    assert size == 100 << 10
    assert same["edp_js"] == pytest.approx(alone.edp_js, rel=1e-12)
    assert small["status"] == "ok"
    assert bad["status"].startswith("stack c1 to a2: while a2 runs, GLB lacks")
    none = accelsim.sweep("eyeriss", net(), [VARY], fuse="none", **how).rows
    assert none[2]["edp_js"] > same["edp_js"]


def test_batches_of_runs_are_what_each_is_alone():
    pricer = NetworkPricer(LoopNest(Way.of("template", "edp")))
    stacks = (Stack(1, 3, (4, 8), "columns"), Stack(4, 5, (16, 16)))
    runs = [Run(load_hardware(chip), net(), stacks=stacks) for chip in ("eyeriss", "dpu_zcu102", "example")]
    together = pricer.price(runs)
    for i, one in enumerate(runs):
        alone = NetworkPricer(pricer.model).price([one])
        assert alone.latency_cycles[0] == together.latency_cycles[i] < np.inf
        assert alone.energy_pj[0] == together.energy_pj[i]


def test_a_search_prices_every_candidate_with_the_schedule(tmp_path):
    study, file = tmp_path / "a.study", tmp_path / "schedule.json"
    file.write_text(json.dumps(STACKS))
    options = {"networks": net(), "mapper": "template", "population": 8, "evaluations": 16, "seed": 3}
    plain = accelsim.search("eyeriss", **options, finish=0)
    fused = accelsim.search("eyeriss", **options, finish=0, fuse=str(file), study=study)
    column = plain.setup.goals.column["edp"]
    before, after = (r.generations[0].values[:, column] for r in (plain, fused))
    assert (after != before).all()
    (cost,) = (x.cost for x in fused.mappings(fused.best))
    assert [s.layers for s in cost.stacks] == [("c1", "c2", "a2")]
    assert cost.edp_js == pytest.approx(fused.best.metrics["edp"], rel=1e-12)
    again = accelsim.load_study(study)
    assert again.setup.config == fused.setup.config
    assert again.setup.stacks == fused.setup.stacks == (Stack(1, 3, (8, 16)),)
    with pytest.raises(AccelsimError, match=r"made by another search \(other fuse\)"):
        accelsim.search("eyeriss", **options, study=study)


@pytest.mark.parametrize("flows", [True, False])
def test_designs_are_finished_with_their_stacks(flows, tmp_path):
    chip = load_hardware("eyeriss").to_dict()
    if not flows:
        del chip["dataflow"]
    options = {"networks": net(), "mapper": "template", "population": 8, "evaluations": 16, "seed": 3}
    with short_local_search():
        found = accelsim.search(chip, **options, fuse="auto", study=tmp_path / "a.study")
        again = resume(tmp_path / "a.study", workers=2)  # prices nothing, and its workers are gone
    raw = accelsim.search(chip, **options, fuse="auto", finish=0)
    assert found.best.metrics["edp"] < raw.best.metrics["edp"]
    done = [made for made in found.finished.values() if made.fused]
    assert done
    assert all(made.mapper == "optimal" for made in done)
    column = found.setup.goals.column["edp"]
    assert any(made.values[column] < made.before[column] for made in done)
    for one in found.front:
        (cost,) = (x.cost for x in again.mappings(one))
        assert bool(cost.stacks) or not found.finished[one.name].fused
        assert cost.edp_js == pytest.approx(one.metrics["edp"], rel=1e-12)


def test_a_search_that_fuses_all_layers_reports(capsys, tmp_path):
    """No layer is alone: the report shows the loop nest of a piece."""
    file = tmp_path / "schedule.json"
    names = list(net().names)
    file.write_text(json.dumps({"stacks": [{"layers": names, "tile": {"P": 4, "Q": 4}}]}))
    (tmp_path / "net.json").write_text(json.dumps(net().to_dict()))
    words = ("search", "eyeriss", "--network", str(tmp_path / "net.json"), "--mapper", "template")
    words += ("--population", "4", "--evaluations", "4", "--finish", "0", "--fuse", str(file))
    code, out, fault = run(capsys, *words, "--study", str(tmp_path / "a.study"))
    assert code == 0, fault
    assert "Fused" in out
    assert "Loop nest of the most expensive layer, done in pieces" in out


def test_nothing_stays_on_chip_while_a_stack_runs():
    """ShiDianNao keeps results and weights on chip where they fit; a stack counts on having the room."""
    hw, lenet = load_hardware("shidiannao"), load_network("lenet5")
    whole = plan(hw, lenet)
    assert whole.kept
    assert whole.weights
    stacks = {"stacks": [{"layers": list(lenet.names[:3]), "tile": {"P": 2, "Q": 2}}]}
    found = accelsim.map_network(hw, lenet, "template", fuse=stacks)
    assert not set(found.kept) & set(lenet.names[:3])
    assert not found.weights
    again = accelsim.evaluate(hw, lenet, json.loads(json.dumps(found.to_dict())))
    assert again.edp_js == found.cost.edp_js


def test_a_schedule_of_auto_prices_the_same_where_results_may_stay():
    hw, one = load_hardware("shidiannao"), load_network("alexnet")
    found = accelsim.map_network(hw, one, "template", fuse="auto")
    assert found.cost.stacks
    again = accelsim.evaluate(hw, one, json.loads(json.dumps(found.to_dict())))
    assert (again.latency_cycles, again.energy_pj) == (found.cost.latency_cycles, found.cost.energy_pj)


def test_given_pieces_are_those_of_the_stack():
    found = accelsim.map_network("eyeriss", net(), "template", fuse=STACKS).to_dict()
    (piece,) = found["stacks"][0]["pieces"]["c1"].values()
    found["stacks"][0]["pieces"]["c1"]["3x3"] = piece
    with pytest.raises(AccelsimError, match=r"stack c1 to a2: c1 has no piece of 3x3; its pieces are 8x16"):
        accelsim.evaluate("eyeriss", net(), found)
    # A stack of one layer is the layer, under the mapping that its only piece has.
    layer = found["layers"]["c0"]
    lone = {"stacks": [{"layers": ["c0"], "pieces": {"c0": {"16x16": layer}}}]}
    same = accelsim.evaluate("eyeriss", net(), {"layers": {"c0": layer}}, mapper="template")
    assert accelsim.evaluate("eyeriss", net(), lone, mapper="template").edp_js == same.edp_js
    lone["stacks"][0]["pieces"] = {"c0": {"4x4": layer}}
    with pytest.raises(AccelsimError, match="c0 is a stack by itself, whose only piece is 16x16, not 4x4"):
        accelsim.evaluate("eyeriss", net(), lone)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accelsim.sweep("eyeriss", [net(), "lenet5"], [VARY], fuse=STACKS),
         "a schedule names the layers of one network, but there are 2; give one network, or auto"),
        (lambda: accelsim.search("eyeriss", space="ofa_mbv3", fuse=STACKS),
         "a schedule names the layers of one network, but a space has many"),
        (lambda: accelsim.map_network("eyeriss", net(), fuse={"stack": []}),
         'must hold an object with "stacks"'),
        (lambda: accelsim.sweep("eyeriss", "lenet5", [VARY], fuse=STACKS), "has no layer 'c1'"),
        (lambda: accelsim.sweep("nvdla_64", net(), [], fuse=STACKS),
         "no memory on chip that holds both I and O"),
        (lambda: accelsim.evaluate("eyeriss", net(), STACKS, fuse=STACKS), "are both given"),
        (lambda: accelsim.search("eyeriss", networks=net(), fuse=STACKS, strategy="joint"),
         "the strategy joint maps or bounds layers one by one"),
        (lambda: accelsim.map_network("eyeriss", net(), fuse="atuo"),
         "there is no file atuo; did you mean 'auto'"),
    ],
)  # fmt: skip
def test_schedules_that_cannot_be_followed(call, message):
    with pytest.raises(AccelsimError) as fault:
        call()
    assert message in str(fault.value)


def test_stacks_decide_the_answer():
    pricer = NetworkPricer(LoopNest(Way.of("template", "edp")))
    base = Run(load_hardware("eyeriss"), net())
    one, other = (
        pricer.price([replace(base, stacks=(Stack(1, 3, tile),))]).energy_pj[0] for tile in ((16, 16), (1, 1))
    )
    assert one != other


def test_how_to_search_changes_nothing_beside_a_whole_schedule(capsys, tmp_path) -> None:
    """Refused where layers and pieces have their mappings, as with mappings of layers alone."""
    whole = accelsim.map_network("eyeriss", net(), "template", fuse=STACKS).to_dict()
    assert whole["stacks"][0]["pieces"]
    part = json.loads(json.dumps(whole))
    del part["stacks"][0]["pieces"]["c2"]
    (tmp_path / "net.json").write_text(json.dumps(net().to_dict()))
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    (tmp_path / "part.json").write_text(json.dumps(part))
    words = ("evaluate", "eyeriss", str(tmp_path / "net.json"), "--mapper", "template")
    for option in ("--fuse", "--mapping"):
        code, _, err = run(capsys, *words, option, str(tmp_path / "whole.json"))
        assert (code, "--mapper: says how mappings are searched" in err) == (2, True)
        assert run(capsys, *words, option, str(tmp_path / "part.json"))[0] == 0
