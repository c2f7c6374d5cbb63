"""The kernel on worked cases of the counting contract: 320 from the reference data, and some stated here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.pack import price_case

PLAIN = {"multicast": False, "reduction": False, "forwarding": False}


def rows(result: dict) -> dict:
    return {(r["tensor"], r["parent"], r["child"]): r for r in result["traffic"]}


def test_all_reference_cases_agree(shared_dir: Path) -> None:
    cases = json.loads((shared_dir / "reference/contract/cases.json").read_text())
    assert len(cases) == 320
    for case in cases:
        got = price_case(case["layer"], case["memories"], case["mapping"])
        want = case["expect"]
        assert (got["compute_steps"], got["macs"]) == (want["compute_steps"], want["macs"]), case["name"]
        assert rows(got) == rows(want), case["name"]


@pytest.mark.parametrize("forwarding", [False, True])
def test_sliding_window_over_a_split_axis(forwarding: bool) -> None:
    """4 output rows, 3 kernel rows; the buffer hands 2 rows at a time to 2 lanes of one row each.

    Each lane needs 3 input rows. Without forwarding both tiles of the array read their union of 4 rows; with
    it the second tile reads only the 2 rows that slid in.
    """
    layer = {"dims": {"P": 4, "R": 3}, "stride": [1, 1], "dilation": [1, 1]}
    axis = PLAIN | {"axis": "x", "size": 2, "multicast": True, "forwarding": forwarding}
    memories = [
        {"name": "A", "holds": ["W", "I", "O"], "fanout": [axis]},
        {"name": "B", "holds": ["W", "I", "O"], "fanout": []},
    ]
    mapping = {
        "version": 1,
        "levels": [
            {"memory": "A", "order": ["P"], "tile": {"P": 2}, "spatial": {"x": {"dim": "P", "factor": 2}}},
            {"memory": "B", "order": ["R"], "tile": {"R": 1}, "spatial": {}},
        ],
    }
    got = rows(price_case(layer, memories, mapping))["I", "A", "B"]
    assert got["fills"] == 2
    assert got["child_words"] == 2 * 2 * 3
    assert got["parent_words"] == (4 + 2 if forwarding else 4 + 4)


@pytest.mark.parametrize("forwarding", [False, True])
def test_a_split_above_a_memory_that_the_input_passes_by_loses_the_window(forwarding: bool) -> None:
    """8 output rows, 3 kernel rows; A hands 4 rows at a time to two Bs, which inputs pass by on their way

    Each C wants 2 rows of outputs, 4 of inputs, 2 of which it has had. As the split is not right above C,
    rows that two share are read for both, and nothing slides, whether the axis forwards: 2 x (4 + 4).
    """
    layer = {"dims": {"P": 8, "R": 3}, "stride": [1, 1], "dilation": [1, 1]}
    axis = PLAIN | {"axis": "x", "size": 2, "multicast": True, "forwarding": forwarding}
    memories = [
        {"name": "A", "holds": ["W", "I", "O"], "fanout": [axis]},
        {"name": "B", "holds": ["W", "O"], "fanout": []},
        {"name": "C", "holds": ["W", "I", "O"], "fanout": []},
    ]
    mapping = {
        "version": 1,
        "levels": [
            {"memory": "A", "order": ["P"], "tile": {"P": 4}, "spatial": {"x": {"dim": "P", "factor": 2}}},
            {"memory": "B", "order": [], "tile": {}, "spatial": {}},
            {"memory": "C", "order": ["R", "P"], "tile": {"P": 1, "R": 1}, "spatial": {}},
        ],
    }
    got = rows(price_case(layer, memories, mapping))["I", "A", "C"]
    assert (got["fills"], got["parent_words"], got["child_words"]) == (2, 16, 16)
