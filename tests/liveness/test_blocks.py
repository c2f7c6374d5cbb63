"""Memory of subnets from plans of their blocks, and the spaces of MCUNet ranked by it."""

import numpy as np
import pytest

import accelsim
from accelsim.liveness import Rules, memory_plan
from accelsim.liveness.blocks import BlockMemory
from accelsim.workloads.spaces import load_space

SPACE = load_space("mcunet", (80, 144))


@pytest.mark.parametrize(
    "rules", [None, Rules(in_place_add=True), Rules(False, workspace="tinyengine", alignment=4)]
)
@pytest.mark.parametrize("hardware", ["mcu_f746", "eyeriss"])
def test_blocks_say_what_plans_of_whole_subnets_say(rules, hardware) -> None:
    hw = accelsim.load_hardware(hardware)
    rows = SPACE.sample(np.random.default_rng(3), 6)
    sram, flash = BlockMemory(SPACE, hw, rules).sizes(rows)
    for row, peak, size in zip(rows, sram.tolist(), flash.tolist(), strict=True):
        plan = memory_plan(SPACE.to_network(row), hw, rules)
        assert (peak, size) == (plan.peak, plan.flash)


def test_w05_r144_is_the_best_of_the_spaces_that_mcunet_shows() -> None:
    """Its figure 3, SRAM 320 kB and Flash 1 MB: 52.0 M MACs there and 45 M here; all ten correlate."""
    space = load_space("mcunet", (96, 112, 128, 144, 160))
    shown = {
        (0.3, 160): 32.5, (0.4, 112): 32.4, (0.4, 128): 39.3, (0.4, 144): 46.9, (0.5, 112): 38.3,
        (0.5, 128): 46.9, (0.5, 144): 52.0, (0.6, 112): 41.3, (0.7, 96): 31.4, (0.7, 112): 38.4,
    }  # fmt: skip
    table = BlockMemory(space, accelsim.load_hardware("mcu_f746"))
    means = []
    for width, resolution in shown:
        rows = space.sample(np.random.default_rng(1), 100)
        rows[:, 0] = space.resolutions.index(resolution)
        rows[:, -1] = space.genes[-1].values.index(width)
        sram, flash = table.sizes(rows)
        fits = (sram <= 320 * 1024) & (flash <= 1024 * 1024)
        means.append(space.macs(rows)[fits].mean() / 1e6)
    assert list(shown)[int(np.argmax(means))] == (0.5, 144)
    assert np.corrcoef(means, list(shown.values()))[0, 1] > 0.8
