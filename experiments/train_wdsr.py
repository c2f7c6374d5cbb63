"""PSNR of super-resolution networks of space `wdsr_x2`, trained alone, beside their parameters and MACs.

    python experiments/train_wdsr.py [--root /usr/share/backgrounds] [--networks 8] [--seeds 1] [--steps 2000]

Needs `pip install 'accelsim[train]' scikit-image scikit-learn` and Debian's mate-backgrounds and
lomiri-wallpapers-16.04: photographs.py names the 27 photographs to learn from and the six that are held out,
which decide nothing here. Stopped at any time, it goes on after the last network that was trained whole.

A network is trained as it is priced, layer by layer of `Space.to_network`, on random patches mirrored and
turned by chance, for the least absolute error, by Adam. Weights are normalised as WDSR's are (a scale and a
bias a channel). The shortcut of the tail starts as bicubic interpolation and its other layer at 0, so that
training begins with what is to be beaten.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import photographs
import shared_weights as shared
import torch
import torch.nn.functional as F
from common import write
from rank_one_shot import interval
from scipy.stats import t

import accelsim
from accelsim.files import write_whole
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.spaces import Space, load_space
from accelsim.workloads.spaces.genes import Genomes

SPACE, CHIP = "wdsr_x2", "nvdla_256"
NETWORKS, LARGEST, POOL = 8, 45_000, 20_000
STEPS, RATE, BATCH, PATCH = 2000, 5e-3, 16, 32
"""The rate is the best of 1e-3, 2e-3 and 5e-3 on the photographs of lomiri-wallpapers-20.04, for networks of
one and of three blocks after 800 steps."""

Figures = dict[str, dict[str, float]]
"""Of each network and seed (`ENCODING seed N`) the PSNR of each held-out photograph, dB."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Train networks of space wdsr_x2 and measure their PSNR.")
    parser.add_argument("--root", type=Path, default=Path("/usr/share/backgrounds"), help="of the wallpapers")
    parser.add_argument("--out", type=Path, default=Path("results/train_wdsr"))
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shared.prepare()
    space, asked = load_space(SPACE), photographs.held_out()
    pairs = Pairs(photographs.training(args.root))
    path = args.out / f"psnr-{args.steps}.json"
    done: Figures = json.loads(path.read_text()) if path.exists() else {}
    rows = spread(space, args.networks)
    for seed in range(args.seeds):
        for row in rows:
            name = f"{space.decode(row).encoding} seed {seed}"
            if name not in done:
                net = space.to_network(row)
                weights = trained(net, pairs, seed, args.steps)
                done[name] = {which: tested(net, weights, image) for which, image in asked.items()}
                write_whole(path, json.dumps(done, indent=1))
                print(f"{name}: {np.mean(list(done[name].values())):.2f} dB", flush=True)
    before = {n: photographs.psnr(photographs.bicubic(photographs.halved(x)), x) for n, x in asked.items()}
    report(args.out, space, rows, args.seeds, done, before)


def spread(space: Space, n: int) -> Genomes:
    """The smallest network and random ones at even steps of log parameters, to 45,000."""
    drawn = space.sample(np.random.default_rng(0), POOL)
    size = np.log(space.params(drawn))
    first = np.log(space.params(space.smallest()[None])[0])
    steps = np.linspace(first, math.log(LARGEST), n)[1:]
    return np.array([space.smallest(), *(drawn[np.abs(size - x).argmin()] for x in steps)])


class Pairs:
    """Patches of photographs and the same at half the size: a function of seed and step alone."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self.pairs = [(_tensor(photographs.halved(image)), _tensor(image)) for image in images]

    def pick(self, seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """[batch, 3, 32, 32] and [batch, 3, 64, 64], values -0.5 to 0.5."""
        draw = np.random.default_rng([seed, step])
        small, large = [], []
        for _ in range(BATCH):
            a, b = self.pairs[draw.integers(len(self.pairs))]
            y, x = (int(draw.integers(side - PATCH + 1)) for side in a.shape[1:])
            a, b = a[:, y : y + PATCH, x : x + PATCH], b[:, 2 * y : 2 * (y + PATCH), 2 * x : 2 * (x + PATCH)]
            turns, mirrored = int(draw.integers(4)), draw.random() < 0.5
            a, b = (torch.rot90(z.flip(2) if mirrored else z, turns, (1, 2)) for z in (a, b))
            small.append(a)
            large.append(b)
        return torch.stack(small), torch.stack(large)


def fresh(net: Network, seed: int) -> shared.Weights:
    """Directions, lengths and biases of all convolutions, so that the network interpolates bicubically."""
    draw = torch.Generator().manual_seed(seed)
    weights: shared.Weights = {}
    for name, layer in zip(net.names, net.layers):
        if layer.op != "conv":
            continue
        v = torch.randn((layer.K, layer.C, layer.R, layer.S), generator=draw)
        v *= math.sqrt(2 / (layer.C * layer.R * layer.S))
        if name == "tail.skip":
            v = _interpolation(layer.C)
        weights[f"{name}.direction"] = v
        weights[f"{name}.length"] = v.flatten(1).norm(dim=1) * (name != "tail.conv")
        weights[f"{name}.bias"] = torch.zeros(layer.K)
    for w in weights.values():
        w.requires_grad_(True)
    return weights


def forward(net: Network, weights: shared.Weights, x: torch.Tensor) -> torch.Tensor:
    """[n, 3, 2 height, 2 width] of [n, 3, height, width]. Only the layer that widens has a ReLU."""
    made = {INPUT: x}
    for i, (name, layer) in enumerate(zip(net.names, net.layers)):
        inputs = [made[edge.producer] for edge in net.inputs_of[i]]
        if layer.op != "conv":
            made[i] = inputs[0] + inputs[1]
            continue
        v = weights[f"{name}.direction"]
        scale = weights[f"{name}.length"] / v.flatten(1).norm(dim=1)
        w = v * scale[:, None, None, None]
        made[i] = F.conv2d(inputs[0], w, weights[f"{name}.bias"], padding=layer.R // 2)
        if name.endswith(".wide"):
            made[i] = F.relu(made[i])
    return F.pixel_shuffle(made[net.outputs[0]], 2)


def trained(net: Network, pairs: Pairs, seed: int, steps: int) -> shared.Weights:
    """Weights after so many steps of Adam; the rate falls as a cosine to 0."""
    weights = fresh(net, seed)
    adam = torch.optim.Adam(weights.values(), RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for step in range(steps):
        small, large = pairs.pick(seed, step)
        adam.zero_grad()
        F.l1_loss(forward(net, weights, small), large).backward()
        adam.step()
        falling.step()
    return weights


def tested(net: Network, weights: shared.Weights, image: np.ndarray) -> float:
    """PSNR, dB, of a photograph made from half of its height and width."""
    with torch.no_grad():
        made = forward(net, weights, _tensor(photographs.halved(image))[None])[0]
    levels = (255 * (made + 0.5)).round().clamp(0, 255).to(torch.uint8)
    return photographs.psnr(levels.permute(1, 2, 0).numpy(), image)


def report(
    out: Path, space: Space, rows: Genomes, seeds: int, done: Figures, before: dict[str, float]
) -> None:
    """A table of the networks, and how their PSNR ranks with what is known without training."""
    first, mean, table = list(before.values()), [], []
    latency = []
    for row in rows:
        encoding = space.decode(row).encoding
        found = np.mean([list(done[f"{encoding} seed {seed}"].values()) for seed in range(seeds)], axis=0)
        gain = found - first
        half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / math.sqrt(len(gain))
        latency.append(accelsim.map_network(CHIP, space.to_network(row), "template").cost.latency_s)
        mean.append(found.mean())
        table.append(
            {
                "network": encoding,
                "parameters": f"{space.params(row[None])[0]:,}",
                "MACs, G": f"{space.macs(row[None])[0] / 1e9:.2f}",
                "latency, ms": f"{1e3 * latency[-1]:.1f}",
                "PSNR, dB": f"{found.mean():.2f}",
                "over bicubic": f"{gain.mean():+.2f}",
                "95 %": f"{gain.mean() - half:.2f} to {gain.mean() + half:.2f}",
            }
        )
    write(out / "networks.csv", table)
    known = {"parameters": space.params(rows), "MACs": space.macs(rows), "latency": np.array(latency)}
    ranks = {name: interval(x, np.array(mean)) for name, x in known.items()}
    write(out / "ranks.csv", [{"by": name, **_interval(rho)} for name, rho in ranks.items()])
    print(f"bicubic {np.mean(first):.2f} dB: {', '.join(f'{n} {x:.2f}' for n, x in before.items())}")


def _interval(rho: list[float]) -> dict[str, Any]:
    return {"Spearman": f"{rho[0]:.2f}", "95 %": f"{rho[1]:.2f} to {rho[2]:.2f}"}


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1) / 255 - 0.5


def _interpolation(colours: int) -> torch.Tensor:
    """[4 colours, colours, 5, 5]: bicubic interpolation to twice the size, four pixels of each from one."""
    taps = torch.zeros(2, 5)
    for phase, centre in enumerate((1.75, 2.25)):
        for place in range(5):
            d = abs(place - centre)
            if d < 1:
                taps[phase, place] = 1.5 * d**3 - 2.5 * d**2 + 1
            elif d < 2:
                taps[phase, place] = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    found = torch.zeros(4 * colours, colours, 5, 5)
    for colour in range(colours):
        for i in range(2):
            for j in range(2):
                found[4 * colour + 2 * i + j, colour] = torch.outer(taps[i], taps[j])
    return found


if __name__ == "__main__":
    main()
