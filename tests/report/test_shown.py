"""Results at a prompt and in a notebook: short, escaped, whole as data."""

from __future__ import annotations

import re
import sys

import pytest

import accelsim

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def results() -> dict[str, object]:
    cost = accelsim.evaluate("example", "lenet5", mapper="template")
    layer = accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3, name=HOSTILE)
    return {
        "network": cost,
        "layer": accelsim.evaluate("example", layer, mapper="template"),
        "mapped": accelsim.map_network("example", "lenet5", "template"),
        "one": accelsim.map_layer("example", layer, "template"),
        "chip": accelsim.load_hardware("example"),
        "sweep": accelsim.sweep(
            "example", ["lenet5"], ["memories.buffer.size_bytes=64KiB,128KiB"], mapper="template"
        ),
        "search": accelsim.search(
            "shidiannao", networks="lenet5", evaluations=4, population=4, mapper="template", finish=0
        ),
    }


def test_reprs_are_one_short_line(results) -> None:
    for name, result in results.items():
        assert len(repr(result)) < 260, name
        assert "\n" not in repr(result)
        assert "." in repr(result)


def test_notebook_tables_hold_every_row_and_escape(results) -> None:
    for name, result in results.items():
        page = result._repr_html_()
        assert page.count("<tr>") == min(len(result.to_rows()), 50) + 1, name
        assert HOSTILE not in page


def test_frames_hold_what_the_rows_hold(results) -> None:
    pytest.importorskip("pandas")
    for result in results.values():
        frame = result.to_pandas()
        assert len(frame) == len(result.to_rows())
    frame = results["network"].to_pandas()
    assert frame["energy_pj"].sum() == pytest.approx(results["network"].energy_pj)


def test_without_pandas_the_command_is_named(results, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(accelsim.AccelsimError, match=r"pip install 'accelsim\[pandas\]'"):
        results["network"].to_pandas()


def test_numbers_in_notebooks_are_whole_and_on_one_line() -> None:
    """A size in bytes is shown digit by digit; no figure is broken at its exponent."""
    page = accelsim.load_hardware("shidiannao")._repr_html_()
    assert ">262,144</td>" in page
    assert "e+05" not in page
    assert ">unlimited</td>" in page
    assert "inf" not in page
    cells = re.findall(r"<td[^>]*>[\d.,e+-]+</td>", page)
    assert cells
    assert all("nowrap" in cell for cell in cells)


def test_a_report_of_fused_layers_alone_has_no_empty_table() -> None:
    from rich.console import Console

    from accelsim.report.mappings import network_mapping_report
    from accelsim.report.tables import network_report

    net = accelsim.NetworkBuilder("pair", 3, 16, 16)
    pair = net.build(net.conv(net.conv(net.input, 8, 3, name="a"), 8, 3, name="b"))
    stack = {"layers": ["a", "b"], "tile": {"P": 4, "Q": 8}}
    found = accelsim.map_network("shidiannao", pair, "template", fuse={"stacks": [stack]})
    assert len(found.cost.to_pandas()) == len(found.cost.to_rows()) > len(found.cost.stacks) == 1
    assert [row["layer"] for row in found.to_rows()] == [row["layer"] for row in found.cost.to_rows()]
    for made in (network_report(found.cost), network_mapping_report(found)):
        console = Console(width=150)
        with console.capture() as text:
            console.print(made)
        title, blank, fused, *_ = (line.strip() for line in text.get().splitlines())
        assert (title, blank, fused) == ("pair on ShiDianNao", "", "Fused")
