"""What steps that rewrite a network, mapping genes, and both in one genome are worth at equal evaluations.

    python experiments/single_evidence.py [--quick] [--out DIR] [--evaluations N]

The strategy `single` after Turner et al. (ASPLOS 2021): ResNet-18 on NVDLA 256, the chip fixed. Schedule only
is the strategy `joint`, neural only `single` with the template's mappings. What is given up for a lower
energy-delay product is shown as parameters and MACs, and limited to three quarters of the parameters in the
lower half of the table; no accuracy is claimed, as nobody has trained these networks.
"""

from __future__ import annotations

import numpy as np
from common import options, write

import accelsim
from accelsim.cosearch.transformed import TransformedNets
from accelsim.workloads.capacity import fisher

CHIP, NETWORK, SEEDS = "nvdla_256", "resnet18", 5
KEPT = 0.75
"""Least share of the parameters, where they are limited."""

WAYS = {
    "schedule only": {"strategy": "joint", "fix": "hardware"},
    "neural only": {"strategy": "single", "fix": "hardware,mapping"},
    "both": {"strategy": "single", "fix": "hardware"},
}


def main() -> None:
    chosen = options(__doc__, "single_evidence", 960)
    resolution, seeds, population = (32, 2, 8) if chosen.quick else (224, SEEDS, 32)
    base = accelsim.load_network(NETWORK, resolution=resolution)
    before = accelsim.map_network(CHIP, base, "template").cost
    rows = []
    for limit in (None, KEPT * base.params):
        for name, way in WAYS.items():
            if limit is not None and way["strategy"] == "joint":
                continue  # it keeps all parameters
            gains, macs, params = [], [], []
            for seed in range(seeds):
                found = accelsim.search(
                    CHIP, networks=NETWORK, resolution=resolution, population=population, seed=seed,
                    evaluations=chosen.evaluations, limits={} if limit is None else {"params": limit}, **way,
                )  # fmt: skip
                best = found.best
                assert best is not None
                (net,) = found.design(best).networks
                gains.append(before.edp_js / best.metrics["edp"])
                macs.append(net.macs / base.macs)
                params.append(net.params / base.params)
            low, middle, high = np.quantile(gains, (0.25, 0.5, 0.75))
            rows.append(
                {
                    "searched": name,
                    "least parameters": "any" if limit is None else f"{KEPT:.0%}",
                    "EDP gain over the template": f"{middle:.2f} ({low:.2f} to {high:.2f})",
                    "MACs": f"{np.median(macs):.2f}",
                    "parameters": f"{np.median(params):.2f}",
                }
            )
    write(chosen.out / "gains.csv", rows)
    write(chosen.out / "legal.csv", legality(32, 10 if chosen.quick else 200))


def legality(resolution: int, draws: int) -> list[dict[str, str]]:
    """Random rewritings of the network: steps that do not divide, and networks below each threshold."""
    base = accelsim.load_network(NETWORK, resolution=resolution)
    nets = TransformedNets(base)
    rng = np.random.default_rng(0)
    upper = np.array([gene.choices for gene in nets.genes])
    rows = rng.integers(0, upper, (draws, len(upper)))
    out = nets.left_out(rows)
    kept = sum(len(steps) for row in rows for steps in nets.decode(row).steps.values())
    total = sum(out.values()) + kept
    result = [
        {"of random": "steps", "left out because": why, "share": f"{count / total:.1%}"}
        for why, count in out.most_common(6)
    ]
    few = 3 if draws < 50 else 40
    made = [nets.networks(row)[0] for row in nets.canonical(rows[:few])]
    potential, spread = fisher(base).mean, fisher(base).spread
    found = np.array([fisher(net).mean for net in made])
    params = np.array([net.params / base.params for net in made])
    result += [
        {"of random": f"{few} networks", "left out because": why, "share": f"{share:.0%}"}
        for why, share in (
            ("Fisher potential below the original's, 8 seeds", float((found < potential).mean())),
            ("fewer than three quarters of the parameters", float((params < KEPT).mean())),
        )
    ]
    agree = np.corrcoef(found.argsort().argsort(), params.argsort().argsort())[0, 1]
    print(
        f"Fisher potential of {NETWORK} at {resolution}: {potential:.3g}, {spread:.0%} spread over seeds; "
        f"its rank correlation with parameters over {few} networks {agree:.2f}"
    )
    return result


if __name__ == "__main__":
    main()
