"""Machines side by side: the same figures as `evaluate`, gains against the first."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

import accelsim
from accelsim.report.compare import compare_figure
from accelsim.report.text import quantity
from tests.command import run

NAMES = ("shidiannao", "nvdla_64", "lenet5", "--mapper", "template")


def test_rows_are_what_evaluate_says(capsys) -> None:
    code, out, _ = run(capsys, "compare", *NAMES, "--json")
    assert code == 0
    first, second = json.loads(out)
    cost = accelsim.evaluate("nvdla_64", "lenet5", mapper="template")
    assert second["edp_js"] == cost.edp_js
    assert second["edp_gain"] == pytest.approx(first["edp_js"] / cost.edp_js)
    assert first["edp_gain"] == 1


def test_table_csv_figure_and_files(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "new", "mine", "--like", "shidiannao")[0] == 0
    code, out, _ = run(capsys, "compare", "mine.json", *NAMES, "--csv", "--plot", "c.png")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 3
    assert float(rows[1]["edp_gain"]) == 1  # the shipped chip against a copy of it
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert "EDP gain" in run(capsys, "compare", *NAMES)[1]


@pytest.mark.parametrize(
    "words", [("shidiannao", "lenet5"), ("shidiannao", "eyeriss"), ("lenet5", "alexnet")]
)
def test_too_little_to_compare(capsys, words) -> None:
    code, _, err = run(capsys, "compare", *words)
    assert code == 2
    assert "at least two machines and a network" in err


def test_a_name_of_nothing_is_named_with_the_nearest(capsys) -> None:
    code, _, err = run(capsys, "compare", "eyerss", "shidiannao", "lenet5")
    assert code == 2
    assert "did you mean 'eyeriss'?" in err


def test_a_loss_is_called_one(capsys) -> None:
    """What is not as good as the first machine reads `slower` and `more`, never a gain below 1."""
    out = run(capsys, "compare", *NAMES, "--wide")[1]
    line = next(line for line in out.splitlines() if "NVDLA 64" in line)
    first, second = (accelsim.evaluate(chip, "lenet5", mapper="template") for chip in NAMES[:2])
    assert f"{second.latency_s / first.latency_s:.2f}x slower" in line
    assert f"{second.edp_js / first.edp_js:.2f}x more" in line


def test_bars_begin_at_nothing_or_at_a_power_of_ten() -> None:
    """And each says its figure, so that a small one beside a large one can be read."""
    costs = [accelsim.evaluate(chip, "lenet5", mapper="template") for chip in ("shidiannao", "nvdla_64")]
    figure = compare_figure(costs)
    assert [axis.get_ylim()[0] for axis in figure.axes] == [0, 0, 0]
    for axis, name in zip(figure.axes[:2], ("latency_s", "energy_pj"), strict=True):
        said = {text.get_text() for text in axis.texts}
        scale, unit = (1.0, "s") if name == "latency_s" else (1e-12, "J")
        assert said == {quantity(getattr(cost, name) * scale, unit) for cost in costs}
    costs.append(accelsim.evaluate("shidiannao", "alexnet", mapper="template"))
    axis = compare_figure(costs).axes[0]
    low = axis.get_ylim()[0]
    assert axis.get_yscale() == "log"
    assert low <= min(cost.latency_s for cost in costs)
    assert math.log10(low) == pytest.approx(round(math.log10(low)))
