"""Mappings a second of the pricing kernel, on one core; `pytest tests/benchmarks` runs the same batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.bench.mappings import machine_of, random_batch
from accelsim.pack import Batch, pack_layer
from accelsim.workloads.layer import Layer
from cost_models.loopnest import layout as L
from cost_models.loopnest.records import Prices

LAYERS = {
    "3x3": Layer.conv2d(K=128, C=64, P=28, Q=28, R=3, S=3),
    "strided": Layer.conv2d(K=128, C=64, P=28, Q=28, R=3, S=3, stride=2),
    "1x1": Layer.conv2d(K=256, C=64, P=56, Q=56),
    "depthwise": Layer.depthwise(C=96, P=56, Q=56),
    "gemm": Layer.gemm(M=128, N=512, K=512),
}
"""Kinds of layers that are measured."""

_ARRAY = [(12, True, True), (14, True, True)]
MACHINES = {
    2: machine_of([_ARRAY, []]),
    3: machine_of([[], _ARRAY, []]),
    4: machine_of([[], [], _ARRAY, []]),
}
"""By number of memories: a 12 x 14 array, all ports and energies finite."""

BATCHES = (1, 10, 100, 1000, 10_000, 100_000)
SIZE = 2000
"""Mappings of a batch where its size is not what is measured."""


def prepared(layer: str, memories: int, size: int, exact: bool) -> tuple[Any, ...]:
    """Arguments of `price_batch`: random mappings of a layer, with `exact` of tiles that divide."""
    problem, machine = pack_layer(LAYERS[layer]), MACHINES[memories]
    few = random_batch(problem, machine, min(size, SIZE), np.random.default_rng(1), exact)
    batch = Batch(*(np.ascontiguousarray(np.resize(a, (size, *a.shape[1:]))) for a in few))
    return problem, machine, batch, Prices.empty(size)


@dataclass(frozen=True)
class Speed:
    """Mappings a second of CPU time, the best of several rounds.

    kinds    (layer, memories, "dividing" | "any") -> mappings a second, in batches of SIZE
    batches  batch size -> mappings a second: 3x3, three memories, dividing
    """

    kinds: dict[tuple[str, int, str], float]
    batches: dict[int, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        kinds = [
            {"layer": layer, "memories": memories, "tiles": tiles, "mappings_per_second": speed}
            for (layer, memories, tiles), speed in self.kinds.items()
        ]
        batches = [{"batch": size, "mappings_per_second": speed} for size, speed in self.batches.items()]
        return {"kinds": kinds, "batches": batches}


def bench(seconds: float = 10.0, progress: Callable[[int, int], None] | None = None) -> Speed:
    """Measure for about so many seconds, compilation not counted."""
    from cost_models.lanes.batch import price_batch

    price_batch(*prepared("3x3", 3, 1, True))
    kinds = [(layer, m, tiles) for layer in LAYERS for m in MACHINES for tiles in ("dividing", "any")]
    each = seconds / (len(kinds) + len(BATCHES))
    found: dict[Any, float] = {}
    keys: list[Any] = [*kinds, *BATCHES]
    for i, key in enumerate(keys):
        if isinstance(key, int):
            arguments = prepared("3x3", 3, key, True)
        else:
            arguments = prepared(key[0], key[1], SIZE, key[2] == "dividing")
        found[key] = len(arguments[-1].status) / _best(price_batch, arguments, each)
        if progress is not None:
            progress(i + 1, len(keys))
    return Speed({key: found[key] for key in kinds}, {key: found[key] for key in BATCHES})


def _best(call: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> float:
    """CPU seconds of the fastest call. Short calls are timed several at a time."""
    start = time.process_time()
    call(*arguments)
    once = max(time.process_time() - start, 1e-9)
    times = max(1, int(2e-3 / once))
    best, end = np.inf, time.perf_counter() + seconds
    while True:
        start = time.process_time()
        for _ in range(times):
            call(*arguments)
        best = min(best, (time.process_time() - start) / times)
        if time.perf_counter() >= end:
            break
    if (arguments[-1].status != L.OK).any():
        raise RuntimeError("a mapping of the benchmark is illegal")
    return max(float(best), 1e-9)
