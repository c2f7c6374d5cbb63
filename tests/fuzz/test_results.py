"""Damaged files that say how something is done or what it costs: they are refused, or priced sanely."""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.accuracy.predictor import PredictorSource
from accelsim.accuracy.table import TableSource
from accelsim.accuracy.torch_file import load_tensors
from accelsim.cosearch.result import SearchResult
from accelsim.explorer.page import html, load
from accelsim.lut import BlockTable, build_table
from accelsim.mapping.maestro.parse import read_dataflow
from accelsim.nacos.manifest import MANIFEST, TABLES, Manifest
from accelsim.nacos.tables import Tables
from accelsim.sweeps.journal import Journal
from tests.accuracy.test_table import SMALL
from tests.cosearch.small import TINY, same
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
def loaded() -> accelsim.Accelerator:
    """It, where something else is damaged."""
    return accelsim.load_hardware(chip())


@cache
def mapped() -> dict[str, Any]:
    return dict(accelsim.map_network(loaded(), net(), "template").to_dict())


@cache
def schedule() -> dict[str, Any]:
    stack = {"layers": list(net().names[:2]), "tile": {"P": 4, "Q": 8}, "kept": "both", "weights": []}
    return {
        **mapped(),
        "layers": {n: m for n, m in mapped()["layers"].items() if n not in stack["layers"]},
    } | {"stacks": [stack]}


@cache
def cost() -> dict[str, Any]:
    made = accelsim.evaluate(loaded(), net(), mapper="template").to_dict()
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
    check_sane(accelsim.evaluate(loaded(), str(path), mapper="template"))


def mapping(path: Path, random: Random) -> None:
    text = damaged_json(mapped(), random)
    check_sane(accelsim.evaluate(loaded(), net(), json.loads(text)))


def stacks(path: Path, random: Random) -> None:
    data = schedule() | {"stacks": json.loads(damaged_json({"stacks": schedule()["stacks"]}, random))}
    check_sane(accelsim.evaluate(loaded(), net(), data | data["stacks"]))


def cost_page(path: Path, random: Random) -> None:
    path.write_text(damaged_json(cost(), random))
    html(load(path))


def table_page(path: Path, random: Random) -> None:
    path.write_text(damaged_json(rows(), random))
    html(load(path))


@cache
def parquet() -> bytes:
    pytest.importorskip("pyarrow")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        accelsim.sweep(chip(), net(), ["clock_mhz=100,200"], mapper="template", out=file)
        return file.read_bytes()


def table_parquet(path: Path, random: Random) -> None:
    path = path.with_suffix(".parquet")
    path.write_bytes(damaged_bytes(parquet(), random))
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
    path.write_bytes(damaged_text((DATA / "macro_synthetic.csv").read_text(), random))
    source = TableSource(path, SMALL)
    assert np.isfinite(source.predict(SMALL, SMALL.enumerate()[:9]).value).all()


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
def found() -> tuple[SearchResult, bytes]:
    """A search of three generations, and its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.study"
        made = accelsim.search(**TINY | {"finish": 1}, evaluations=24, study=path)
        return made, path.read_bytes()


def check_found(path: Path) -> None:
    """What loads is what was written."""
    loaded = accelsim.load_study(path)
    assert same(loaded, found()[0])
    assert [f.index for f in loaded.front] == [f.index for f in found()[0].front]


def study_bytes(path: Path, random: Random) -> None:
    path.write_bytes(damaged_bytes(found()[1], random))
    check_found(path)


def study_rows(path: Path, random: Random) -> None:
    """A row deleted, or one of its values replaced, doubled or taken from another row."""
    path.write_bytes(found()[1])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        table = random.choice(("meta", "generations", "candidates", "candidates"))
        columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
        keys = {"meta": ["key"], "generations": ["n"], "candidates": ["generation", "row"]}[table]
        rows = db.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()
        row, other = random.choice(rows), random.choice(rows)
        where = " AND ".join(f"{key} = ?" for key in keys)
        column = random.choice(columns)
        value = f"(SELECT {column} FROM {table} WHERE {where})"
        word = random.choice(("NULL", "0", "-1", "1e400", "'x'", "x'00ff'", "'[]'", "'{}'", f"2 * {column}"))
        change = f"UPDATE OR REPLACE {table} SET {column} ="
        with suppress(sqlite3.IntegrityError):  # what a column cannot be
            match random.randrange(3):
                case 0:
                    db.execute(f"DELETE FROM {table} WHERE {where}", row)
                case 1:
                    db.execute(f"{change} {value} WHERE {where}", other + row)
                case _:
                    db.execute(f"{change} {word} WHERE {where}", row)
    check_found(path)


@cache
def noted() -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
    """A sweep's question, its prices by point, and the lines of its journal."""
    question = {"version": "0.1.0", "mapper": "template"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv.part"
        made = Journal(path, question)
        for point in range(6):
            made.add(f"point {point}", [[100.0 + point, 5.0 / (1 + point)]])
        made.close()
        return question, dict(made.known), path.read_bytes().splitlines(keepends=True)


def journal_lines(path: Path, random: Random) -> None:
    """Lines lost, doubled or exchanged, or the bytes damaged: what is read was written for that point."""
    question, known, lines = noted()
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines = random.choice((lines[:at] + lines[at + 1 :], lines[:at] + lines[other:], lines[: at + 1]))
    content = b"".join(lines)
    path.write_bytes(damaged_bytes(content, random) if content and random.random() < 0.8 else content)
    made = Journal(path, question)
    made.close()
    assert made.known.items() <= known.items()


@cache
def bench_files() -> tuple[dict[str, Any], bytes]:
    """The manifest that ships, of three of its chips, as each is read like any; and the tables."""
    home = Path(str(resources.files("accelsim.nacos"))) / "data" / "macro"
    manifest = json.loads((home / MANIFEST).read_text())
    for key in ("chips", "hashes"):
        manifest[key] = {name: manifest[key][name] for name in list(manifest["chips"])[:3]}
    return manifest, (home / TABLES).read_bytes()


def bench_manifest(path: Path, random: Random) -> None:
    """Of its own figures, or of one layer or chip."""
    data = dict(bench_files()[0])
    part = random.choice(("", "layers", "chips", "hashes"))
    if part:
        data[part] = json.loads(damaged_json(data[part], random))
    else:
        own = {key: value for key, value in data.items() if key not in ("layers", "chips", "hashes")}
        data |= json.loads(damaged_json(own, random))
    path.write_text(json.dumps(data))
    Manifest.read(path)


@cache
def bench_arrays() -> dict[str, Any]:
    with np.load(io.BytesIO(bench_files()[1])) as file:
        return {name: file[name] for name in file.files}


def bench_tables(path: Path, random: Random) -> None:
    """Arrays of an archive, shortened, turned, or with other numbers."""
    values = dict(bench_arrays())
    name = random.choice(sorted(values))
    array = values[name]
    at = random.randrange(array.size)
    kind = random.randrange(6)
    if kind == 0:
        del values[name]
    elif kind == 1:
        values[name] = array[: random.randrange(len(array))]
    elif kind == 2:
        values[name] = array.T.copy() if array.ndim > 1 else array[None]
    elif kind == 3:
        with np.errstate(all="ignore"):
            values[name] = array.astype(random.choice(("f2", "i1", "c8", "U3", "?")))
    else:
        values[name] = array.copy()
        values[name].flat[at] = random.choice((0, 1, 100, np.nan if array.dtype.kind == "f" else 7))
    out = io.BytesIO()
    np.savez(out, **values)
    Tables.from_bytes(out.getvalue(), str(path))


def bench_bytes(path: Path, random: Random) -> None:
    Tables.from_bytes(damaged_bytes(bench_files()[1], random), str(path))


def model() -> bytes:
    """A convolution, a pool, a shape and a matrix product, without values."""
    pytest.importorskip("onnx")
    from tests.workloads.onnx_writer import OnnxWriter

    writer = OnnxWriter("small", 3, 8, 8)
    x = writer.conv(writer.input, 4, 3, name="conv")
    x = writer.linear(writer.flatten(writer.pool(x, 2, name="pool")), 5, name="fc")
    with tempfile.TemporaryDirectory() as folder:
        writer.save(Path(folder) / "a.onnx", x)
        return (Path(folder) / "a.onnx").read_bytes()


READERS = (
    machine, network, mapping, stacks, cost_page, table_page, table_csv, table_parquet, block_table,
    accuracy_table, archive, arrays, dataflow, onnx, study_bytes, study_rows, journal_lines,
    bench_manifest, bench_tables, bench_bytes,
)  # fmt: skip


@pytest.fixture(autouse=True)
def short_pages(monkeypatch) -> None:
    """Without plotly's five megabytes, which no input changes."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", str)


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_one_message_or_sane(read: Callable[[Path, Random], None], tmp_path) -> None:
    assert try_all(read, tmp_path / "file.json") > INPUTS // 20
