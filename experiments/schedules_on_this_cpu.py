"""What a schedule is worth on the processor at hand: random loop nests, emitted as C, compiled and timed.

    python experiments/schedules_on_this_cpu.py [--quick] [--out DIR]

Surveys of joint network and compiler search show (1) that one layer's time spreads many times over its
schedules and (2) that the speed-up differs from network to network, so that networks may change places. Both
are measured here and nothing is predicted: accelsim's cost model knows accelerators; it knows neither the
vector units nor the register allocation that decide the times of a processor. It needs a C compiler, `cc`,
and one core.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from common import options, write
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import kendalltau

import accelsim
from accelsim import Layer, Mapping
from accelsim.csv_text import csv_text
from accelsim.emit import emit
from accelsim.emit.base import functions
from accelsim.emit.nest import span
from accelsim.mapping.mapping import Level
from accelsim.workloads.layer import DIMS

LAYERS = {
    "3x3 64-64-28": Layer.conv2d(K=64, C=64, P=28, Q=28, R=3, S=3),
    "1x1 256-128-28": Layer.conv2d(K=128, C=256, P=28, Q=28),
}
NETWORKS = ("squeezenet1_1", "mobilenet_v1", "mnasnet_b1", "resnet18")
PLAIN = Mapping((Level("memory"),))
"""The loops as they stand in the definition, nothing tiled."""


def schedule(layer: Layer, rng: np.random.Generator) -> Mapping:
    """Tiles for two caches, each a random divisor of the tile outside, and random loop orders."""
    inside = layer.dims
    levels = []
    for memory in ("memory", "cache", "registers"):
        for d in DIMS:
            sizes = [n for n in range(1, inside[d] + 1) if inside[d] % n == 0]
            inside[d] = 1 if memory == "registers" else int(rng.choice(sizes))
        levels.append(Level(memory, tuple(map(str, rng.permutation(list(DIMS)))), dict(inside)))
    return Mapping(tuple(levels))


def measured(layer: Layer, mappings: list[Mapping], runs: int) -> tuple[np.ndarray, float]:
    """(seconds float64[mappings], the least of some runs; the largest relative error of any result)."""
    pairs = [(layer, mapping) for mapping in mappings]
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal(
        (layer.N, layer.G, layer.C, span(layer, 0), span(layer, 1)), dtype=np.float32
    )
    weights = rng.standard_normal(tuple(layer.dims[d] for d in "GKCRS"), dtype=np.float32)
    right = convolved(layer, inputs, weights)
    out = np.empty(right.shape, np.float32)
    seconds, error = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "nest.c", Path(folder) / "nest.so"
        source.write_text(emit("c", pairs), encoding="utf-8")
        words = ["cc", "-std=c99", "-O3", "-march=native", "-shared", "-fPIC", "-o", str(made), str(source)]
        subprocess.run(words, check=True)
        library = ctypes.CDLL(str(made))
        for item in functions(pairs):
            nest = getattr(library, item.name)
            given = [ctypes.c_void_p(x.ctypes.data) for x in (inputs, weights, out)]
            best = np.inf
            for _ in range(runs):
                began = time.perf_counter()
                nest(*given)
                best = min(best, time.perf_counter() - began)
            seconds[str(item.mapping)] = best
            error = max(error, float(np.abs(out - right).max() / np.abs(right).max()))
    return np.array([seconds[str(mapping)] for mapping in mappings]), error


def convolved(layer: Layer, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The layer by NumPy, in double precision."""
    reach = [(taps - 1) * d + 1 for taps, d in zip((layer.R, layer.S), layer.dilation)]
    windows = sliding_window_view(inputs, reach, axis=(3, 4))
    windows = windows[
        :, :, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]
    ]
    return np.einsum("ngcpqrs,gkcrs->ngkpq", windows.astype(float), weights.astype(float), optimize=True)


def main() -> None:
    chosen = options(__doc__, "schedules_on_this_cpu")
    quick = chosen.quick
    count, runs, resolution = (4, 1, 32) if quick else (60, 3, 64)
    rows, times = [], []
    for name, layer in LAYERS.items():
        rng = np.random.default_rng(1)
        mappings = [PLAIN, *(schedule(layer, rng) for _ in range(count))]
        seconds, error = measured(layer, mappings, runs)
        times += [{"layer": name, "schedule": i, "ms": f"{t * 1e3:.4f}"} for i, t in enumerate(seconds)]
        rows.append(
            {
                "layer": name,
                "schedules": len(seconds),
                "best, ms": f"{seconds.min() * 1e3:.2f}",
                "plain nest, ms": f"{seconds[0] * 1e3:.2f}",
                "slowest, ms": f"{seconds.max() * 1e3:.2f}",
                "slowest / best": f"{seconds.max() / seconds.min():.1f}",
                "best, GFLOP/s": f"{2e-9 * layer.macs / seconds.min():.1f}",
                "largest error": f"{error:.1e}",
            }
        )
    write(chosen.out / "layers.csv", rows)
    (chosen.out / "times.csv").write_text(csv_text(list(times[0]), times), encoding="utf-8")

    networks, rows, each = NETWORKS[:2] if quick else NETWORKS, [], 2 if quick else 12
    for name in networks:
        network = accelsim.load_network(name, resolution=resolution)
        plain = best = 0.0
        for layer, times_in in network.distinct_layers().items():
            if layer.has_weights:
                rng = np.random.default_rng(2)
                mappings = [PLAIN, *(schedule(layer, rng) for _ in range(each))]
                seconds, _ = measured(layer, mappings, runs)
                plain += times_in * float(seconds[0])
                best += times_in * float(seconds.min())
        rows.append({"network": name, "MMACs": f"{network.macs * 1e-6:.0f}", "plain": plain, "best": best})
    tau = kendalltau(np.array([r["plain"] for r in rows]), np.array([r["best"] for r in rows])).statistic
    table = [
        {
            "network": row["network"],
            "MMACs": row["MMACs"],
            "plain nests, ms": f"{row['plain'] * 1e3:.2f}",
            f"best of {each + 1} a layer, ms": f"{row['best'] * 1e3:.2f}",
            "speed-up": f"{row['plain'] / row['best']:.2f}",
        }
        for row in rows
    ]
    write(chosen.out / "networks.csv", table)
    print(f"rankings of the networks, plain against best: Kendall's tau {tau:+.2f}")


if __name__ == "__main__":
    main()
