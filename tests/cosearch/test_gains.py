"""Gains are told apart: what a freedom of the array gives is not called a gain of sizes."""

from __future__ import annotations

from math import prod

import pytest

import accelsim
from accelsim.cosearch.gains import gains
from accelsim.cosearch.run import search
from tests.cosearch.small import SUBNETS, TINY


def steps_of(found) -> dict[str, list]:
    steps = gains(found, found.best, found.mappings(found.best))
    assert prod(step.gain for step in steps) == pytest.approx(steps[0].edp_js / steps[-1].edp_js)
    assert steps[-1].edp_js == pytest.approx(found.best.metrics["edp"], rel=1e-12)
    out: dict[str, list] = {}
    for step in steps:
        out.setdefault(step.name, []).append(step)
    return out


def test_freedom_is_no_gain_of_sizes() -> None:
    """On NVDLA, depthwise layers gain where axes may carry what the base's may not: groups, rows."""
    steps = steps_of(search(**SUBNETS, evaluations=32))
    assert prod(step.gain for step in steps["freedom"]) > 1.5


def test_a_fixed_dataflow_gains_by_mappings_and_sizes() -> None:
    """And the mapping step is what evaluate says."""
    found = search(**TINY | {"fix": "dataflow", "budget": 3000}, evaluations=16)
    steps = steps_of(found)
    assert "freedom" not in steps
    net = found.design(found.best).networks[0]
    template = accelsim.evaluate("eyeriss", net, mapper="template")
    mapped = accelsim.evaluate("eyeriss", net, budget=3000)
    assert steps["template mappings"][0].edp_js == pytest.approx(template.edp_js)
    assert steps["mappings"][0].edp_js == pytest.approx(mapped.edp_js)


def test_stacks_are_a_step_of_their_own() -> None:
    base = accelsim.load_hardware("eyeriss").to_dict()
    found = search(**TINY | {"hardware": base, "fuse": "auto"}, evaluations=8)
    (mapped,) = found.mappings(found.best)
    steps = steps_of(found)
    assert ("stacks" in steps) == bool(mapped.cost.stacks)


def test_none_where_genes_map() -> None:
    found = search(**TINY, strategy="joint", evaluations=8)
    assert gains(found, found.best, found.mappings(found.best)) == ()
