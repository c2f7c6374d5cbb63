"""What the tables of NACOS-Bench say: what they hold, how schedules compare, where the true front lies.

    python experiments/nacos_tables.py [--out FOLDER]
    python experiments/nacos_tables.py --accuracy table:FILE --at-least 92

1. contents   pairs, fronts and chips of the shipped tables, and chips that were left out
2. schedules  templates and random mappings against the proved ones, pair by pair and for whole networks
3. front      on which chips the true front lies, and the least EDP of networks that count, on all and each

Without accuracies MACs stand in their place, and `--at-least` counts them. Nothing is drawn and nothing
is searched: the same tables give the same figures.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np
from common import folder, write

from accelsim.errors import AccelsimError
from accelsim.nacos import Bench, create
from accelsim.nacos.tables import PERCENTS

ATTAINED = 1e-9
"""Relative: the template's EDP is the least of its space, but for rounding."""

Row = dict[str, Any]


def main() -> None:
    """Print and keep the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accuracy", help="as table:FILE; without it MACs stand in for accuracies")
    parser.add_argument("--at-least", type=float, help="per cent, or MACs, that a network needs to count")
    parser.add_argument("--out", type=folder, default="results/nacos_tables")
    chosen = parser.parse_args()
    try:
        bench = create(accuracy=chosen.accuracy)
    except AccelsimError as fault:
        parser.error(str(fault))
    write(chosen.out / "contents.csv", contents(bench))
    write(chosen.out / "schedules.csv", schedules(bench))
    write(chosen.out / "front.csv", true_front(bench, chosen.at_least))


def row(figure: str, value: str) -> Row:
    return {"figure": figure, "value": value}


def contents(bench: Bench) -> list[Row]:
    """What the tables hold."""
    sizes = np.diff(bench.tables.start)
    shipped = [name for name in bench.chips if "-" not in name]
    left = {base: len(names) for base, names in bench.manifest.left_out.items()}
    kept = Counter(name.partition("-")[0] for name in bench.chips)
    return [
        row("networks", f"{len(bench):,}"),
        row("distinct layers", f"{len(bench.nets.layers)}"),
        row("chips", f"{len(bench.chips)}"),
        row("shipped ones of them", f"{len(shipped)}"),
        row("pairs of a layer and a chip", f"{bench.tables.pairs:,}"),
        row("mappings on fronts", f"{sizes.sum():,}"),
        row("on a front, median", f"{np.median(sizes):.0f}"),
        row("on a front, most", f"{sizes.max()}"),
        row("networks on chips", f"{len(bench) * len(bench.chips):,}"),
        row("chips left out", f"{sum(left.values())}"),
        *(row(f"{base}: kept, left out", f"{kept[base]}, {n}") for base, n in left.items()),
    ]


def schedules(bench: Bench) -> list[Row]:
    """Templates, random mappings and layers chosen one by one, over the proved optimum."""
    tables = bench.tables
    least = np.minimum.reduceat(tables.front.latency * tables.front.energy, tables.start[:-1])
    template = tables.template.latency * tables.template.energy / least - 1
    some = tables.fits > 0
    drawn = (tables.drawn.latency * tables.drawn.energy).reshape(-1, len(PERCENTS))[some] / least[some, None]
    whole, alone = networks(bench)
    worst = int(np.argmax(whole.max(axis=1)))
    return [
        row("pairs whose template has the least EDP", f"{(template <= ATTAINED).mean():.1%}"),
        row("template over the least EDP, 90 % of pairs within", f"{np.quantile(template, 0.9):.3%}"),
        row("template over the least EDP, worst pair", f"{template.max():.1%}"),
        row("networks under templates over their optimum, median", f"{np.median(whole):.4%}"),
        row("networks under templates over their optimum, worst", f"{whole.max():.1%}"),
        row("the worst network's chip", bench.chips[worst]),
        row("random mapping that fits over the least EDP, median pair", f"{median(drawn, 50):.1f}"),
        row("best in a hundred of those, median pair", f"{median(drawn, 1):.1f}"),
        row(f"pairs where none of {bench.manifest.draws} random mappings fits", f"{(~some).sum()}"),
        row("networks with each layer at its own least EDP over their optimum, worst", f"{alone.max():.2%}"),
    ]


def median(drawn: np.ndarray, percent: int) -> float:
    """Over pairs, of the random mapping below which so many per cent lie."""
    return float(np.median(drawn[:, PERCENTS.index(percent)]))


def networks(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """EDP over the optimum less 1 [chips, nets]: under templates, each layer at its own least EDP."""
    counts, whole, alone = bench.nets.counts, [], []
    for chip in bench.chips:
        optimum = bench.totals(chip).of("edp")
        whole.append(bench.totals(chip, "template").of("edp") / optimum - 1)
        fronts = bench._schedule(chip).fronts
        best = [(f.latency[i], f.energy[i]) for f in fronts for i in [int(np.argmin(f.of("edp")))]]
        latency, energy = (counts @ x + more for x, more in zip(np.array(best).T, bench.overhead(chip)))
        alone.append(latency * energy / optimum - 1)
    return np.array(whole), np.array(alone)


def true_front(bench: Bench, at_least: float | None) -> list[Row]:
    """Where the front of EDP and accuracy lies, and the least EDP of networks that count."""
    points = bench.true_front()
    where = Counter(point["chip"] for point in points)
    rows = [row("points of the true front", f"{len(points)}")]
    rows += [row(f"on {chip}", f"{n}") for chip, n in where.most_common()]
    for chip in (None, *(name for name in bench.chips if "-" not in name)):
        best = bench.best(bench.task(chip, ["edp"], at_least))
        rows.append(row(f"least EDP on {chip or 'any chip'}, Js", f"{best['edp_js']:.3e}"))
        if chip is None:
            rows.append(row("of", f"{best['arch']} on {best['chip']}"))
    return rows


if __name__ == "__main__":
    main()
