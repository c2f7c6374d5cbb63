"""The page on NACOS-Bench says what the script prints, and the script what the benchmark answers."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.nacos.tables import PERCENTS
from tests.experiments.test_scripts import EXPERIMENTS, table

PAGE = (Path(__file__).parents[2] / "docs" / "nacos_bench.md").read_text(encoding="utf-8")


def printed(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, dict[str, str]]:
    """The value of each figure of each table."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    monkeypatch.setattr(sys, "argv", ["nacos_tables.py", "--out", str(folder), *options])
    runpy.run_path(str(EXPERIMENTS / "nacos_tables.py"), run_name="__main__")
    return {
        name: {row["figure"]: row["value"] for row in table(folder / f"{name}.csv")}
        for name in ("contents", "schedules", "front")
    }


def test_the_page_has_the_figures_that_are_printed(tmp_path, monkeypatch) -> None:
    found = printed(tmp_path, monkeypatch)
    holds, left = found["contents"], PAGE.partition("## Data sheet")[2]
    (said,) = re.findall(r"What the tables say of schedules.*?\n\n", PAGE, re.DOTALL)
    for value in found["schedules"].values():
        assert re.search(rf"(?<![\d.]){re.escape(value.replace('%', ' %'))}(?![\d.]\d)", said), value
    (rows,) = re.findall(r"## What is in it\n\n(.*?)\n\n", PAGE, re.DOTALL)
    for name in ("networks", "distinct layers", "chips", "mappings on fronts", "networks on chips",
                 "pairs of a layer and a chip", "on a front, median", "on a front, most"):  # fmt: skip
        assert re.search(rf"(?<![\d,]){holds[name]}(?![\d,]\d)", rows), name
    assert f"{holds['chips left out']} were left out" in left


def test_figures_are_those_of_the_queries(tmp_path, monkeypatch) -> None:
    """Networks under templates on one chip, a pair's random mapping, the front: each asked one by one."""
    path = tmp_path / "made_up.csv"
    plain = accelsim.nacos.create()
    top1 = 60 + 10 * np.log(plain.nets.macs / 7e6) + np.random.default_rng(0).normal(0, 1, len(plain))
    lines = [f"{plain.arch(i)},{top1[i]:.3f}" for i in range(len(plain))]
    path.write_text("encoding,top1\n" + "\n".join(lines) + "\n")
    measured = accelsim.nacos.create(accuracy=f"table:{path}")
    with_file = printed(tmp_path / "out", monkeypatch, "--accuracy", f"table:{path}", "--at-least", "80")
    front = with_file["front"]
    points = measured.true_front()
    assert front["points of the true front"] == str(len(points))
    for chip in {point["chip"] for point in points}:
        assert front[f"on {chip}"] == str(sum(point["chip"] == chip for point in points))
    every = [(measured.query_by_index(i, "nvdla_256"), i) for i in range(len(measured))]
    least = min(row["edp_js"] for row, _ in every if row["accuracy"] >= 80)
    assert front["least EDP on nvdla_256, Js"] == f"{least:.3e}"
    worst = with_file["schedules"]["the worst network's chip"]
    over = [
        measured.query_by_index(i, worst, "template")["edp_js"] / measured.query_by_index(i, worst)["edp_js"]
        for i in range(len(measured))
    ]
    said = with_file["schedules"]["networks under templates over their optimum, worst"]
    assert said == f"{max(over) - 1:.1%}"
    tables = measured.tables
    drawn = []
    for pair in np.flatnonzero(tables.fits).tolist():
        at = pair * len(PERCENTS) + PERCENTS.index(50)
        best = (tables.of(pair).latency * tables.of(pair).energy).min()
        drawn.append(tables.drawn.latency[at] * tables.drawn.energy[at] / best)
    said = with_file["schedules"]["random mapping that fits over the least EDP, median pair"]
    assert said == f"{np.median(drawn):.1f}"


def test_what_counts_changes_the_least(tmp_path, monkeypatch) -> None:
    few, many = (printed(tmp_path / n, monkeypatch, "--at-least", n)["front"] for n in ("2e7", "1e8"))
    assert float(few["least EDP on any chip, Js"]) < float(many["least EDP on any chip, Js"])
