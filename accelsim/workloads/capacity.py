"""Fisher potential of a network at initialisation: a test of legality, no accuracy.

Turner, Crowley and O'Boyle (ASPLOS 2021) call a rewritten network legal if its potential is not below that
of the original. Per channel it is 1/(2N) sum over images of (sum over the map of activation times gradient)
squared, summed over channels and layers, here of random weights on random images with random labels: nothing
is trained and no data are needed. It depends much on the draw, so it is always several seeds.

What a `Network` does not say is the same for all: every convolution is normalised over the batch; a ReLU
follows sums, and convolutions that no sum reads; pooling averages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.network import INPUT, Network
from accelsim.workloads.reach import Window
from accelsim.workloads.transform.pieces import ConvPiece
from accelsim.workloads.transform.rewrite import Transformed

Array = NDArray[np.float64]
Back = Callable[[Array], Array]

SEEDS, IMAGES = 8, 8
TINY = 1e-5
"""Added to variances, as frameworks do."""


class Potential(NamedTuple):
    """Fisher potentials float64[seeds]."""

    seeds: Array

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(self.seeds.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds, relative to the mean."""
        return float(self.seeds.std(ddof=1) / self.seeds.mean()) if len(self.seeds) > 1 else float("nan")


def fisher(network: Network, seeds: int = SEEDS, images: int = IMAGES) -> Potential:
    """The potential of a network by so many draws of weights and images.

    Raises AccelsimError for operators other than convolutions, pooling, sums and fully connected layers.
    """
    return Potential(np.array([_potential(network, seed, images) for seed in range(seeds)]))


def _potential(network: Network, seed: int, images: int) -> float:
    run = Pass(network, np.random.default_rng(seed), images)
    gradients = run.gradients()
    total = 0.0
    for i, made in run.activations.items():
        per_image = (made * gradients[i]).sum(axis=(2, 3))  # [images, channels]
        total += float((per_image**2).sum()) / (2 * images)
    return total


class Pass:
    """One pass through a network at initialisation, and the way back.

    results      per layer [images, channels, rows, columns]
    activations  those of convolutions
    loss         mean cross entropy against random labels

    `nudge` multiplies the result of each layer, by index, before anything reads it: for tests.
    """

    def __init__(
        self, network: Network, rng: np.random.Generator, images: int, nudge: dict[int, Array] | None = None
    ) -> None:
        base = network.base if isinstance(network, Transformed) else None
        self.network = base or network
        self.pieces = dict(network.pieces) if isinstance(network, Transformed) else {}
        self.rng = rng
        self.results: list[Array] = []
        self.activations: dict[int, Array] = {}
        self._back: list[Back] = []
        self._shares: list[list[tuple[int, slice]]] = []
        self.input = rng.standard_normal((images, *self.network.input_shape))
        for i, layer in enumerate(self.network.layers):
            made, back = self._layer(i, layer)
            if nudge is not None and i in nudge:
                made = made * nudge[i]
            self.results.append(made)
            self._back.append(back)
            if layer.op == "conv":
                self.activations[i] = made
        (self._last,) = self.network.outputs[-1:]
        logits = self.results[self._last].reshape(images, -1)
        labels = rng.integers(0, logits.shape[1], images)
        logits = logits - logits.max(axis=1, keepdims=True)
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        self.loss = float(-np.log(chances[np.arange(images), labels]).mean())
        chances[np.arange(images), labels] -= 1.0
        self._gradient = chances / images

    def gradients(self) -> list[Array]:
        """Of the loss by each layer's result."""
        out = [np.zeros_like(made) for made in self.results]
        out[self._last] += self._gradient.reshape(out[self._last].shape)
        for i in reversed(range(len(out))):
            passed = self._back[i](out[i])
            for producer, channels in self._shares[i]:
                if producer != INPUT:
                    shape = out[producer].shape
                    out[producer] += passed[:, channels].reshape(shape)
        return out

    def _layer(self, i: int, layer: Layer) -> tuple[Array, Back]:
        edges = self.network.inputs_of[i]
        parts = [self.input if edge.producer == INPUT else self.results[edge.producer] for edge in edges]
        if any(edge.operand != "I" for edge in edges):
            raise self._unknown(layer, "multiplies activations")
        if layer.op == "eltwise":
            if len({part.shape for part in parts}) > 1 or len(parts) != layer.C:
                raise self._unknown(layer, "is no sum of equal tensors")
            self._shares.append([(edge.producer, slice(None)) for edge in edges])
            total = np.sum(parts, axis=0)
            return np.maximum(total, 0.0), lambda g: g * (total > 0)
        ends = np.cumsum([0, *(part.shape[1] for part in parts)]).tolist()
        if layer.op == "gemm":
            self._shares.append([(edges[0].producer, slice(None))])
            return self._linear(parts, layer)
        pieces = self.pieces.get(i)
        channels = max(piece.ins[1] for piece in pieces) if pieces else layer.G * layer.C
        if len({part.shape[2:] for part in parts}) > 1 or ends[-1] != channels:
            raise self._unknown(layer, "reads tensors that do not lie side by side")
        pairs = zip(edges, ends, ends[1:])
        self._shares.append([(edge.producer, slice(first, end)) for edge, first, end in pairs])
        x = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        pad = self._pad(i, layer)
        if layer.op == "pool":
            return _pooled(x, layer, pad)
        relu = not any(self.network.layers[e.consumer].op == "eltwise" for e in self.network.consumers_of[i])
        return self._convolved(x, layer, pad, pieces, relu)

    def _linear(self, parts: list[Array], layer: Layer) -> tuple[Array, Back]:
        x = parts[0]
        flat = x.reshape(len(x), -1)
        if len(parts) > 1 or flat.shape[1] != layer.C or layer.G * layer.P * layer.Q != 1:
            raise self._unknown(layer, "is no fully connected layer of one tensor")
        weights = self.rng.standard_normal((layer.C, layer.K)) / np.sqrt(layer.C)
        made = (flat @ weights)[:, :, None, None]
        return made, lambda g: (g[:, :, 0, 0] @ weights.T).reshape(x.shape)

    def _convolved(
        self, x: Array, layer: Layer, pad: tuple[int, int], pieces: Sequence[ConvPiece] | None, relu: bool
    ) -> tuple[Array, Back]:
        whole = ConvPiece((0, x.shape[1]), (0, layer.G * layer.K), (0, layer.P), layer.G)
        pieces = pieces or [whole]
        raw = np.zeros((len(x), max(p.outs[1] for p in pieces), layer.P, layer.Q))
        backs = []
        for piece in pieces:
            first, end = (row * layer.stride[0] for row in piece.rows)
            rows = slice(first, end) if piece.rows != (0, layer.P) else slice(None)
            here = slice(*piece.ins), rows
            place = slice(*piece.outs), slice(*piece.rows)
            own, back = _convolution(x[:, here[0], here[1]], layer, pad, piece, self.rng)
            raw[:, place[0], place[1]] = own
            backs.append((here, place, back))
        deviation = np.sqrt(raw.var(axis=(0, 2, 3), keepdims=True) + TINY)
        normal = (raw - raw.mean(axis=(0, 2, 3), keepdims=True)) / deviation
        made = np.maximum(normal, 0.0) if relu else normal

        def backward(g: Array) -> Array:
            g = g * (normal > 0) if relu else g
            means = g.mean(axis=(0, 2, 3), keepdims=True), (g * normal).mean(axis=(0, 2, 3), keepdims=True)
            g = (g - means[0] - normal * means[1]) / deviation
            out = np.zeros_like(x)
            for (channels, rows), place, back in backs:
                out[:, channels, rows] += back(g[:, place[0], place[1]])
            return out

        return made, backward

    def _pad(self, i: int, layer: Layer) -> tuple[int, int]:
        window = self.network.reads_of[i][0][1]
        if isinstance(window, Window):
            return window.rows.pad, window.cols.pad
        if (layer.P, layer.Q) == (1, 1):
            return 0, 0
        raise self._unknown(layer, window.why)

    def _unknown(self, layer: Layer, why: str) -> AccelsimError:
        return AccelsimError(f"capacity: {self.network.name}: layer {layer.name!r} {why}; it cannot be run")


def _windows(
    x: Array, layer: Layer, pad: tuple[int, int], rows: int
) -> tuple[Array, tuple[slice, slice], tuple[int, int]]:
    """Views [images, channels, rows, columns, R, S], where x lies in the padded map, and the map's size."""
    size = []
    for out, taps, stride, dilation in zip((rows, layer.Q), (layer.R, layer.S), layer.stride, layer.dilation):
        size.append((out - 1) * stride + (taps - 1) * dilation + 1)
    height, width = (max(n, p + m) for n, p, m in zip(size, pad, x.shape[2:]))
    inner = slice(pad[0], pad[0] + x.shape[2]), slice(pad[1], pad[1] + x.shape[3])
    padded = np.zeros((*x.shape[:2], height, width))
    padded[:, :, inner[0], inner[1]] = x
    reach = [(taps - 1) * d + 1 for taps, d in zip((layer.R, layer.S), layer.dilation)]
    views = sliding_window_view(padded, reach, axis=(2, 3))[
        :, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]
    ]
    return views[:, :, :rows, : layer.Q], inner, (height, width)


def _convolution(
    x: Array, layer: Layer, pad: tuple[int, int], piece: ConvPiece, rng: np.random.Generator
) -> tuple[Array, Back]:
    """A piece on its own inputs with random weights, and the way back to them."""
    rows = piece.rows[1] - piece.rows[0]
    views, inner, size = _windows(x, layer, pad, rows)
    n, groups = len(x), piece.groups
    ins, outs = x.shape[1] // groups, (piece.outs[1] - piece.outs[0]) // groups
    points = ins * layer.R * layer.S
    columns = views.transpose(0, 1, 4, 5, 2, 3).reshape(n, groups, points, rows * layer.Q)
    weights = rng.standard_normal((groups, outs, points)) * np.sqrt(2.0 / points)
    made = np.matmul(weights, columns).reshape(n, groups * outs, rows, layer.Q)

    def backward(g: Array) -> Array:
        back = np.matmul(weights.transpose(0, 2, 1), g.reshape(n, groups, outs, rows * layer.Q))
        return _spread(back.reshape(n, groups * ins, layer.R, layer.S, rows, layer.Q), layer, size, inner)

    return made, backward


def _pooled(x: Array, layer: Layer, pad: tuple[int, int]) -> tuple[Array, Back]:
    views, inner, size = _windows(x, layer, pad, layer.P)
    share = 1.0 / (layer.R * layer.S)

    def backward(g: Array) -> Array:
        taps = np.broadcast_to((g * share)[:, :, None, None], (*g.shape[:2], layer.R, layer.S, *g.shape[2:]))
        return _spread(taps, layer, size, inner)

    return views.mean(axis=(4, 5)), backward


def _spread(taps: Array, layer: Layer, size: tuple[int, int], inner: tuple[slice, slice]) -> Array:
    """Gradients [images, channels, R, S, rows, columns] of windows, added up over their map."""
    out = np.zeros((*taps.shape[:2], *size))
    rows, columns = taps.shape[4:]
    for r in range(layer.R):
        for s in range(layer.S):
            top, left = r * layer.dilation[0], s * layer.dilation[1]
            out[
                :,
                :,
                top : top + (rows - 1) * layer.stride[0] + 1 : layer.stride[0],
                left : left + (columns - 1) * layer.stride[1] + 1 : layer.stride[1],
            ] += taps[:, :, r, s]
    return out[:, :, inner[0], inner[1]]
