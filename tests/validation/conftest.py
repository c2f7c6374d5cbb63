"""Reports on the shipped figures, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from accelsim.validation import run
from accelsim.validation.result import Report, Summary


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], Report]:
    """`shipped(source)`: its report without reference data."""
    return cache(lambda name: run(name, None))


def off(report: Report, quantity: str) -> int:
    """How many cases of a quantity miss their limit without a rule."""
    return Summary.of(quantity, report.of(quantity)).verdicts["off"]


def exact(report: Report, *quantities: str) -> bool:
    """Whether all cases of the quantities are equal, and there are some."""
    cases = [case for quantity in quantities for case in report.of(quantity)]
    return bool(cases) and all(case.verdict == "exact" for case in cases)
