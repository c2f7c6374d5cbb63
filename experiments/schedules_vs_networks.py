"""Does the best network depend on the schedule? Five networks under six schedules of one machine.

    python experiments/schedules_vs_networks.py [--quick] [--out DIR]

Surveys of joint network and compiler search claim that (1) the speed-up that a schedule brings differs from
network to network, and (2) networks ranked under one schedule are ranked otherwise under another, so that a
network must not be chosen before its schedule. Their figures come from compilers on CPUs and GPUs; here a
schedule is a dataflow: which dimensions the array spreads, and what stays in place.
"""

from __future__ import annotations

import argparse
import csv
from itertools import pairwise

import numpy as np
from common import folder
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau

import accelsim

NETWORKS = ("vgg16", "resnet18", "resnet34", "mobilenet_v1", "mnasnet_b1")
WEIGHTS, OUTPUTS, INPUTS = "GKCRSNPQ", "NGKPQCRS", "NGCRSPQK"
SCHEDULES = {  # dimensions of rows and columns, and the loop order of both memories
    "C x K, weights stay": ("C", "K", WEIGHTS),
    "C x K, outputs stay": ("C", "K", OUTPUTS),
    "C x K, inputs stay": ("C", "K", INPUTS),
    "P x Q, outputs stay": ("P", "Q", OUTPUTS),
    "R x P, rows stay": ("R", "P", WEIGHTS),
    "K x P, outputs stay": ("K", "P", OUTPUTS),
}


def machine(rows: str, cols: str, order: str) -> accelsim.Accelerator:
    """The example chip with an array that can do anything, held to one schedule."""
    chip = accelsim.load_hardware("example").to_dict()
    for axis in chip["memories"][1]["fanout"]:
        axis |= {"multicast": True, "reduction": True}
    orders = {"DRAM": [list(order)], "buffer": [list(order)]}
    # Depthwise layers have one channel a group: where C or K are spread, groups may be instead of K.
    spread = {"rows": [rows], "cols": [cols, "G"] if cols == "K" else [cols]}
    chip["dataflow"] = {"axes": {"buffer": spread}, "orders": orders}
    return accelsim.load_hardware(chip)


def free_machine() -> accelsim.Accelerator:
    """The same chip without a prescribed schedule."""
    chip = machine("C", "K", WEIGHTS).to_dict()
    del chip["dataflow"]
    return accelsim.load_hardware(chip)


def unblocked(network: accelsim.Network, rows: str, cols: str, order: str) -> dict:
    """Mappings that fill the array and keep nothing anywhere: every loop runs over single elements."""
    layers = {}
    for layer in network.layers:
        across = "G" if cols == "K" and layer.dims["K"] == 1 else cols
        used = {"rows": (rows, min(16, layer.dims[rows])), "cols": (across, min(16, layer.dims[across]))}
        spatial = {axis: {"dim": d, "factor": f} for axis, (d, f) in used.items() if f > 1}
        union = dict.fromkeys(order, 1) | dict(used.values())
        levels = [
            {"memory": "DRAM", "order": list(order), "tile": union},
            {"memory": "buffer", "order": list(order), "tile": union, "spatial": spatial},
            {"memory": "PE", "order": list(order), "tile": dict.fromkeys(order, 1)},
        ]
        layers[layer.name] = {"version": 1, "levels": levels}
    return {"version": 1, "layers": layers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small inputs, few evaluations: seconds")
    parser.add_argument("--out", type=folder, default="schedules_vs_networks", help="folder for the results")
    options = parser.parse_args()
    resolution, budget = (64, 200) if options.quick else (224, 5000)
    networks = [accelsim.load_network(name, resolution=resolution) for name in NETWORKS]
    chips = {name: machine(*schedule) for name, schedule in SCHEDULES.items()} | {"free": free_machine()}

    # Seconds [mapping kind][schedule, network].
    seconds = {kind: np.empty((len(chips), len(networks))) for kind in ("default", "best")}
    for i, (name, chip) in enumerate(chips.items()):
        for j, network in enumerate(networks):
            given = unblocked(network, *SCHEDULES.get(name, ("C", "K", WEIGHTS)))
            seconds["default"][i, j] = accelsim.evaluate(chip, network, given).latency_s
            found = accelsim.map_network(chip, network, "genetic", "latency", budget, workers=2)
            seconds["best"][i, j] = found.cost.latency_s

    console = Console(width=150)
    for kind, times in seconds.items():
        table = Table(title=f"Speed-up over the first schedule, {kind} mappings; [latency, ms]", box=None)
        table.add_column("schedule")
        for name in NETWORKS:
            table.add_column(name, justify="right")
        table.add_column("tau with the first", justify="right")
        for name, row in zip(chips, times, strict=True):
            cells = (f"{a / b:.2f} [{b * 1e3:.2f}]" for a, b in zip(times[0], row, strict=True))
            table.add_row(name, *cells, f"{kendalltau(times[0], row).statistic:+.2f}")
        console.print(table, "")

    for kind, times in seconds.items():
        rows = times[:-1]
        gains, spread = rows[0] / rows.min(axis=0), rows.max(axis=0) / rows.min(axis=0)
        taus = [kendalltau(a, b).statistic for i, a in enumerate(rows) for b in rows[:i]]
        fastest = sorted({NETWORKS[int(row.argmin())] for row in rows})
        text = (
            f"{kind} mappings: the best schedule is {gains.min():.2f} to {gains.max():.2f} times as fast as "
            f"the first, the slowest {spread.min():.1f} to {spread.max():.1f} times as slow as the best, by "
            f"network; tau between two schedules {min(taus):+.2f} to {max(taus):+.2f}; fastest network: "
            f"{' or '.join(fastest)}"
        )
        console.print(text, highlight=False)
    tau = kendalltau(seconds["default"][0], seconds["best"][-1]).statistic
    gain = seconds["default"] / seconds["best"]
    macs = sorted(network.macs for network in networks)
    apart = min(b / a for a, b in pairwise(macs))
    text = (
        f"blocking: best mappings are {gain.min():.1f} to {gain.max():.1f} times as fast as default ones; "
        f"the first schedule's default mappings and the best of all rank the networks with tau {tau:+.2f}\n"
        "where and why this differs from the surveys' figures: these networks lie up to "
        f"{macs[-1] / macs[0]:.0f} times apart in MACs, neighbours at least {apart:.2f} times, so that only "
        "neighbours can change places; and a compiler's schedule on a CPU or GPU also vectorises, unrolls "
        "and packs, which this machine does not know. So the two effects are compared, and no numbers."
    )
    console.print(text, highlight=False)

    with (options.out / "latency.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["mappings", "schedule", "network", "latency_s"])
        for kind, times in seconds.items():
            for name, row in zip(chips, times, strict=True):
                writer.writerows([kind, name, net, t] for net, t in zip(NETWORKS, row, strict=True))
    print(f"written: {options.out / 'latency.csv'}")


if __name__ == "__main__":
    main()
