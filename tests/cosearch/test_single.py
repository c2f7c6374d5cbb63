"""Strategy `single`: its genes, what is left out, and that rewriting and mapping both change the answer."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError
from accelsim.cosearch.run import search
from accelsim.cosearch.transformed import TransformedNets
from accelsim.workloads.capacity import fisher
from accelsim.workloads.transform import Transformation
from accelsim.workloads.transform.pieces import released
from tests.cosearch.small import SUBNETS, TINY, tiny

SINGLE = TINY | {"strategy": "single"}


def nets() -> TransformedNets:
    return TransformedNets(accelsim.load_network("resnet18", resolution=64))


def test_rows_and_steps_are_one_another() -> None:
    """Canonical rows decode to what made them; the base is the row of zeros."""
    made = nets()
    rng = np.random.default_rng(0)
    upper = np.array([gene.choices for gene in made.genes])
    rows = made.canonical(rng.integers(0, upper, (40, len(upper))))
    assert np.array_equal(made.canonical(rows), rows)
    seen = set()
    for row in rows:
        steps = made.decode(row).steps
        again = made.canonical(made.row(steps)[None, :])[0]
        assert np.array_equal(again, row)
        (net,) = made.networks(row)
        assert accelsim.Network.from_dict(net.to_dict()).macs == net.macs == made.macs(row[None, :])[0]
        seen |= {step.kind for some in steps.values() for step in some}
    assert len(seen) == 6
    assert (
        made.networks(np.zeros(len(upper), np.int64))[0].to_dict()["layers"] == made.base.to_dict()["layers"]
    )


def test_released_sequences_are_in_the_space() -> None:
    """Each that the convolution allows decodes to itself, but for steps by 1, which do nothing."""
    made = nets()
    i = made.rewriting.able[1]
    rng = np.random.default_rng(0)
    some = [every for every in released() if rng.random() < 0.004]
    assert len(some) > 200
    different = set()
    for sequence in some:
        kept = [s for s in sequence if s.kind == "group" or s.factors != (1,) or s.kind == "unroll_out"]
        found = made.decode(made.row({i: kept}))
        assert not {why for why in found.left_out if "nothing" not in why and "indivisible" not in why}
        if not found.left_out:
            assert found.steps[i] == tuple(kept)
        different.add(found.row.tobytes())
    assert len(different) > 150


def test_what_is_left_out_is_counted() -> None:
    made = nets()
    i = made.rewriting.able[0]  # three input channels
    row = made.row({i: [Transformation("group", (2,)), Transformation("split_out", (2,))]})
    found = made.decode(row)
    assert found.steps[i] == (Transformation("split_out", (2,)),)
    assert made.left_out(row[None, :]) == {"group: indivisible": 1}


def test_steps_and_mappings_change_the_answer() -> None:
    """Fixed mappings are the template's; with genes the same rewriting costs something else."""
    fixed = search(**SINGLE | {"fix": "mapping,hardware"}, evaluations=32)
    assert len({item.metrics["macs"] for item in map(fixed.found, range(32))}) > 3
    item = fixed.best
    (net,) = fixed.design(item).networks
    cost = accelsim.evaluate("eyeriss", accelsim.Network.from_dict(net.to_dict()), mapper="template")
    assert (cost.edp_js, cost.energy_pj * 1e-12) == (item.metrics["edp"], item.metrics["energy"])
    free = search(**SINGLE | {"fix": "hardware"}, evaluations=32)
    assert free.generations[0].values.tobytes() != fixed.generations[0].values.tobytes()
    base = accelsim.evaluate("eyeriss", accelsim.Network.from_dict(tiny()), mapper="template")
    assert item.metrics["macs"] <= base.network.macs
    assert "convolutions changed" in item.network
    assert np.isnan(item.metrics["accuracy"])


def test_limits_on_parameters_and_capacity() -> None:
    """Both cut candidates before anything is mapped; capacity is that of the rewritten network."""
    base = accelsim.Network.from_dict(tiny())
    free = search(**SINGLE, evaluations=16, objectives="edp,params,capacity")
    params, capacity = free.column("params"), free.column("capacity")
    item = free.found(3)
    (net,) = free.design(item).networks
    assert (item.metrics["params"], item.metrics["capacity"]) == (net.params, fisher(net).mean)
    assert params.max() <= base.params
    assert np.isnan(item.metrics["accuracy"])
    some = 0
    for name, values in (("params", params), ("capacity", capacity)):
        cut = float(values.min() + values.max()) / 2
        found = search(**SINGLE, evaluations=64, limits={name: cut if name == "capacity" else params.max()})
        missed = found.column(name) < found.config.limits[name]
        assert missed[:16].mean() < (values < found.config.limits[name]).mean()
        assert np.isnan(found.column("latency")[missed]).all()
        assert found.best.metrics[name] >= found.config.limits[name]
        some += missed.sum()
    assert some


def test_what_it_refuses() -> None:
    with pytest.raises(AccelsimError, match="one given network"):
        search(**SUBNETS | {"strategy": "single"})
    with pytest.raises(AccelsimError, match="one given network"):
        search(**SINGLE | {"networks": [tiny("one"), tiny("two")]})
    with pytest.raises(AccelsimError, match="no dense convolution"):
        search(**SINGLE | {"networks": "bert_base"})
    with pytest.raises(AccelsimError, match="maestro"):
        search(**SINGLE | {"model": "maestro"})
