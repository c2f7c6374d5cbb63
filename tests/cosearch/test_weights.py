"""Suites of networks by weighted geometric means: against the networks one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.gains import gains
from accelsim.cosearch.run import search
from tests.cosearch.small import SUBNETS, TINY, tiny


def test_weights_make_geometric_means_of_a_suite() -> None:
    """All figures of several networks: powers of the weights; alike, they say nothing."""
    nets = [tiny("small"), tiny("large", 24)]
    options = TINY | {"networks": nets, "objectives": "edp,dram_words", "evaluations": 8}
    found = search(**options, weights=(3, 1))
    alone = [search(**options | {"networks": net}) for net in nets]
    assert np.array_equal(found.generations[0].rows[0], alone[0].generations[0].rows[0])
    for name in ("latency", "energy", "macs", "dram_words"):
        one, two = (result.column(name)[0] for result in alone)
        assert found.column(name)[0] == pytest.approx(one**0.75 * two**0.25, rel=1e-12)
    plain = search(**options)
    assert not np.array_equal(plain.column("edp"), found.column("edp"))
    assert search(**options, weights="2,2").config.hash == plain.config.hash
    steps = gains(found, found.best, found.mappings(found.best))
    assert steps[-1].edp_js == pytest.approx(found.best.metrics["edp"], rel=1e-12)


@pytest.mark.parametrize("weights", ["3", (1, 2, 3), (1, 0), "a,b", (1, math.inf), 7])
def test_bad_weights_are_refused(weights) -> None:
    with pytest.raises(accelsim.AccelsimError, match="weights: must be a number above 0 for each of several"):
        search(**TINY | {"networks": [tiny("a"), tiny("b")]}, weights=weights)


def test_weights_of_a_space_are_refused() -> None:
    with pytest.raises(accelsim.AccelsimError, match="0 given"):
        search(**SUBNETS, weights="1,2")
