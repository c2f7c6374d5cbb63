"""Fit the accuracy surrogate of the Once-for-All ResNet50 space.

    python experiments/fit_accuracy_resnet50.py PREDICTOR            prints how good the fit is
    python experiments/fit_accuracy_resnet50.py PREDICTOR --write    also rewrites accelsim/accuracy/data

PREDICTOR is OFA's ResNet50 accuracy predictor (.pth or .npz). Nobody has published subnets of this space with
their accuracy, only eight nets by their MACs, each the best that a search found. So: average effects of the
choices, as the predictor sees them below its cap; then the line that gives the best subnet within the MACs of
each of the eight its published top-1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fit_accuracy import r3, today, write

from accelsim.accuracy.additive import ridge
from accelsim.accuracy.predictor import CAP, PredictorSource, encode_resnet50
from accelsim.workloads.spaces import Space, load_space

NETS = {600: 75.0, 900: 76.3, 1200: 77.1, 1800: 78.3, 2400: 79.0, 3000: 79.3, 3700: 79.7, 4100: 79.8}
"""Million MACs and top-1 in once-for-all's README; fine-tuned for 25 epochs up to 1200, not above."""

ROUNDED = 50e6
"""MACs: the README rounds them to a hundred millions."""

DRAWS = 20000


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the accuracy surrogate of the ResNet50 space.")
    parser.add_argument("predictor", type=Path)
    parser.add_argument("--write", action="store_true", help="rewrite accelsim/accuracy/data")
    args = parser.parse_args()
    source = PredictorSource(args.predictor)
    space = source.restrict(load_space("ofa_resnet50"))
    rng = np.random.default_rng(0)
    genomes = space.sample(rng, DRAWS)
    raw = source.raw(encode_resnet50(space, genomes))
    below = raw < CAP - 0.3
    names, columns = shared(space)
    features = count(space, genomes, columns, len(names))
    train, test = below & (np.arange(DRAWS) % 2 == 0), below & (np.arange(DRAWS) % 2 == 1)
    weights = ridge(features[train], raw[train])
    miss = features[test] @ weights[:-1] + weights[-1] - raw[test]

    def score(rows: np.ndarray) -> np.ndarray:
        return count(space, rows, columns, len(names)) @ weights[:-1] + weights[-1]

    seen = np.array(list(NETS.values()))
    best = np.array([search(space, score, 1e6 * macs + ROUNDED, rng) for macs in NETS])
    slope, start = np.polyfit(best, seen, 1)
    left = slope * best + start - seen
    print(f"{len(names)} effects, MAE {np.abs(miss).mean():.3f} to the predictor below its cap; line "
          f"{slope:.3f} x {start:+.2f}; residuals at the published nets {np.round(left, 2)}")  # fmt: skip

    at = {r: float(slope * weights[i]) for r, i in zip(space.resolutions, columns[0])}
    spread = round(2 * float(slope * miss.std()), 2)
    document = {
        "version": 1,
        "space": "ofa_resnet50",
        "summary": "average effects seen in OFA's ResNet50 predictor on the scale of eight published nets "
        "(25 epochs of fine-tuning up to 1.2 GMACs, none above): trends, not measurements",
        "source": "README of mit-han-lab/once-for-all (eight nets) and its ResNet50 accuracy predictor",
        "licence": "averages of ours over the predictor's answers; its weights do not ship",
        "fitted": today(),
        "cross_validation": None,
        "anchors": {
            "subnets": len(seen),
            "residuals": {f"{m}M": round(float(x), 2) for m, x in zip(NETS, left)},
            "effects_mae": r3(np.abs(miss).mean()),
        },
        "error": round(2 * float(np.hypot(left.std(ddof=2), slope * miss.std())), 2),
        "offset": [0.0, 0.0],
        "macs_at": None,
        "macs_range": [int(1e6 * min(NETS)), int(1e6 * max(NETS))],
        "resolution": {str(r): [round(e - at[224], 2), 0.0 if r == 224 else spread] for r, e in at.items()},
        "resolution_source": "average effect in the predictor; it has none for 208, between 192 and 224",
        "model": {
            "ceiling": None,
            "intercept": round(float(slope * weights[-1] + start + at[224]), 4),
            "effects": {
                gene.name: [round(float(slope * weights[i]), 4) for i in ids]
                for gene, ids in list(zip(space.genes, columns))[1:]
                if ids
            },
        },
    }
    if args.write:
        write(document)


def shared(space: Space) -> tuple[list[str], list[list[int]]]:
    """Feature names, and per gene the features of its values; the blocks of a stage share theirs."""
    names: list[str] = []
    columns = []
    for gene in space.genes:
        kind = gene.name.partition(".")[0]
        labels = [] if kind.startswith("depth") else [f"{kind}={value}" for value in gene.values]
        names += [x for x in labels if x not in names]
        columns.append([names.index(x) for x in labels])
    return names, columns


def count(space: Space, genomes: np.ndarray, columns: list[list[int]], n: int) -> np.ndarray:
    """[rows, n]: how often each feature occurs among the active genes."""
    out = np.zeros((len(genomes), n))
    active = space.active(genomes)
    for column, ids in enumerate(columns):
        if ids:
            rows = np.flatnonzero(active[:, column])
            out[rows, np.take(ids, genomes[rows, column])] += 1.0
    return out


def search(
    space: Space, score: Callable[[np.ndarray], np.ndarray], limit: float, rng: np.random.Generator
) -> float:  # fmt: skip
    """Best score within a MACs budget, by evolution from random subnets made small enough."""
    people = space.sample(rng, 3000)
    for _ in range(40):  # towards the smallest choices until they fit
        large = space.macs(people) > limit
        shrink = rng.random(people.shape) < 0.15
        people[large] = space.canonical(np.where(shrink[large], people[large] // 2, people[large]))
    people = people[space.macs(people) <= limit]
    for _ in range(150):
        people = people[np.argsort(-score(people), kind="stable")][:400]
        a, b = (people[rng.integers(0, len(people) // 3 + 1, 400)] for _ in range(2))
        child = np.where(rng.random(a.shape) < 0.5, a, b)
        drawn = rng.integers(0, space.upper + 1, child.shape)
        child = space.canonical(np.where(rng.random(child.shape) < 0.06, drawn, child))
        people = np.unique(np.vstack([people, child[space.macs(child) <= limit]]), axis=0)
    return float(score(people).max())


if __name__ == "__main__":
    main()
