"""NAAS's main result: accelerators searched in the envelopes of five chips, against these chips.

    python experiments/naas_envelopes.py [--quick] [--model maestro] [--chips eyeriss] [--out results/..]

NAAS (Lin, Yang and Han, DAC 2021, III-B) compares with each chip under its own dataflow. So does the first
table; the second gives the chip searched mappings too, within its dataflow, which is the honest comparison.
Each figure is that of the geometric means over three networks, as NAAS's reward is. With `--model maestro`
chips and dataflows are searched under NAAS's own model (`naas_maestro.py`), against the published dataflows,
and what comes out is then priced by accelsim's model, beside the chip that it is to beat.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from common import exact, options, priced, ranged, write
from naas_maestro import Chip, Envelope, Suite, searched, under_ours

import accelsim
from accelsim.cosearch.found import Found

LARGE, MOBILE = ("vgg16", "resnet50", "unet"), ("mobilenet_v2", "squeezenet1_0", "mnasnet_b1")
ENVELOPES = {  # networks, published speed-up and energy saving
    "edgetpu": (LARGE, 2.6, 1.1),
    "nvdla_1024": (LARGE, 2.2, 1.1),
    "eyeriss": (MOBILE, 4.4, 2.1),
    "nvdla_256": (MOBILE, 1.7, 1.4),
    "shidiannao": (MOBILE, 4.4, 4.9),
}
DATAFLOWS = {  # as published, and the places in naas_maestro.DIMS of their axes, the inner one's lanes
    "edgetpu": ("kcp_ws", (0, 1), 64),
    "nvdla_1024": ("kcp_ws", (0, 1), 64),
    "eyeriss": ("rs", None, 0),
    "nvdla_256": ("kcp_ws", (0, 1), 64),
    "shidiannao": ("yxp_os", (2, 3), 8),
}


def main() -> None:
    args = options(__doc__, "naas_envelopes", evaluations=320, model=True, seeds=5, chips=[*ENVELOPES])
    if args.model == "maestro":
        under_maestro(args)
        return
    own, honest = [], []
    for name in args.chips:
        networks, faster, saving = ENVELOPES[name]
        networks = ["lenet5"] if args.quick else networks
        chip = accelsim.load_hardware(name)
        base, mapped = priced(chip, networks, "template"), exact(chip, networks)
        found = [best(chip, networks, args.settings | {"seed": seed}) for seed in range(args.seeds)]
        new = [(one.metrics["latency"], one.metrics["energy"]) for one in found]
        budgets = {"half": args.evaluations // 2, "twice": 2 * args.evaluations}
        moved = {
            f"EDP at {word} the candidates": f"{other.metrics['edp'] / found[0].metrics['edp']:.3f}"
            for word, n in budgets.items()
            for other in [best(chip, networks, args.settings | {"evaluations": n, "seed": 0})]
        }
        dram = chip.memories[0].name
        costs = [accelsim.evaluate(chip, net, mapper="template") for net in networks]
        share = sum(c.memory_energy_pj[dram] for c in costs) / sum(c.energy_pj for c in costs)
        own.append({
            "envelope": name,
            "speed-up": f"{median(base[0] / x[0] for x in new):.2f}", "published": faster,
            "energy saving": f"{median(base[1] / x[1] for x in new):.2f}", "published ": saving,
            "EDP gain": ranged([base[0] * base[1] / (x[0] * x[1]) for x in new]),
            **moved,
            "DRAM's share before": f"{share:.0%}",
        })  # fmt: skip
        honest.append({
            "envelope": name,
            "speed-up": f"{median(mapped[0] / x[0] for x in new):.2f}",
            "energy saving": f"{median(mapped[1] / x[1] for x in new):.2f}",
            "EDP gain": ranged([mapped[0] * mapped[1] / (x[0] * x[1]) for x in new]),
            "by mapping alone": f"{base[0] * base[1] / (mapped[0] * mapped[1]):.2f}",
            "best chip found": min(found, key=lambda one: one.metrics["edp"]).hardware,
        })  # fmt: skip
        write(args.out / "over_own_dataflow.csv", own)
        write(args.out / "over_searched_mappings.csv", honest)
    print(
        f"{args.evaluations} candidates, {args.seeds} seeds: medians, of the products the range. Designs and "
        "the base chip's searched mappings are those of the exact mapper.\n"
        "Where and why this differs: NAAS prints no envelope (MACs, bytes, bandwidth), so these are the "
        "chips' own; its costs come from MAESTRO, whose energy ends at the buffer on chip, and here DRAM "
        "counts (its share before is the last column of the first table), whose compulsory traffic no chip "
        "saves. The chips' own mappings here are about the best that their dataflows allow ('by mapping "
        "alone'), those of NAAS are as published, so less is left to win."
    )
    print(f"written: {args.out}")


def best(chip: accelsim.Accelerator, networks: Sequence[str], settings: dict[str, Any]) -> Found:
    """The best design of a search for the lowest EDP."""
    found = accelsim.search(chip, networks=list(networks), objectives="edp", **settings).best
    assert found is not None
    return found


def under_maestro(args: argparse.Namespace) -> None:
    """Searched under MAESTRO's model, medians over seeds; the best of them under ours."""
    chips, mappings, seeds = (12, 40, 1) if args.quick else (args.evaluations, args.mappings, args.seeds)
    theirs, ours = [], []
    for name in args.chips:
        networks, faster, saving = ENVELOPES[name]
        networks = networks[1:2] if args.quick else networks
        base = accelsim.load_hardware(name)
        suite, envelope = Suite(networks), Envelope.of(base)
        dataflow, axes, lanes = DATAFLOWS[name]
        before = suite.baseline(envelope, dataflow)
        runs = [searched(suite, envelope, chips, mappings, seed) for seed in range(seeds)]
        gains = [(before[0] / one[0], before[1] / one[1]) for _, one, _ in runs]
        products = [a * b for a, b in gains]
        alone = "n/a"
        if axes is not None:
            own = Chip(axes, (envelope.pes // lanes, lanes), envelope.elements // (2 * envelope.pes),
                       envelope.elements // 2)  # fmt: skip
            found = suite.mapped(envelope, own, mappings, np.random.default_rng(0))
            alone = f"{max(1.0, before[0] * before[1] / (found[0] * found[1])):.2f}"
        best = runs[int(np.argmax(products))][0]
        half = [curve[len(curve) // 2 - 1] / curve[-1] for *_, curve in runs] if chips > 12 else [1.0]
        theirs.append({
            "envelope": name,
            "speed-up": f"{median(gain[0] for gain in gains):.2f}", "published": faster,
            "energy saving": f"{median(gain[1] for gain in gains):.2f}", "published ": saving,
            "EDP gain": f"{median(products):.2f}", "seeds": f"{min(products):.2f} to {max(products):.2f}",
            "own array, mappings alone": alone,
            "at half the chips": f"{median(half):.2f}x the EDP",
            "best chip": str(best),
        })  # fmt: skip
        old, mapped = priced(base, networks, "template"), priced(base, networks)
        new = priced(under_ours(base, best), networks)
        ours.append({
            "envelope": name,
            "speed-up": f"{old[0] / new[0]:.2f}",
            "energy saving": f"{old[1] / new[1]:.2f}",
            "EDP gain": f"{old[0] * old[1] / (new[0] * new[1]):.2f}",
            "over searched mappings": f"{mapped[0] * mapped[1] / (new[0] * new[1]):.2f}",
        })  # fmt: skip
    print(f"{chips} chips, {mappings} dataflows a layer, {seeds} seeds: medians, of the products the range")
    write(args.out / "under_maestro.csv", theirs)
    print("The best of these arrays in the base chip, by accelsim's model, over its template mappings:")
    write(args.out / "the_same_under_accelsim.csv", ours)
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
