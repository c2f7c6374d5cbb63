"""The product's closed form against the oracle, on small awkward problems: equal in every count.

ACCELSIM_ORACLE_CASES sets how many seeded cases are compared (3000), ACCELSIM_ORACLE_SEED which ones (0).
"""

from __future__ import annotations

import os
from collections import Counter
from math import prod
from typing import Any

from hypothesis import HealthCheck, given, settings

from accelsim.pack import price_case
from tests.oracle.features import NAMES, features
from tests.oracle.generate import problems, seeded
from tests.oracle.walk import walk

CASES = int(os.environ.get("ACCELSIM_ORACLE_CASES", "3000"))
SEED = int(os.environ.get("ACCELSIM_ORACLE_SEED", "0"))
OFTEN = 20


def differences(case: dict[str, Any]) -> list[str]:
    """Say in words where the product and the oracle differ."""
    told, true = price_case(case["layer"], case["memories"], case["mapping"]), walk(**case)
    found = [f"{k}: {told[k]}, not {true[k]}" for k in ("compute_steps", "macs") if told[k] != true[k]]
    if len(told["traffic"]) != len(true["traffic"]):
        found.append(f"{len(told['traffic'])} rows of traffic, not {len(true['traffic'])}")
    for a, b in zip(told["traffic"], true["traffic"]):
        place = "{tensor} {parent} -> {child}".format(**b)
        found += [f"{place}, {k}: {a.get(k)}, not {b.get(k)}" for k in sorted(a | b) if a.get(k) != b.get(k)]
    return found


def test_seeded_cases_agree() -> None:
    for number, case in enumerate(seeded(SEED, CASES)):
        assert not differences(case), f"case {number} of seed {SEED}: {case}"


@settings(derandomize=True, deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(problems())
def test_found_cases_agree(case: dict[str, Any]) -> None:
    assert not differences(case)


def test_the_cases_exercise_every_feature_of_the_contract() -> None:
    # Each feature is looked for until it was met often enough, in the smaller ones of the compared cases.
    seen: Counter[str] = Counter()
    rare = set(NAMES)
    for case in seeded(0, 3000):
        if prod(case["layer"]["dims"].values()) <= 200:
            seen.update(features(case, rare))
            rare = {name for name in NAMES if seen[name] < OFTEN}
        if not rare:
            break
    assert not rare, {name: seen[name] for name in rare}
