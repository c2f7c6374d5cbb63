"""The validation as a Markdown page with figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accelsim.files import make_folder, write_whole
from accelsim.report.figures import save
from accelsim.validation.plots import figures
from accelsim.validation.result import Case, Report
from accelsim.validation.tables import figure, listed, percent, rank_line, summary_rows

INTRODUCTION = """# Validation

The model held against measured chips, a vendor's own model, and other tools. This page is written by
`accelsim validate --write docs/validation.md`, with the folder of reference data at hand; every number on
it is computed.

```sh
accelsim validate scalesim timeloop
accelsim validate eyeriss --json
```

Each source is a module of `accelsim/validation/` and a script of `experiments/validation/`. Small figures
ship in `accelsim/validation/data/`, each file with its source; large ones are read from `../shared` or
`--data FOLDER`, and without them the shipped part is compared. A case is **exact** (equal), **within** its
limit, **explained** (unequal by a named difference of the two models, where the rule's arithmetic allows
it), **off**, or only **shown**.
"""


MISSES = 8
"""Cases that are off, listed of each source."""


def write_page(reports: Sequence[Report], path: Path) -> None:
    """Write the page and its figures, these into `images` beside it. Raises AccelsimError where it cannot."""
    images = path.parent / "images"
    drawn = {report.key: figures(report) for report in reports}
    make_folder(images)
    for some in drawn.values():
        for stem, one in some.items():
            save(one, images / f"{stem}.png")
    write_whole(path, page(reports, {key: list(some) for key, some in drawn.items()}))


def page(reports: Sequence[Report], drawn: dict[str, list[str]]) -> str:
    """The page as text; `drawn` names the figures of each source."""
    parts = [INTRODUCTION, "## Summary", _summary(reports), _wrong(reports)]
    parts += [_section(report, drawn.get(report.key, [])) for report in reports]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    rule = ["---" if i < left else "--:" for i in range(len(names))]
    lines = [names, rule, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)


def _summary(reports: Sequence[Report]) -> str:
    names = (
        "source",
        "kind of truth",
        "quantity",
        "cases",
        "exact",
        "within",
        "explained",
        "off",
        "mean",
        "worst",
    )
    rows = summary_rows(reports)
    last = ""
    lines = []
    for row in rows:
        lines.append(("", "", *row[2:]) if row[0] == last else row)
        last = row[0]
    ranks = [f"- {rank_line(report, i)}" for report in reports for i in range(len(report.ranks))]
    note = "Errors are ours over theirs less 1, over all cases of the row; `x` marks a ratio."
    return _table(names, lines, 3) + f"\n\n{note}\n\nRank correlations:\n\n" + "\n".join(ranks)


def _wrong(reports: Sequence[Report]) -> str:
    """What is off, and what each source says about it."""
    lines = ["## Where the model is wrong, and by how much"]
    rows, missed = [], 0
    for report in reports:
        off = sorted((c for c in report.cases if c.verdict == "off"), key=lambda c: -abs(c.error))
        missed += len(off)
        for c in off[:MISSES]:
            rows.append(
                (report.title, c.name, c.quantity, figure(c.theirs), figure(c.ours), percent(c.error))
            )
        if len(off) > MISSES:
            rows.append((report.title, f"{len(off) - MISSES} more, smaller", "", "", "", ""))
    count = sum(len(report.cases) for report in reports)
    lines.append(f"{missed} of {count} cases miss their limit without a rule that explains them:")
    if rows:
        lines.append(_table(("source", "case", "quantity", "theirs", "ours", "error"), rows, 3))
    for report in reports:
        lines.append(f"**{report.title}.** " + " ".join(report.findings))
    return "\n\n".join(lines)


def _section(report: Report, drawn: Sequence[str]) -> str:
    lines = [f"## {report.title}", f"Kind of truth: {report.truth}. Figures: {report.source}"]
    lines += [f"![{report.title}: theirs and ours](images/{stem}.png)" for stem in drawn]
    for name, texts in (
        ("Assumed", report.assumptions),
        ("Fitted", report.fitted),
        ("Not compared", report.skipped),
    ):
        if texts:
            lines.append("\n".join([f"{name}:", "", *(f"- {text}" for text in texts)]))
    shown = listed(report)
    few = (
        ""
        if len(shown) == len(report.cases)
        else f" ({len(shown)} of {len(report.cases)}, the worst of each quantity)"
    )
    lines += [f"Cases{few}:", _cases(shown)]
    return "\n\n".join(lines)


def _cases(cases: Sequence[Case]) -> str:
    rows = [
        (c.name, c.quantity, figure(c.theirs), figure(c.ours), percent(c.error), c.verdict) for c in cases
    ]
    return _table(("case", "quantity", "theirs", "ours", "error", "verdict"), rows, 2)
