"""Gains are told apart: what a freedom of the array gives is not called a gain of sizes."""

from __future__ import annotations

from math import prod

import pytest

import accelsim
from accelsim.cosearch.gains import gains
from accelsim.cosearch.run import search
from accelsim.workloads.spaces import load_space
from tests.cosearch.small import SUBNETS, TINY


def steps_of(found) -> dict[str, list]:
    steps = gains(found, found.best, found.mappings(found.best))
    assert prod(step.gain for step in steps) == pytest.approx(steps[0].edp_js / steps[-1].edp_js)
    assert steps[-1].edp_js == pytest.approx(found.best.metrics["edp"], rel=1e-12)
    out: dict[str, list] = {}
    for step in steps:
        out.setdefault(step.name, []).append(step)
    return out


@pytest.fixture(scope="module")
def subnets():
    return search(**SUBNETS, evaluations=32)


def test_freedom_is_no_gain_of_sizes(subnets) -> None:
    """On NVDLA, depthwise layers gain where axes may carry what the base's may not: groups, rows."""
    steps = steps_of(subnets)
    assert prod(step.gain for step in steps["freedom"]) > 1.5


def test_a_fixed_dataflow_gains_by_mappings_and_sizes() -> None:
    """And the mapping step is what evaluate says."""
    found = search(**TINY | {"fix": "dataflow", "budget": 3000}, evaluations=16)
    steps = steps_of(found)
    assert "freedom" not in steps
    net = found.design(found.best).networks[0]
    template = accelsim.evaluate("eyeriss", net, mapper="template")
    mapped = accelsim.evaluate("eyeriss", net, budget=3000)
    assert steps["start"][0].edp_js == pytest.approx(template.edp_js)
    assert steps["mappings"][0].edp_js == pytest.approx(mapped.edp_js)


def test_the_network_is_a_step_of_its_own(subnets) -> None:
    """From the largest subnet to the design's, on the base chip, under template mappings."""
    found = subnets
    steps = steps_of(found)
    largest = load_space("ofa_mbv3", (128,)).parse("largest")
    nets = load_space("ofa_mbv3", (128,)).to_network(largest), found.design(found.best).networks[0]
    before, after = (accelsim.evaluate("nvdla_64", net, mapper="template").edp_js for net in nets)
    (step,) = steps["network"]
    assert steps["start"][0].edp_js == pytest.approx(before)
    assert step.gain == step.alone == pytest.approx(before / after)
    assert step.gain != 1


def test_alone_is_told_of_the_base_and_its_network(subnets) -> None:
    """Mappings alone on the largest subnet; sizes alone only where the array needs no freedom."""
    steps = steps_of(subnets)
    largest = load_space("ofa_mbv3", (128,)).parse("largest")
    net = load_space("ofa_mbv3", (128,)).to_network(largest)
    before, after = (
        accelsim.evaluate("nvdla_64", net, mapper=m, budget=20).edp_js for m in ("template", "genetic")
    )
    assert steps["mappings"][0].alone == pytest.approx(before / after)
    assert steps["sizes and ports"][0].alone is None
    fixed = steps_of(search(**TINY | {"fix": "dataflow"}, evaluations=16))
    assert fixed["sizes and ports"][0].alone is not None


def test_stacks_are_a_step_of_their_own() -> None:
    base = accelsim.load_hardware("eyeriss").to_dict()
    found = search(**TINY | {"hardware": base, "fuse": "auto"}, evaluations=8)
    (mapped,) = found.mappings(found.best)
    steps = steps_of(found)
    assert ("stacks" in steps) == bool(mapped.cost.stacks)


def test_none_where_genes_map() -> None:
    found = search(**TINY, strategy="joint", evaluations=8)
    assert gains(found, found.best, found.mappings(found.best)) == ()
