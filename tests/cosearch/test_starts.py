"""Where searches begin: the base chip, each freedom and each size by itself, then random draws as before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.optimisers.base import load_optimiser
from accelsim.cosearch.optimisers.starts import around
from accelsim.cosearch.phase import Phase
from accelsim.cosearch.run import configure, resume, search_configured
from accelsim.cosearch.setup import Setup
from accelsim.cosearch.strategies import load_strategy
from tests.cosearch.small import SUBNETS, TINY, same, tiny

SEARCHED = [name for name in accelsim.hardware_names() if accelsim.load_hardware(name).search is not None]
EVOLVING = ("nsga2", "age_moea", "sms_emoa", "moead", "surrogate")


def config_of(base: Any, **options: Any) -> SearchConfig:
    options = {"networks": tiny(), "budget": 20, "population": 32} | options
    return configure(base, **options)


def phase_of(config: SearchConfig) -> Phase:
    return load_strategy(Setup(config)).phase


def first_chips(config: SearchConfig) -> np.ndarray:
    """Genomes of the chips of the first generation."""
    phase = phase_of(config)
    rows = load_optimiser(config.optimiser, phase, config.population, config.seed).ask()
    assert len(rows) == config.population
    assert len(set(phase.keys(rows))) == len(rows)
    return phase.genome.split(rows)[1]


@pytest.mark.parametrize("name", SEARCHED)
def test_the_first_candidates_are_the_base_chip_and_chips_around_it(name) -> None:
    space = ChipSpace(accelsim.load_hardware(name))
    near = set(space.keys(around(space)))
    chips = first_chips(config_of(name))
    assert space.is_base(chips[0])
    assert set(space.keys(chips[:4])) <= near
    assert len(set(space.keys(chips[:4]))) == 4
    assert (space.faults(chips) == "").all()


@pytest.mark.parametrize("name", EVOLVING)
@pytest.mark.parametrize(
    "options", [{}, SUBNETS, {"strategy": "joint"}, {"fix": "dataflow"}, {"population": 2}]
)
def test_of_every_optimiser_space_and_strategy(name, options) -> None:
    given = {"networks": None if "space" in options else tiny(), "population": 16}
    base = options.get("hardware", "nvdla_64")
    rest = {key: value for key, value in options.items() if key not in ("hardware", "finish", "population")}
    population = options.get("population", 16)
    config = config_of(base, **given | rest | {"optimiser": name, "population": population})
    chips = first_chips(config)
    space = phase_of(config).chips
    assert space.is_base(chips[0])
    assert not any(space.is_base(chip) for chip in chips[1:]) or "space" in options


def test_each_freedom_and_each_size_stands_alone() -> None:
    """NVDLA's axes carry a dimension each: any other in its place, and the base's sizes with its own two."""
    base = accelsim.load_hardware("nvdla_256")
    space = ChipSpace(base)
    rows = around(space)
    assert space.is_base(rows[0])
    assert (space.faults(rows) == "").all()
    assert len(set(space.keys(rows))) == len(rows)
    chips = space.accelerators(rows)
    arrays, memories = [], []
    for chip in chips:
        fan = [axis for axis in chip.memories[2].fanout if axis.shares is None]
        arrays.append(tuple((axis.size, *chip.axis_dims("CACC", axis.axis)) for axis in fan))
        memories.append([(memory.size_bytes, memory.bandwidth) for memory in chip.memories])
    own = [array for array, one in zip(arrays, memories) if one == memories[1]]
    for dim in "PQRS":
        assert ((8, "K", "G"), (32, dim)) in own
        assert ((8, dim), (32, "C", "G")) in own
        assert ((4, "K", "G"), (32, "C", "G"), (2, dim)) in own
    as_it_is = [memories[i] for i, array in enumerate(arrays) if array == ((8, "K", "G"), (32, "C", "G"))]
    assert len(as_it_is) > 6  # groups are a freedom that any other size brings
    for other in as_it_is:
        assert sum(a != b for a, b in zip(other, memories[1], strict=True)) <= 1


def test_all_other_candidates_are_drawn_as_ever() -> None:
    """The first generation keeps most of what it had without them, in its order."""
    new = config_of("eyeriss", space="ofa_mbv3", networks=None, resolution=128)
    old = replace(new, around=False)
    kept = []
    for config in (new, old):
        phase = phase_of(config)
        kept.append(phase.keys(load_optimiser("nsga2", phase, 32, 0).ask()))
    more = [key for key in kept[0] if key not in kept[1]]
    assert more == kept[0][: len(more)]
    assert 1 <= len(more) <= 4
    rest = [key for key in kept[0] if key in kept[1]]
    assert rest == [key for key in kept[1] if key in rest]


def test_a_base_outside_its_envelope_is_no_start() -> None:
    data = accelsim.load_hardware("nvdla_64").to_dict()
    data["search"]["buffers"]["CBUF"]["max"] = 2048
    space = ChipSpace(accelsim.load_hardware(data))
    assert not space.holds_base
    chips = first_chips(config_of(data))
    assert not any(space.is_base(chip) for chip in chips)
    assert (space.faults(chips) == "").all()


def test_starts_keep_to_the_area() -> None:
    base = accelsim.load_hardware("nvdla_64")
    data = base.to_dict()
    data["search"]["max_area_mm2"] = base.area_mm2  # no room for multiplexers
    space = ChipSpace(accelsim.load_hardware(data))
    rows = around(space)
    assert space.is_base(rows[0])
    assert all(chip.area_mm2 <= base.area_mm2 for chip in space.accelerators(rows))


def test_no_starts_where_no_chip_is_searched() -> None:
    config = config_of("eyeriss", space="ofa_mbv3", networks=None, resolution=128, fix="hardware")
    phase = phase_of(config)
    rows = load_optimiser("nsga2", phase, 32, 0).ask()
    without = load_optimiser("nsga2", phase_of(replace(config, around=False)), 32, 0).ask()
    assert (rows == without).all()


def test_older_studies_go_on_as_they_began(tmp_path) -> None:
    """Their configuration says nothing of it, and new ones do."""
    options = {key: value for key, value in TINY.items() if key != "finish"}
    new = configure(**options)
    assert new.around
    old = replace(new, around=False)
    assert "around" not in old.to_dict()
    assert SearchConfig.from_dict(old.to_dict()) == old
    whole = search_configured(old, 24, None, finish=0)
    path = tmp_path / "a.study"
    search_configured(old, 8, path, finish=0)
    assert same(resume(path, 24, finish=0), whole)
    assert not same(whole, search_configured(new, 24, None, finish=0))
