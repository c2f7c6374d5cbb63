"""ShiDianNao: networks on the chip as it is, with better mappings, and what a search makes of its envelope.

    python experiments/shidiannao.py [--quick] [--out results/shidiannao]

Meant to be copied. The chip keeps whole small networks in its buffers, so LeNet-5 is among them.
"""

from __future__ import annotations

from common import options, write

import accelsim
from accelsim import report
from accelsim.cosearch.export import export

CHIP = "shidiannao"
NETWORKS = ("lenet5", "squeezenet1_1", "mobilenet_v2", "mnasnet_b1", "resnet18")


def main() -> None:
    args = options(__doc__, "shidiannao", evaluations=480)
    networks, population, budget = NETWORKS, 32, 500
    if args.quick:
        networks, population, budget = NETWORKS[1:2], 8, 400

    # The standard networks: the chip's own dataflow, then the best mappings within it.
    chip = accelsim.load_hardware(CHIP)
    rows = []
    for name in networks:
        own = accelsim.evaluate(chip, name, mapper="template")
        best = accelsim.map_network(chip, name, "genetic", "edp", budget, workers=2).cost
        rows.append({
            "network": name,
            "latency, ms": f"{own.latency_s * 1e3:.2f}",
            "energy, mJ": f"{own.energy_pj * 1e-9:.3g}",
            "utilisation": f"{own.utilisation:.0%}",
            "EDP, Js": f"{own.edp_js:.3g}",
            "EDP mapped, Js": f"{best.edp_js:.3g}",
            "gain": f"{own.edp_js / best.edp_js:.2f}",
        })  # fmt: skip
    write(args.out / "networks.csv", rows)
    own = accelsim.evaluate(chip, networks[0], mapper="template")
    report.save(report.roofline_figure(own), args.out / "roofline.png")
    report.save(report.energy_figure(own), args.out / "energy.png")

    # Subnets, mappings and chips together; what may vary stands in the file's `search` section.
    found = accelsim.search(
        chip,
        space="ofa_mbv3",
        evaluations=args.evaluations,
        finish=args.finish,
        population=population,
        budget=budget,
        workers=2,
    )
    write(args.out / "front.csv", [
        {"EDP, Js": f"{design.metrics['edp']:.3g}", "top-1, %": f"{design.metrics['accuracy']:.1f}",
         "chip": design.hardware, "network": design.network}
        for design in found.front
    ])  # fmt: skip
    report.save(report.result_figure(found), args.out / "front.png")
    report.save(report.progress_figure(found), args.out / "progress.png")
    export(found, args.out / "designs", most=3)  # files that `accelsim evaluate` reads
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
