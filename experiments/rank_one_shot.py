"""Whether inherited weights rank networks as training each alone does: 30 networks of space `fashion`.

    python experiments/rank_one_shot.py FOLDER             FOLDER holds the files of dataset-fashion-mnist
    python experiments/rank_one_shot.py FOLDER --write     rewrites the evidence in accelsim/accuracy/data

Needs `pip install accelsim[train]`. Stopped at any time, it goes on where it was; the evidence counts the
seeds with which all networks were trained. Trained networks are tested on the 10,000 test images, which no
shared weight, no calibration and no search has seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import shared_weights as shared
import torch.nn.functional as F
from scipy.stats import rankdata

from accelsim.accuracy.fashion_mnist import read_folder
from accelsim.accuracy.one_shot import DATA, SPACE, OneShotSource
from accelsim.accuracy.supernet import CALIBRATION, Shrunk, right
from accelsim.files import write_whole
from accelsim.workloads.network import Network
from accelsim.workloads.spaces import Space, load_space
from accelsim.workloads.spaces.genes import Genomes

EACH, SEEDS, EPOCHS, POOL, DRAWS = 6, 3, 3, 20_000, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Train 30 networks of space fashion alone and rank them.")
    parser.add_argument("folder", type=Path, help="of the four Fashion-MNIST files")
    parser.add_argument("--out", type=Path, default=Path("results/one_shot"), help="for what is half done")
    parser.add_argument("--each", type=int, default=EACH, help="networks of each resolution")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--write", action="store_true", help="put the evidence of what is done in the manifest"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shared.prepare()
    space = load_space(SPACE)
    path = args.out / f"alone-{args.each}-{args.epochs}.json"
    done: dict[str, list[float]] = json.loads(path.read_text()) if path.exists() else {}
    if args.write:
        write(args.folder, done, args.epochs)
        return
    data, test = (read_folder(args.folder, part) for part in ("training", "test"))
    calibration, asked = Shrunk(data.images[:CALIBRATION]), Shrunk(test.images)
    for seed in range(args.seeds):
        batches = shared.Batches(data, seed, space.resolutions)
        for row in spread(space, args.each):
            found = done.setdefault(space.decode(row).encoding, [])
            if len(found) == seed:
                weights = alone(space.to_network(row), batches, seed, args.epochs)
                inherited = shared.arrays(weights)
                known = right(space.to_network(row), inherited, calibration, asked, test.labels)
                found.append(100 * known / len(test.labels))
                write_whole(path, json.dumps(done, indent=1))
                print(f"seed {seed}, {space.decode(row)}: {found[-1]:.2f} %", flush=True)


def spread(space: Space, n: int) -> Genomes:
    """Of each resolution n networks: smallest, largest, random ones at even steps of log MACs between."""
    found = []
    for at, _ in enumerate(space.resolutions):
        rows = np.array([space.smallest(), space.largest(), *space.sample(np.random.default_rng(at), POOL)])
        rows[:, 0] = at
        macs = np.log(space.macs(rows))
        middle = [rows[np.abs(macs - x).argmin()] for x in np.linspace(macs[0], macs[1], n)[1:-1]]
        found += [rows[0], *middle, rows[1]]
    return np.array(found)


def alone(net: Network, batches: shared.Batches, seed: int, epochs: int) -> shared.Weights:
    """Weights of its own, trained on the labels with the same optimiser."""
    steps = epochs * batches.each
    weights = shared.fresh(net, seed)
    optimiser = shared.Optimiser(weights, steps)
    for step in range(steps):
        images, labels = batches.pick(step)
        F.cross_entropy(shared.forward(net, weights, images(net.input_shape[1])), labels).backward()
        optimiser.step(step)
    return weights


def write(folder: Path, done: dict[str, list[float]], epochs: int) -> None:
    """The evidence of what is done into the manifest of the shipped weights."""
    space = load_space(SPACE)
    seeds = min(map(len, done.values()))
    rows = np.array([space.encode(space.parse(name)) for name in done])
    alone = np.array([found[:seeds] for found in done.values()])
    inherited = {
        "one-shot": OneShotSource().predict(space, rows).value,
        "one-shot:FOLDER": OneShotSource(folder).predict(space, rows).value,
    }
    columns = {**inherited, "macs": space.macs(rows), "params": space.params(rows)}
    evidence = {
        "trained": f"{epochs} epochs each, by SGD on the labels; tested on the 10,000 test images",
        "seeds": seeds,
        "between_seeds": round(float(np.sqrt(alone.var(axis=1, ddof=1).mean())), 2) if seeds > 1 else None,
        "spearman": {name: interval(x, alone.mean(axis=1)) for name, x in columns.items()},
        "within_resolutions": {
            name: round(float(np.mean([spearman(x[rows[:, 0] == r], alone.mean(axis=1)[rows[:, 0] == r])
                                       for r in np.unique(rows[:, 0])])), 3) for name, x in columns.items()
        },
        "columns": [*columns, *(f"alone, seed {seed}" for seed in range(seeds))],
        "subnets": {
            name: [round(float(x), 2) for x in (*(c[i] for c in columns.values()), *alone[i])]
            for i, name in enumerate(done)
        },
    }  # fmt: skip
    path = Path(str(DATA)) / f"{SPACE}.json"
    told = json.loads(path.read_text()) | {"evidence": evidence}
    write_whole(path, json.dumps(told, indent=1) + "\n")
    print(json.dumps({key: value for key, value in evidence.items() if key != "subnets"}, indent=1))


def interval(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Spearman's rho, and the 2.5th and 97.5th percentile of it over networks drawn with replacement."""
    draw = np.random.default_rng(0)
    drawn = [spearman(x[some], y[some]) for some in draw.integers(0, len(x), (DRAWS, len(x)))]
    return [round(float(value), 3) for value in (spearman(x, y), *np.nanquantile(drawn, (0.025, 0.975)))]


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation, equal values with their mean rank; NaN where all are equal."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


if __name__ == "__main__":
    main()
