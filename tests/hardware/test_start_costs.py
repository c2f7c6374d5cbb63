"""What a layer, a transfer and a burst take to start, by hand: in latency, on ports, in energy, in stacks."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import accelsim
from accelsim import Layer
from accelsim.report.stacks import latency_stack
from tests.command import run
from tests.fusion.test_price import entry, price, small
from tests.mapping.invented import axis, machine, memory

LAYER = Layer.gemm(M=16, N=8, K=16)
BASE = machine(
    "starts",
    memory("DRAM", None, {"read_write": 4}, energy={"read_pj_per_bit": 1, "write_pj_per_bit": 2}),
    memory("buffer", 65536, 64, overlap=True, fanout=[axis("x", 4, "m"), axis("y", 4, "r")]),
    memory("PE", 256, 1000, overlap=True),
)
MAPPING = {
    "levels": [
        {"memory": "DRAM", "order": ["C", "P"], "tile": {"C": 8, "P": 8}},
        {"memory": "buffer", "order": ["P", "K", "C"], "tile": {"P": 1, "K": 4, "C": 4},
         "spatial": {"x": {"dim": "K", "factor": 4}, "y": {"dim": "C", "factor": 4}}},
        {"memory": "PE"},
    ]
}  # fmt: skip
# For each half of the channels the weights come once, the two halves of the inputs and sums go by, and sums
# of the first half come back for the second.
BITS = {"W": 128 * 8, "I": 256 * 8, "O out": 128 * 32 + 128 * 8, "O back": 128 * 32}
TRANSFERS = {"W": 2, "I": 4, "O out": 4, "O back": 2}


def priced(dram: dict[str, Any], **chip: Any) -> Any:
    data = json.loads(json.dumps(BASE)) | chip
    data["memories"][0] |= dram
    return accelsim.evaluate(data, LAYER, MAPPING)


def test_each_transfer_starts_once_and_holds_its_port() -> None:
    free, cost = priced({}), priced({"start_cycles": 50})
    assert free.port_cycles["DRAM read+write"] == sum(BITS.values()) / 32 == 384
    assert cost.port_cycles["DRAM read+write"] == 384 + 50 * sum(TRANSFERS.values())
    assert cost.bound_by == "DRAM read+write"
    # The first weights and inputs start one after the other at the one port, the last outputs once.
    assert cost.latency_split["ramp-up"] == free.latency_split["ramp-up"] + 2 * 50
    assert cost.latency_split["ramp-down"] == free.latency_split["ramp-down"] + 50
    split = cost.latency_split
    assert cost.latency_cycles == split["DRAM read+write"] + split["ramp-up"] + split["ramp-down"]
    assert cost.compute_cycles == free.compute_cycles


def test_starts_alone_may_bind() -> None:
    """A port of few bits and many starts is named, where its bits alone would not be."""
    free = priced({"bandwidth": {"read_write": 1e4}})
    assert not free.bound_by.startswith("DRAM")
    assert priced({"bandwidth": {"read_write": 1e4}, "start_cycles": 90}).bound_by == "DRAM read+write"


@pytest.mark.parametrize("burst", [64, 100, 4096])
def test_transfers_move_whole_bursts(burst: int) -> None:
    cost = priced({"burst_bytes": burst})
    moved = {k: n * 8 * burst * math.ceil(BITS[k] / n / (8 * burst)) for k, n in TRANSFERS.items()}
    assert cost.port_cycles["DRAM read+write"] == sum(moved.values()) / 32
    energy = cost.energy_split_pj["DRAM"]
    assert sum(x["read"] for x in energy.values()) == moved["W"] + moved["I"] + moved["O back"]
    assert energy["O"]["write"] == 2 * moved["O out"]
    assert cost.energy_pj == pytest.approx(sum(cost.memory_energy_pj().values()))


def test_a_layer_starts_once() -> None:
    free, cost = priced({}), priced({}, layer_cycles=1000)
    assert cost.latency_cycles == free.latency_cycles + 1000
    stack = latency_stack(cost)
    assert stack["layer start"] == 1000
    assert sum(stack.values()) == pytest.approx(cost.latency_cycles)
    assert latency_stack(free) == {k: v for k, v in stack.items() if k != "layer start"}


def test_check_says_what_takes_time_to_start_and_what_is_unknown(capsys, tmp_path) -> None:
    file = tmp_path / "chip.json"
    unknown = "unknown, taken as 0: "
    wanted = {
        json.dumps(BASE): f"start   {unknown}an inference, a layer, a transfer",
        json.dumps(
            BASE | {"layer_cycles": 20}
        ): f"start   20 cycles a layer; {unknown}an inference, a transfer",
        json.dumps(BASE | {"network": {"overhead_us": 7}}): (
            f"start   7 us an inference; {unknown}a layer, a transfer"
        ),
    }
    whole = json.loads(json.dumps(BASE | {"layer_cycles": 20, "network": {"overhead_us": 0}}))
    whole["memories"][0] |= {"start_cycles": 30, "burst_bytes": 64}
    wanted[json.dumps(whole)] = (
        "start   0 us an inference; 20 cycles a layer; 30 cycles a transfer of DRAM in bursts of 64 bytes\n"
    )
    for text, line in wanted.items():
        file.write_text(text)
        code, out, _ = run(capsys, "check", str(file))
        assert code == 0
        assert line in out
    out = run(capsys, "check", "dpu_zcu102")[1]
    assert "engine  Arm runs pool with windows over 8: 1200 points a us" in out
    assert "engine  ALU runs depthwise/pool/eltwise: memories.banks.fanout.pixels.size = 4, " in out


@pytest.mark.parametrize("overlap", [True, False])
def test_stacks_load_and_store_in_transfers_too(overlap: bool) -> None:
    """Tiles of 4 x 16: four loads of the input, four stores of the result; no weights wait in memory 0."""
    net = small()
    plan = {"stacks": [entry(net, "expand", "project", (4, 16), weights=["expand", "dw", "project"])]}
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][1] |= {"double_buffered": False, "overlap": overlap}
    costs = []
    for start, burst in ((0, None), (1000, None), (0, 4096)):
        data["memories"][0] |= {"start_cycles": start, "burst_bytes": burst}
        costs.append(price(accelsim.load_hardware(data), net, plan).stacks[0])
    free, starts, bursts = costs
    assert (free.count, free.loads) == (4, {"input": 8 * 256})
    many = 1 + 4 + 4  # weights, loads, stores
    port = "DRAM read+write"
    assert starts.port_cycles[port] == free.port_cycles[port] + 1000 * many
    if overlap:  # the weights and the first load on the way in, the last store on the way out
        held_up = max(starts.port_cycles[port], starts.compute_cycles)
        assert starts.latency_cycles > held_up + 3 * 1000
    else:
        assert starts.latency_cycles == pytest.approx(free.latency_cycles + 1000 * many)
    # Each transfer is less than a burst on average: weights 8 x 16 x 2 + 16 x 9 words, loads and stores 512.
    assert bursts.port_cycles[port] - free.port_cycles[port] == pytest.approx(
        (many * 4096 - (400 + 2 * 2048)) / data["memories"][0]["bandwidth"]["read_write"]
    )
    each = accelsim.load_hardware(data).resolved_energy(0)
    more = (5 * 4096 - 400 - 2048) * each["W"][0] + (4 * 4096 - 2048) * each["O"][1]
    assert bursts.energy_pj - free.energy_pj > 8 * more * (1 - 1e-9)
    assert bursts.memory_energy_pj["DRAM"] - free.memory_energy_pj["DRAM"] == pytest.approx(8 * more)
