"""Figures: overheads are shown, no bar hides the others; style, size and font do what they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

import accelsim
from accelsim import AccelsimError, report
from accelsim.report.figures import FAR, cut
from accelsim.report.style import new_figure
from tests.command import run


@pytest.fixture(scope="module")
def tpu() -> accelsim.NetworkCost:
    return accelsim.evaluate("edgetpu", "lenet5", mapper="template")


def heights(axis) -> dict[int, float]:
    """Top of the bar at each place, whatever is cut."""
    tops: dict[int, float] = {}
    for bar in axis.patches:
        place = round(bar.get_x() + bar.get_width() / 2)
        tops[place] = max(tops.get(place, 0.0), bar.get_y() + bar.get_height())
    return tops


def test_bars_add_up_to_the_whole(tpu) -> None:
    assert tpu.overhead_cycles > 0
    energy, latency, use = report.network_figure(tpu).axes
    assert sum(heights(energy).values()) * 1e6 == pytest.approx(tpu.energy_pj)
    assert sum(heights(latency).values()) * 1e3 == pytest.approx(tpu.latency_cycles)
    assert use.get_xticklabels()[-1].get_text() == "overhead"
    plain = accelsim.evaluate("shidiannao", "lenet5", mapper="template")
    assert plain.overhead_cycles == 0
    assert len(heights(report.network_figure(plain).axes[1])) == len(plain.layers)


def test_a_bar_that_hides_the_rest_is_cut_and_says_its_value(tpu) -> None:
    _, latency, _ = report.network_figure(tpu).axes
    tops = sorted(heights(latency).values())
    assert tops[-1] > FAR * tops[-2]
    assert latency.get_ylim()[1] < tops[-1]
    assert f"{tpu.overhead_cycles / 1e3:,.0f}" in [text.get_text() for text in latency.texts]


def test_what_is_cut() -> None:
    for bars, top, words in (
        ([1, 2, 3], 3, []), ([1, 2, 30], 2, ["30"]), ([9000, 1, 100, 2], 2, ["9,000", "100"]),
        ([5], 5, []), ([0, 7], 7, []), ([0, 0], 0, []),
    ):  # fmt: skip
        axis = new_figure(3, 3).subplots()
        cut(axis, bars, room=1.0)
        assert axis.get_ylim()[1] == (top or 1.0)
        assert [text.get_text() for text in axis.texts] == words


def pixels(cost, **options) -> np.ndarray:
    out = io.BytesIO()
    with report.look(**options):
        figure = report.network_figure(cost)
        figure.savefig(out, format="png", dpi=50)
    return imread(io.BytesIO(out.getvalue()))


def test_size_and_font_change_the_figure(tpu) -> None:
    plain = pixels(tpu)
    assert pixels(tpu, size="8x5").shape[:2] == (250, 400)
    assert pixels(tpu, size=(3.5, 2.5)).shape[:2] == (125, 175)
    for options in ({"font": "serif"}, {"font": "6"}, {"style": "paper"}):
        assert not np.array_equal(pixels(tpu, **options), plain)
    assert np.array_equal(pixels(tpu), plain)  # and nothing of it stays


def test_grey_has_no_colour_and_keeps_the_rest(tpu, tmp_path) -> None:
    table = accelsim.sweep(
        "shidiannao", ["lenet5"], {"clock_mhz": [500, 1000], "memories.NB.size_bytes": [2**16, 2**17]},
        mapper="template",
    )  # fmt: skip
    made = {
        "network": lambda: report.network_figure(tpu), "sweep": lambda: report.sweep_figure(table),
        "roofline": lambda: report.roofline_figure(tpu), "front": lambda: report.sweep_front_figure(table),
        "latency": lambda: report.latency_figure(tpu), "chip": lambda: report.hierarchy_figure(tpu.hardware),
    }  # fmt: skip
    for name, make in made.items():
        with report.look("grey"):
            report.save(make(), tmp_path / f"{name}.png")
        rgb = imread(tmp_path / f"{name}.png")[..., :3]
        assert np.ptp(rgb, axis=2).max() < 0.02, name
        assert rgb.min() < 0.5 < rgb.max()


def test_faults() -> None:
    for options, words in (
        ({"style": "gray"}, "did you mean 'grey'"), ({"size": "3"}, "width x height"),
        ({"size": "0x4"}, "inches"),
        ({"font": "No Such Face"}, "not installed"), ({"font": "900"}, "points"), ({"font": ""}, "family"),
    ):  # fmt: skip
        with pytest.raises(AccelsimError, match=words), report.look(**options):
            pass


def test_command(capsys, tmp_path) -> None:
    words = ("evaluate", "shidiannao", "lenet5", "--mapper", "template")
    plain, small = tmp_path / "plain.png", tmp_path / "small.png"
    assert run(capsys, *words, "--plot", str(plain))[0] == 0
    assert (
        run(capsys, *words, "--plot", str(small), "--size", "4x3", "--style", "paper", "--font", "6")[0] == 0
    )
    assert imread(small).shape[:2] == (480, 640) != imread(plain).shape[:2]
    code, _, err = run(capsys, *words, "--style", "grey")
    assert code == 2
    assert "--plot" in err


def test_a_suffix_is_refused_without_the_list_twice(capsys) -> None:
    code, _, err = run(capsys, "evaluate", "eyeriss", "lenet5", "--plot", "x.xyz")
    assert code == 2
    assert err == "accelsim: x.xyz: the suffix must be one of .png, .svg, .pdf, but got '.xyz'\n"
    assert "did you mean '.png'" in run(capsys, "evaluate", "eyeriss", "lenet5", "--plot", "x.pngg")[2]
