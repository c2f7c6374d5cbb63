"""Does it pay to search connectivity and mapping, beyond the sizes of array and buffers?

    python experiments/naas_sizing_vs_full.py [--quick] [--out results/naas_sizing_vs_full]

NAAS (Lin, Yang and Han, DAC 2021, Fig. 8) says: over a search of sizes alone, 3.52x lower energy-delay
product for VGG16 and 1.42x for MobileNetV2 in Edge TPU's envelope, 2.61x and 1.62x in that of NVDLA-1024.
"Sizes" keep the chip's dataflow, once with its own mappings, once with searched ones.
"""

from __future__ import annotations

from math import prod
from statistics import median
from typing import Any

from common import options, priced, ranged, write

import accelsim
from accelsim.cosearch.found import Found

PUBLISHED = {  # full over sizes alone
    ("edgetpu", "vgg16"): 3.52,
    ("edgetpu", "mobilenet_v2"): 1.42,
    ("nvdla_1024", "vgg16"): 2.61,
    ("nvdla_1024", "mobilenet_v2"): 1.62,
}
WAYS: dict[str, dict[str, Any]] = {  # what stays as it is
    "sizes": {"fix": ("dataflow", "mapping"), "finish": 0},
    "sizes, mappings": {"fix": ("dataflow",)},
    "all": {},
}


def main() -> None:
    args = options(__doc__, "naas_sizing_vs_full", evaluations=320, seeds=3)
    rows = []
    for (name, network), published in list(PUBLISHED.items())[: 2 if args.quick else None]:
        base = prod(priced(accelsim.load_hardware(name), [network], "template"))
        edp: dict[str, list[float]] = {}
        for way, options_of in WAYS.items():
            found = [searched(name, network, args.settings | options_of, seed) for seed in range(args.seeds)]
            edp[way] = [one.metrics["edp"] for one in found]
        rows.append({
            "envelope": name,
            "network": network,
            **{f"gain: {way}": ranged([base / value for value in values]) for way, values in edp.items()},
            "all over sizes": f"{median(edp['sizes']) / median(edp['all']):.2f}",
            "published": published,
            "all over sizes, mappings": f"{median(edp['sizes, mappings']) / median(edp['all']):.2f}",
            "best chip found": min(found, key=lambda one: one.metrics["edp"]).hardware,
        })  # fmt: skip
        write(args.out / "sizing_vs_full.csv", rows)
    print(
        f"{args.evaluations} candidates each, {args.seeds} seeds: medians and ranges of gains in EDP over "
        "the chip with its own mappings.\n"
        "Where and why this differs: NAAS prints no envelope, and its costs come from MAESTRO, whose "
        "energy ends at the buffer on chip. Here the chips' own mappings are about the best that their "
        "dataflows allow, so that a new dataflow pays only where the old one leaves the array idle, as "
        "NVDLA's does on depthwise layers."
    )
    print(f"written: {args.out}")


def searched(chip: str, network: str, settings: dict[str, Any], seed: int) -> Found:
    """The best design of a search for the lowest EDP."""
    found = accelsim.search(chip, networks=network, objectives="edp", seed=seed, **settings).best
    assert found is not None
    return found


if __name__ == "__main__":
    main()
