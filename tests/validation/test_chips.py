"""The figures of chips do not get worse."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.hardware import load_hardware
from accelsim.validation import breakdowns, devices, edgetpu, row_stationary
from accelsim.validation.eyeriss import figures, identify
from accelsim.validation.facts import facts, read_rows
from accelsim.validation.networks import MODELS
from accelsim.validation.result import spearman
from accelsim.workloads.layer import Layer
from tests.validation.conftest import exact, off


def test_eyeriss(shipped) -> None:
    report = shipped("eyeriss")
    assert exact(report, "active PEs")
    error = {(c.name, c.quantity): c.error for c in report.cases}
    assert all(abs(c.error) < 0.16 for c in report.of("processing ms"))
    assert abs(error["AlexNet total", "processing ms"]) < 0.115
    assert abs(error["AlexNet total", "total ms"]) < 0.06
    assert abs(error["AlexNet total", "buffer MB"]) < 0.09
    assert abs(error["AlexNet total", "DRAM MB"]) < 0.01
    assert abs(error["VGG16 total", "processing ms"]) < 0.065
    assert [c.name for c in report.cases if c.verdict == "off"] == ["AlexNet CONV3"]
    assert error["core", "area mm2"] == pytest.approx(-0.22, abs=0.01)
    assert abs(error["AlexNet total", "power mW"]) < 0.01
    assert abs(error["VGG16 total", "power mW"]) < 0.06


def test_eyeriss_psum_port_binds_vgg16_and_not_alexnet() -> None:
    hw = row_stationary.machine()
    known = facts("eyeriss")
    row = dict(zip(known["vgg16"]["columns"], known["vgg16"]["layers"][1], strict=True))
    layer = Layer.conv2d(N=3, K=row["K"], C=row["C"], P=row["PQ"], Q=row["PQ"], R=3, S=3)
    told = identify(hw, layer, row, (row["input_zeros"], 0.5))
    assert figures(hw, layer, told.table, None, 0.0).bound_by == "GLB write O"
    assert told.least <= figures(hw, layer, told.table, None, 0.0).processing_ms <= told.most
    conv5 = Layer.conv2d(N=4, G=2, K=128, C=192, P=13, Q=13, R=3, S=3)
    assert figures(hw, conv5, np.array([[64, 4, 13, 16, 3, 2, 2]]), None, 0.0).bound_by == "compute"


def test_eyeriss_candidates_fit_the_chip() -> None:
    layer = Layer.conv2d(N=3, K=64, C=32, P=28, Q=28, R=3, S=3)
    table = row_stationary.candidates(layer, 168)
    assert len(table) > 100
    batch = row_stationary.mappings(layer, table)
    for row, (m, n, e, p, q, r, t) in enumerate(table.tolist()):
        assert 3 * e * r * t == 168
        assert max(p * q * 3 / 224, q * 3 / 12, p / 24) <= 1
        banks = -(-n * q * r * (e + 2) * 30 * 2 // 4096) + -(-n * m * e * 28 * 2 // 4096)
        assert banks <= 25
        if 28 % e == 0:
            assert row_stationary.active_pes(layer, batch, row) == 168


def test_nvdla(shipped) -> None:
    report = shipped("nvdla")
    for quantity in ("layer DRAM kB", "layer MAC cycles"):
        assert all(abs(c.error) < 1e-4 for c in report.of(quantity))
    assert all(abs(c.error) < 0.013 for c in report.of("fps by the vendor's rules"))
    assert all(abs(c.error) < 0.65 for c in report.of("fps, our estimate"))
    assert {c.verdict for q in ("area mm2", "power mW") for c in report.of(q)} == {"within"}
    assert all(abs(c.error) < 0.001 for q in ("area", "power") for c in report.of(_fitted(report, q)))


def _fitted(report, what: str) -> str:
    return next(q for q in report.groups() if q.startswith(what) and q.endswith("fitted"))


def test_nvdla_power_is_fitted_on_the_smallest_and_the_largest(shipped) -> None:
    """The static power in the files is what two chips lack; the sizes between have no say."""
    hw = {macs: load_hardware(f"nvdla_{macs}") for macs in (64, 2048)}
    cases = shipped("nvdla").of(_fitted(shipped("nvdla"), "power"))
    ours = {macs: c.ours - sum(hw[macs].static_mw.values()) for c, macs in zip(cases, (2048, 64))}
    ours = {macs: mw + hw[macs].leakage_mw for macs, mw in ours.items()}
    over = breakdowns.nvdla({c: t.theirs for t, c in zip(cases, (2048, 64))}, ours)
    parts = {x.name: x for x in hw[64].components}
    assert parts["control"].pj_per_cycle == pytest.approx(over.chip, rel=0.01)  # mW at 1 GHz
    assert parts["pipeline"].pj_per_cycle == pytest.approx(over.per_mac, rel=0.01)


def test_shidiannao(shipped) -> None:
    report = shipped("shidiannao")
    assert [c.name for c in report.of("size kB") if c.verdict == "off"] == ["Face Recog. total"]
    assert all(abs(c.error) < 0.085 for c in report.of("area mm2"))
    assert report.of("area mm2, by Eyeriss's layout")[0].error == pytest.approx(0.75, abs=0.01)
    assert off(report, "power mW") == 0


@pytest.mark.parametrize("name", sorted(set(MODELS)))
def test_networks_have_the_published_parameters(name: str) -> None:
    models = facts("edgetpu")["models"].values()
    published, resolution = next((params, size) for model, size, params in models if model == name)
    assert MODELS[name].build(1, resolution).params / 1e6 == pytest.approx(published, rel=0.01)


def test_edgetpu_overhead_is_what_the_fitted_network_lacks() -> None:
    assert load_hardware("edgetpu").network.overhead_us == pytest.approx(
        edgetpu.fit_overhead("desktop"), rel=0.01
    )


@pytest.mark.parametrize(
    ("name", "most"),
    [("ResNet-50 V1", 0.02), ("VGG16", 0.035), ("MobileNet v1", 0.12), ("Inception v1", 0.03)],
)
def test_edgetpu(name: str, most: float) -> None:
    theirs = facts("edgetpu")["latency_ms"]["desktop"][name]
    assert abs(edgetpu.compare("desktop", name, theirs, edgetpu.fit_overhead("desktop")).error) < most


def test_tpu(shipped) -> None:
    report = shipped("tpu")
    assert [case.name for case in report.cases if case.verdict == "off"] == ["LSTM1"]
    assert all(abs(case.error) < 0.15 for case in report.of("TOPS") if case.name != "LSTM1")


def test_devices(shipped) -> None:
    ranks = {rank.name: rank for rank in shipped("devices").ranks}
    assert ranks["all networks"].ours > 0.95 > ranks["all networks"].baseline + 0.2
    assert ranks["without squeeze-excite"].ours > 0.99
    assert ranks["with squeeze-excite"].ours > 0.94


def test_devices_beyond_the_sample(shared_dir) -> None:
    rows = [row for row in read_rows(shared_dir / devices.FILE) if row["latency_zcu102"]][43::86]
    networks = [devices.network(row) for row in rows]
    for row, net in zip(rows, networks, strict=True):
        assert net.params / 1e6 == pytest.approx(float(row["mparams"]), abs=1e-6)
    ours = devices.latencies_ms(networks)
    assert spearman(ours, [float(row["latency_zcu102"]) for row in rows]) > 0.94
