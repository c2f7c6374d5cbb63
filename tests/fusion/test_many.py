"""Stacks inside sweeps and searches: a quick search for each candidate."""

import numpy as np
import pytest

import accelsim
from accelsim.costing import mapped
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.pricing.network import NetworkPricer
from accelsim.pricing.run import Run
from accelsim.pricing.way import Way
from tests.command import run
from tests.fusion.test_search import chain

VARY = "memories.GLB.size_bytes=2KiB,16KiB,100KiB"


@pytest.mark.parametrize("objective", ["edp", "latency", "energy"])
def test_figures_are_those_of_the_stacks_that_are_shown(objective):
    """Batched pieces cost what the schedule costs that is made of them, bit for bit."""
    nets = [chain(5, 12), chain(3, 16), accelsim.load_network("mobilenet_v2", resolution=64)]
    pricer = NetworkPricer(LoopNest(Way.of("template", objective)))
    runs = [Run(load_hardware(chip), net, fuse=True) for chip in ("eyeriss", "dpu_zcu102") for net in nets]
    together = pricer.price(runs)
    stacks = 0
    for i, one in enumerate(runs):
        alone = NetworkPricer(LoopNest(Way.of("template", objective)))
        figures = together.latency_cycles[i], together.energy_pj[i]
        assert [x[0] for x in alone.price([one])[:2]] == list(figures)
        cost = mapped(one, alone).cost
        stacks += len(cost.stacks)
        assert (cost.latency_cycles, cost.energy_pj) == pytest.approx(figures, rel=1e-12)
    assert stacks > 3


def test_a_sweep_with_stacks_is_nowhere_worse():
    net = chain(5, 16)
    none = accelsim.sweep("eyeriss", net, [VARY], mapper="template", fuse="none", workers=1)
    auto = accelsim.sweep("eyeriss", net, [VARY], mapper="template", fuse="auto", workers=2)
    ratio = np.array([b["edp_js"] / a["edp_js"] for a, b in zip(none.rows, auto.rows)])
    assert (ratio <= 1).all()
    assert ratio[-1] < 0.8
    hw = load_hardware("eyeriss").to_dict()
    hw["network"]["stacks"] = "auto"
    said = accelsim.sweep(hw, net, [VARY], mapper="template", workers=1)
    assert [row["edp_js"] for row in said.rows] == [row["edp_js"] for row in auto.rows]


def test_a_search_with_stacks_keeps_them_and_says_so(tmp_path):
    net, study = chain(4, 16), tmp_path / "a.study"
    options = {"networks": net, "mapper": "template", "population": 8, "evaluations": 16, "seed": 3}
    plain = accelsim.search("eyeriss", **options, finish=0)
    fused = accelsim.search("eyeriss", **options, finish=0, fuse="auto", study=study)
    # The first generation draws the same chips, each with stacks as good or better.
    column = plain.setup.goals.column["edp"]
    before, after = (r.generations[0].values[:, column] for r in (plain, fused))
    assert (after <= before).all()
    assert (after < 0.9 * before).any()
    (cost,) = (x.cost for x in fused.mappings(fused.best))
    assert cost.stacks
    assert cost.edp_js == pytest.approx(fused.best.metrics["edp"], rel=1e-12)
    again = accelsim.load_study(study)
    assert again.setup.config.fuse == "auto"
    assert plain.setup.config.fuse == "none"
    assert "fuse" not in plain.setup.config.to_dict()
    with pytest.raises(AccelsimError, match="other fuse 'auto', not 'none'"):
        accelsim.search("eyeriss", **options, study=study)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("sweep", "eyeriss", "lenet5", "--vary", VARY, "--fuse", "atuo"),
            "fuse: must be auto, none or a schedule file",
        ),
        (
            ("search", "eyeriss", "--network", "lenet5", "--fuse", "yes"),
            "fuse: must be auto, none or a schedule file",
        ),
        (
            ("search", "nvdla_64", "--network", "lenet5", "--fuse", "auto"),
            "has no memory on chip that holds both I and O",
        ),
        (
            ("search", "eyeriss", "--network", "lenet5", "--fuse", "auto", "--strategy", "joint"),
            "fuse: the strategy joint maps or bounds layers one by one; use one of nested, sequential",
        ),
        (
            ("search", "eyeriss", "--network", "lenet5", "--fuse", "auto", "--model", "maestro"),
            "fuse: model maestro knows whole layers, no stacks",
        ),
    ],
)
def test_what_cannot_fuse_says_why(capsys, words, message):
    code, _, fault = run(capsys, *words)
    assert code == 2
    assert message in fault
