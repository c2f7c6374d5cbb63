"""Damaged files that say how something is done or what it costs: they are refused, or priced sanely."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.accuracy.predictor import PredictorSource
from accelsim.accuracy.table import TableSource
from accelsim.accuracy.torch_file import load_tensors
from accelsim.explorer.page import html, load
from accelsim.lut import BlockTable, build_table
from accelsim.mapping.maestro.parse import read_dataflow
from accelsim.workloads.spaces import load_space
from tests.fuzz.damage import INPUTS, damaged_bytes, damaged_json, damaged_text, try_all

DATA = Path(__file__).parents[1] / "accuracy" / "data"
LAYER = accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3)


@cache
def net() -> accelsim.Network:
    """Three layers, of which two can be a stack."""
    made = accelsim.NetworkBuilder("small", 3, 8, 8)
    return made.build(made.linear(made.global_pool(made.conv(made.conv(made.input, 4, 3), 4, 3)), 5))


@cache
def chip() -> dict[str, Any]:
    """A machine whose memories leave what they hold to the mapper."""
    data: dict[str, Any] = accelsim.load_hardware("example").to_dict()
    for memory in data["memories"][1:-1]:
        memory["holds_choice"] = memory["holds"][:2]
    return data


@cache
def schedule() -> dict[str, Any]:
    mapped = accelsim.map_network(chip(), net(), "template").to_dict()
    stack = {"layers": list(net().names[:2]), "tile": {"P": 4, "Q": 8}, "kept": "both", "weights": []}
    return {**mapped, "layers": {n: m for n, m in mapped["layers"].items() if n not in stack["layers"]}} | {
        "stacks": [stack]
    }


@cache
def cost() -> dict[str, Any]:
    made = accelsim.evaluate(chip(), net(), mapper="template").to_dict()
    return dict(made)


@cache
def rows() -> list[dict[str, Any]]:
    return accelsim.sweep(chip(), net(), ["clock_mhz=100,200"], mapper="template").to_rows()


@cache
def blocks() -> dict[str, Any]:
    return build_table("example", "nasbench_macro", mapper="template", subnets=0).to_dict()


def check_sane(made: Any) -> None:
    """More than nothing, less than for ever, no faster than the array."""
    assert 0 < made.latency_cycles < math.inf
    assert 0 <= made.energy_pj < math.inf
    assert 0 <= made.utilisation <= 1 + 1e-9


def machine(path: Path, random: Random) -> None:
    path.write_text(damaged_json(chip(), random))
    check_sane(accelsim.evaluate(str(path), LAYER, mapper="template"))


def network(path: Path, random: Random) -> None:
    path.write_text(damaged_json(net().to_dict(), random))
    check_sane(accelsim.evaluate(chip(), str(path), mapper="template"))


def mapping(path: Path, random: Random) -> None:
    text = damaged_json(accelsim.map_network(chip(), net(), "template").to_dict(), random)
    check_sane(accelsim.evaluate(chip(), net(), json.loads(text)))


def stacks(path: Path, random: Random) -> None:
    data = schedule() | {"stacks": json.loads(damaged_json({"stacks": schedule()["stacks"]}, random))}
    check_sane(accelsim.evaluate(chip(), net(), data | data["stacks"]))


def cost_page(path: Path, random: Random) -> None:
    path.write_text(damaged_json(cost(), random))
    html(load(path))


def table_page(path: Path, random: Random) -> None:
    path.write_text(damaged_json(rows(), random))
    html(load(path))


def table_csv(path: Path, random: Random) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows()[0]))
    writer.writeheader()
    writer.writerows(rows())
    path = path.with_suffix(".csv")
    path.write_bytes(damaged_text(out.getvalue(), random))
    html(load(path))


def block_table(path: Path, random: Random) -> None:
    path.write_text(damaged_json(blocks(), random))
    BlockTable.load(path)


def accuracy_table(path: Path, random: Random) -> None:
    path.write_bytes(damaged_text((DATA / "macro_synthetic.csv").read_text()[:3000], random))
    space = load_space("nasbench_macro")
    source = TableSource(path, space)
    source.predict(space, space.sample(2, seed=0))


def archive(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes((DATA / "mbv3_zip.pth").read_bytes(), random))
    load_tensors(path)


def arrays(path: Path, random: Random) -> None:
    path = path.with_suffix(".npz")
    layers = {"0.weight": np.full((4, 128), 0.1), "0.bias": np.zeros(4), "2.weight": np.full((1, 4), 0.1)}
    np.savez(path, **layers)
    path.write_bytes(damaged_bytes(path.read_bytes(), random))
    PredictorSource(path)


def dataflow(path: Path, random: Random) -> None:
    text = "Dataflow { SpatialMap(1,1) K; TemporalMap(8,8) C; TemporalMap(Sz(R),1) Y; Cluster(4, P); }"
    path.write_bytes(damaged_text(text, random))
    read_dataflow(str(path))


def onnx(path: Path, random: Random) -> None:
    path = path.with_suffix(".onnx")
    path.write_bytes(damaged_bytes(model(), random))
    accelsim.load_network(path)


@cache
def model() -> bytes:
    """A convolution, a pool, a shape and a matrix product, without values."""
    pytest.importorskip("onnx")
    import tempfile

    from tests.workloads.onnx_writer import OnnxWriter

    writer = OnnxWriter("small", 3, 8, 8)
    x = writer.conv(writer.input, 4, 3, name="conv")
    x = writer.linear(writer.flatten(writer.pool(x, 2, name="pool")), 5, name="fc")
    with tempfile.TemporaryDirectory() as folder:
        writer.save(Path(folder) / "a.onnx", x)
        return (Path(folder) / "a.onnx").read_bytes()


READERS = (
    machine, network, mapping, stacks, cost_page, table_page, table_csv, block_table, accuracy_table,
    archive, arrays, dataflow, onnx,
)  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_one_message_or_sane(read: Callable[[Path, Random], None], tmp_path) -> None:
    assert try_all(read, tmp_path / "file.json") > INPUTS // 20
