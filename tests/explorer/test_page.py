"""The page: made of each kind of result, whole, offline, safe; in a browser it loads and answers clicks."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

import accelsim
import accelsim.report.roofline
from accelsim.errors import AccelsimError
from accelsim.explorer import load, page_data, write_page
from accelsim.explorer.cost import latency_stack
from accelsim.explorer.live import serve
from accelsim.explorer.page import html
from accelsim.report.style import STYLES
from tests.command import run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</script><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.study"
    accelsim.search(
        "shidiannao", networks="lenet5", objectives="edp,area", evaluations=12, population=6,
        mapper="template", study=path, finish=0,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def cost() -> accelsim.NetworkCost:
    out = accelsim.evaluate("shidiannao", "lenet5", mapper="template")
    assert isinstance(out, accelsim.NetworkCost)
    return out


@pytest.fixture(scope="module")
def fused() -> accelsim.NetworkCost:
    """No layer is outside the stack."""
    net = accelsim.NetworkBuilder("pair", 3, 16, 16)
    pair = net.build(net.conv(net.conv(net.input, 8, 3, name="a"), 8, 3, name="b"))
    stack = {"layers": ["a", "b"], "tile": {"P": 4, "Q": 8}}
    return accelsim.evaluate("shidiannao", pair, mapper="template", fuse={"stacks": [stack]})


def test_parts_have_the_colours_that_figures_give_them() -> None:
    text = files("accelsim.explorer").joinpath("assets/page.js").read_text("utf-8")
    colours, shapes = (
        json.loads(re.search(rf"const {name} = (\[.*\]);", text)[1]) for name in ("COLOURS", "SHAPES")
    )
    assert list(zip(colours, shapes)) == [(colour, hatch[:1]) for colour, hatch in STYLES]


def test_study_page_holds_all_candidates_and_the_base_chip(study) -> None:
    result = accelsim.load_study(study)
    page = load(study, designs=2)
    assert len(page["rows"]) == len(result) == 12
    assert page["front"] == [found.index for found in result.front]
    assert 1 <= len(page["designs"]) <= 2
    assert result.best.index in page["designs"]
    design = page["designs"][result.best.index]
    energy = sum(layer["energy_pj"] for layer in design["costs"][0]["layers"]) * 1e-12
    assert energy == pytest.approx(result.best.metrics["energy"])
    assert "ShiDianNao" in page["base"]["label"]


def test_every_figure_stands_under_its_name(study) -> None:
    """Of candidates, of designs and of the base chip."""
    result = accelsim.load_study(study)
    page = load(study, designs=1)
    names = [column["name"] for column in page["columns"]]
    best = result.best
    row = dict(zip(names, page["rows"][best.index], strict=True))
    for metric in ("edp", "latency", "energy", "area"):
        key = result.key_of(metric)
        assert row[key] == best.metrics[metric] == page["designs"][best.index]["figures"][key]
    assert page["objectives"] == ["edp_js", "area_mm2"]
    base, cost = page["base"], accelsim.evaluate("shidiannao", "lenet5", mapper="template")
    assert base["latency_s"] == pytest.approx(cost.latency_s)
    assert base["energy_j"] == pytest.approx(cost.energy_pj * 1e-12)
    assert base["edp_js"] == pytest.approx(cost.edp_js)
    assert base["area_mm2"] == pytest.approx(cost.hardware.area_mm2)
    assert {column["name"] for column in page["columns"] if column["log"]} >= {"edp_js"}


def test_a_roof_has_no_layer_above_it() -> None:
    """Also where the outermost memory has a port to read and one to write."""
    for chip in ("shidiannao", "edgetpu"):
        one = page_data(accelsim.evaluate(chip, "mobilenet_v2", mapper="template"))["design"]["costs"][0]
        roof = one["roof"]
        known = accelsim.report.roofline.roof(accelsim.load_hardware(chip))
        assert roof["bandwidth"] == pytest.approx(known.bandwidth)
        assert roof["peak"] == pytest.approx(known.peak)
        spots = [x for x in one["layers"] if x["macs_per_byte"] is not None]
        assert spots
        for layer in spots:
            over = min(roof["peak"], roof["bandwidth"] * layer["macs_per_byte"])
            assert layer["macs"] / layer["cycles"] <= over * (1 + 1e-9)


def test_axes_of_a_sweep_have_names_and_units() -> None:
    page = page_data(accelsim.sweep("shidiannao", "lenet5", ["clock_mhz=500,1000"], mapper="template"))
    assert page["columns"][0]["label"] == "clock, MHz"
    assert "lowest EDP at clock, MHz = 1000" in page["summary"]


def test_cost_page_says_what_the_cost_says(cost) -> None:
    page = page_data(cost)
    layers = page["design"]["costs"][0]["layers"]
    assert [x["cycles"] for x in layers] == [x.latency_cycles for x in cost.layers]
    for shown, one in zip(layers, cost.layers, strict=True):
        assert sum(shown["stack_cycles"].values()) == pytest.approx(one.latency_cycles)
        assert sum(shown["energy_split"].values()) == pytest.approx(one.energy_pj)
        assert "multiply-accumulate" in shown["nest"] or one.macs == 0
    roof = page["design"]["costs"][0]["roof"]
    assert roof["peak"] == pytest.approx(cost.hardware.peak_macs_per_cycle)


def test_latency_stack_adds_up_where_a_port_binds() -> None:
    stack = latency_stack(
        {
            "compute": 10.0,
            "GLB read I": 25.0,
            "DRAM read": 5.0,
            "exposed fills": 3.0,
            "ramp-up": 1.0,
            "ramp-down": 0.0,
        },
        29.0,
    )
    assert stack == {"compute": 10.0, "wait for GLB read I": 15.0, "exposed fills": 3.0, "ramp-up": 1.0}


def test_bars_add_up_to_the_network_where_one_hides_others() -> None:
    """Edge TPU: a port's cycles are exposed fills, and most of the latency lies beyond the layers."""
    cost = accelsim.evaluate("edgetpu", "mobilenet_v2", mapper="template")
    one = page_data(cost)["design"]["costs"][0]
    for shown, layer in zip(one["layers"], cost.layers, strict=True):
        assert sum(shown["stack_cycles"].values()) == pytest.approx(layer.latency_cycles)
    bars = [*one["layers"], *one["beside"]]
    assert one["beside"][-1]["name"] == "overhead"
    assert one["beside"][-1]["stack_cycles"] == {"overhead": cost.overhead_cycles}
    for field, whole in (("stack_cycles", cost.latency_cycles), ("energy_split", cost.energy_pj)):
        assert sum(sum(bar[field].values()) for bar in bars) == pytest.approx(whole)


def test_fused_stacks_have_bars_too() -> None:
    cost = accelsim.evaluate("shidiannao", "mobilenet_v2", mapper="template", fuse="auto")
    one = page_data(cost)["design"]["costs"][0]
    assert len(one["beside"]) == len(cost.stacks) >= 1
    bars = [*one["layers"], *one["beside"]]
    for field, whole in (("stack_cycles", cost.latency_cycles), ("energy_split", cost.energy_pj)):
        assert sum(sum(bar[field].values()) for bar in bars) == pytest.approx(whole)


def test_a_network_all_of_whose_layers_are_fused_has_a_page(fused) -> None:
    assert not fused.layers
    one = page_data(json.loads(json.dumps(fused.to_dict())))["design"]["costs"][0]
    (bar,) = one["beside"]
    assert bar["stack_cycles"] == {"fused stacks": fused.latency_cycles}
    assert sum(bar["energy_split"].values()) == pytest.approx(fused.energy_pj)
    with pytest.raises(AccelsimError, match="neither layers nor stacks"):
        page_data(fused.to_dict() | {"stacks": []})


def test_command_reads_tables_and_costs(capsys, tmp_path, cost) -> None:
    table = tmp_path / "t.csv"
    accelsim.sweep("shidiannao", ["lenet5"], ["clock_mhz=500,1000"], mapper="template", out=table)
    (tmp_path / "c.json").write_text(json.dumps(cost.to_dict()))
    for name in ("t.csv", "c.json"):
        code, out, _ = run(capsys, "report", str(tmp_path / name))
        assert code == 0
        text = Path(out.strip()).read_text("utf-8")
        assert "http-equiv" in text
        assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "[1]", "a page shows"),
        ("x.json", '{"layers": 3}', "x.json: this is no network's cost"),
        ("x.csv", "a,b\n1,2\n", "no table of a sweep"),
        ("x.study", "nothing", "x.study"),
    ],
)
def test_other_files_are_refused(capsys, tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    code, _, err = run(capsys, "report", str(tmp_path / name))
    assert code == 2
    assert message in err
    assert not (tmp_path / "x.html").exists()
    code, _, err = run(capsys, "report", str(tmp_path / "none.study"))
    assert (code, "no such file" in err) == (2, True)


def test_data_cannot_leave_its_script(cost) -> None:
    data = page_data(cost) | {"title": HOSTILE + "@PLOTLY@"}
    text = html(data)
    assert HOSTILE not in text
    assert text.count("@PLOTLY@") == 1


def test_live_page_is_on_loopback_and_grows_with_the_study(study) -> None:
    with serve(study) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{root}/data.json") as answer:
            assert len(json.load(answer)["rows"]) == 12
        with urllib.request.urlopen(root) as answer:
            assert b"Content-Security-Policy" in answer.read()
        server.shutdown()
    with pytest.raises(AccelsimError):
        serve(study.with_name("none.study"))


def test_live_page_waits_for_a_study_that_is_to_come(study, tmp_path) -> None:
    late = tmp_path / "late.study"
    process = subprocess.Popen(
        [sys.executable, "-m", "accelsim.cli", "report", "--live", str(late)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr.readline() == f"accelsim: waits until {late} is there; Ctrl-C ends it\n"
        shutil.copyfile(study, late)
        address = process.stdout.readline().partition(" ")[0]
        with urllib.request.urlopen(f"{address}data.json") as answer:
            assert len(json.load(answer)["rows"]) == 12
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "accelsim: stopped\n")


def test_live_page_does_not_wait_in_vain(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("accelsim.explorer.live.YOUNG_S", 1)
    code, _, err = run(capsys, "report", "--live", str(tmp_path / "none" / "a.study"))
    assert code == 2
    assert "there is no folder" in err
    late = tmp_path / "late.study"
    threading.Timer(0.5, late.write_text, ["no study"]).start()
    code, _, err = run(capsys, "report", "--live", str(late))
    assert code == 2
    assert "late.study" in err.splitlines()[-1]


def test_a_damaged_parquet_file_is_one_message(tmp_path, capsys) -> None:
    pytest.importorskip("pyarrow")
    for content in (b"", b"PAR1xxPAR1", b"PAR1" + bytes(100) + b"PAR1"):
        file = tmp_path / "a.parquet"
        file.write_bytes(content)
        code, _, err = run(capsys, "report", str(file))
        assert code == 2
        assert "a.parquet: not a Parquet file that can be read" in err


def test_a_parquet_file_of_too_many_cells_is_refused(tmp_path) -> None:
    """Equal cells take next to nothing in the file, and some hundred bytes each once they are read."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"edp_js": arrow.array([1.0]).take(arrow.array([0] * 6_000_000))}), file)
    assert file.stat().st_size < 2**20
    with pytest.raises(AccelsimError, match="at most 5,000,000 cells"):
        load(file)


def test_live_page_and_clients_that_mean_harm(study, monkeypatch, capsys) -> None:
    """Silent ones are left, those that leave are no news, other names, paths and long lines are refused."""
    monkeypatch.setattr("accelsim.explorer.live.SILENCE_S", 0.3)
    with serve(study) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def told(request: bytes) -> bytes:
            with socket.create_connection(server.server_address, 20) as line:
                line.sendall(request)
                return line.recv(100)

        before = threading.active_count()
        silent = [socket.create_connection(server.server_address, 20) for _ in range(20)]
        assert b" 404 " in told(b"GET /../../etc/passwd HTTP/1.1\r\n\r\n")
        assert b" 403 " in told(b"GET /data.json HTTP/1.1\r\nHost: evil.example:80\r\n\r\n")
        assert b" 200 " in told(b"GET /data.json HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
        assert b" 414 " in told(b"GET /" + 70_000 * b"a" + b" HTTP/1.1\r\n\r\n")
        assert b" 431 " in told(b"GET / HTTP/1.1\r\n" + 200 * b"X: y\r\n" + b"\r\n")
        for _ in range(5):
            line = socket.create_connection(server.server_address, 20)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(b"GET / HTTP/1.1\r\n\r\n")
            line.close()
        end = time.monotonic() + 30
        while threading.active_count() > before:
            assert time.monotonic() < end
            time.sleep(0.05)
        for line in silent:
            line.close()
        server.shutdown()
    assert capsys.readouterr().err == ""


PROBE = f"<script>{Path(__file__).with_name('probe.js').read_text()}</script>"
FAULTS = "<head><script>window.faults = []; window.onerror = (m) => window.faults.push(String(m));</script>"


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize("kind", ["study", "cost", "fused"])
def test_in_a_browser_it_loads_without_errors_and_a_click_selects(tmp_path, kind, request) -> None:
    made = request.getfixturevalue(kind)
    path = write_page(load(made, designs=3) if kind == "study" else made, tmp_path / "page.html")
    text = path.read_text("utf-8").replace("<head>", FAULTS, 1)
    path.write_text(text.replace("</body>", PROBE + "</body>"), "utf-8")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    made = subprocess.run([*command, profile, path.as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r'<output id="probe">(.*?)</output>', made.stdout)
    assert found, made.stderr[-500:]
    seen = json.loads(found[1].replace("&quot;", '"'))
    assert seen["faults"] == []
    assert seen["charts"] >= 2
    if kind == "study":
        front = load(request.getfixturevalue(kind), designs=1)["front"]
        assert seen["picked"] == {"a": front[1], "b": front[0]}
        assert seen["designs"] >= 2
        assert seen["count"].startswith("0 of 12")
