"""What pictures and pages mark as the front is what is reported, designs that no candidate is among it."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim.cosearch.result import SearchResult
from accelsim.explorer import page_data
from accelsim.report.search_plot import result_figure
from tests.cosearch.small import short_local_search


@pytest.fixture(scope="module")
def found() -> SearchResult:
    """A search whose front has candidates, and designs that none is: those of the local search at its end."""
    with short_local_search():
        result = accelsim.search(
            "eyeriss", space="nasbench_macro", objectives="edp,area", evaluations=8, population=8,
            mapper="template", finish=100,
        )  # fmt: skip
    assert {no_candidate(design) for design in result.front} == {True, False}
    return result


def no_candidate(design) -> bool:
    return design.base or design.name.near


def test_the_picture_marks_the_front_that_is_reported(found) -> None:
    axis = result_figure(found).axes[0]
    (front,) = (dots for dots in axis.collections if dots.get_label() == "front")
    told = [(one.metrics["latency"] * 1e3, one.metrics["energy"] * 1e3) for one in found.front]
    shown = np.asarray(front.get_offsets())
    assert shown[shown[:, 0].argsort()] == pytest.approx(np.array(sorted(told)))


def test_the_page_lists_the_front_that_is_reported(found) -> None:
    page = page_data(found, designs=len(found.front))
    names = [column["name"] for column in page["columns"]]
    assert page["candidates"] == len(found) == 8
    assert len(page["rows"]) == 8 + sum(map(no_candidate, found.front))
    for at, one in zip(page["front"], found.front, strict=True):
        row = dict(zip(names, page["rows"][at], strict=True))
        assert (row["candidate"], row["edp_js"]) == (one.index, one.metrics["edp"])
        assert row["hardware"] == one.hardware
        assert page["designs"][at]["figures"]["edp_js"] == one.metrics["edp"]
        assert (at in page["names"]) == no_candidate(one)
