"""Figures of chips from the folder of reference data: tables in `reference/silicon`, where they are there.

A table stands in for the shipped figures of its kind, row by row: rows that it lacks are not compared, and
what it does not tell (which networks stand behind names, what was fitted) stays as shipped.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.validation.facts import facts, read_rows, reference

FOLDER = "reference/silicon"

HOSTS = {
    "desktop": "USB Accelerator + desktop CPU",
    "Xeon": "Xeon",
    "Raspberry Pi 4B": "Raspberry Pi 4B ",
    "Raspberry Pi 3B+": "Raspberry Pi 3B+ ",
    "Raspberry Pi 3B": "Raspberry Pi 3B ",
}
"""How the column `platform` of a host begins."""


class _Row:
    """A row of a table, whose faults say where."""

    def __init__(self, file: Path, number: int, cells: dict[str, str]) -> None:
        self.place, self.cells = f"{file}: row {number}", cells

    def text(self, key: str) -> str:
        if self.cells.get(key) is None:
            raise AccelsimError(f"{self.place}: column {key!r} is missing")
        return self.cells[key]

    def number(self, key: str) -> float:
        text = self.text(key)
        try:
            return float(text)
        except ValueError:
            raise AccelsimError(f"{self.place}: {key} must be a number, but got {text!r}") from None

    def whole(self, key: str) -> int:
        return round(self.number(key))


def _table(data: Path | None, name: str) -> list[_Row] | None:
    file = reference(data, f"{FOLDER}/{name}.csv")
    if file is None:
        return None
    return [_Row(file, i, cells) for i, cells in enumerate(read_rows(file), 2)]


def _need(table: str, names: list[str], found: dict[str, Any]) -> None:
    """Raise AccelsimError for a row that others rest on."""
    absent = [name for name in names if name not in found]
    if absent:
        raise AccelsimError(f"{FOLDER}/{table}: has no row {', '.join(absent)}, on which others rest")


def eyeriss(data: Path | None) -> dict[str, Any]:
    """`facts("eyeriss")`; `eyeriss_alexnet.csv`, `eyeriss_vgg16.csv` in place of their layers and totals."""
    known = copy.deepcopy(facts("eyeriss"))
    figures = {
        "active_pes": "active_PEs", "processing_ms": "processing_latency_ms", "total_ms": "total_latency_ms",
        "glb_mb": "glb_access_MB", "dram_mb": "dram_access_MB", "power_mw": "power_mW",
    }  # fmt: skip
    for name in ("alexnet", "vgg16"):
        rows = _table(data, f"eyeriss_{name}")
        if rows is None:
            continue
        layers = []
        for row in rows:
            if row.text("layer") == "TOTAL":
                known[name]["totals"] = {key: row.number(figures[key]) for key in known[name]["totals"]}
                continue
            groups = row.whole("groups") if name == "alexnet" else 1
            made: dict[str, Any] = {key: row.number(column) for key, column in figures.items()}
            made |= {"name": row.text("layer"), "G": groups, "K": row.whole("M") // groups}
            made |= {"C": row.whole("C_per_group" if name == "alexnet" else "C"), "PQ": row.whole("E")}
            made |= {
                "active_pes": row.whole("active_PEs"),
                "input_zeros": row.number("zeros_ifmap_pct") / 100,
            }
            if name == "alexnet":
                made |= {"RS": row.whole("R"), "stride": row.whole("stride")}
                made |= {x: row.whole(f"map_{x}") for x in "mnepqrt"}
            layers.append([made[key] for key in known[name]["columns"]])
        if name == "vgg16":  # each row tells the mappings of a block of layers
            names = [layer[0] for layer in known[name]["layers"]]
            _need(f"eyeriss_{name}.csv", names, {layer[0]: layer for layer in layers})
            layers.sort(key=lambda layer: names.index(layer[0]) if layer[0] in names else len(names))
        known[name]["layers"] = layers
    return known


def nvdla(data: Path | None) -> dict[str, Any]:
    """`facts("nvdla")`; `nvdla_perf.csv` and `nvdla_area_power.csv` in place of its figures.

    Shapes of layers and their stored outputs stay as shipped: the table does not have all of them.
    """
    known = copy.deepcopy(facts("nvdla"))
    rows = _table(data, "nvdla_perf")
    if rows is not None:
        layers = [row for row in rows if row.text("level") == "layer"]
        kb, cycles = (known["columns"].index(key) for key in ("dram_kb", "mac_cycles"))
        for network, shipped in known["layers"].items():
            theirs = [row for row in layers if row.text("network") == network]
            if len(theirs) != len(shipped):
                raise AccelsimError(
                    f"{FOLDER}/nvdla_perf.csv: must have the {len(shipped)} layers of {network}, "
                    f"but has {len(theirs)}"
                )
            for layer, row in zip(shipped, theirs):
                layer[kb], layer[cycles] = row.number("dram_traffic_kB"), row.number("mac_cycles")
        for one in known["networks"]:
            for row in rows:
                if row.text("level") == "network" and _same(row, one):
                    exact = row.cells.get("spreadsheet_recomputed_fps")
                    one["fps"] = row.number("spreadsheet_recomputed_fps" if exact else "fps")
    rows = _table(data, "nvdla_area_power")
    if rows is not None:
        names = {f"nvdla_{row.whole('macs_units_int8')}": row for row in rows}
        known["synthesis"] = [
            {
                "hardware": name,
                "area_mm2": names[name].number("area_mm2_16nm"),
                "power_avg_mw": names[name].number("power_avg_mW_16nm"),
                "fps": names[name].number("resnet50_fps"),
            }
            for name in (one["hardware"] for one in known["synthesis"])
            if name in names
        ]
    return known


def _same(row: _Row, one: dict[str, Any]) -> bool:
    """Whether a row is of a shipped network's machine, without SRAM beside it."""
    if row.text("network") != one["network"] or not row.cells.get("dram_GBps"):
        return False
    sizes = row.whole("macs_units"), row.whole("cbuf_kB"), row.number("dram_GBps")
    return sizes == (one["macs"], one["cbuf_kb"], one["gb_s"])


def edgetpu(data: Path | None) -> dict[str, Any]:
    """`facts("edgetpu")`; `edgetpu_latency.csv` in place of its latencies, of the networks that it knows."""
    known = copy.deepcopy(facts("edgetpu"))
    rows = _table(data, "edgetpu_latency")
    if rows is not None:
        for host, start in HOSTS.items():
            theirs = {x.text("model"): x for x in rows if f"{x.text('platform')} ".startswith(start)}
            wanted = known["latency_ms"].pop(host)
            if theirs:
                _need(f"edgetpu_latency.csv: {host}", [known["fitted_on"]], theirs)
                figures = {n: theirs[n].number("latency_ms") for n in wanted if n in theirs}
                known["latency_ms"][host] = figures
        _need("edgetpu_latency.csv", ["desktop"], known["latency_ms"])
    return known


def shidiannao(data: Path | None) -> dict[str, Any]:
    """`facts("shidiannao")`; `shidiannao_benchmarks.csv` in place of its benchmarks."""
    known = copy.deepcopy(facts("shidiannao"))
    rows = _table(data, "shidiannao_benchmarks")
    if rows is None:
        return known
    wholes = {
        "maps_in": "maps_in", "rows_in": "H_in", "cols_in": "W_in", "maps_out": "maps_out",
        "rows_out": "H_out", "cols_out": "W_out", "kernel_rows": "kernel_h", "kernel_cols": "kernel_w",
        "stride": "stride", "kernels": "kernel_count",
    }  # fmt: skip
    benchmarks: dict[str, Any] = {}
    for row in rows:
        if not row.text("maps_in"):
            continue  # a benchmark of unknown layers
        sizes = {f"{key}_kb": row.number(f"paper_{column}_kB") for key, column in _SIZES.items()}
        bench = benchmarks.setdefault(row.text("benchmark"), sizes | {"layers": []})
        figures: dict[str, Any] = {key: row.whole(column) for key, column in wholes.items()}
        figures |= {"layer": row.text("layer"), "type": row.text("type")}
        bench["layers"].append([figures[key] for key in known["columns"]])
    _need("shidiannao_benchmarks.csv", ["ConvNN"], benchmarks)
    known["benchmarks"] = benchmarks
    return known


_SIZES = {"largest": "largest_layer", "synapses": "synapses", "total": "total"}
