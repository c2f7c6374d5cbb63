"""Does it pay to search connectivity and mapping, beyond the sizes of array and buffers?

    python experiments/naas_sizing_vs_full.py [--quick] [--out results/naas_sizing_vs_full]

NAAS (Lin, Yang and Han, DAC 2021, Fig. 8) says: over a search of sizes alone, 3.52x lower energy-delay
product for VGG16 and 1.42x for MobileNetV2 in Edge TPU's envelope, 2.61x and 1.62x in that of NVDLA-1024.
"Sizes" keep the chip's dataflow, once with its own mappings, once with searched ones.
"""

from __future__ import annotations

from math import prod

from common import options, priced, write

import accelsim

PUBLISHED = {  # full over sizes alone
    ("edgetpu", "vgg16"): 3.52,
    ("edgetpu", "mobilenet_v2"): 1.42,
    ("nvdla_1024", "vgg16"): 2.61,
    ("nvdla_1024", "mobilenet_v2"): 1.62,
}
WAYS = {  # what stays as it is, and the mapper
    "sizes": (("dataflow", "mapping"), "template"),
    "sizes, mappings": (("dataflow",), "genetic"),
    "all": ((), "genetic"),
}


def main() -> None:
    args = options(__doc__, "naas_sizing_vs_full", evaluations=480)
    population, budget = (8, 400) if args.quick else (24, 500)
    rows = []
    for (name, network), published in list(PUBLISHED.items())[: 2 if args.quick else None]:
        base = prod(priced(accelsim.load_hardware(name), [network], "template"))
        edp, chips = {}, {}
        for way, (fix, mapper) in WAYS.items():
            found = accelsim.search(
                name, networks=network, objectives="edp", fix=fix,
                evaluations=args.evaluations, finish=args.finish, population=population, budget=budget,
                workers=2,
            )  # fmt: skip
            best = found.best
            assert best is not None
            edp[way], chips[way] = prod(priced(found.design(best).chip, [network], mapper)), best.hardware
        rows.append({
            "envelope": name,
            "network": network,
            **{f"gain: {way}": f"{base / value:.2f}" for way, value in edp.items()},
            "all over sizes": f"{edp['sizes'] / edp['all']:.2f}",
            "published": published,
            "all over sizes, mappings": f"{edp['sizes, mappings'] / edp['all']:.2f}",
            "chip found": chips["all"],
        })  # fmt: skip
    write(args.out / "sizing_vs_full.csv", rows)
    print(
        f"{args.evaluations} candidates each; gains in EDP over the chip with its own mappings.\n"
        "Where and why this differs: NAAS prints no envelope, and its costs come from MAESTRO, whose "
        "energy ends at the buffer on chip. Here the chips' own mappings are about the best that their "
        "dataflows allow, so that a new dataflow pays only where the old one leaves the array idle, as "
        "NVDLA's does on depthwise layers. Below 1 the search of everything, with as many candidates in a "
        "larger space, is behind."
    )
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
