"""The counts of other tools do not drift away."""

from __future__ import annotations

from collections import Counter

import pytest

from accelsim.validation import run
from accelsim.validation.facts import facts
from accelsim.validation.gemmini import RESUMED, WINDOW
from accelsim.validation.timeloop import GAPS, WRAP, compare, their_inputs
from tests.validation.conftest import exact, off

EQUAL_IN_TIMELOOP = ("cycles", "weights", "outputs", "partial sums read")


def test_scalesim(shipped) -> None:
    assert exact(shipped("scalesim"), *(f"compute cycles, {flow}" for flow in ("os", "ws", "is")))


def test_scalesim_all(shared_dir) -> None:
    report = run("scalesim", shared_dir)
    assert len(report.cases) > 60
    assert all(case.verdict == "exact" for case in report.cases)


def test_gemmini(shipped) -> None:
    report = shipped("gemmini")
    judged = report.of("Timeloop cycles")
    assert len(judged) >= 30
    assert off(report, "Timeloop cycles") == 0
    assert sum(case.verdict == "exact" for case in judged) >= len(judged) / 2
    assert report.ranks[0].ours > 0.95
    assert "all but 32 of 474 rows" in report.skipped[0]


def test_gemmini_all(shared_dir) -> None:
    report = run("gemmini", shared_dir)
    judged = report.of("Timeloop cycles")
    assert len(judged) == 474  # every mapping can be written down, and is legal
    assert off(report, "Timeloop cycles") == 0
    rules = Counter(case.rule for case in judged if case.verdict == "explained")
    assert rules == {RESUMED: 231, WINDOW: 8}
    assert not any(case.error < -0.2 for case in judged)


def test_timeloop(shipped) -> None:
    report = shipped("timeloop")
    assert exact(report, *EQUAL_IN_TIMELOOP)
    assert off(report, "inputs read") == off(report, "inputs written") == 0


def test_timeloop_all(shared_dir) -> None:
    report = run("timeloop", shared_dir)
    assert exact(report, *EQUAL_IN_TIMELOOP)
    explained = [case for case in report.cases if case.verdict == "explained"]
    assert not [case for case in report.cases if case.verdict == "off"]
    assert len(explained) <= 103
    assert sum(case.rule == WRAP for case in explained) <= 2


def test_timeloop_rules_written_down_again_give_its_numbers() -> None:
    """An explanation is worth something only if the rules that it names give all their counts."""
    checked = 0
    for case in facts("timeloop")["cases"]:
        if not case["closed_form_rule_matches"]:
            continue
        counts = case["expect"]["per_instance_counts"]
        for child, parent in (("GlobalBuffer", "DRAM"), ("PE", "GlobalBuffer")):
            own, above = counts[child]["Inputs"], counts[parent]["Inputs"]
            if own is None or above is None:
                continue
            assert their_inputs(case, child) == (above["reads"], own["fills"] * own["instances_used"])
            checked += 1
    assert checked > 15


def test_a_dilated_window_has_gaps() -> None:
    """By hand: rows 0 2 4, then 1 3 5, .. are all new to us; the box of five rows moves on by one."""
    one = {"reads": 12, "fills": 0, "updates": 4, "instances_used": 1}
    moved = one | {"reads": 8, "fills": 8}
    at = {"Weights": one, "Inputs": moved, "Outputs": one}
    case = {
        "name": "dilated", "closed_form_rule_matches": True,
        "layer": {"type": "conv", "dims": {"P": 4, "R": 3}, "stride": [1, 1], "dilation": [2, 1]},
        "mapping": {
            "DRAM_temporal": [["P", 4]], "GlobalBuffer_temporal": [],
            "PE_temporal": [["R", 3]], "spatial": [],
        },
        "expect": {"cycles": 12, "per_instance_counts": dict.fromkeys(("DRAM", "GlobalBuffer", "PE"), at)},
    }  # fmt: skip
    found = [x for x in compare(case) if x.name == "dilated GlobalBuffer" and x.quantity.startswith("inputs")]
    assert [(x.theirs, x.ours, x.rule) for x in found] == [(8, 12, GAPS)] * 2


def test_zigzag(shipped) -> None:
    report = shipped("zigzag")
    assert exact(report, "weights", "outputs", "compute cycles")
    assert not [case for case in report.cases if case.verdict == "off"]


def test_zigzag_all(shared_dir) -> None:
    report = run("zigzag", shared_dir)
    assert exact(report, "weights", "outputs", "compute cycles")
    assert not [case for case in report.cases if case.verdict == "off"]
    assert sum(case.verdict == "explained" for case in report.cases) <= 39


def test_maestro(shipped) -> None:
    report = shipped("maestro")
    assert exact(report, "MACs")
    assert off(report, "PEs at work") == 0
    assert off(report, "filter reads of L2") <= 1
    assert off(report, "input reads of L2") == 0


def test_maestro_all(shared_dir) -> None:
    report = run("maestro", shared_dir)
    assert exact(report, "MACs")
    assert sum(case.verdict in ("exact", "within") for case in report.of("PEs at work")) >= 994
    assert off(report, "filter reads of L2") <= 17
    assert off(report, "input reads of L2") <= 26
    ranks = {rank.name: rank.ours for rank in report.ranks}
    assert ranks["runtime, all network rows"] == pytest.approx(0.970, abs=0.002)
