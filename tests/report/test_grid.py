"""Tables fit their terminal: numbers whole, texts shortened, columns left out in the order said."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from accelsim.report.grid import Grid, number, text


def shown(grid: Grid, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(grid)
    return out.getvalue().rstrip("\n").split("\n")


def a_grid() -> Grid:
    grid = Grid([text("layer", 6), text("shape", 5, drop=2), number("cycles"), number("energy", drop=1)], "T")
    grid.add_row("a_long_layer_name", "K64 C64 P56 Q56", "1,234,567", "12.3 mJ")
    grid.add_row("b", "K1", "9", "1 pJ")
    return grid


def test_all_there_where_it_fits() -> None:
    lines = shown(a_grid(), 80)
    assert "a_long_layer_name  K64 C64 P56 Q56  1,234,567  12.3 mJ" in lines[2]
    assert len(lines) == 4


def test_texts_shrink_before_columns_go() -> None:
    lines = shown(a_grid(), 40)
    assert "1,234,567" in lines[2]
    assert "12.3 mJ" in lines[2]
    assert "…" in lines[2]
    assert "shape" in lines[1]


def test_columns_go_in_their_order_and_are_named() -> None:
    lines = shown(a_grid(), 30)
    assert "shape" not in lines[1]
    assert "energy" in lines[1]
    assert "shape; --wide" in " ".join(lines[-2:])
    assert "energy" not in shown(a_grid(), 18)[1]


def test_without_rows_only_the_title_shows() -> None:
    assert shown(Grid([text("layer"), number("cycles")], "none of 4 points works"), 80) == [
        "none of 4 points works"
    ]


@given(
    st.lists(st.tuples(st.text("ab", max_size=30), st.integers(0, 10**12)), max_size=4),
    st.integers(32, 120),
)
def test_numbers_are_never_cut(rows: list[tuple[str, int]], width: int) -> None:
    grid = Grid([text("name", 4), number("count"), number("other", drop=1)])
    for name, value in rows:
        grid.add_row(name, f"{value:,}", "1")
    lines = shown(grid, width)
    assert all(len(line) <= width for line in lines)
    for (_, value), line in zip(rows, lines[1:], strict=False):
        assert f"{value:,}" in line
