"""What a sweep varies, read from text."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim import AccelsimError
from accelsim.sweeps import SweepAxis, parse_axis
from accelsim.sweeps.axes import MAX_POINTS, as_axes, points


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=16KiB:512KiB:x2", (16384, 32768, 65536, 131072, 262144, 524288)),
        ("a=4:32:+4", (4, 8, 12, 16, 20, 24, 28, 32)),
        ("a=4:31:+9", (4, 13, 22, 31)),
        ("a=1:10:x3", (1, 3, 9)),
        ("a=0.1:0.4:+0.1", (0.1, 0.2, 0.30000000000000004, 0.4)),
        ("a=1:2:x1.5", (1, 1.5)),
        ("a=7:7:+1", (7,)),
        ("a=-2:2:+2", (-2, 0, 2)),
        ("a=1kB,1MiB, 2.5", (1000, 1048576, 2.5)),
        ("a=1e3,.5", (1000, 0.5)),
        ("a=true,false", (True, False)),
        ("a=LPDDR4,HBM2", ("LPDDR4", "HBM2")),
        (" a = 3 ", (3,)),
    ],
)
def test_values(text: str, values: tuple) -> None:
    axis = parse_axis(text)
    assert axis == SweepAxis("a", values)
    assert [type(v) for v in axis.values] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "write PATH=START:STOP:xFACTOR"),
        ("a=", "write PATH=START"),
        ("=3", "write PATH=START"),
        ("a=1:2", "write PATH=START"),
        ("a=1:2:3", "write PATH=START"),
        ("a=1:2:3:x4", "write PATH=START"),
        ("a=4:2:x2", "START <= STOP must hold, but got 4 > 2"),
        ("a=1:2:x1", "a factor must be above 1"),
        ("a=0:2:x2", "START above 0"),
        ("a=1:2:+0", "a step must be above 0, but got 0"),
        ("a=16kib", "'kib' in '16kib' is no unit; known: B, kB"),
        ("a=1,,2", "'' is no number"),
        ("a=3,3", "the value 3 comes twice"),
        ("a=1:1e9:+1", "at most 100000 values"),
        ("a=nan%", "is no number"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(AccelsimError, match=message.replace("(", r"\(").replace("+", r"\+")):
        parse_axis(text)


def test_ranges_become_whole_and_lists_do_not() -> None:
    assert parse_axis("a=4:9:x1.2").whole.values == (4, 5, 6, 7, 8)
    assert parse_axis("a=4.8,5.76").whole.values == (4.8, 5.76)


def test_tables_and_points() -> None:
    axes = as_axes({"x": np.array([1.0, 2.0]), "y": "LPDDR4", "z": 3})
    assert axes == (SweepAxis("x", (1, 2)), SweepAxis("y", ("LPDDR4",)), SweepAxis("z", (3,)))
    assert points(axes) == [{"x": 1, "y": "LPDDR4", "z": 3}, {"x": 2, "y": "LPDDR4", "z": 3}]
    assert as_axes("x=1,2") == as_axes([SweepAxis("x", (1, 2))])
    assert points(as_axes([])) == [{}]
    with pytest.raises(AccelsimError, match="x is given twice"):
        as_axes(["x=1", "x=2"])
    with pytest.raises(AccelsimError, match="at most 100000 points, but there are 1000000"):
        as_axes(["x=1:1000:+1", "y=1:1000:+1"])
    with pytest.raises(AccelsimError, match="must be numbers, truth values or texts"):
        as_axes({"x": [None]})


@pytest.mark.parametrize(
    "text",
    [
        "x=1e308:1e309:x2",
        "x=1:1e400:x2",
        "x=1e400",
        "x=1e31",
        "x=1:1e30:+1",
        "x=1e-400:1:x2",
        "x=1:9:x1.00000001",
    ],
)
def test_numbers_without_sense_are_refused_at_once(text) -> None:
    with pytest.raises(AccelsimError):
        parse_axis(text)


def test_long_lists_take_no_time() -> None:
    """Each value is looked up, not compared with all before it."""
    axis = parse_axis("x=" + ",".join(map(str, range(MAX_POINTS))))
    assert len(axis.values) == MAX_POINTS
    with pytest.raises(AccelsimError, match="the value 7 comes twice"):
        parse_axis("x=" + ",".join(map(str, range(MAX_POINTS))) + ",7")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_values_of_a_table_are_finite(value) -> None:
    with pytest.raises(AccelsimError):
        as_axes({"x": [1, value]})
