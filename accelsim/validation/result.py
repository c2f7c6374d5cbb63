"""What every source of truth hands back: cases, ranks, and what was assumed, fitted or left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["exact", "within", "explained", "off", "shown"]
VERDICTS: tuple[Verdict, ...] = ("exact", "within", "explained", "off", "shown")


@dataclass(frozen=True)
class Case:
    """One figure of theirs beside ours.

    limits  relative errors between which ours passes: (0, 0) only if equal; None = shown, not judged
    rule    the named difference of the two models that explains an error
    """

    name: str
    quantity: str
    theirs: float
    ours: float
    limits: tuple[float, float] | None
    rule: str = ""

    @property
    def error(self) -> float:
        """Ours over theirs, less 1."""
        if self.theirs == self.ours:
            return 0.0
        return self.ours / self.theirs - 1.0 if self.theirs else math.inf

    @property
    def verdict(self) -> Verdict:
        """exact (equal), within the limits, explained by a rule, off, or shown without a judgement."""
        if self.limits is None:
            return "shown"
        if self.theirs == self.ours:
            return "exact"
        if self.limits[0] <= self.error <= self.limits[1]:
            return "within"
        return "explained" if self.rule else "off"


EXACT = (0.0, 0.0)


def within(share: float) -> tuple[float, float]:
    """Limits of a relative error up to `share` either way."""
    return (-share, share)


def times(factor: float) -> tuple[float, float]:
    """Limits of a ratio up to `factor` either way."""
    return (1.0 / factor - 1.0, factor - 1.0)


@dataclass(frozen=True)
class Rank:
    """Spearman correlation of ours with theirs over `count` designs, beside that of a simpler measure."""

    name: str
    count: int
    ours: float
    baseline: float | None = None
    baseline_name: str = ""
    aim: float | None = None


@dataclass(frozen=True)
class Report:
    """One source of truth and how the model does against it.

    truth        what kind it is: measured silicon, a vendor's spreadsheet, another model
    assumptions  what we had to assume
    fitted       which constants are fitted, and on what
    findings     where the model is wrong, by how much, and why
    skipped      what could not be compared, and why
    """

    key: str
    title: str
    truth: str
    source: str
    cases: tuple[Case, ...]
    ranks: tuple[Rank, ...] = ()
    assumptions: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def groups(self) -> dict[str, list[Case]]:
        """Cases by quantity, in the order of their first appearance."""
        out: dict[str, list[Case]] = {}
        for case in self.cases:
            out.setdefault(case.quantity, []).append(case)
        return out

    def of(self, quantity: str) -> list[Case]:
        """Cases of one quantity."""
        return self.groups().get(quantity, [])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "source": self.key,
            "title": self.title,
            "truth": self.truth,
            "from": self.source,
            "cases": [
                {
                    "case": c.name,
                    "quantity": c.quantity,
                    "theirs": c.theirs,
                    "ours": c.ours,
                    "error": c.error if math.isfinite(c.error) else None,
                    "verdict": c.verdict,
                    "rule": c.rule,
                }
                for c in self.cases
            ],
            "ranks": [vars(rank) for rank in self.ranks],
            "assumptions": list(self.assumptions),
            "fitted": list(self.fitted),
            "findings": list(self.findings),
            "skipped": list(self.skipped),
        }


@dataclass(frozen=True)
class Summary:
    """Cases of one quantity in one line; errors are relative, over the judged and the shown alike."""

    quantity: str
    count: int
    verdicts: dict[Verdict, int]
    mean_error: float
    worst: Case

    @classmethod
    def of(cls, quantity: str, cases: Sequence[Case]) -> Summary:
        """Summary of at least one case."""
        verdicts: dict[Verdict, int] = dict.fromkeys(VERDICTS, 0)
        for case in cases:
            verdicts[case.verdict] += 1
        worst = max(cases, key=lambda case: abs(case.error))
        return cls(quantity, len(cases), verdicts, sum(abs(c.error) for c in cases) / len(cases), worst)

    @property
    def passed(self) -> bool:
        """Whether no case is off."""
        return self.verdicts["off"] == 0


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation, ties sharing their mean rank."""
    import numpy as np

    def ranks(values: Sequence[float]) -> Any:
        _, inverse, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        return (ends - (counts - 1) / 2.0)[inverse]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])
