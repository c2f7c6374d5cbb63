"""Every shipped network runs on every shipped accelerator, with results that make sense."""

from __future__ import annotations

import math

import pytest

import accelsim

NETWORKS = accelsim.network_names()


@pytest.mark.parametrize("hardware", accelsim.hardware_names())
def test_all_networks(hardware: str) -> None:
    hw = accelsim.load_hardware(hardware)
    for name in NETWORKS:
        cost = accelsim.evaluate(hw, name, mapper="template")
        assert len(cost.layers) == len(cost.network.layers)
        assert sum(one.macs for one in cost.layers) == cost.network.macs
        for one in cost.layers:
            assert math.isfinite(one.latency_cycles)
            assert one.energy_pj > 0
            # No layer beats its lanes.
            assert one.compute_steps * hw.num_pes >= one.layer.points, (name, one.layer.name)
            assert one.latency_cycles >= one.compute_cycles
            assert one.compute_cycles * hw.num_pes >= one.layer.points
        assert sum(cost.memory_energy_pj.values()) == pytest.approx(cost.energy_pj)
        assert 0 < cost.utilisation <= 1
