"""Mappers that know nothing of the proofs try to beat them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from accelsim import MapSpace
from accelsim.mapping.mapper import map_layer

PAIRS = int(os.environ.get("ACCELSIM_NACOS_PAIRS", "24"))


@pytest.mark.parametrize("mapper", ["genetic", "random"])
def test_no_mapper_beats_a_front_within_its_space(bench, mapper) -> None:
    """For each objective; what is better must be a mapping of which the proof says nothing, and hardly is."""
    layers, tables = bench.nets.layers, bench.tables
    for pair in np.random.default_rng(7).choice(tables.pairs, PAIRS, replace=False).tolist():
        chip, layer = bench.chip(bench.chips[pair // len(layers)]), layers[pair % len(layers)]
        front = slice(tables.start[pair], tables.start[pair + 1])
        latency, energy = tables.front.latency[front], tables.front.energy[front]
        for objective, best in (("edp", latency * energy), ("latency", latency), ("energy", energy)):
            found = map_layer(chip, layer, mapper, objective, 3000, pair)
            cost = found.cost
            value = {
                "edp": cost.latency_cycles * cost.energy_pj,
                "latency": cost.latency_cycles,
                "energy": cost.energy_pj,
            }[objective]
            if value < best.min():
                assert found.mapping not in MapSpace(chip, layer, "all")
                assert value > 0.99 * best.min()
