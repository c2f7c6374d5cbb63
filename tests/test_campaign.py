"""A kill leaves the old file or the new one; `python -m tests.campaign` makes more of them."""

from __future__ import annotations

from random import Random

from tests.campaign import attack


def test_a_killed_map_writes_all_or_nothing_and_runs_again(tmp_path) -> None:
    kills, found = attack("map", tmp_path, Random(3), wanted=2)
    assert not found
    assert kills
