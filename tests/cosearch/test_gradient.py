"""Networks by gradient: sums and slopes against the blocks, and how near the exact front they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.cosearch.relaxed import Relaxed
from accelsim.errors import AccelsimError
from accelsim.workloads.spaces import load_space
from tests.cosearch.small import MACRO


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["nasbench_macro", "ofa_mbv3"]))
def test_sums_are_those_of_the_blocks_and_slopes_those_of_a_change(seed, name) -> None:
    space = load_space(name)
    rng = np.random.default_rng(seed)
    blocks = rng.random((space.num_blocks, 2))
    relaxed = Relaxed(space, blocks)

    def by_blocks(row):
        ids = space.block_ids(row[None])[0]
        return blocks[ids[ids >= 0]].sum(axis=0)

    row = space.sample(rng, 1)[0]
    sums, slopes = relaxed.slopes(row)
    np.testing.assert_allclose(sums, by_blocks(row), rtol=1e-12)
    for c, gene in enumerate(space.genes):
        for value in range(len(gene.values)):
            other = row.copy()
            other[c] = value
            changed = by_blocks(other) - by_blocks(row)
            np.testing.assert_allclose(slopes[c][value] - slopes[c][row[c]], changed, atol=1e-9)


@pytest.mark.parametrize("objectives", ["edp,macs", "latency,work", "latency,params"])
def test_descents_come_near_the_exact_front(objectives) -> None:
    options = MACRO | {"evaluations": 400, "mapper": "template", "objectives": objectives}
    exact, found = (accelsim.search(**options, strategy=name) for name in ("blockwise_exact", "gradient"))
    whole = exact.log_costs()[exact.feasible]
    assert np.isfinite(whole).all()
    reference = whole.max(axis=0) + 0.1
    share = found.hypervolume(reference) / exact.hypervolume(reference)
    assert 0.9 < share <= 1 + 1e-9


def test_what_has_no_slope_is_refused() -> None:
    with pytest.raises(AccelsimError, match="strategy gradient: takes one or two objectives"):
        accelsim.search(**MACRO | {"objectives": "edp,area"}, strategy="gradient", evaluations=8)
