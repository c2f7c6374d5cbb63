"""Train the weights that all networks of space `fashion` share, on Fashion-MNIST.

    python experiments/train_one_shot.py FOLDER             FOLDER holds the files of dataset-fashion-mnist
    python experiments/train_one_shot.py FOLDER --write     also rewrites accelsim/accuracy/data

Needs `pip install accelsim[train]`. Each step draws a resolution, trains the largest network on the labels,
and two random ones and the smallest half on the labels and half on the largest one's answers (the sandwich
rule of Yu and Huang, ICCV 2019). Scales and shifts are a resolution's own, as in Wang et al., ECCV 2020
(arXiv 2007.09558). Stopped at any time, it goes on where it was. `rank_one_shot.py` says what the weights are
worth.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import shared_weights as shared
import torch
import torch.nn.functional as F

from accelsim.accuracy.fashion_mnist import LEVELS, TRAINING, Labelled, read_folder
from accelsim.accuracy.one_shot import DATA, SPACE
from accelsim.accuracy.supernet import CALIBRATION, Shrunk, at, right
from accelsim.files import write_whole
from accelsim.workloads.spaces import load_space

EPOCHS, RANDOM, KEPT_EVERY = 12, 2, 65

SHIPPED = 2000
"""Held-out images that ship: 0.75 points of standard error at 87 %, for 0.3 MB."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the shared weights of space fashion.")
    parser.add_argument("folder", type=Path, help="of the four Fashion-MNIST files")
    parser.add_argument("--out", type=Path, default=Path("results/one_shot"), help="for what is half done")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--write", action="store_true", help="rewrite accelsim/accuracy/data")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shared.prepare()
    weights = train(args.folder, args.out, args.seed, args.epochs)
    data = args.out if not args.write else Path(str(DATA))
    publish(data, args.folder, weights, configuration(args.seed, args.epochs))


def train(folder: Path, out: Path, seed: int, epochs: int) -> shared.Weights:
    """The weights, from what an earlier call left or from the start."""
    space = load_space(SPACE)
    batches = shared.Batches(read_folder(folder, "training"), seed, space.resolutions)
    steps = epochs * batches.each
    weights = shared.fresh(space.to_network(space.largest()), seed, len(space.resolutions))
    optimiser = shared.Optimiser(weights, steps)
    path = out / f"shared-{seed}-{epochs}.pt"
    first = shared.resume(path, weights, optimiser)
    for step in range(first, steps):
        draw = np.random.default_rng([seed, 1, step])
        rows = np.array([space.largest(), space.smallest(), *space.sample(draw, RANDOM)])
        rows[:, 0] = place = int(draw.integers(len(space.resolutions)))
        pick, labels = batches.pick(step)
        images, own = pick(space.resolutions[place]), at(weights, place)
        answers = shared.forward(space.to_network(rows[0]), own, images)
        loss = F.cross_entropy(answers, labels)
        loss.backward()
        total = loss.item()
        targets = F.softmax(answers.detach(), 1)
        for row in rows[1:]:
            answers = shared.forward(space.to_network(row), own, images)
            loss = 0.5 * (F.cross_entropy(answers, labels) + F.cross_entropy(answers, targets))
            loss.backward()
        optimiser.step(step, nets=len(rows))
        if (step + 1) % KEPT_EVERY == 0 or step + 1 == steps:
            shared.keep(path, step + 1, weights, optimiser)
            print(f"step {step + 1} of {steps}, loss of the largest {total:.3f}", flush=True)
    return weights


def configuration(seed: int, epochs: int) -> dict[str, Any]:
    """All that decides the weights, but for the machine and PyTorch's version."""
    space = load_space(SPACE)
    return {
        "space": SPACE, "largest": space.decode(space.largest()).encoding,
        "resolutions": list(space.resolutions), "sandwich": "one resolution a step, own scales and shifts",
        "seed": seed, "epochs": epochs, "batch": shared.BATCH, "random": RANDOM, "rate": shared.RATE,
        "momentum": shared.MOMENTUM, "decay": shared.DECAY, "warm": shared.WARM,
        "images": TRAINING, "levels": LEVELS,
    }  # fmt: skip


def publish(data: Path, folder: Path, weights: shared.Weights, settings: dict[str, Any]) -> None:
    """Write weights, images and a manifest; evidence of other weights is dropped."""
    training, held = (read_folder(folder, part) for part in ("training", "held-out"))
    calibration, images, labels = training.images[:CALIBRATION], held.images[:SHIPPED], held.labels[:SHIPPED]
    known = shared.arrays(weights)
    packed = {
        "weights": packed_arrays(known),
        "images": packed_arrays({"calibration": calibration, "images": images, "labels": labels}),
    }
    space = load_space(SPACE)

    def found(row: np.ndarray, asked: Labelled) -> int:
        weights = at(known, int(row[0]))
        return right(space.to_network(row), weights, Shrunk(calibration), Shrunk(asked.images), asked.labels)

    ends = {"smallest": space.smallest(), "largest": space.largest()}
    checks = [*ends.values(), space.sample(np.random.default_rng(0), 1)[0]]
    text = json.dumps(settings, sort_keys=True)
    manifest = {
        "version": 1,
        "configuration": settings,
        "configuration_hash": hashlib.sha256(text.encode()).hexdigest(),
        "torch": torch.__version__,
        "sha256": {part: hashlib.sha256(content).hexdigest() for part, content in packed.items()},
        "accuracy": {name: found(row, held) / 100 for name, row in ends.items()},
        "checks": {space.decode(row).encoding: found(row, Labelled(images, labels)) for row in checks},
        "images": f"of Fashion-MNIST, in {LEVELS} grey levels: the first {CALIBRATION} for training and the "
        f"first {SHIPPED} held out",
        "licence": "images MIT, Zalando SE: see fashion.LICENSE",
        "evidence": None,
    }
    path = data / f"{SPACE}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    if before.get("sha256") == manifest["sha256"]:
        manifest["evidence"] = before["evidence"]
    for part, content in packed.items():
        write_whole(data / f"{SPACE}_{part}.npz", content)
    write_whole(path, json.dumps(manifest, indent=1) + "\n")
    print(f"{data}: {sum(map(len, packed.values())):,} bytes, accuracy {manifest['accuracy']}")


def packed_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz, compressed by LZMA, without dates: equal arrays give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_LZMA
            archive.writestr(entry, content.getvalue())
    return file.getvalue()


if __name__ == "__main__":
    main()
