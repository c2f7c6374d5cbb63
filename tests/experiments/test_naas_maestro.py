"""NAAS's encoding under MAESTRO's model: every dataflow does the layer's work, buffers bind, seeds repeat."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.mapping.maestro.pricing import count, pack_machines
from cost_models.maestro import layout as L

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
from naas_maestro import GENES, Chip, Envelope, Suite, searched, under_ours

SUITE = Suite(["mobilenet_v2", "squeezenet1_0"])


@pytest.mark.parametrize("name", ["eyeriss", "nvdla_256", "edgetpu"])
def test_every_dataflow_multiplies_what_the_layer_does(name) -> None:
    """Strides, depthwise layers, axes that a layer cannot use: what has a price has all MACs, no more."""
    envelope, rng = Envelope.of(accelsim.load_hardware(name)), np.random.default_rng(0)
    priced = 0
    for _ in range(12):
        chip = envelope.decode(rng.random(GENES))
        if chip is None:
            continue
        rows, n = len(SUITE.layers), 20
        flows = SUITE.flows(chip, rng.random((rows, n, len(chip.axes), 2, 4)))
        pick = np.zeros((rows * n, 3), np.int32)
        pick[:, 0], pick[:, 2] = np.repeat(np.arange(rows), n), np.arange(rows * n)
        table = pack_machines([envelope.machine(int(np.prod(chip.sizes)))])
        status, counts = count(SUITE.packed, table, flows, pick)
        good = status == L.OK
        macs = np.array([layer.macs for layer in SUITE.layers])[pick[:, 0]]
        assert (counts[good, L.MACS] == macs[good]).all()
        priced += int(good.sum())
    assert priced > 5000


def test_no_price_beats_the_array() -> None:
    """The model itself has prices of more multiplications a cycle than PEs; none of them is taken."""
    envelope, rng = Envelope.of(accelsim.load_hardware("eyeriss")), np.random.default_rng(3)
    chip = Chip((0, 3, 2), (34, 2, 2), 304, 53_536)
    found = SUITE.priced(envelope, chip, rng.random((len(SUITE.layers), 200, 3, 2, 4)))[..., 0]
    assert np.isfinite(found).any()
    assert (found * 136 >= SUITE.macs[:, None]).all()


def test_chips_stay_in_the_envelope() -> None:
    envelope, rng = Envelope(256, 300_000, 32), np.random.default_rng(1)
    chips = [chip for row in rng.random((500, GENES)) if (chip := envelope.decode(row)) is not None]
    assert {len(chip.axes) for chip in chips} == {1, 2, 3}
    for chip in chips:
        assert np.prod(chip.sizes) <= envelope.pes
        assert np.prod(chip.sizes) * chip.l1 + chip.l2 <= envelope.elements
        assert len(set(chip.axes)) == len(chip.axes) == len(chip.sizes)


def test_small_buffers_rule_dataflows_out() -> None:
    envelope, rng = Envelope(64, 1_000_000, 32), np.random.default_rng(2)
    large, small = Chip((0, 1), (8, 8), 4096, 500_000), Chip((0, 1), (8, 8), 64, 500_000)
    genes = rng.random((len(SUITE.layers), 20, 2, 2, 4))
    one, two = (np.isfinite(SUITE.priced(envelope, chip, genes)) for chip in (large, small))
    assert (two <= one).all()
    assert two.sum() < one.sum()


def test_a_seed_repeats_and_more_dataflows_are_better() -> None:
    envelope = Envelope.of(accelsim.load_hardware("eyeriss"))
    runs = [searched(SUITE, envelope, 12, budget, 0) for budget in (40, 40, 400)]
    assert runs[0] == runs[1]
    (_, few, _), (_, many, _) = runs[1:]
    assert many[0] * many[1] < few[0] * few[1]


def test_the_array_in_our_terms() -> None:
    base = accelsim.load_hardware("nvdla_256")
    made = under_ours(base, Chip((2, 0, 1), (4, 8, 2), 100, 1000))
    assert made.num_pes == 64
    assert made.onchip_bytes != 0
    spread = {axis.axis: made.axis_dims(m.name, axis.axis) for m in made.memories for axis in m.fanout}
    assert spread == {"a0": ("P",), "a1": ("K", "G"), "a2": ("C",)}
