"""Where no dataflow fits: the figures say exactly what would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import accelsim
from accelsim.mapping.maestro.machine import MaestroMachine
from accelsim.mapping.maestro.model import price_layers
from accelsim.mapping.maestro.shortage import shortages
from tests.command import run


def test_what_is_said_to_be_short_is_exactly_so() -> None:
    """With the elements that are needed the layer fits, with one less it does not; others are not named."""
    layers = accelsim.load_network("lenet5").layers
    machine = MaestroMachine.from_accelerator(accelsim.load_hardware("nvdla_64"))
    found = shortages(layers, machine)
    assert found
    over = [one.need / one.have for one in found]
    assert over == sorted(over, reverse=True)
    for one in found:
        assert one.buffer == "L1"
        assert one.need > one.have == machine.l1_size
        enough, less = (replace(machine, l1_size=size) for size in (one.need, one.need - 1))
        cycles = price_layers([one.layer], [less, enough]).latency_cycles[:, 0]
        assert np.isinf(cycles[0])
        assert np.isfinite(cycles[1])
    fits = [layer for layer in layers if layer not in {one.layer for one in found}]
    assert np.isfinite(price_layers(fits, [machine]).latency_cycles).all()


def test_a_large_buffer_is_short_of_nothing() -> None:
    layers = accelsim.load_network("lenet5").layers
    machine = MaestroMachine.from_accelerator(accelsim.load_hardware("nvdla_64"))
    assert shortages(layers, replace(machine, l1_size=2**20, l2_size=2**30)) == []
    assert {one.buffer for one in shortages(layers, replace(machine, l1_size=2**20, l2_size=1))} == {"L2"}


def test_a_search_that_finds_nothing_says_so(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--network", "lenet5", "--model", "maestro", "--evaluations", "16", "--population", "16")
    code, out, _ = run(capsys, "search", "nvdla_64", *words)
    layers = accelsim.load_network("lenet5").layers
    machine = MaestroMachine.from_accelerator(accelsim.load_hardware("nvdla_64"))
    worst = shortages(layers, machine)[0]
    out = " ".join(out.split())
    assert code == 3
    assert f"on NVDLA 64 itself {worst.layer.name} needs {worst.need} elements of L1" in out
    assert f"there are {worst.have}: {worst.need - worst.have} short" in out
