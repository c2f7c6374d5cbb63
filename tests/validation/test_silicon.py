"""`--data`: tables of chips stand in for the shipped figures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from accelsim.validation import run, silicon
from accelsim.validation.facts import facts
from tests.command import run as command

NAMES = {"E": "PQ", "zeros_ifmap_pct": "input_zeros", "layer": "name", "R": "RS"}
FIGURES = {
    "active_PEs": "active_pes", "processing_latency_ms": "processing_ms", "total_latency_ms": "total_ms",
    "glb_access_MB": "glb_mb", "dram_access_MB": "dram_mb", "power_mW": "power_mw",
}  # fmt: skip


def write(data: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder = data / silicon.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, sorted({key for row in rows for key in row}))
        out.writeheader()
        out.writerows(rows)


def eyeriss_rows(network: str) -> list[dict[str, Any]]:
    """The shipped figures as the folder has them."""
    known = facts("eyeriss")[network]
    rows = []
    for values in known["layers"]:
        row = dict(zip(known["columns"], values, strict=True))
        made = {theirs: row[ours] for theirs, ours in FIGURES.items()}
        made |= {"layer": row["name"], "E": row["PQ"], "M": row["K"] * row.get("G", 1), "C": row["C"]}
        made |= {"C_per_group": row["C"], "groups": row.get("G"), "R": row.get("RS", 3)}
        made |= {"stride": row.get("stride", 1), "zeros_ifmap_pct": 100 * row["input_zeros"]}
        made |= {f"map_{x}": row.get(x) for x in "mnepqrt"}
        rows.append(made)
    return rows


def test_eyeriss(tmp_path) -> None:
    rows = eyeriss_rows("alexnet")
    rows[0]["total_latency_ms"] = 40.0
    write(tmp_path, "eyeriss_alexnet", rows[:2])
    cases = {(c.name, c.quantity): c for c in run("eyeriss", tmp_path).cases}
    assert cases["AlexNet CONV1", "total ms"].theirs == 40.0
    assert cases["AlexNet CONV1", "active PEs"].verdict == "exact"
    assert ("AlexNet CONV3", "total ms") not in cases
    assert cases["VGG16 CONV1-1", "processing ms"].theirs == 38.0  # as shipped


def test_the_same_figures_are_the_same(tmp_path) -> None:
    for network in ("alexnet", "vgg16"):
        write(tmp_path, f"eyeriss_{network}", eyeriss_rows(network))
    found, shipped = silicon.eyeriss(tmp_path), facts("eyeriss")
    for network in ("alexnet", "vgg16"):
        for one, other in zip(found[network]["layers"], shipped[network]["layers"], strict=True):
            assert one[0] == other[0]
            assert one[1:] == pytest.approx(other[1:])
    for name in ("eyeriss", "nvdla", "edgetpu", "shidiannao"):
        assert getattr(silicon, name)(None) == facts(name)


def test_nvdla(tmp_path) -> None:
    row = {"macs_units_int8": 256, "area_mm2_16nm": 2.5, "power_avg_mW_16nm": 60, "resnet50_fps": 50}
    write(tmp_path, "nvdla_area_power", [row])
    shipped = facts("nvdla")
    kb, cycles = (shipped["columns"].index(key) for key in ("dram_kb", "mac_cycles"))
    rows: list[dict[str, Any]] = [
        {"level": "layer", "network": network, "dram_traffic_kB": x[kb], "mac_cycles": x[cycles]}
        for network, layers in shipped["layers"].items()
        for x in layers
    ]
    rows[0]["mac_cycles"] = 1.0
    machine = {"macs_units": 2048, "cbuf_kB": 512, "dram_GBps": 20, "fps": 100}
    rows.append({"level": "network", "network": "ResNet-50 v1"} | machine)
    write(tmp_path, "nvdla_perf", rows)
    report = run("nvdla", tmp_path)
    assert [c.theirs for c in report.of("area mm2")] == [2.5]
    assert [c.verdict for c in report.of("layer MAC cycles")].count("off") == 1
    assert report.of("fps by the vendor's rules")[0].theirs == 100
    write(tmp_path, "nvdla_perf", rows[1:])
    with pytest.raises(silicon.AccelsimError, match="must have the 54 layers of ResNet-50 v1, but has 53"):
        run("nvdla", tmp_path)


def test_shidiannao(tmp_path) -> None:
    columns = (
        "layer",
        "type",
        "maps_in",
        "H_in",
        "W_in",
        "maps_out",
        "H_out",
        "W_out",
        "kernel_h",
        "kernel_w",
    )
    columns += ("stride", "kernel_count")
    bench = facts("shidiannao")["benchmarks"]["ConvNN"]
    sizes = {"paper_largest_layer_kB": 9, "paper_synapses_kB": bench["synapses_kb"], "paper_total_kB": 1}
    rows = [dict(zip(columns, x, strict=True)) | sizes | {"benchmark": "ConvNN"} for x in bench["layers"]]
    write(tmp_path, "shidiannao_benchmarks", rows)
    cases = {c.name: c for c in run("shidiannao", tmp_path).of("size kB")}
    assert len(cases) == 3
    assert (cases["ConvNN largest"].theirs, cases["ConvNN largest"].verdict) == (9, "off")
    assert cases["ConvNN synapses"].verdict != "off"


def test_edgetpu(tmp_path) -> None:
    rows = [
        {"model": model, "platform": "USB Accelerator + desktop CPU", "latency_ms": ms}
        for model, ms in (("MobileNet v2", 5.0), ("MobileNet v1", 100.0), ("Unet Mv2", 3.3))
    ]
    write(tmp_path, "edgetpu_latency", rows)
    report = run("edgetpu", tmp_path)
    cases = {c.name: c for c in report.cases if c.quantity.startswith("ms")}
    assert cases.keys() == {"desktop: MobileNet v2", "desktop: MobileNet v1"}
    assert cases["desktop: MobileNet v2"].ours == pytest.approx(5.0, rel=0.01)  # its overhead is fitted
    assert cases["desktop: MobileNet v1"].verdict == "off"


@pytest.mark.parametrize(
    ("source", "table", "row", "message"),
    [
        ("eyeriss", "eyeriss_alexnet", {"layer": "CONV1", "groups": "x"}, "row 2: groups must be a number"),
        ("eyeriss", "eyeriss_alexnet", {"layer": "CONV1"}, "row 2: column 'groups' is missing"),
        ("eyeriss", "eyeriss_vgg16", eyeriss_rows("vgg16")[0], "eyeriss_vgg16.csv: has no row CONV2-2"),
        (
            "edgetpu",
            "edgetpu_latency",
            {"model": "VGG16", "platform": "Xeon"},
            "Xeon: has no row MobileNet v2",
        ),
    ],
)
def test_bad_tables(tmp_path, capsys, source: str, table: str, row: dict[str, Any], message: str) -> None:
    write(tmp_path, table, [row])
    code, out, error = command(capsys, "validate", source, "--data", str(tmp_path))
    assert (code, out) == (2, "")
    assert message in error
    assert "Traceback" not in error
