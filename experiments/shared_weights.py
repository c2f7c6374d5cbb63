"""The networks of space `fashion` in PyTorch: what `train_one_shot.py` and `rank_one_shot.py` share.

A network is trained as it is priced: layer by layer of `Space.to_network`. A layer's weights are those of the
same name in the largest network, cut to its first channels and the middle of the kernel.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from accelsim.accuracy.fashion_mnist import Labelled, resized
from accelsim.files import write_whole
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Network

Weights = dict[str, torch.Tensor]

RATE, MOMENTUM, DECAY = 0.3, 0.9, 1e-4
BATCH, WARM = 256, 0.05


def prepare() -> None:
    """One thread and one order of sums: a seed gives one result on one machine."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a tenth of the time, for nothing


def fresh(net: Network, seed: int, resolutions: int = 0) -> Weights:
    """He's initialisation; scales 1, shifts and biases 0, a row for each of several resolutions."""
    rows = (resolutions,) if resolutions else ()
    draw = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, layer in zip(net.names, net.layers):
        if layer.op not in ("conv", "gemm"):
            continue
        shape = (layer.G * layer.K, layer.C, layer.R, layer.S)
        fan = layer.K * layer.R * layer.S if layer.op == "conv" else layer.C
        weights[f"{name}.weight"] = torch.randn(shape, generator=draw) * math.sqrt(2 / fan)
        if layer.op == "conv":
            weights[f"{name}.scale"] = torch.ones(*rows, shape[0])
        weights[f"{name}.shift"] = torch.zeros(*rows, shape[0])
    for w in weights.values():
        w.requires_grad_(True)
    return weights


def forward(net: Network, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    """Logits [n, 10]; batches are normalised by their own statistics. A projection has no ReLU."""
    made = {INPUT: x}
    for i, (name, layer) in enumerate(zip(net.names, net.layers)):
        inputs = [made[edge.producer] for edge in net.inputs_of[i]]
        if layer.op in ("conv", "gemm"):
            made[i] = weighted(name, layer, weights, inputs[0])
        elif layer.op == "pool":
            made[i] = inputs[0].mean((2, 3), keepdim=True)
        else:
            made[i] = inputs[0] + inputs[1]
    return made[net.outputs[0]].flatten(1)


def weighted(name: str, layer: Layer, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    """A convolution or the classifier, with what follows it."""
    out = layer.G * layer.K
    w = weights[f"{name}.weight"]
    edge = (w.shape[2] - layer.R) // 2
    w = w[:out, : layer.C, edge : edge + layer.R, edge : edge + layer.S]
    shift = weights[f"{name}.shift"][:out]
    if layer.op == "gemm":
        return F.conv2d(x, w, shift)
    y = F.conv2d(x, w.contiguous(), None, layer.stride, layer.R // 2, 1, layer.G)
    y = y.contiguous(memory_format=torch.channels_last)  # what the one grey channel of the input leaves open
    y = F.batch_norm(y, None, None, weights[f"{name}.scale"][:out], shift, training=True)
    return y if name.endswith("project") else F.relu(y)


class Optimiser:
    """SGD with Nesterov's momentum; the rate rises over the first steps, then falls as a cosine to 0."""

    def __init__(self, weights: Weights, steps: int) -> None:
        self.steps = steps
        self.weights = weights
        decayed = [w for name, w in weights.items() if name.endswith("weight")]
        others = [w for name, w in weights.items() if not name.endswith("weight")]
        groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others}]
        self.sgd = torch.optim.SGD(groups, RATE, MOMENTUM, nesterov=True)

    def step(self, number: int, nets: int = 1) -> None:
        """Update by the mean of the gradients that `nets` networks added up, and clear them."""
        for w in self.weights.values():
            if nets > 1 and w.grad is not None:
                w.grad /= nets
        done = (number + 1) / self.steps
        rate = RATE * min(done / WARM, 0.5 * (1 + math.cos(math.pi * done)))
        for group in self.sgd.param_groups:
            group["lr"] = rate
        self.sgd.step()
        self.sgd.zero_grad()


class Batches:
    """Shuffled batches of the training images, mirrored by chance: a function of seed and step alone."""

    def __init__(self, data: Labelled, seed: int, resolutions: Iterable[int]) -> None:
        self.labels = torch.from_numpy(data.labels.astype(np.int64))
        self.at = {r: torch.from_numpy(resized(data.images, r))[:, None] for r in resolutions}
        self.seed = seed
        self.each = len(data.labels) // BATCH
        self._epoch = -1

    def pick(self, step: int) -> tuple[Callable[[int], torch.Tensor], torch.Tensor]:
        """(images at a resolution, labels) of a step."""
        epoch, place = divmod(step, self.each)
        if epoch != self._epoch:
            draw = np.random.default_rng([self.seed, epoch])
            self._order = torch.from_numpy(draw.permutation(len(self.labels)))
            self._flip = torch.from_numpy(draw.random(len(self.labels)) < 0.5)
            self._epoch = epoch
        rows = self._order[place * BATCH : (place + 1) * BATCH]
        flip = self._flip[rows][:, None, None, None]

        def images(resolution: int) -> torch.Tensor:
            x = self.at[resolution][rows]
            return torch.where(flip, x.flip(3), x)

        return images, self.labels[rows]


def arrays(weights: Weights) -> dict[str, np.ndarray]:
    """As NumPy arrays."""
    return {name: w.detach().numpy() for name, w in weights.items()}


def keep(path: Path, step: int, weights: Weights, optimiser: Optimiser) -> None:
    """Write where a training is, whole or not at all."""
    file = io.BytesIO()
    torch.save({"step": step, "weights": weights, "sgd": optimiser.sgd.state_dict()}, file)
    write_whole(path, file.getvalue())


def resume(path: Path, weights: Weights, optimiser: Optimiser) -> int:
    """Take over what `keep` wrote, if anything: the next step."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        for name, w in weights.items():
            w.copy_(state["weights"][name])
    optimiser.sgd.load_state_dict(state["sgd"])
    return int(state["step"])
