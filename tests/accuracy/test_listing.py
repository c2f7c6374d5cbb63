"""What `accelsim space` prints."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from accelsim.errors import AccelsimError
from accelsim.report.spaces import COLUMNS, space_csv, space_rows, space_table
from accelsim.workloads.spaces import load, space_names


@pytest.mark.parametrize("name", space_names())
def test_rows(name: str) -> None:
    rows = space_rows(name, 5, seed=3)
    assert rows == space_rows(name, 5, seed=3) != space_rows(name, 5, seed=4)
    assert [tuple(row) for row in rows] == [COLUMNS] * 5
    for row in rows:
        network = load(*row["subnet"].split(":"))
        assert (row["macs"], row["params"]) == (network.macs, network.params)
        if name in ("nasbench_macro", "mcunet", "wdsr_x2", "vit"):
            assert row["accuracy"] is row["kind"] is None
        else:
            assert row["kind"].endswith("one-shot" if name == "fashion" else "surrogate")
            assert row["error"] > 0
            assert len(row["source"]) > 20


def test_csv_is_the_same() -> None:
    rows = list(csv.DictReader(space_csv("ofa_mbv3", 4, 1).splitlines()))
    assert rows == [{k: str(v) for k, v in row.items()} for row in space_rows("ofa_mbv3", 4, 1)]


@pytest.mark.parametrize("name", space_names())
def test_table(name: str) -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(space_table(name, 3, 0))
    text = console.export_text()
    for row in space_rows(name, 3, 0):
        assert row["subnet"] in text
    assert name in text
    assert (("surrogate" in text or "one-shot" in text) and " ± " in text) or "needs a source" in text


def test_source_of_the_users_choice(tmp_path: Path) -> None:
    file = tmp_path / "constant.npz"
    np.savez(file, **{"0.weight": np.zeros((1, 128)), "base_acc": np.array([0.8])})
    rows = space_rows("ofa_mbv3", 3, accuracy=f"predictor:{file}")
    assert {row["kind"] for row in rows} == {"predicted"}
    assert {int(row["subnet"].split(":r")[1][:3]) for row in rows} <= {160, 176, 192, 208, 224}
    with pytest.raises(AccelsimError, match="has nothing for space"):
        space_rows("nasbench_macro", 3, accuracy="surrogate")
    with pytest.raises(AccelsimError, match="did you mean"):
        space_rows("ofa_mbv")
