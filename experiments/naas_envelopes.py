"""NAAS's main result: accelerators searched in the envelopes of five chips, against these chips.

    python experiments/naas_envelopes.py [--quick] [--out results/naas_envelopes]

NAAS (Lin, Yang and Han, DAC 2021, III-B) compares with each chip under its own dataflow. So does the first
table; the second gives the chip searched mappings too, within its dataflow, which is the honest comparison.
Each figure is that of the geometric means over three networks, as NAAS's reward is.
"""

from __future__ import annotations

from common import options, priced, write

import accelsim

LARGE, MOBILE = ("vgg16", "resnet50", "unet"), ("mobilenet_v2", "squeezenet1_0", "mnasnet_b1")
ENVELOPES = {  # networks, published speed-up and energy saving
    "edgetpu": (LARGE, 2.6, 1.1),
    "nvdla_1024": (LARGE, 2.2, 1.1),
    "eyeriss": (MOBILE, 4.4, 2.1),
    "nvdla_256": (MOBILE, 1.7, 1.4),
    "shidiannao": (MOBILE, 4.4, 4.9),
}


def main() -> None:
    args = options(__doc__, "naas_envelopes", evaluations=640)
    population, budget = (8, 400) if args.quick else (24, 500)
    own, honest = [], []
    for name, (networks, faster, saving) in ENVELOPES.items():
        networks = networks[1:2] if args.quick else networks
        chip = accelsim.load_hardware(name)
        found = accelsim.search(
            chip, networks=list(networks), objectives="edp",
            evaluations=args.evaluations, finish=args.finish, population=population, budget=budget, workers=2,
        )  # fmt: skip
        best = found.best
        assert best is not None
        new = priced(found.design(best).chip, networks)
        base, mapped = priced(chip, networks, "template"), priced(chip, networks)
        dram = chip.memories[0].name
        costs = [accelsim.evaluate(chip, net, mapper="template") for net in networks]
        share = sum(c.memory_energy_pj[dram] for c in costs) / sum(c.energy_pj for c in costs)
        own.append({
            "envelope": name,
            "speed-up": f"{base[0] / new[0]:.2f}", "published": faster,
            "energy saving": f"{base[1] / new[1]:.2f}", "published ": saving,
            "EDP gain": f"{base[0] * base[1] / (new[0] * new[1]):.2f}",
            "DRAM's share before": f"{share:.0%}",
        })  # fmt: skip
        honest.append({
            "envelope": name,
            "speed-up": f"{mapped[0] / new[0]:.2f}",
            "energy saving": f"{mapped[1] / new[1]:.2f}",
            "EDP gain": f"{mapped[0] * mapped[1] / (new[0] * new[1]):.2f}",
            "by mapping alone": f"{base[0] * base[1] / (mapped[0] * mapped[1]):.2f}",
            "chip found": best.hardware,
        })  # fmt: skip
    write(args.out / "over_own_dataflow.csv", own)
    write(args.out / "over_searched_mappings.csv", honest)
    print(
        f"{args.evaluations} candidates, {budget} mappings a layer while searching, 2000 for the figures.\n"
        "Where and why this differs: NAAS prints no envelope (MACs, bytes, bandwidth), so these are the "
        "chips' own; its costs come from MAESTRO, whose energy ends at the buffer on chip, and here DRAM "
        "counts (its share before is the last column of the first table), whose compulsory traffic no chip "
        "saves. The chips' own mappings here are about the best that their dataflows allow ('by mapping "
        "alone'), those of NAAS are as published, so less is left to win. Below 1 the search did not come "
        "back to the chip that it began around: too few candidates, or too few mappings a layer for arrays "
        "without a dataflow."
    )
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
