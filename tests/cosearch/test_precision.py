"""Precision as a gene: chips of other widths, what they cost, and top-1 only where a table has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelsim import AccelsimError, load_network, search
from accelsim.accuracy.base import AccuracyError
from accelsim.accuracy.quantised import quantised
from accelsim.cosearch.chips import ChipSpace
from accelsim.cosearch.genes import Genome
from accelsim.hardware import HardwareError, load_hardware
from accelsim.report.accuracies import accuracy_lines
from tests.cosearch.small import TINY

PAIRS = [(16, 16), (4, 4), (4, 8), (8, 8)]


def base(name: str = "nvdla_64", pairs: list[tuple[int, int]] = PAIRS, **section: Any) -> dict[str, Any]:
    """A shipped machine whose precision may vary, all else as its `search` section has it unless given."""
    data = load_hardware(name).to_dict()
    data["search"] = section or data["search"]
    data["search"]["precision"] = [{"weight": w, "activation": a} for w, a in pairs]
    return data


def test_narrow_widths_come_first_and_the_base_is_among_them() -> None:
    space = ChipSpace(load_hardware(base()))
    assert [(x.weight, x.activation) for x in space.widths] == [(4, 4), (4, 8), (8, 8), (16, 16)]
    assert space.genes[-1] == ("precision", 4)
    assert space.holds_base
    assert space.accelerators(space.anchor()[None])[0].hash == load_hardware("nvdla_64").hash
    assert not ChipSpace(load_hardware(base(pairs=[(4, 4)]))).holds_base


def test_only_the_widths_differ_and_wider_costs_more() -> None:
    """Area and energy of the MAC follow the fit; registers keep their elements, other memories bytes."""
    space = ChipSpace(load_hardware(base(max_pes=64)))
    rows = np.arange(4)[:, None]
    chips = space.accelerators(rows)
    assert [(c.precision_bits.weight, c.precision_bits.output) for c in chips] == [
        (4, 4), (4, 8), (8, 8), (16, 16),
    ]  # fmt: skip
    assert {c.precision_bits.psum for c in chips} == {32}
    assert [c.memories[3].size_bytes for c in chips] == [1, 1, 2, 4]
    assert [c.ports(3)[0].rate for c in chips] == [x / 8 * chips[2].ports(3)[0].rate for x in (4, 4, 8, 16)]
    assert {c.memories[1].model_dump_json() for c in chips} == {chips[0].memories[1].model_dump_json()}
    assert (np.diff([c.costs.mac.energy_pj for c in chips]) > 0).all()
    assert (np.diff([c.area_mm2 for c in chips]) > 0).all()
    documented = space.documented(rows[0])
    assert documented.provenance()["precision_bits.weight"] == "D: varied, was 8; before, " + str(
        load_hardware("nvdla_64").provenance()["precision_bits.weight"]
    )
    assert load_hardware(documented.to_dict()).costs == chips[0].costs


@pytest.mark.parametrize("searched", [True, False])
def test_a_memory_must_hold_an_element_of_the_chosen_width(searched: bool) -> None:
    """A memory of six bytes holds 4- or 8-bit operands beside a sum of 32 bits, and no 16-bit ones."""
    data = base("example", **({"buffers": {"PE": {"min": 6, "max": 6}}} if searched else {"max_pes": 256}))
    data["memories"][2] |= {"size_bytes": 6, "kind": "sram"}
    del data["memories"][2]["bandwidth"], data["memories"][2]["sources"]
    space = ChipSpace(load_hardware(data))
    rows = np.repeat(space.anchor()[None], 4, axis=0)
    rows[:, -1] = range(4)
    assert space.faults(rows).tolist() == ["", "", "", "memory too small"]


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(
        HardwareError, match=r"search.precision\[1\]: is there already, as search.precision\[0\]"
    ):
        load_hardware(base(pairs=[(4, 8), (4, 8)]))
    with pytest.raises(HardwareError, match=r"search.precision\[0\].weight: must be a whole number >= 1"):
        load_hardware(base(pairs=[(0, 8)]))


def test_a_search_without_accuracy_takes_the_narrowest_and_says_so() -> None:
    found = search(**TINY | {"hardware": base("eyeriss", [(8, 8), (16, 16)])}, evaluations=64)
    best = found.design(found.front[0]).chip
    assert (best.precision_bits.weight, best.precision_bits.input) == (8, 8)
    assert found.front[0].hardware.endswith("W8 A8")
    assert accuracy_lines(found) == [
        "precisions vary and no goal asks for accuracy: what narrow ones lose is not judged"
    ]


def test_top_1_by_precision_for_a_network_that_has_been_published() -> None:
    """The front pays for accuracy in energy; a limit keeps narrow chips out before anything is mapped."""
    data = base(pairs=[(4, 4), (8, 8), (16, 16)], max_pes=64)
    asked = {"hardware": data, "networks": "resnet18", "objectives": "edp,accuracy", "mapper": "template"}
    found = search(**asked, evaluations=3, population=4, finish=0)
    told = {f.hardware[-6:].strip(): f.metrics["accuracy"] for f in found.front}
    assert told == {"W4 A4": 68.45, "W8 A8": 71.56}  # at 16 bits it is no better
    by = sorted(found.front, key=lambda f: f.metrics["accuracy"])
    assert by[0].metrics["edp"] < by[1].metrics["edp"]
    (apart,) = accuracy_lines(found)
    assert "within 3.00 points" in apart
    limited = search(**asked | {"objectives": "edp"}, min_accuracy=70, evaluations=3, population=4, finish=0)
    assert [f.hardware[-5:] for f in limited.front] == ["W8 A8"]


def test_top_1_is_what_the_table_says_or_refused() -> None:
    resnet = load_network("resnet18")
    told = quantised([resnet], [(4, 4), (8, 8), (16, 16)])
    assert [round(told[8, 8].value - told[w].value, 2) for w in told] == [3.11, 0.0, 0.09]
    assert {value.kind for value in told.values()} == {"published"}
    with pytest.raises(AccuracyError, match="weights of 4 and activations of 8 bits is not published in the"):
        quantised([resnet], [(4, 8)])
    with pytest.raises(AccuracyError, match=r"for resnet18 and for resnet50_v1, not for resnet50$"):
        quantised([load_network("resnet50")], [(8, 8)])
    with pytest.raises(AccuracyError, match="not for resnet18, resnet18"):
        quantised([resnet, resnet], [(8, 8)])
    with pytest.raises(AccuracyError, match=r"not for resnet18 of [\d,]+ MACs"):
        quantised([load_network("resnet18", resolution=128)], [(8, 8)])
    with pytest.raises(
        AccuracyError, match=r"but 1 layers of resnet18 have precisions of their own, .* conv1$"
    ):
        quantised([resnet.with_bits(2, 2, 8, layers=["conv1"])], [(8, 8)])


def test_accuracy_of_subnets_and_varying_precision_exclude_each_other() -> None:
    asked = {"hardware": base(), "space": "ofa_mbv3", "budget": 10}
    with pytest.raises(AccelsimError, match=r"known at full precision only, and search\.precision of"):
        search(**asked, objectives="edp,accuracy", evaluations=4)
    with pytest.raises(AccelsimError, match="given networks have none"):
        search(hardware="nvdla_64", networks="resnet18", objectives="edp,accuracy", evaluations=4)


def test_genes_of_equal_chips_are_equal() -> None:
    space = ChipSpace(load_hardware(base()))
    rows = Genome([space]).sample(np.random.default_rng(1), 200)
    rows = rows[space.faults(rows) == ""]
    assert len(rows) > 5
    for row, chip in zip(rows, space.accelerators(rows), strict=True):
        widths = space.widths[row[-1]]
        assert (chip.precision_bits.weight, chip.precision_bits.input) == (widths.weight, widths.activation)
        assert load_hardware(chip.to_dict()).hash == chip.hash
