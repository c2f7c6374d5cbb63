"""`accelsim map`: reports, saved mappings that `evaluate` prices alike, and one message for each fault."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

import accelsim
from accelsim.mapping.mapper import map_layer
from tests.command import run
from tests.mapping.invented import INVENTED

LAYER = "K=8 C=4 P=6 Q=6 R=3 S=3"


@pytest.mark.parametrize("hardware", ["example", "edgetpu"])
def test_saved_network_mapping_prices_alike(capsys, tmp_path, hardware) -> None:
    file = tmp_path / "mapping.json"
    code, out, _ = run(capsys, "map", hardware, "lenet5", "--budget", "100", "--nests", "--save", str(file))
    assert code == 0
    assert "multiply-accumulate" in out
    assert "mapper genetic, objective edp" in out
    expected = accelsim.map_network(hardware, "lenet5", budget=100).cost
    code, out, _ = run(capsys, "evaluate", hardware, "lenet5", "--mapping", str(file), "--json")
    assert code == 0
    data = json.loads(out)
    assert (data["latency_cycles"], data["energy_pj"]) == (expected.latency_cycles, expected.energy_pj)


def test_saved_layer_mapping_prices_alike(capsys, tmp_path) -> None:
    file = tmp_path / "mapping.json"
    words = ("--objective", "energy", "--seed", "3", "--budget", "100")
    code, out, _ = run(capsys, "map", "eyeriss", "--layer", LAYER, *words, "--save", str(file))
    assert code == 0
    assert "objective energy, seed 3" in out
    layer = accelsim.Layer.conv2d(K=8, C=4, P=6, Q=6, R=3, S=3)
    expected = accelsim.map_layer("eyeriss", layer, objective="energy", seed=3, budget=100)
    code, out, _ = run(capsys, "evaluate", "eyeriss", "--layer", LAYER, "--mapping", str(file), "--json")
    assert json.loads(out)["energy_pj"] == expected.cost.energy_pj


def test_workers_do_not_change_the_report(capsys) -> None:
    words = ("map", "example", "lenet5", "--budget", "100")
    assert run(capsys, *words) == run(capsys, *words, "--workers", "2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("example",), "either a network or --layer"),
        (("example", "lenet5", "--layer", LAYER), "either a network or --layer"),
        (("exampel", "lenet5"), "example"),
        (("example", "lenet5", "--mapper", "genetics"), "genetic"),
        (("example", "lenet5", "--objective", "edpp"), "edp"),
        (("example", "lenet5", "--budget", "-1"), "budget"),
        (("example", "lenet5", "--budget", str(10**23)), "budget"),
        (("example", "lenet5", "--seed", "-1"), "seed"),
        (("example", "lenet5", "--workers", "0"), "workers"),
        (
            ("example", "--layer", LAYER, "--budget", "9", "--save", "/nowhere/at/all.json"),
            "/nowhere/at/all.json: there is no",
        ),
    ],
)
def test_faults(capsys, words, said) -> None:
    code, out, err = run(capsys, "map", *words)
    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_ctrl_c_gives_the_best_so_far(capsys, tmp_path) -> None:
    """With the gap that remains, exit code 130, and a file that prices alike."""
    file = tmp_path / "mapping.json"
    assert run(capsys, "map", "example", "--layer", LAYER, "--mapper", "optimal")[0] == 0  # compiles
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    words = ("map", "eyeriss", "resnet50", "--mapper", "optimal", "--tiles", "all", "--save", str(file))
    code, out, err = run(capsys, *words)
    timer.join()
    assert code == 130
    assert "cancelled" in out
    assert "proved among tiles of all trip counts" in out
    assert "stopped on request" in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    code, out, _ = run(capsys, "evaluate", "eyeriss", "resnet50", "--mapping", str(file), "--json")
    assert code == 0


def test_ctrl_c_ends_within_half_a_second_on_a_large_machine(capsys, tmp_path, monkeypatch) -> None:
    """36,864 MACs that any dimension may use: listing them, searching and reporting all stop. In CPU time,
    from when the search begins, so that what else the machine does changes nothing.
    """  # fmt: skip
    file = tmp_path / "huge.json"
    file.write_text(json.dumps(INVENTED["huge"]))
    words = ("map", str(file), "--mapper", "optimal", "--layer")
    run(capsys, *words, LAYER, "--seconds", "1")  # compiles what a report needs
    sent = []

    def press(at: float) -> None:
        while time.process_time() < at:
            time.sleep(0.01)
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    for after in (0.1, 1.0):

        def begun(*arguments, after=after, **options):
            threading.Thread(target=press, args=(time.process_time() + after,)).start()
            return map_layer(*arguments, **options)

        monkeypatch.setattr("accelsim.mapping.mapper.map_layer", begun)
        code, out, _ = run(capsys, *words, "K=512 C=512 P=28 Q=28 R=3 S=3")
        took = time.process_time() - sent[-1]
        assert code == 130
        assert "more mappings than are counted with tiles of all trip counts" in out
        assert took < 0.5


def test_certificates_are_in_the_report(capsys) -> None:
    code, out, _ = run(capsys, "map", "shidiannao", "lenet5", "--mapper", "optimal")
    assert code == 0
    head = next(line for line in out.splitlines() if "status" in line)
    assert head.split()[-2:] == ["gap", "candidates"]
    layers = len(accelsim.load_network("lenet5").layers)
    other = out.count(" budget ") + out.count(" done ")
    assert 5 <= out.count(" optimal ") == layers - other
    code, out, _ = run(capsys, "map", "example", "--layer", LAYER, "--mapper", "optimal", "--seconds", "60")
    assert "certificate: gap 0.00% among" in out
    assert "cut by" in out
